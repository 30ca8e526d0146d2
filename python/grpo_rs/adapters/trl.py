"""Rewards for TRL's `GRPOTrainer(reward_funcs=[...])`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from grpo_rs.code import CodeRunner
from grpo_rs.code.isolation import Integrity
from grpo_rs.errors import InputError
from grpo_rs.math import Extract, MathPolicy, verify_math
from grpo_rs.rewards import CodeReward, Completions
from grpo_rs.rewards.code import Mode

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


class _CodeReward:
    """As `_MathReward`; what is pickled is the runner's options, not its workers."""

    def __init__(self, reward: CodeReward) -> None:
        self.reward = reward
        self.__name__ = "code_reward"

    def __call__(self, completions: Sequence[Completion], **columns: Any) -> list[float | None]:
        column = self.reward.tests_column
        if column is not None and column not in columns:
            raise InputError(
                f"the data set has no column {column!r}: name the one with the tests, "
                "code_reward(tests_column=...)"
            )
        texts = [_text(c) for c in completions]
        per_row = {name: cells for name, cells in columns.items() if _is_column(cells, len(texts))}
        rows = [{name: cells[i] for name, cells in per_row.items()} for i in range(len(texts))]
        batch = Completions(texts, golds=[""] * len(texts), rows=rows)
        return [None if math.isnan(score) else float(score) for score in self.reward(batch)]


def code_reward(
    tests_column: str | None = "tests",
    *,
    mode: Mode = "fraction",
    min_integrity: Integrity = "split",
    runner: CodeRunner | None = None,
) -> _CodeReward:
    """The share of tests that the program in a completion passes, None where they cannot be used.

    TRL skips a reward that is None for that completion; it never becomes a silent 0.

    Args:
        tests_column: the data set's column with the tests: asserts as a text or list of texts, or our own
            form, as `grpo_rs.code.columns.cell_tests` reads it. None: the columns of a known data set.
        mode: "fraction", or "all": 1.0 if every test passed, else 0.0.
        min_integrity: the least that the tests must offer; see `grpo_rs.rewards.CodeReward`.
        runner: what runs the programs, with its limits; None: one with its defaults.

    Source:
        As `math_reward`.
    """
    return _CodeReward(CodeReward(runner, tests_column=tests_column, mode=mode, min_integrity=min_integrity))


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, str):
        return content
    # A list of typed parts, or None beside a tool call: whatever text there is.
    return "".join(part.get("text") or "" for part in content or ())


def _is_column(cells: object, count: int) -> bool:
    # TRL passes the trainer's state and its loggers beside the columns.
    return isinstance(cells, list | tuple) and len(cells) == count


def _gold(gold: object) -> str:
    # Missing (None, and NaN from data frames) must be not scorable, rather than the text "None".
    missing = gold is None or (isinstance(gold, float) and math.isnan(gold))
    return "" if missing else str(gold)
