r"""A reward for writing the answer in the form that was asked for."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import numpy.typing as npt

from grpo_rs.math import Extract, verify_math
from grpo_rs.rewards.base import Completions

FormatStyle = Literal["boxed", "hash", "answer_tag", "think_answer"]

# Styles whose answer the verifier finds under another name.
_EXTRACT: dict[FormatStyle, Extract] = {
    "boxed": "boxed",
    "hash": "hash",
    "answer_tag": "answer_tag",
    "think_answer": "answer_tag",
}

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
_THINK_ANSWER_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
# Linear in time where each tag occurs once.
_THINK_ANSWER = re.compile(r"\s*<think>(.*)</think>\s*<answer>.*</answer>\s*", re.DOTALL)


class FormatReward:
    r"""1 when a completion gives exactly one answer in the style asked for, else 0.

    Several answers in that style earn nothing: a model could otherwise list guesses.

    Args:
        style: "boxed" for `\boxed{x}`, "hash" for a line `#### x`, "answer_tag" for
            `<answer>x</answer>`; "think_answer" for the whole completion being
            `<think>reasoning</think><answer>x</answer>`: each tag once, neither part empty, and nothing but
            white space around and between them. A prompt that ends with `<think>` has opened it already, and
            the completion must not do so again.

    Source:
        "think_answer": DeepSeek-R1, arXiv 2501.12948, the template and format reward of R1-Zero.

    Example:
        >>> reward = FormatReward("think_answer")
        >>> texts = ["<think>1 + 1</think> <answer>2</answer>", "1 + 1</think> <answer>2</answer>"]
        >>> reward(Completions(texts, ["2", "2"])).tolist()
        [1.0, 0.0]
        >>> reward(Completions(texts, ["2", "2"], prompts=["1 + 1? <think>\n"] * 2)).tolist()
        [0.0, 1.0]
    """

    bounded = True

    def __init__(self, style: FormatStyle) -> None:
        self.style: FormatStyle = style

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64]:
        # Only where an answer stands is asked for, so any readable gold will do.
        extract = _EXTRACT[self.style]
        spans = verify_math(completions.texts, ["0"] * len(completions), extract=extract).spans
        found = spans[:, 0] < spans[:, 1]
        if self.style == "think_answer":
            prompts = completions.prompts or [""] * len(completions)
            fits = [_thinks(prompt, text) for prompt, text in zip(prompts, completions.texts, strict=True)]
        else:
            fits = [self._has_one_mark(text) for text in completions.texts]
        return (found & np.array(fits, np.bool_)).astype(np.float64)

    def _has_one_mark(self, text: str) -> bool:
        # Reasoning is no answer, so neither is a box in it.
        _, _, reply = text.rpartition("</think>")
        marks = sum(1 for _ in _MARKS[self.style].finditer(reply))
        expected = 2 if self.style == "answer_tag" else 1  # it opens and closes
        return marks == expected and _FORMS[self.style].search(reply) is not None


def _thinks(prompt: str, text: str) -> bool:
    """Whether a completion is reasoning and answer, each in its tags, and nothing else."""
    whole = "<think>" + text if prompt.rstrip().endswith("<think>") else text
    if any(whole.count(tag) != 1 for tag in _THINK_ANSWER_TAGS):
        return False
    found = _THINK_ANSWER.fullmatch(whole)
    return found is not None and not found[1].isspace() and found[1] != ""
