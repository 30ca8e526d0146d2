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
    """A reward function: scores a whole batch at once, and must not depend on its order."""

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64] | Sequence[float | None]:
        """One score per completion; None or NaN where it cannot be scored, which is not the same as 0."""
        ...
