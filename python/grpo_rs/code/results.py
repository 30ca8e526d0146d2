"""What comes back: per test, per program, per batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grpo_rs.code.isolation import Integrity, IsolationLevel
from grpo_rs.outcomes import CodeOutcome


@dataclass(frozen=True)
class CaseResult:
    """One run of a program on one test.

    Attributes:
        outcome: how it ended.
        integrity: who could have changed that; see `ProgramResult`.
        exit_code: of the process; None if a signal ended it, or if there was no process of its own.
        signal: that signal.
        stdout, stderr: what it printed; bytes that are not UTF-8 are replaced. The last 8 KiB of stderr.
        exception: type of the exception that ended it, such as "ZeroDivisionError".
        line: of the program, counted from 1, where that was raised.
        wall_s, cpu_s: seconds.
        peak_bytes: peak resident memory, where the kernel tells.
        message: one sentence on why it did not pass; empty if it did. May quote what the program wrote.
    """

    outcome: CodeOutcome
    integrity: Integrity = "outside"
    exit_code: int | None = None
    signal: int | None = None
    stdout: str = ""
    stderr: str = ""
    exception: str | None = None
    line: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int | None = None
    message: str = ""

    @property
    def wall_ms(self) -> float:
        """Wall-clock milliseconds."""
        return self.wall_s * 1000

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds."""
        return self.cpu_s * 1000


@dataclass(frozen=True)
class ProgramResult:
    """A program's runs on its tests, in order.

    Attributes:
        cases: one per test.
        integrity: who could have changed the verdict. "outside": nobody but this process, which compared
            plain values; "split": a second sandboxed process held the tests and asked the program's for
            values; "in_process": the program itself, which shared a process with its tests.
        isolation: what held the program.
        note: why there is no score; empty if there is one.
    """

    cases: tuple[CaseResult, ...]
    integrity: Integrity
    isolation: IsolationLevel
    note: str = ""

    @classmethod
    def without_run(cls, outcome: CodeOutcome, message: str) -> Self:
        """The result of a program that was settled before anything ran."""
        note = "" if outcome.is_scorable else message
        return cls((CaseResult(outcome, message=message),), "outside", IsolationLevel.NONE, note)

    @property
    def is_scorable(self) -> bool:
        """False when the tests or the host, not the program, are at fault."""
        return bool(self.cases) and all(case.outcome.is_scorable for case in self.cases)

    @property
    def score(self) -> float:
        """The share of tests passed; NaN if any of them cannot be scored."""
        if not self.is_scorable:
            return math.nan
        return sum(case.outcome is CodeOutcome.PASSED for case in self.cases) / len(self.cases)

    @property
    def passed(self) -> bool | None:
        """Whether every test passed; None if any of them cannot be scored."""
        if not self.is_scorable:
            return None
        return all(case.outcome is CodeOutcome.PASSED for case in self.cases)

    @property
    def outcome(self) -> CodeOutcome:
        """The first that cannot be scored, else the first that is not PASSED, else PASSED."""
        outcomes = [case.outcome for case in self.cases]
        if not outcomes:
            return CodeOutcome.NOT_RUN
        unscorable = (outcome for outcome in outcomes if not outcome.is_scorable)
        failed = (outcome for outcome in outcomes if outcome is not CodeOutcome.PASSED)
        return next(unscorable, None) or next(failed, CodeOutcome.PASSED)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all runs."""
        return sum(case.cpu_s for case in self.cases)


@dataclass(frozen=True)
class CodeResults:
    """The results of a batch, in order of the programs.

    Attributes:
        programs: one per program.
    """

    programs: tuple[ProgramResult, ...]

    @classmethod
    def of(cls, results: Sequence[ProgramResult | None]) -> Self:
        """A batch in which no place is left empty."""
        assert None not in results
        return cls(tuple(result for result in results if result is not None))

    def __len__(self) -> int:
        return len(self.programs)

    def __getitem__(self, index: int) -> ProgramResult:
        return self.programs[index]

    def __iter__(self) -> Iterator[ProgramResult]:
        return iter(self.programs)

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """The share of tests that each passed, float32 (programs,); NaN where it cannot be scored."""
        return np.array([program.score for program in self.programs], np.float32)

    @property
    def passed(self) -> npt.NDArray[np.bool_]:
        """Whether each passed every test, bool (programs,); False, with a score of NaN, if not scorable."""
        return np.array([program.passed is True for program in self.programs], np.bool_)


def program_result(raw: tuple[Sequence[tuple[Any, ...]], Integrity, int, str]) -> ProgramResult:
    """A result as Rust hands it over, with names."""
    cases, integrity, isolation, note = raw
    named = tuple(CaseResult(CodeOutcome(case[0]), *case[1:]) for case in cases)
    return ProgramResult(named, integrity, IsolationLevel(isolation), note)
