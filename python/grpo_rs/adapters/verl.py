"""Reward functions for verl: `reward.custom_reward_function.path=pkg://grpo_rs.adapters.verl`.

`reward.custom_reward_function.name` chooses: `compute_score` for maths, `compute_code_score` for programs.
"""

from __future__ import annotations

import functools
from typing import Any

from grpo_rs.math import verify_math
from grpo_rs.rewards import CodeReward, Completions


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | float | None,
    extra_info: dict[str, Any] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Judges one completion; verl calls it once per sample, from any thread.

    Args:
        data_source: the data set's name; not used, verdicts do not depend on it.
        solution_str: the completion.
        ground_truth: the reference answer.
        extra_info: not used.

    Returns:
        "score": 1.0 or 0.0. verl has no way to leave a sample out, so a gold that cannot be read scores
        0.0 with "scorable" False: watch that metric. "outcome": the name of the `MathOutcome`.

    Source:
        verl 0.9, `experimental/reward_loop/reward_manager/naive.py`.
    """
    gold = "" if ground_truth is None else str(ground_truth)
    verdicts = verify_math([solution_str], [gold])
    outcome = verdicts.outcome(0)
    return {
        "score": float(verdicts.scores[0]) if outcome.is_scorable else 0.0,
        "scorable": outcome.is_scorable,
        "outcome": outcome.name,
    }


def compute_code_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: dict[str, Any] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Runs the program in one completion; verl calls it once per sample, from any thread.

    The workers are shared by all calls of a process, and start with the first.

    Args:
        data_source: the data set's name; not used.
        solution_str: the completion.
        ground_truth: the tests: asserts as a text or list of texts, `{"inputs": [...], "outputs": [...]}` as
            in verl's own data, or our own form, as `grpo_rs.code.columns.cell_tests` reads it. Tests that
            share a process with the program (unittest) are refused.
        extra_info: not used.

    Returns:
        "score": the share of tests passed. verl has no way to leave a sample out, so tests that cannot be
        used score 0.0 with "scorable" False: watch that metric. "outcome": the name of a `CodeOutcome`,
        PASSED or that of the first test that did not pass.

    Raises:
        SandboxUnavailable: Landlock or seccomp is missing here.
        InputError: the tests are unittest files.

    Source:
        As `compute_score`.
    """
    [result] = _code_reward().results(Completions([solution_str], [""], rows=[{"tests": ground_truth}]))
    return {
        "score": result.score if result.is_scorable else 0.0,
        "scorable": result.is_scorable,
        "outcome": result.outcome.name,
    }


@functools.cache
def _code_reward() -> CodeReward:
    return CodeReward()
