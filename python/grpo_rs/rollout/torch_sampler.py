"""Sampling with the training model itself, through transformers' key-value cache.

Each prompt is prefilled once and its cache repeated for the group; rows that have ended leave the batch.

Shapes: B = rows still running, V = vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.arrays import IntArray
from grpo_rs.errors import ModelError
from grpo_rs.rollout.sampler import Completion, Finish, SamplingParams, SeedArray, uniforms

# Rows that have ended are dropped from the cache once they are this share of it: dropping copies it.
COMPACT_SHARE = 0.125


class TorchSampler:
    """Generates with a Hugging Face causal language model, in place.

    Args:
        model: the policy; its weights are read at every call, so there is nothing to synchronise.
        stop_tokens: ids that end a completion; the one drawn is part of it.
        pad_token: fills the left of shorter prompts; never seen by the model.
    """

    def __init__(self, model: PreTrainedModel, stop_tokens: Sequence[int], pad_token: int = 0) -> None:
        self.model = model
        self.stop_tokens = torch.tensor(sorted(set(stop_tokens)), device=model.device)
        self.pad_token = pad_token
        self.version = 0

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`."""
        training = self.model.training
        self.model.eval()
        try:
            tokens, logprobs, finished = self._generate(prompts, seeds, params)
        finally:
            self.model.train(training)
        for row, (ids, logp, ended) in enumerate(zip(tokens, logprobs, finished, strict=True)):
            group, member = divmod(row, seeds.shape[1])
            finish = Finish.STOP_TOKEN if ended else Finish.LENGTH
            yield Completion(group, member, ids, logp, finish, self.version)

    @torch.no_grad()
    def _generate(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> tuple[list[IntArray], list[np.ndarray], np.ndarray]:
        device = self.model.device
        rows = seeds.size
        ids, mask = self._left_padded(prompts)
        padded = not bool(mask.all())
        output = self.model(
            input_ids=ids,
            attention_mask=mask if padded else None,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0) if padded else None,
            use_cache=True,
            logits_to_keep=1,
        )
        cache: Any = getattr(output, "past_key_values", None)
        if not hasattr(cache, "batch_repeat_interleave"):
            raise ModelError(
                f"{type(self.model).__name__} keeps no key-value cache that could be shared by a group: only "
                "attention models can be sampled from yet"
            )
        cache.batch_repeat_interleave(seeds.shape[1])
        mask = mask.repeat_interleave(seeds.shape[1], 0)
        positions_B = mask.sum(-1)
        logits_BV = output.logits[:, -1].repeat_interleave(seeds.shape[1], 0)

        uniform_RT = torch.from_numpy(uniforms(seeds.reshape(-1), params.max_new_tokens)).to(device)
        tokens = torch.zeros((rows, params.max_new_tokens), dtype=torch.long, device=device)
        logprobs = torch.zeros((rows, params.max_new_tokens), device=device)
        lengths = torch.zeros(rows, dtype=torch.long, device=device)
        finished = torch.zeros(rows, dtype=torch.bool, device=device)
        row_B = torch.arange(rows, device=device)  # the row of each member of the batch
        for step in range(params.max_new_tokens):
            token_B, logprob_B = _draw(logits_BV, params.temperature, uniform_RT[row_B, step])
            running_B = ~finished[row_B]
            live = row_B[running_B]
            tokens[live, step], logprobs[live, step] = token_B[running_B], logprob_B[running_B]
            lengths[live] += 1
            finished[live] = torch.isin(token_B[running_B], self.stop_tokens)
            running_B = ~finished[row_B]
            running = int(running_B.sum())
            if running == 0 or step + 1 == params.max_new_tokens:
                break
            if running <= (1 - COMPACT_SHARE) * len(row_B):
                keep = running_B.nonzero()[:, 0]
                cache.batch_select_indices(keep)
                row_B, token_B, positions_B, mask = (
                    value[keep] for value in (row_B, token_B, positions_B, mask)
                )
            if padded:
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], -1)
            output = self.model(
                input_ids=token_B[:, None],
                attention_mask=mask if padded else None,
                position_ids=positions_B[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            positions_B = positions_B + 1
            logits_BV = output.logits[:, -1]

        sizes = lengths.tolist()
        return (
            [row[:size].numpy() for row, size in zip(tokens.cpu(), sizes, strict=True)],
            [row[:size].numpy() for row, size in zip(logprobs.cpu(), sizes, strict=True)],
            finished.cpu().numpy(),
        )

    def _left_padded(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), self.pad_token)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.as_tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        return ids.to(self.model.device), mask.to(self.model.device)


def _draw(logits_BV: Tensor, temperature: float, uniform_B: Tensor) -> tuple[Tensor, Tensor]:
    """One token a row and its log-probability, by inverting the cumulative distribution."""
    logits_BV = logits_BV.float()
    if temperature not in (0.0, 1.0):
        logits_BV = logits_BV / temperature
    logp_BV = logits_BV.log_softmax(-1)
    if temperature == 0.0:
        token_B = logp_BV.argmax(-1)
    else:
        # float64, or the tail of a large vocabulary drowns in rounding.
        cdf_BV = logp_BV.exp().cumsum(-1, dtype=torch.float64)
        target_B1 = uniform_B[:, None] * cdf_BV[:, -1:]
        token_B = torch.searchsorted(cdf_BV, target_B1, right=True)[:, 0]
        token_B = token_B.clamp(max=logits_BV.shape[-1] - 1)
    return token_B, logp_BV.gather(-1, token_B[:, None])[:, 0]
