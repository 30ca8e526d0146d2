r"""A reward for writing the answer in the form that was asked for."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import numpy.typing as npt

from grpo_rs.math import verify_math
from grpo_rs.rewards.base import Completions

FormatStyle = Literal["boxed", "hash", "answer_tag"]

# Linear-time patterns. Whatever the verifier might take for a mark of the style...
_MARKS = {
    "boxed": re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])"),
    "hash": re.compile(r"(?<!#)####(?!#)"),
    "answer_tag": re.compile(r"</?answer>"),
}
# ... and the one form of it that was asked for. That the verifier finds an answer there says the rest:
# it closes, and is not empty.
_FORMS = {
    "boxed": re.compile(r"\\(?:boxed|fbox)\s*\{"),
    "hash": re.compile(r"^####(?!#)", re.MULTILINE),
    "answer_tag": re.compile(r"<answer>"),
}


class FormatReward:
    r"""1 when a completion gives exactly one answer in the style asked for, else 0.

    Several answers in that style earn nothing: a model could otherwise list guesses.

    Args:
        style: "boxed" for `\boxed{x}`, "hash" for a line `#### x`, "answer_tag" for
            `<answer>x</answer>`.
    """

    def __init__(self, style: FormatStyle) -> None:
        self.style: FormatStyle = style

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64]:
        # Only where an answer stands is asked for, so any readable gold will do.
        spans = verify_math(completions.texts, ["0"] * len(completions), extract=self.style).spans
        found = spans[:, 0] < spans[:, 1]
        return np.array(
            [float(has and self._fits(text)) for has, text in zip(found, completions.texts, strict=True)]
        )

    def _fits(self, text: str) -> bool:
        # Reasoning is no answer, so neither is a box in it.
        _, _, reply = text.rpartition("</think>")
        marks = sum(1 for _ in _MARKS[self.style].finditer(reply))
        expected = 2 if self.style == "answer_tag" else 1  # it opens and closes
        return marks == expected and _FORMS[self.style].search(reply) is not None
