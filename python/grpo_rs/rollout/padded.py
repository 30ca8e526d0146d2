"""Decoding with transformers' own cache, for models that `slots` does not fit.

Prompts are padded on the left and read together, and the cache is repeated for their completions. Completions
that have ended leave it; others enter only when all have ended.

Shapes: R = completions that run, B = prompts, V = vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.arrays import IntArray
from grpo_rs.errors import ModelError


class PaddedLane:
    """A prompt in the cache: its row there, and the logits of the token that follows it."""

    def __init__(self, index: int, logits_V: Tensor | None) -> None:
        self.index, self.logits_V = index, logits_V


class PaddedDecoder:
    """A model with the cache that it makes itself. See `slots.SlotDecoder` for the methods."""

    joins = False

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._cache: Any = None
        self._mask = torch.zeros(0)
        self._position_R = torch.zeros(0)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> list[PaddedLane]:
        width = max(len(prompt) for prompt in prompts)
        ids = np.zeros((len(prompts), width), np.int64)
        mask = np.zeros((len(prompts), width), np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = prompt
            mask[row, width - len(prompt) :] = 1
        device = self.model.device
        self._mask = torch.from_numpy(mask).to(device)
        output = self.model(
            input_ids=torch.from_numpy(ids).to(device),
            use_cache=True,
            logits_to_keep=1,
            **self._padding((self._mask.cumsum(-1) - 1).clamp(min=0)),
        )
        self._cache = getattr(output, "past_key_values", None)
        if not all(
            hasattr(layer, "batch_select_indices") for layer in getattr(self._cache, "layers", [None])
        ):
            raise ModelError(
                f"{type(self.model).__name__} keeps no key-value cache that a group could share: only models "
                "whose layers are all attention can be sampled from. Choose another model, or another engine"
            )
        self._position_R = self._mask.sum(-1)
        return [PaddedLane(row, logits_V) for row, logits_V in enumerate(output.logits[:, -1])]

    def enter(self, lanes: Sequence[PaddedLane]) -> None:
        self.keep(np.array([lane.index for lane in lanes]))

    def step(self, token_R: IntArray) -> Tensor:
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], -1)
        logits_RV: Tensor = self.model(
            input_ids=torch.from_numpy(token_R).to(self.model.device)[:, None],
            past_key_values=self._cache,
            use_cache=True,
            **self._padding(self._position_R[:, None]),
        ).logits[:, -1]
        self._position_R = self._position_R + 1
        return logits_RV

    def keep(self, order: IntArray) -> None:
        if len(order) == 0:
            self._cache = None
            return
        index_R = torch.from_numpy(order).to(self.model.device)
        self._cache.batch_select_indices(index_R)
        self._mask, self._position_R = self._mask[index_R], self._position_R[index_R]

    def release(self, lanes: Sequence[PaddedLane]) -> None:
        """Their rows have left with the last of their completions."""

    @staticmethod
    def bytes_per_token(model: PreTrainedModel) -> int:
        """Of the cache, by the model's configuration."""
        config = model.config.get_text_config()
        heads = getattr(config, "num_attention_heads", 1)
        kept = getattr(config, "num_key_value_heads", None) or heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        return int(2 * config.num_hidden_layers * kept * size * model.dtype.itemsize)

    def _padding(self, position_ids: Tensor) -> dict[str, Tensor]:
        """What a model has to know of padding: nothing where there is none, for some do not take it."""
        if bool(self._mask.all()):
            return {}
        return {"attention_mask": self._mask, "position_ids": position_ids}
