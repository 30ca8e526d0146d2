"""A reward function for verl: `reward.custom_reward_function.path=pkg://grpo_rs.adapters.verl`."""

from __future__ import annotations

from typing import Any

from grpo_rs.math import verify_math


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
