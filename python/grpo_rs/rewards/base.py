"""What a reward function is given and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Completions:
    """A batch to be scored, one entry per completion.

    Attributes:
        texts: the completions, decoded.
        golds: the reference answers.
        prompts: the prompts as the model read them.
        rows: the data set's rows, with every column.
    """

    texts: Sequence[str]
    golds: Sequence[str]
    prompts: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.texts)


class Reward(Protocol):
    """A reward function: scores a batch at once; a score must not depend on what else is in the batch.

    While sampling goes on, a trainer scores what has ended so far, so that the batches of a step, and their
    order, are never the same. A function may say otherwise of itself with these attributes, all False unless
    it has them:

    - `whole_batch`: its scores do depend on the batch (a bonus for being unlike the others). It is then
      called once a step, with all completions in order, when sampling has ended.
    - `in_process`: it is never sent to a process of its own, since it shares something with the trainer,
      such as a model. It runs on a thread, one batch at a time, and cannot be ended at its deadline.
    - `bounded`: it always comes back soon, and may be called from several threads at once. It has no
      deadline, and what it raises is raised to the caller: the shipped rewards are of this kind.

    """

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64] | Sequence[float | None]:
        """One score per completion; None or NaN where it cannot be scored, which is not the same as 0."""
        ...


class AsyncReward(Protocol):
    """A reward function that waits for something, such as a server: for a `RewardPool`.

    It is awaited on an event loop of its own, several batches at a time, and cancelled at its deadline. The
    attributes of `Reward` hold, but for `in_process`, which it always is.
    """

    async def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64] | Sequence[float | None]:
        """As `Reward`."""
        ...
