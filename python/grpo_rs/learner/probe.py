"""Finds out, before training, whether a model can be trained in the cheap layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.errors import ModelError
from grpo_rs.learner.layout import Layout, micro_batches
from grpo_rs.learner.logprobs import completion_logprobs_T

# Largest mean difference of a log-probability, in nats, that rounding explains.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}


@dataclass(frozen=True)
class Probe:
    """Which layout a model can use, and how far each was from the model's own logits (nats, mean)."""

    layout: Layout
    gaps: dict[str, float]


@torch.no_grad()
def probe_layout(model: PreTrainedModel, prompt: Sequence[int], *, wanted: Layout | None = None) -> Probe:
    """Compares each layout with `model(...).logits` on one prompt and three random completions.

    Args:
        model: the policy.
        prompt: token ids of a real prompt.
        wanted: the only layout to try; None prefers `shared_prefix`.

    Raises:
        ModelError: no layout reproduces the model's log-probabilities.
    """
    rollouts = _random_group(prompt, model.config.get_text_config().vocab_size)
    expected_T = _plain_logprobs_T(model, rollouts)
    gaps: dict[str, float] = {}
    candidates: tuple[Layout, ...] = (wanted,) if wanted else ("shared_prefix", "padded")
    for layout in candidates:
        gaps[layout] = _gap(model, rollouts, layout, expected_T)
        if gaps[layout] <= TOLERANCE.get(model.dtype, 1e-3):
            return Probe(layout, gaps)
    found = ", ".join(f"{layout} differs by {gap:.2g} nats" for layout, gap in gaps.items())
    raise ModelError(
        f"{type(model).__name__} cannot be trained: the log-probabilities of the learner are not the "
        f"model's own ({found}). Its logits are probably more than lm_head(hidden)"
    )


def _gap(model: PreTrainedModel, rollouts: Rollouts, layout: Layout, expected_T: Tensor) -> float:
    (batch,) = micro_batches(rollouts, range(len(rollouts)), token_budget=1 << 30, layout=layout)
    try:
        logp_T, _ = completion_logprobs_T(
            model, batch.to(model.device), temperature=1.0, chunk_tokens=1 << 30
        )
    except (TypeError, ValueError, IndexError, RuntimeError):
        # The model's own refusal of a four-dimensional mask takes many forms.
        return float("inf")
    aligned_T = torch.empty_like(logp_T)
    aligned_T[batch.flat_T.to(logp_T.device)] = logp_T
    gap = (aligned_T - expected_T).abs().mean()
    return float(gap) if torch.isfinite(gap) else float("inf")


def _random_group(prompt: Sequence[int], vocabulary: int) -> Rollouts:
    random = np.random.default_rng(0)
    completions = Tokens.from_rows([random.integers(0, vocabulary, size) for size in (3, 7, 5)])
    return Rollouts(
        prompts=Tokens.from_rows([prompt]),
        prompt_index=np.zeros(1, np.int64),
        completions=completions,
        group_ids=np.zeros(3, np.int64),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(3, np.bool_),
    )


def _plain_logprobs_T(model: PreTrainedModel, rollouts: Rollouts) -> Tensor:
    parts = []
    for row in range(len(rollouts)):
        completion = torch.from_numpy(rollouts.completions[row]).to(model.device)
        prompt = torch.from_numpy(rollouts.prompts[0]).to(model.device)
        logits = model(input_ids=torch.cat([prompt, completion])[None, :-1], use_cache=False).logits
        logp = logits[0, len(prompt) - 1 :].float().log_softmax(-1)
        parts.append(logp.gather(-1, completion[:, None])[:, 0])
    return torch.cat(parts)
