"""Python's outcome codes are Rust's."""

import grpo_rs as g
import pytest
from grpo_rs import _core

LISTS = [(g.MathOutcome, _core.math_outcomes), (g.CodeOutcome, _core.sandbox_outcomes)]


@pytest.mark.parametrize(("mirror", "rust"), LISTS, ids=["math", "code"])
def test_names_codes_and_grades_are_rusts(mirror, rust):
    assert [(o.name, o.value, o.is_scorable) for o in mirror] == [
        (name, code, scorable) for name, code, scorable, _ in rust()
    ]


@pytest.mark.parametrize(("mirror", "rust"), LISTS, ids=["math", "code"])
def test_every_outcome_is_described(mirror, rust):
    descriptions = [description for *_, description in rust()]
    assert len(set(descriptions)) == len(mirror)
    assert all(len(description) > 10 for description in descriptions)


def test_the_codes_are_stable():
    """Run directories hold them: a code may be added, and never changed."""
    assert {o.name: o.value for o in g.MathOutcome} == {
        "CORRECT": 0,
        "WRONG_VALUE": 1,
        "NO_ANSWER": 2,
        "UNREADABLE_ANSWER": 3,
        "AMBIGUOUS_ANSWER": 4,
        "OVER_BUDGET": 5,
        "REASONING_UNFINISHED": 6,
        "UNDECIDED": 7,
        "GOLD_EMPTY": 16,
        "GOLD_UNREADABLE": 17,
        "GOLD_OVER_BUDGET": 18,
    }
    assert {o.name: o.value for o in g.CodeOutcome} == {
        "PASSED": 0,
        "WRONG_OUTPUT": 1,
        "RUNTIME_ERROR": 2,
        "TIMED_OUT": 3,
        "CPU_EXCEEDED": 4,
        "MEMORY_EXCEEDED": 5,
        "OUTPUT_EXCEEDED": 6,
        "KILLED_BY_SIGNAL": 7,
        "FORBIDDEN": 8,
        "NO_PROGRAM": 9,
        "NO_ENTRY_POINT": 10,
        "BAD_REPLY": 11,
        "COMPILE_ERROR": 12,
        "SKIPPED": 13,
        "NOT_RUN": 16,
        "TESTS_INVALID": 17,
        "CANCELLED": 18,
    }


def test_errors_are_what_a_caller_would_catch():
    assert issubclass(g.InputError, ValueError)
    assert issubclass(g.InternalError, RuntimeError)
    assert issubclass(g.SandboxUnavailable, RuntimeError)
    for name in ("ConfigError", "DataError", "ModelError", "CheckpointError"):
        assert issubclass(getattr(g.errors, name), g.InputError)
