"""Rewards for TRL's `GRPOTrainer(reward_funcs=[...])`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from grpo_rs.errors import InputError
from grpo_rs.math import Extract, MathPolicy, verify_math

Completion = str | Sequence[dict[str, Any]]


class _MathReward:
    """A class, not a closure: TRL's asynchronous trainer pickles reward functions."""

    def __init__(self, gold_column: str, extract: Extract, policy: MathPolicy) -> None:
        self.gold_column = gold_column
        self.extract: Extract = extract
        self.policy = policy
        self.__name__ = "math_reward"

    def __call__(self, completions: Sequence[Completion], **columns: Any) -> list[float | None]:
        golds = columns.get(self.gold_column)
        if golds is None:
            raise InputError(
                f"the data set has no column {self.gold_column!r}: name the one with the reference "
                "answers, math_reward(gold_column=...)"
            )
        verdicts = verify_math(
            [_text(c) for c in completions],
            [_gold(g) for g in golds],
            extract=self.extract,
            policy=self.policy,
        )
        return [None if math.isnan(score) else float(score) for score in verdicts.scores]


def math_reward(
    gold_column: str = "solution", *, extract: Extract = "auto", policy: MathPolicy = MathPolicy()
) -> _MathReward:
    """1.0 for a correct completion, 0.0 for a wrong one, None where the gold cannot be read.

    TRL skips a reward that is None for that completion; it never becomes a silent 0.

    Args:
        gold_column: the data set's column with the reference answers.
        extract: where the answer is looked for; see `grpo_rs.verify_math`.
        policy: what counts as equal.

    Source:
        TRL 1.16, `GRPOTrainer._calculate_rewards`: called with `completions` (strings, or lists of chat
        messages) and every data set column by name.
    """
    return _MathReward(gold_column, extract, policy)


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, str):
        return content
    # A list of typed parts, or None beside a tool call: whatever text there is.
    return "".join(part.get("text") or "" for part in content or ())


def _gold(gold: object) -> str:
    # Missing (None, and NaN from data frames) must be not scorable, rather than the text "None".
    missing = gold is None or (isinstance(gold, float) and math.isnan(gold))
    return "" if missing else str(gold)
