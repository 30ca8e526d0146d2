"""`Rollouts`, the one table a training step is made of (numpy only).

Rollout fills it, rewards score it, the learner consumes it. One row is one completion. Group ids
travel with every row: nothing is inferred from position, count or prompt text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from grpo_rs.arrays import BoolArray, FloatArray, IntArray
from grpo_rs.errors import InputError


@dataclass(frozen=True)
class Tokens:
    """Ragged token sequences: one flat array and the offsets of its rows.

    Attributes:
        flat: int64, all sequences end to end.
        offsets: int64, one more than there are rows; row i is `flat[offsets[i]:offsets[i + 1]]`.
    """

    flat: IntArray
    offsets: IntArray

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int] | IntArray]) -> Tokens:
        """Concatenates rows."""
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        empty = np.zeros(0, np.int64)
        return cls(np.concatenate([empty, *(np.asarray(row, np.int64) for row in rows)]), offsets)

    @property
    def lengths(self) -> IntArray:
        """int64, tokens of each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> IntArray:
        row = range(len(self))[row]  # counts from the end when negative, IndexError outside
        return self.flat[self.offsets[row] : self.offsets[row + 1]]


@dataclass
class Rollouts:
    """One step's completions, a row each, and what is known of them so far.

    Attributes:
        prompts: token ids of each group's prompt; group g is row g of this table.
        prompt_index: int64, one per group: the prompt's place in the data set.
        completions: token ids of each row, the end-of-sequence token included when there is one.
        group_ids: int64, one per row: the row of `prompts` that it answers.
        sampler_logprobs: float32, aligned with `completions.flat`: log-probabilities under the
            distribution that each token was drawn from: temperature, top-k, top-p and min-p applied.
        finished: bool, one per row: it ended by itself (a stop token or text), not at the length limit.
        versions: int64, one per row: the optimiser steps behind the weights that drew it; None for those
            of the learner.
        log_mass: float32, aligned with `completions.flat`: log of the probability that top-k, top-p and
            min-p left before it was renormalised; None where they were off.
        rewards: float64, one per row, NaN where not scorable; None until scored.
        components: each reward function's scores by name, before weighting.
        outcomes: uint8 codes of `MathOutcome`, one per row; None until scored.
    """

    prompts: Tokens
    prompt_index: IntArray
    completions: Tokens
    group_ids: IntArray
    sampler_logprobs: npt.NDArray[np.float32]
    finished: BoolArray
    versions: IntArray | None = None
    log_mass: npt.NDArray[np.float32] | None = None
    rewards: FloatArray | None = None
    components: dict[str, FloatArray] = field(default_factory=dict)
    outcomes: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        rows, groups = len(self.completions), len(self.prompts)
        for name, array, expected in (
            ("group_ids", self.group_ids, rows),
            ("finished", self.finished, rows),
            ("prompt_index", self.prompt_index, groups),
            ("versions", self.versions, rows),
            ("sampler_logprobs", self.sampler_logprobs, len(self.completions.flat)),
            ("log_mass", self.log_mass, len(self.completions.flat)),
        ):
            if array is not None and len(array) != expected:
                raise InputError(f"{name} has {len(array)} entries; {expected} are needed")
        if rows and (self.group_ids.min() < 0 or self.group_ids.max() >= groups):
            raise InputError(f"group_ids must be rows of prompts, 0 to {groups - 1}")

    def __len__(self) -> int:
        return len(self.completions)

    @property
    def policy_logprobs(self) -> npt.NDArray[np.float32]:
        """float32, the log-probabilities that a learner compares with: without top-k, top-p and min-p.

        The learner's distribution has no such limits. Comparing the two so holds the probability that they
        left constant in the policy, as an importance ratio of 1 on the data's own weights wants.
        """
        return self.sampler_logprobs if self.log_mass is None else self.sampler_logprobs + self.log_mass

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the sampler produced, as named arrays for storage. `from_arrays` is the inverse.

        Scores are left out: scoring again gives the same ones.
        """
        arrays: dict[str, npt.NDArray[Any] | None] = {
            "prompt_tokens": self.prompts.flat,
            "prompt_offsets": self.prompts.offsets,
            "prompt_index": self.prompt_index,
            "completion_tokens": self.completions.flat,
            "completion_offsets": self.completions.offsets,
            "group_ids": self.group_ids,
            "sampler_logprobs": self.sampler_logprobs,
            "finished": self.finished,
            "versions": self.versions,
            "log_mass": self.log_mass,
        }
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Rollouts:
        """Rebuilds an unscored table from `arrays`."""
        return cls(
            prompts=Tokens(arrays["prompt_tokens"], arrays["prompt_offsets"]),
            prompt_index=arrays["prompt_index"],
            completions=Tokens(arrays["completion_tokens"], arrays["completion_offsets"]),
            group_ids=arrays["group_ids"],
            sampler_logprobs=arrays["sampler_logprobs"],
            finished=arrays["finished"],
            versions=arrays.get("versions"),
            log_mass=arrays.get("log_mass"),
        )
