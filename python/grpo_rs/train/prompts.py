"""Which prompts come next: the order of the data set, less those that are too easy or too hard by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from grpo_rs.arrays import FloatArray, IntArray
from grpo_rs.errors import DataError
from grpo_rs.train.data import PromptOrder


class NoPromptsLeft(DataError):
    """The bounds of the pass rates leave out every training prompt."""


class Drawn(NamedTuple):
    """Some prompts, in order.

    Attributes:
        places: int64, places in the run's order: no two groups of a run share one.
        prompts: int64, their places in the data set.
        position: the place behind the last one looked at, skipped ones included.
    """

    places: IntArray
    prompts: IntArray
    position: int


class PromptQueue:
    """Prompts in the run's order. Those whose pass rate is out of bounds are skipped in later epochs.

    A prompt's pass rate is the mean reward of all its scored completions so far: with rewards of 0 and 1 the
    share that passed.

    Args:
        size: number of problems.
        seed: of the order.
        drop_above: skip prompts of at least this pass rate; None skips none.
        drop_below: skip prompts of at most this pass rate; None skips none.

    Source:
        ScaleRL, arXiv 2510.13786, section 3.2: no-positive-resampling, with 0.9.
    """

    def __init__(
        self, size: int, seed: int, *, drop_above: float | None = None, drop_below: float | None = None
    ) -> None:
        self.order = PromptOrder(size, seed)
        self.drop_above, self.drop_below = drop_above, drop_below
        self._sums = np.zeros(size)
        self._counts = np.zeros(size, np.int64)

    def take(self, position: int, count: int) -> Drawn:
        """The next prompts from a position on, across epochs if need be.

        Raises:
            NoPromptsLeft: a whole epoch has no prompt within the bounds.
        """
        places, prompts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        skipped, dropped = 0, self.dropped()
        while len(prompts) < count:
            more = count - len(prompts)
            found = self.order.take(position, more)
            kept = ~dropped[found]
            places = np.concatenate([places, np.arange(position, position + more)[kept]])
            prompts = np.concatenate([prompts, found[kept]])
            position += more
            skipped = 0 if kept.any() else skipped + more
            if skipped >= self.order.size:
                raise NoPromptsLeft(
                    f"all {self.order.size} training prompts are dropped by their pass rates: to train on, "
                    "raise rollout.drop_above, or lower rollout.drop_below, and --resume"
                )
        return Drawn(places, prompts, position)

    def dropped(self) -> npt.NDArray[np.bool_]:
        """bool, one per problem: whether it is skipped."""
        rates = np.divide(
            self._sums, self._counts, out=np.full(len(self._sums), np.nan), where=self._counts > 0
        )
        above = np.zeros(len(rates), np.bool_) if self.drop_above is None else rates >= self.drop_above
        below = np.zeros(len(rates), np.bool_) if self.drop_below is None else rates <= self.drop_below
        return above | below

    def learn(self, prompts: IntArray, rewards: FloatArray) -> None:
        """Takes up the rewards of completions.

        Args:
            prompts: int64, the prompt of each completion.
            rewards: float64, one per completion; NaN is passed over.
        """
        scored = ~np.isnan(rewards)
        np.add.at(self._sums, prompts[scored], rewards[scored])
        np.add.at(self._counts, prompts[scored], 1)

    def metrics(self, skipped: int) -> dict[str, float]:
        """What the bounds leave out, where there are any.

        Args:
            skipped: prompts passed over for the step.
        """
        if self.drop_above is None and self.drop_below is None:
            return {}
        return {"prompts/skipped": skipped, "prompts/dropped": float(self.dropped().mean())}

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """What a checkpoint keeps."""
        return {"sums": self._sums.copy(), "counts": self._counts.copy()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes up what `state_dict` gave."""
        self._sums, self._counts = state["sums"].copy(), state["counts"].copy()
