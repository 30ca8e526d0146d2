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
from grpo_rs.learner.attention import why_not_shared_prefix
from grpo_rs.learner.layout import Layout, micro_batches
from grpo_rs.learner.logprobs import completion_logprobs_T

# Largest mean difference of a log-probability, in nats, that rounding explains.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}


@dataclass(frozen=True)
class Probe:
    """Which layout a model can use, and why not the cheap one.

    Attributes:
        layout: the layout to train in.
        gaps: how far each layout that was tried is from the model's own logits (nats, mean).
        reason: why the layout is not `shared_prefix`, in words for the user; None where it is.
    """

    layout: Layout
    gaps: dict[str, float]
    reason: str | None = None


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
    reasons: dict[str, str] = {}
    for layout in (wanted,) if wanted else ("shared_prefix", "padded"):
        refusal = why_not_shared_prefix(model) if layout == "shared_prefix" else None
        if refusal is None:
            try:
                gaps[layout] = _gap(model, rollouts, layout, expected_T)
            except (TypeError, ValueError, IndexError, RuntimeError, NotImplementedError) as error:
                # A model's own refusal of a packed row takes many forms.
                refusal = str(error).strip().partition("\n")[0]
        if refusal is not None:
            reasons[layout] = refusal
        elif gaps[layout] <= TOLERANCE.get(model.dtype, 1e-3):
            why = "it was asked for" if wanted == "padded" else reasons.get("shared_prefix")
            return Probe(layout, gaps, why)
        else:
            reasons[layout] = f"its log-probabilities differ by {gaps[layout]:.2g} nats"
    found = "; ".join(f"{layout}: {reason}" for layout, reason in reasons.items())
    raise ModelError(
        f"{type(model).__name__} cannot be trained: the log-probabilities of the learner are not the model's "
        f"own ({found}). Its logits are probably more than its output embeddings of the last hidden state"
    )


def _gap(model: PreTrainedModel, rollouts: Rollouts, layout: Layout, expected_T: Tensor) -> float:
    (batch,) = micro_batches(rollouts, range(len(rollouts)), token_budget=1 << 30, layout=layout)
    logp_T, _ = completion_logprobs_T(model, batch.to(model.device), temperature=1.0, chunk_tokens=1 << 30)
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
