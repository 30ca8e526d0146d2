"""Running untrusted programs against tests, in a sandbox that the kernel enforces (Linux).

What the sandbox covers, and what it does not, is listed in SECURITY.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.outcomes import CodeOutcome

__all__ = [
    "CaseResult",
    "CodeResults",
    "CodeRunner",
    "Limits",
    "ProgramResult",
    "Protection",
    "StdioTests",
    "stdio_tests",
]


@dataclass(frozen=True)
class Limits:
    """What one run of a program on one test may use.

    Attributes:
        wall_s: wall-clock seconds; the backstop for programs that sleep. Keep it a few times `cpu_s`, or
            the verdict of a busy but correct program depends on the load of the machine.
        cpu_s: CPU seconds of all threads, the interpreter's start included.
        memory_mb: address space of each process, in MiB.
        output_kb: bytes written to stdout, and as many again to stderr, in KiB; the last 8 KiB of stderr
            are kept.
        processes: processes at a time, the program's own included; 1 refuses every new one.
        file_mb: size of any one file that it writes, in MiB.
    """

    wall_s: float = 12.0
    cpu_s: float = 4.0
    memory_mb: int = 512
    output_kb: int = 8192
    processes: int = 1
    file_mb: int = 16


@dataclass(frozen=True)
class Protection:
    """Which layers of protection this kernel enforces.

    Attributes:
        layers: by name.
        landlock_abi: version of Landlock, 0 without it.
        sufficient: whether programs can be run at all.
    """

    layers: dict[str, bool]
    landlock_abi: int
    sufficient: bool


@dataclass(frozen=True)
class StdioTests:
    """Tests of a program that reads stdin and writes stdout.

    Attributes:
        cases: (stdin, expected stdout) pairs. Spaces at the end of a line and empty lines at the end of
            the output do not count.
    """

    cases: tuple[tuple[str, str], ...]


def stdio_tests(cases: Sequence[tuple[str, str]]) -> StdioTests:
    """Tests from (stdin, expected stdout) pairs."""
    return StdioTests(tuple((stdin, expected) for stdin, expected in cases))


@dataclass(frozen=True)
class CaseResult:
    """One run of a program on one test.

    Attributes:
        outcome: how it ended.
        exit_code: of the process; None if a signal ended it.
        signal: that signal.
        stdout, stderr: what it printed; bytes that are not UTF-8 are replaced. Of a program that could not
            be run, stderr says why.
        wall_s, cpu_s: seconds.
        peak_bytes: peak resident memory, where the kernel tells.
    """

    outcome: CodeOutcome
    exit_code: int | None
    signal: int | None
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_bytes: int | None


@dataclass(frozen=True)
class ProgramResult:
    """A program's runs on its tests, in order."""

    cases: tuple[CaseResult, ...]

    @property
    def score(self) -> float:
        """The share of tests passed; NaN if a test could not be run."""
        if not all(case.outcome.is_scorable for case in self.cases):
            return float("nan")
        return sum(case.outcome is CodeOutcome.PASSED for case in self.cases) / len(self.cases)

    @property
    def passed(self) -> bool | None:
        """Whether every test passed; None if a test could not be run."""
        if not all(case.outcome.is_scorable for case in self.cases):
            return None
        return all(case.outcome is CodeOutcome.PASSED for case in self.cases)


@dataclass(frozen=True)
class CodeResults:
    """The results of a batch, in order of the programs."""

    programs: tuple[ProgramResult, ...]

    def __len__(self) -> int:
        return len(self.programs)

    def __getitem__(self, index: int) -> ProgramResult:
        return self.programs[index]

    def __iter__(self) -> Iterator[ProgramResult]:
        return iter(self.programs)

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """float32, the share of tests that each program passed; NaN where it could not be run."""
        return np.array([program.score for program in self.programs], np.float32)

    @property
    def passed(self) -> npt.NDArray[np.bool_]:
        """bool, whether each program passed every test; False, with a score of NaN, where it was not run."""
        return np.array([program.passed is True for program in self.programs], np.bool_)


class CodeRunner:
    """Runs Python programs on all cores, a fresh process per program and test.

    Args:
        limits: what each run may use.
        python: the interpreter; by default the one that runs this. Programs have its standard library.

    Example:
        >>> runner = CodeRunner()
        >>> add = "a, b = map(int, input().split()); print(a + b)"
        >>> tests = stdio_tests([("1 2", "3"), ("5 7", "12")])
        >>> runner.run([add, "print(3)"], [tests, tests]).scores.tolist()  # doctest: +SKIP
        [1.0, 0.5]
    """

    def __init__(self, limits: Limits | None = None, *, python: str = sys.executable) -> None:
        self.limits = limits or Limits()
        self.python = python

    @property
    def protection(self) -> Protection:
        """Which layers the kernel enforces here."""
        layers, landlock_abi, sufficient = _core.sandbox_protection()
        return Protection(dict(layers), landlock_abi, sufficient)

    def run(self, programs: Sequence[str], tests: Sequence[StdioTests]) -> CodeResults:
        """Runs each program on its tests.

        Nothing a program does raises.

        Raises:
            SandboxUnavailable: the kernel lacks Landlock or seccomp, or this is not Linux.
            InputError: lengths differ, a program has no tests, or a limit under which nothing can run.
        """
        limits = self.limits
        results = _core.run_programs(
            programs,
            [list(test.cases) for test in tests],
            python=self.python,
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s,
            memory_mb=limits.memory_mb,
            output_kb=limits.output_kb,
            processes=limits.processes,
            file_mb=limits.file_mb,
        )
        return CodeResults(
            tuple(
                ProgramResult(tuple(CaseResult(CodeOutcome(case[0]), *case[1:]) for case in cases))
                for cases in results
            )
        )
