"""The rewards in the form that other training frameworks call, one module each, imported when first used."""

import importlib
from types import ModuleType

__all__ = ["trl", "verl"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"grpo_rs.adapters.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
