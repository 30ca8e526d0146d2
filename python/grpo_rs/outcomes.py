"""Every way a verdict can end, mirrored from Rust, where each code is defined and described.

Codes are stable: they are written to run directories and returned in arrays. docs/outcomes.md lists them
with their meaning; a test holds names and codes equal to Rust's.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CodeOutcome", "MathOutcome"]

# Codes from here on say that the fault is not the model's: there is no score.
NOT_SCORABLE = 16


class MathOutcome(IntEnum):
    """How the verification of a maths answer ended."""

    CORRECT = 0
    WRONG_VALUE = 1
    NO_ANSWER = 2
    UNREADABLE_ANSWER = 3
    AMBIGUOUS_ANSWER = 4
    OVER_BUDGET = 5
    REASONING_UNFINISHED = 6
    UNDECIDED = 7
    GOLD_EMPTY = 16
    GOLD_UNREADABLE = 17
    GOLD_OVER_BUDGET = 18

    @property
    def is_scorable(self) -> bool:
        """False when the gold, not the model, is at fault."""
        return self < NOT_SCORABLE


class CodeOutcome(IntEnum):
    """How a program's run on one test ended."""

    PASSED = 0
    WRONG_OUTPUT = 1
    RUNTIME_ERROR = 2
    TIMED_OUT = 3
    CPU_EXCEEDED = 4
    MEMORY_EXCEEDED = 5
    OUTPUT_EXCEEDED = 6
    KILLED_BY_SIGNAL = 7
    FORBIDDEN = 8
    NO_PROGRAM = 9
    NO_ENTRY_POINT = 10
    BAD_REPLY = 11
    COMPILE_ERROR = 12
    SKIPPED = 13
    NOT_RUN = 16
    TESTS_INVALID = 17
    CANCELLED = 18

    @property
    def is_scorable(self) -> bool:
        """False when the tests or the host, not the program, are at fault."""
        return self < NOT_SCORABLE
