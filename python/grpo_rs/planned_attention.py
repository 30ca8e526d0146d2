"""Attention functions of ours in front of a model's own, through the attention interface of transformers.

A forward pass that carries a plan as a keyword argument goes to our function; any other goes on to the
implementation that the model had. So one model serves sampler, learner and everybody else, and its code is
untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

# What the names end with under which the functions of sampler and learner are registered.
SLOTS = "_slots"
SHARED_PREFIX = "_shared_prefix"
# What an attention function may be asked to do beside a scaled softmax, and ours do not.
UNSUPPORTED = ("softcap", "s_aux", "position_bias", "cache")


def why_not_planned(model: PreTrainedModel) -> str | None:
    """Why a model cannot take plans, in words for the user; None if nothing is known against it."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if config.is_encoder_decoder:
        return "it has an encoder"
    if kinds or model._is_stateful:
        return (
            f"it has layers that are not plain attention ({', '.join(sorted(kinds)) or 'a recurrent state'})"
        )
    if not model._can_set_attn_implementation():
        return "its code does not use transformers' attention interface"
    former = model.config._attn_implementation
    if former not in ALL_ATTENTION_FUNCTIONS:
        return f"its attention implementation is {former!r}, the model's own code: 'sdpa' would do"
    return None


@cache
def registered(former: str, suffix: str, plan: str, function: Callable[..., Tensor]) -> str:
    """Registers a function in front of an implementation.

    Args:
        former: the implementation's name.
        suffix: that is added to it.
        plan: the keyword argument that makes a call ours.
        function: called as an attention function is, with the plan behind the values; returns the output.

    Returns:
        The name for `PreTrainedModel.set_attn_implementation`.
    """
    fallback = ALL_ATTENTION_FUNCTIONS[former]

    def attention(
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        given = kwargs.pop(plan, None)
        if given is None:
            return fallback(module, query, key, value, attention_mask, **kwargs)  # type: ignore[no-any-return]
        return function(module, query, key, value, given, **kwargs), None

    name = former + suffix
    AttentionInterface.register(name, attention)
    masks = AttentionMaskInterface()
    if former in masks:
        AttentionMaskInterface.register(name, masks[former])
    return name


def plain_name(name: str) -> str:
    """The implementation that a model had before any function of ours was put in front of it."""
    while name.endswith((SLOTS, SHARED_PREFIX)):
        name = name.removesuffix(SLOTS).removesuffix(SHARED_PREFIX)
    return name


def unsupported(
    module: torch.nn.Module,
    *,
    sliding_window: int | None,
    is_causal: bool | None,
    other: Mapping[str, Any],
) -> list[str]:
    """What a call asks for beside a scaled, causal softmax, in words.

    Args:
        module: the attention layer.
        sliding_window, is_causal: as the interface hands them over.
        other: the other arguments.
    """
    asked = [name for name in UNSUPPORTED if other.get(name) is not None]
    if is_causal is False or not getattr(module, "is_causal", True):
        asked.append("attention that is not causal")
    if sliding_window is None and _kind(module) == "sliding_attention":
        asked.append("a sliding window that only a mask tells of")
    return asked


def _kind(module: torch.nn.Module) -> str | None:
    """What the configuration calls a layer's attention, if it says."""
    kinds = getattr(getattr(module, "config", None), "layer_types", None)
    index = getattr(module, "layer_idx", None)
    return kinds[index] if kinds and isinstance(index, int) and index < len(kinds) else None
