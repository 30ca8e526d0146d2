"""The trainer: `python -m grpo_rs.train`. Start reading at `loop.train`."""
