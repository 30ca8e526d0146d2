"""The exceptions a caller can meet. Each message says how to mend the mistake."""

from grpo_rs._core import InputError, InternalError, SandboxUnavailable

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "InputError",
    "InternalError",
    "ModelError",
    "SandboxUnavailable",
]


class ConfigError(InputError):
    """A configuration that cannot be run: an unknown key, a wrong type, a contradiction."""


class DataError(InputError):
    """A data set that cannot be used: empty, not JSON, a missing column, a gold that cannot be read."""


class ModelError(InputError):
    """A model or tokenizer that cannot be loaded or used."""


class CheckpointError(InputError):
    """A run directory or checkpoint that cannot be continued."""
