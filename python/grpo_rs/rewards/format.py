r"""A reward for writing the answer in the form that was asked for."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import numpy.typing as npt

from grpo_rs.rewards.base import Completions

FormatStyle = Literal["boxed", "hash", "answer_tag"]

# Linear-time patterns: each opening is found once, with no nested repetition.
_OPENINGS = {
    "boxed": re.compile(r"\\(?:boxed|fbox)\s*\{\s*[^\s}]"),
    "hash": re.compile(r"^####[ \t]*\S", re.MULTILINE),
    "answer_tag": re.compile(r"<answer>\s*[^\s<]"),
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
        return np.array([float(self._fits(text)) for text in completions.texts])

    def _fits(self, text: str) -> bool:
        # Reasoning is no answer, so neither is a box in it.
        _, _, reply = text.rpartition("</think>")
        if "<think>" in reply:
            return False
        if self.style == "answer_tag" and reply.count("</answer>") != 1:
            return False
        return sum(1 for _ in _OPENINGS[self.style].finditer(reply)) == 1
