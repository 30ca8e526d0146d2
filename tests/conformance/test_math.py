"""The verifier against the written cases, through the Python API. Rust's own tests read the same file."""

import tomllib
from collections import defaultdict
from pathlib import Path

import grpo_rs as g
import numpy as np
import pytest

CASES = tomllib.loads((Path(__file__).parent / "data" / "math.toml").read_text(encoding="utf-8"))["case"]

BY_EXTRACT = defaultdict(list)
for _case in CASES:
    BY_EXTRACT[_case.get("extract", "auto")].append(_case)


@pytest.mark.parametrize("extract", BY_EXTRACT)
def test_every_case_ends_as_written(extract):
    cases = BY_EXTRACT[extract]
    verdicts = g.verify_math(
        [case["prediction"] for case in cases], [case["gold"] for case in cases], extract=extract
    )
    failures = [
        f"{case['id']}: {verdicts.outcome(i).name}, not {case['outcome']} ({case['why']}): "
        + verdicts.explain(i)
        for i, case in enumerate(cases)
        if verdicts.outcome(i).name != case["outcome"]
    ]
    assert not failures, "\n".join(failures)
    # The score follows from the outcome: 1 for correct, NaN for the gold's fault, else 0.
    expected = [
        1.0 if case["outcome"] == "CORRECT" else np.nan if case["outcome"].startswith("GOLD_") else 0.0
        for case in cases
    ]
    np.testing.assert_array_equal(verdicts.scores, expected)


def test_cases_are_unique_and_whole():
    """A misspelt field would be a case that tests something else."""
    fields = {"id", "gold", "prediction", "extract", "outcome", "why"}
    assert all(fields - {"extract"} <= case.keys() <= fields for case in CASES)
    assert len({case["id"] for case in CASES}) == len(CASES) > 200
    assert {case["outcome"] for case in CASES} == {outcome.name for outcome in g.MathOutcome}
