"""From scored rollouts to an optimiser step."""
