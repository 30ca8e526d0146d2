"""Linear layers with weights that are rearranged once for many products of few rows, on x86 processors.

A decode step multiplies a few rows with every weight of the model, and the matrix library rearranges each
weight to the processor's liking before it does, at every call: with 16 rows that takes about as long as the
product. oneDNN takes weights that were rearranged beforehand (`oneapi-src.github.io/oneDNN`, "Understanding
Memory Formats"), which torch has as operators that it does not document; where they fail, or give other
products, layers are left as they are.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

SMALLEST = 1 << 16
"""Elements of a weight from which on a call of the operator costs less than it saves."""

WORTHWHILE_STEPS = 16
"""Decode steps from which on rearranging costs less than it saves."""


class PackedLinears:
    """A context in which the linear layers of a model multiply with rearranged copies of their weights.

    The copies take as much memory as the weights, until the object is dropped; where that is not to be had,
    the layers stay as they are. They are made anew when a weight was changed in place, or replaced, while the
    context was left. Gradients do not pass.

    Args:
        model: layers of other types than `torch.nn.Linear`, on other devices than a CPU, or of other number
            types than float32 and bfloat16 are left alone, and so are small ones.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._layers = [module for module in model.modules() if _fits(module)]
        self._packed: list[_Packed] = []

    def __enter__(self) -> None:
        if not (self._packed and all(packed.up_to_date for packed in self._packed)):
            self._packed = []  # first, so that the memory is free
            try:
                self._packed = [_Packed(layer) for layer in self._layers]
            except (RuntimeError, MemoryError):
                self._layers = []
        for packed in self._packed:
            # Module.__setattr__ is slow enough to be seen where a step takes a millisecond.
            vars(packed.layer)["forward"] = packed

    def __exit__(self, *error: object) -> None:
        for packed in self._packed:
            vars(packed.layer).pop("forward", None)


class _Packed:
    """A layer's forward function with a rearranged copy of its weight."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self._of = layer.weight
        self._version = layer.weight._version
        self._weight = _pack(layer.weight.detach())

    @property
    def up_to_date(self) -> bool:
        return self.layer.weight is self._of and self._of._version == self._version

    def __call__(self, input: Tensor) -> Tensor:
        if input.dtype is not self._of.dtype:  # under autocast
            return nn.Linear.forward(self.layer, input)
        return _product(input, self._weight, self.layer.bias)


def _fits(module: nn.Module) -> TypeGuard[nn.Linear]:
    if type(module) is not nn.Linear or "forward" in vars(module):
        return False
    weight = module.weight
    return (
        type(weight) is nn.Parameter  # quantised ones have types of their own
        and not weight.is_inference()  # these do not tell when they change
        and weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.bfloat16)
        and weight.numel() >= SMALLEST
        and works(weight.dtype)
    )


@cache
def works(dtype: torch.dtype) -> bool:
    """Whether this processor and this torch can do it, found out with one product."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False  # elsewhere torch has other libraries, and nobody has measured
    weight = torch.linspace(-1, 1, 96 * 80).view(96, 80).to(dtype)
    rows = torch.linspace(1, -1, 3 * 80).view(3, 1, 80).to(dtype)
    try:
        with torch.no_grad():
            found = _product(rows, _pack(weight), None)
    except (RuntimeError, AttributeError, TypeError):
        return False
    expected = linear(rows, weight)
    return bool((found - expected).abs().max() <= torch.finfo(dtype).eps * 8 * expected.abs().max())


def _pack(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
    return packed


def _product(rows: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return product
