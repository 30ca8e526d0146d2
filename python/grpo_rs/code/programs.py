"""Finding the program in what a model wrote."""

from __future__ import annotations

from typing import Literal

from grpo_rs import _core

Language = Literal["python"]


def extract_program(completion: str, language: Language = "python") -> str | None:
    r"""The program in a completion: its last complete fenced block of that language.

    Reasoning in `<think>` does not count. Without a fence the whole text is the program if it reads as one.

    Args:
        completion: what the model wrote.
        language: of the program.

    Returns:
        The program's text; None if there is none.

    Example:
        >>> extract_program("Take this.\n```python\nx = 1\n```\nOr:\n```python\nx = 2\n```").strip()
        'x = 2'
        >>> extract_program("I cannot do that.") is None
        True
    """
    return _core.extract_program(completion, language)
