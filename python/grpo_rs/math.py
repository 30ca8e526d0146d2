"""Verifying free-form maths answers, in batches on all cores, without the GIL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.errors import InputError
from grpo_rs.outcomes import MathOutcome

__all__ = ["Extract", "MathVerdicts", "unreadable_golds", "verify_math"]

Extract = Literal["auto", "boxed", "hash", "answer_tag", "phrase", "last_number", "whole"]


@dataclass(frozen=True)
class MathVerdicts:
    """The verdicts of a batch.

    Attributes:
        scores: float32, one per prediction: 1 correct, 0 incorrect, NaN not scorable (the gold cannot
            be read). The array is Rust's own memory.
        outcomes: uint8 codes of `MathOutcome`.
        spans: int64, (predictions, 2): where the answer was found, in bytes of the prediction's UTF-8;
            -1 where there was none.
    """

    scores: npt.NDArray[np.float32]
    outcomes: npt.NDArray[np.uint8]
    spans: npt.NDArray[np.int64]
    _predictions: Sequence[str] = field(repr=False)
    _golds: Sequence[str] = field(repr=False)
    _extract: Extract = field(repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    def outcome(self, index: int) -> MathOutcome:
        """The outcome of one prediction."""
        return MathOutcome(self.outcomes[index])

    def explain(self, index: int) -> str:
        """One sentence on why a prediction was judged as it was."""
        return _core.explain_math(self._predictions[index], self._golds[index], extract=self._extract)


def verify_math(
    predictions: Sequence[str], golds: Sequence[str], *, extract: Extract = "auto"
) -> MathVerdicts:
    r"""Judges each prediction against its gold, by exact arithmetic.

    Nothing a model wrote raises: a malformed prediction is incorrect. The work is bounded by the length
    of the text, never by the size of a number in it, and the verdict is the same in any thread.

    Args:
        predictions: completions of a model.
        golds: one reference answer per prediction, bare (`72`, `1/2`, `$1,200`), boxed, or a solution
            that ends in `#### 72`. Equal golds are read once.
        extract: where the answer is looked for. "auto": the last \boxed{}, else `####`, else
            `<answer>`, else "the answer is", else the last number. A single name takes that form only;
            "whole" takes the whole text. Reasoning in `<think>` never counts.

    Raises:
        InputError: the two lists differ in length, or `extract` is none of the above.
        TypeError: an item is not a str.

    Example:
        >>> v = verify_math([r"so \boxed{\frac12}", "#### 0.5", "I don't know"], ["1/2", "1/2", "1/2"])
        >>> v.scores.tolist()
        [1.0, 1.0, 0.0]
    """
    if len(predictions) != len(golds):
        raise InputError(
            f"{len(predictions)} predictions but {len(golds)} golds: give one gold per prediction"
        )
    scores, outcomes, spans = _core.verify_math(predictions, golds, extract=extract)
    return MathVerdicts(scores, outcomes, spans.reshape(-1, 2), predictions, golds, extract)


def unreadable_golds(golds: Sequence[str]) -> dict[int, str]:
    """The golds that no prediction could be scored against, by index, with the reason.

    Example:
        >>> list(unreadable_golds(["72", "", "1e999999"]))
        [1, 2]
    """
    verdicts = verify_math(["0"] * len(golds), golds, extract="whole")
    return {int(i): verdicts.explain(int(i)) for i in np.flatnonzero(np.isnan(verdicts.scores))}
