"""What the trainer asks of a back end that generates.

Shapes: P = prompts, G = completions of a prompt, T = tokens of a completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from grpo_rs.arrays import IntArray
from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.errors import InputError

SeedArray = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SamplingParams:
    """How completions are drawn.

    Attributes:
        max_new_tokens: length limit of a completion, at least 1.
        temperature: divides the logits; 0 takes the most probable token.
        top_k: draw among that many most probable tokens; 0 for all.
        top_p: draw among the fewest most probable tokens whose probabilities sum up to this; 1 for all.
        min_p: draw among tokens at least this share as probable as the most probable one; 0 for all.
        stop: texts that end a completion; the token that completes one is the last, and is kept whole.

    The limits apply in the order top_k, top_p, min_p, each to what the one before has left, on
    probabilities at the temperature.

    Raises:
        InputError: a value is out of its range.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, right, range_ in (
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "0 or more"),
            ("top_k", self.top_k >= 0, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("min_p", 0 <= self.min_p < 1, "0 or more, below 1"),
            ("stop", all(self.stop), "texts that are not empty"),
        ):
            if not right:
                raise InputError(f"{name} is {getattr(self, name)!r}: it must be {range_}")

    @property
    def truncates(self) -> bool:
        """Some tokens can never be drawn."""
        return self.temperature > 0 and bool(self.top_k or self.top_p < 1 or self.min_p)


class Finish(Enum):
    """Why a completion ended."""

    STOP_TOKEN = "stop_token"
    STOP_STRING = "stop_string"
    LENGTH = "length"


@dataclass(frozen=True)
class Completion:
    """One completion, as its sampler saw it.

    Attributes:
        group: the prompt that it answers, by its place in the call.
        member: its place among the completions of that prompt.
        tokens: int64 [T], at least one; the stop token is the last when there is one.
        logprobs: float32 [T], of each token under the distribution that it was drawn from, temperature and
            limits applied; when greedy, under the model's own distribution at temperature 1.
        log_mass: float32 [T], log of the probability that the limits left before they were renormalised, at
            the temperature; None where there were no limits. `logprobs + log_mass` is the log-probability
            without limits.
        finish: why it ended.
        version: of the weights that drew it.
    """

    group: int
    member: int
    tokens: IntArray
    logprobs: npt.NDArray[np.float32]
    finish: Finish
    version: int = 0
    log_mass: npt.NDArray[np.float32] | None = None


class Sampler(Protocol):
    """Generates completions with the weights that it has."""

    version: int
    """Of the weights: the optimiser steps done when they were taken over."""

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """Draws completions of each prompt, and gives each one away as soon as it has ended.

        Closing the iterator ends the sampling of what is left.

        Args:
            prompts: token ids, one sequence a group.
            seeds: uint64 [P, G], one per completion: the only source of randomness, so that a completion
                does not depend on what is sampled beside it.
            params: how to draw.

        Raises:
            InputError: a prompt is empty, or longer than the model can read.
        """
        ...


def gather(
    prompts: Sequence[Sequence[int]], prompt_index: IntArray, completions: Iterable[Completion]
) -> Rollouts:
    """The table of a step, ordered by group and member, whatever order the completions ended in.

    Args:
        prompts: token ids, one sequence a group.
        prompt_index: int64 [P], each prompt's place in the data set.
        completions: of those prompts.
    """
    rows = sorted(completions, key=lambda row: (row.group, row.member))
    empty = [np.zeros(0, np.float32)]
    masses = [np.zeros(len(r.tokens), np.float32) if r.log_mass is None else r.log_mass for r in rows]
    limited = any(row.log_mass is not None for row in rows)
    return Rollouts(
        prompts=Tokens.from_rows(prompts),
        prompt_index=prompt_index,
        completions=Tokens.from_rows([row.tokens for row in rows]),
        group_ids=np.array([row.group for row in rows], np.int64),
        sampler_logprobs=np.concatenate(empty + [row.logprobs for row in rows]).astype(np.float32),
        finished=np.array([row.finish is not Finish.LENGTH for row in rows], np.bool_),
        versions=np.array([row.version for row in rows], np.int64),
        log_mass=np.concatenate(empty + masses).astype(np.float32) if limited else None,
    )


def greedy_seeds(prompts: int) -> SeedArray:
    """Seeds of one greedy completion a prompt, which are never drawn from: zeros [P, 1]."""
    return np.zeros((prompts, 1), np.uint64)


def completion_seeds(seed: int, draws: IntArray, group_size: int) -> SeedArray:
    """A seed for each completion of a run.

    Args:
        seed: of the run.
        draws: int64 [P]: which draw of the run a group is. No two groups of a run share one, not even two of
            the same prompt.
        group_size: G.

    Returns:
        uint64 [P, G].
    """
    seeds = _mixed(np.full(1, seed, np.uint64))
    seeds = _mixed(seeds ^ draws.astype(np.uint64)[:, None])
    return _mixed(seeds ^ np.arange(group_size, dtype=np.uint64))


def uniforms(seeds: SeedArray, count: int) -> npt.NDArray[np.float64]:
    """The random numbers of completions, one per token.

    Args:
        seeds: uint64 [...].
        count: tokens, at most.

    Returns:
        float64 [..., count], each in [0, 1): SplitMix64 streams.

    Source:
        Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    steps = np.arange(count, dtype=np.uint64) * _GAMMA
    return (_mixed(seeds[..., None] + steps) >> np.uint64(11)).astype(np.float64) * 2.0**-53


_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def _mixed(state: SeedArray) -> SeedArray:
    """One output of SplitMix64 for each state."""
    z = state + _GAMMA
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
