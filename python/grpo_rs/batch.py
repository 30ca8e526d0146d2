"""`Rollouts`, the one table a training step is made of, and the group functions over it (numpy only).

Rollout fills it, rewards score it, the learner consumes it. One row is one completion. Group ids
travel with every row: nothing is inferred from position, count or prompt text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class GroupState(IntEnum):
    """Whether a group carries a learning signal."""

    LIVE = 0
    """At least two scored completions with different rewards."""
    ZERO_VARIANCE = 1
    """All scored completions have the same reward: every advantage is exactly 0."""
    TOO_FEW = 2
    """Fewer than two scored completions: nothing to be relative to."""


@dataclass(frozen=True)
class Advantages:
    """Advantages of a step's rows and the statistics of its groups.

    Attributes:
        values: float64, one per row; 0 where a row is not trainable.
        trainable: bool, one per row: scored rows of live groups. Only these need a forward pass.
        group_ids: int64, one per group, in order of first appearance.
        num_scored: int64, one per group: completions whose reward is not NaN.
        means: float64, one per group; NaN without a scored completion.
        stds: float64, one per group; exactly 0 when all rewards are equal.
        states: uint8 codes of `GroupState`, one per group.
    """

    values: FloatArray
    trainable: BoolArray
    group_ids: IntArray
    num_scored: IntArray
    means: FloatArray
    stds: FloatArray
    states: npt.NDArray[np.uint8]

    def share(self, state: GroupState) -> float:
        """The share of groups in a state, between 0 and 1 (0 without groups)."""
        return float(np.mean(self.states == state)) if len(self.states) else 0.0


def group_advantages(
    rewards: Sequence[float | None] | FloatArray,
    group_ids: Sequence[int] | IntArray,
    *,
    scale: Literal["std", "none"] = "std",
    ddof: int = 1,
    epsilon: float = 1e-6,
) -> Advantages:
    """Group-relative advantages, A = (r - mean) / (std + epsilon), in float64.

    Groups may have any sizes and their rows any order. None and NaN mark completions that could not
    be scored: they are left out of the statistics and get advantage 0.

    Args:
        rewards: one per row, finite, NaN or None.
        group_ids: one per row; rows with the same id are answers to the same prompt.
        scale: "std" divides by the group's standard deviation (GRPO), "none" only centres (Dr. GRPO).
        ddof: 1 for the sample standard deviation (TRL, verl), 0 for the population's.
        epsilon: added to the standard deviation.

    Raises:
        InputError: lengths differ, a reward is infinite, an id is not whole, or an option is out of range.

    Source:
        DeepSeekMath, arXiv 2402.03300, section 4.1.2; Dr. GRPO, arXiv 2503.20783.

    Example:
        >>> group_advantages([1.0, 0.0, None, 0.3, 0.3], [7, 7, 7, 9, 9], scale="none").values
        array([ 0.5, -0.5,  0. ,  0. ,  0. ])
    """
    rewards_array = np.ascontiguousarray(
        rewards if isinstance(rewards, np.ndarray) else [np.nan if r is None else r for r in rewards],
        dtype=np.float64,
    )
    if rewards_array.ndim != 1:
        raise InputError(f"rewards have shape {rewards_array.shape}: give one per row, in one dimension")
    ids = _integers("group_ids", group_ids)
    return Advantages(*_core.group_advantages(rewards_array, ids, scale=scale, ddof=ddof, epsilon=epsilon))


def pack_rows(lengths: Sequence[int] | IntArray, budget: int) -> list[IntArray]:
    """Cuts rows into padded micro-batches of at most `budget` tokens (rows times the longest row).

    Args:
        lengths: tokens of each row; rows of length 0 are left out.
        budget: the most tokens a micro-batch may hold, padding included.

    Returns:
        Row indices of each micro-batch, longest rows first.

    Raises:
        InputError: a single row is over the budget, or a length is negative or not whole.

    Example:
        >>> [bin.tolist() for bin in pack_rows([3, 9, 4, 10], budget=20)]
        [[3, 1], [2, 0]]
    """
    return _core.pack_rows(_integers("lengths", lengths), budget)


def _integers(name: str, values: Sequence[int] | IntArray) -> IntArray:
    array = np.asarray(values)
    # An empty list is float64 to numpy. Anything else would be cut to whole numbers without a word.
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{name} are {array.dtype}: give whole numbers")
    if array.ndim != 1:
        raise InputError(f"{name} have shape {array.shape}: give one per row, in one dimension")
    return np.ascontiguousarray(array, dtype=np.int64)


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
            sampling distribution (temperature applied).
        finished: bool, one per row: it ended with an end-of-sequence token, not at the length limit.
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
    rewards: FloatArray | None = None
    components: dict[str, FloatArray] = field(default_factory=dict)
    outcomes: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        rows, groups = len(self.completions), len(self.prompts)
        for name, array, expected in (
            ("group_ids", self.group_ids, rows),
            ("finished", self.finished, rows),
            ("prompt_index", self.prompt_index, groups),
            ("sampler_logprobs", self.sampler_logprobs, len(self.completions.flat)),
        ):
            if len(array) != expected:
                raise InputError(f"{name} has {len(array)} entries; {expected} are needed")
        if rows and (self.group_ids.min() < 0 or self.group_ids.max() >= groups):
            raise InputError(f"group_ids must be rows of prompts, 0 to {groups - 1}")

    def __len__(self) -> int:
        return len(self.completions)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the sampler produced, as named arrays for storage. `from_arrays` is the inverse.

        Scores are left out: scoring again gives the same ones.
        """
        return {
            "prompt_tokens": self.prompts.flat,
            "prompt_offsets": self.prompts.offsets,
            "prompt_index": self.prompt_index,
            "completion_tokens": self.completions.flat,
            "completion_offsets": self.completions.offsets,
            "group_ids": self.group_ids,
            "sampler_logprobs": self.sampler_logprobs,
            "finished": self.finished,
        }

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
        )
