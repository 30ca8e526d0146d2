"""Models with LoRA adapters (Hu et al., arXiv 2106.09685), as peft injects them.

peft replaces linear layers inside the transformers model, so that model's own forward pass applies the
adapters; the wrapper that peft puts around it is needed for saving only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel


def causal_lm(model: Any) -> PreTrainedModel:
    """The transformers model, out of peft's wrapper if it is in one; its adapters act in it."""
    unwrap = getattr(model, "get_base_model", None)
    unwrapped: PreTrainedModel = unwrap() if callable(unwrap) else model
    return unwrapped


def is_adapted(model: torch.nn.Module) -> bool:
    """Whether the model has adapters."""
    return bool(_adapters(model))


@contextmanager
def adapters_off(model: torch.nn.Module) -> Iterator[None]:
    """The model without its adapters, as it was before them, for the block."""
    layers = _adapters(model)
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def _adapters(model: torch.nn.Module) -> list[Any]:
    # peft is an extra; what it puts into a model is known by its method.
    return [
        module
        for module in model.modules()
        if hasattr(module, "enable_adapters") and hasattr(module, "base_layer")
    ]
