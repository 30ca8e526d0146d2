"""Proof that a sampler has the trainer's weights: both say how probable a fixed text is.

Stale weights are silent. The sampler still writes fluent text and rewards still move, while every
importance ratio is wrong. So after each hand-over both sides' log-probabilities of one text are compared,
in two ways. Their values: they differ by rounding alone. And their movement: whenever the trainer's have
changed since the last hand-over, the sampler's have. This finds what the first cannot, adapters that start
at zero and steps far below the rounding of bfloat16: rounding falls otherwise with any change of the
weights, however small, and stale weights give the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from grpo_rs.errors import ModelError
from grpo_rs.rollout.sampler import Sampler

LogprobArray = npt.NDArray[np.float32]
Logprobs = Callable[[Sequence[int], Sequence[int]], LogprobArray]
"""Token ids of a prompt and of its completion -> float32 [T], log-probabilities of the completion."""

# Largest mean difference of a token's log-probability that rounding explains, in nats, by the coarser number
# type of the two sides. The largest difference of a single token is three to ten times the mean.
TOLERANCE = {torch.float32: 3e-5, torch.float16: 0.02, torch.bfloat16: 0.1}

# A trainer whose log-probabilities have moved by more than this, in nats, has other weights.
NOTICEABLE = 1e-4
# A sampler that has moved by less than this share of the trainer's way has not moved.
STILL = 0.1

# Prose, digits and code, so that no kind of token is left out.
TEXT = "At 9:40 a train leaves, 205 minutes later it arrives.\ndef double(x):\n    return 2 * x\n"
# Few, because a sampler reads the last third one by one, as it would write it.
MAX_TOKENS = 24


class SyncError(ModelError):
    """A sampler whose weights are not those of the trainer."""


class Scorer(Sampler, Protocol):
    """A sampler that can say how probable a given text is."""

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        """Log-probabilities of a given completion at temperature 1, on the way that sampling takes.

        Args:
            prompt: token ids, at least one.
            completion: token ids, at least one.

        Returns:
            float32 [T].
        """
        ...


def canary_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """A fixed text as token ids."""
    ids: list[int] = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    return ids[:MAX_TOKENS]


def forward_logprobs(model: PreTrainedModel) -> Logprobs:
    """Log-probabilities by one plain forward pass of a model, at temperature 1: what samplers are held to."""

    @torch.no_grad()
    def logprobs(prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        training = model.training
        model.eval()
        try:
            ids = torch.tensor([[*prompt, *completion]], device=model.device)
            kept = len(completion) + 1
            logits_TV = model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits[0, -kept:-1].float()
        finally:
            model.train(training)
        logp_T = logits_TV.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])[:, 0]
        found: LogprobArray = logp_T.cpu().numpy()
        return found

    return logprobs


@dataclass(frozen=True)
class Gap:
    """How far two sides' log-probabilities of one text are apart, in nats: in the mean and at most."""

    mean: float
    max: float

    @classmethod
    def between(cls, one_T: LogprobArray, other_T: LogprobArray) -> Gap:
        """Of two float arrays [T]."""
        distance_T = np.abs(one_T.astype(np.float64) - other_T)
        return cls(float(distance_T.mean()), float(distance_T.max()))

    def metrics(self) -> dict[str, float]:
        """For metrics.jsonl."""
        return {"sync/logp_gap_mean": self.mean, "sync/logp_gap_max": self.max}


def check_sync(
    sampler: Scorer, trainer_logprobs: Logprobs, tokens: Sequence[int], *, tolerance: float
) -> Gap:
    """Compares a sampler's log-probabilities of a text with the trainer's, once.

    Args:
        sampler: has the weights of now.
        trainer_logprobs: of the same weights: `forward_logprobs` of the policy.
        tokens: the text; its last third is taken as the completion.
        tolerance: largest mean difference of a token, in nats; see `TOLERANCE`.

    Raises:
        SyncError: it is larger, or a log-probability is not a number.
    """
    return Canary(tokens, tolerance).check(sampler, trainer_logprobs)


@dataclass(frozen=True)
class _Seen:
    """Both sides' log-probabilities when the sampler last moved."""

    version: int
    trainer_T: LogprobArray
    sampler_T: LogprobArray


class Canary:
    """Watches one sampler through a run.

    Args:
        tokens: a fixed text, as from `canary_tokens`; its last third is taken as the completion.
        tolerance: largest mean difference of a token's log-probability, in nats; see `TOLERANCE`.

    Raises:
        ModelError: the text has fewer than two tokens.
    """

    def __init__(self, tokens: Sequence[int], tolerance: float) -> None:
        if len(tokens) < 2:
            raise ModelError("the text of the canary has fewer than 2 tokens: give a longer one")
        cut = len(tokens) - max(1, len(tokens) // 3)
        self.prompt, self.completion = list(tokens[:cut]), list(tokens[cut:])
        self.tolerance = tolerance
        self._seen: _Seen | None = None

    def check(self, sampler: Scorer, trainer_logprobs: Logprobs) -> Gap:
        """Compares both sides, now and with when the sampler last moved.

        Raises:
            SyncError: they differ by more than the tolerance; or the trainer has moved and the sampler not.
        """
        sampler_T = sampler.score(self.prompt, self.completion)
        trainer_T = trainer_logprobs(self.prompt, self.completion)
        seen = self._seen
        if seen is not None:
            way = Gap.between(trainer_T, seen.trainer_T).max
            moved = Gap.between(sampler_T, seen.sampler_T).max
            if way > NOTICEABLE and moved < STILL * way:
                raise SyncError(
                    f"the sampler still has the weights of step {seen.version}, not those of step "
                    f"{sampler.version}: since then the trainer's log-probabilities of a fixed text have "
                    f"moved by up to {way:.2g} nats, the sampler's by {moved:.2g}. Its weights or adapters "
                    "were not handed over, or it reads a cache made with the old ones"
                )
        gap = Gap.between(sampler_T, trainer_T)
        if not gap.mean <= self.tolerance:
            raise SyncError(
                f"the sampler's log-probabilities of a fixed text are {gap.mean:.2g} nats from the trainer's "
                f"in the mean, {gap.max:.2g} at most, at step {sampler.version}; rounding explains "
                f"{self.tolerance:.2g}. Likely causes: some weights were not handed over; LoRA adapters left "
                "out, or applied twice (merged and still active); a coarser number type than the tolerance "
                "is for; a temperature applied on one side only; a cache of keys and values made with older "
                "weights; positions or attention that the sampler computes in another way"
            )
        if seen is None or not np.array_equal(sampler_T, seen.sampler_T):
            self._seen = _Seen(sampler.version, trainer_T, sampler_T)
        return gap
