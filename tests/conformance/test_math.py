"""The verifier against the written cases, through the Python API. Rust's own tests read the same files."""

import tomllib
from collections import defaultdict
from pathlib import Path

import grpo_rs as g
import numpy as np
import pytest

CASES = [
    case
    for path in sorted((Path(__file__).parent / "data" / "math").glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]

READY_MADE = {"math_verify": g.MathPolicy.math_verify(), "string_match": g.MathPolicy.string_match()}


def policy_of(case):
    """The policy of a case. TOML has no null, so `rounding = false` stands for None."""
    cell = case.get("policy", {})
    if isinstance(cell, str):
        return READY_MADE[cell]
    return g.MathPolicy(**{**cell, **({"rounding": None} if cell.get("rounding") is False else {})})


BATCHES = defaultdict(list)
for _case in CASES:
    BATCHES[_case.get("extract", "auto"), policy_of(_case)].append(_case)


@pytest.mark.parametrize(("extract", "policy"), BATCHES)
def test_every_case_ends_as_written(extract, policy):
    cases = BATCHES[extract, policy]
    predictions, golds = [case["prediction"] for case in cases], [case["gold"] for case in cases]
    verdicts = g.verify_math(predictions, golds, extract=extract, policy=policy)
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


@pytest.mark.parametrize(("extract", "policy"), BATCHES)
def test_a_batch_equals_its_single_verdicts(extract, policy):
    cases = BATCHES[extract, policy]
    batch = g.verify_math(
        [case["prediction"] for case in cases],
        [case["gold"] for case in cases],
        extract=extract,
        policy=policy,
    )
    for i, case in enumerate(cases):
        single = g.MathGold(case["gold"], policy=policy).verify(case["prediction"], extract=extract)
        assert single.outcome == batch.outcome(i), case["id"]


def test_cases_are_unique_and_whole():
    """A misspelt field would be a case that tests something else."""
    fields = {"id", "gold", "prediction", "extract", "policy", "outcome", "why"}
    assert all(fields - {"extract", "policy"} <= case.keys() <= fields for case in CASES)
    assert len({case["id"] for case in CASES}) == len(CASES) > 1000
    assert {case["outcome"] for case in CASES} == {outcome.name for outcome in g.MathOutcome}
