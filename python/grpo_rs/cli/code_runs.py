"""What judging programs and checking references share: rows made into runs, and their results counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from grpo_rs.cli.rows import Row
from grpo_rs.cli.terminal import Terminal, percent, shown
from grpo_rs.code import CodeRunner, IsolationLevel, ProgramResult, Tests
from grpo_rs.code.cases import Comparator
from grpo_rs.code.columns import spec_tests
from grpo_rs.code.isolation import Integrity, is_below
from grpo_rs.code.rows import TestsSpec, read_tests
from grpo_rs.errors import DataError, InputError
from grpo_rs.outcomes import CodeOutcome

# What was not run has no time of its own.
NOT_TIMED = {CodeOutcome.NO_PROGRAM, CodeOutcome.SKIPPED, CodeOutcome.TESTS_INVALID, CodeOutcome.CANCELLED}


@dataclass(frozen=True)
class Job:
    """A program and its tests.

    Attributes:
        row: where they come from.
        program: None if the row has none.
        tests: a text says why they cannot be used.
    """

    row: Row
    program: str | None
    tests: Tests | str


class TestReader:
    """Makes the tests of rows; neighbours with equal tests, such as replies to one problem, share them.

    Args:
        comparator: for tests of stdin and stdout, in place of the row's own.
        min_integrity: what every row's tests must offer.
    """

    __test__ = False

    def __init__(self, comparator: Comparator | None, min_integrity: Integrity) -> None:
        self._comparator = comparator
        self._min_integrity = min_integrity
        self._last: tuple[TestsSpec, Tests | str] | None = None

    def read(self, row: Row) -> Tests | str:
        """The tests that a row holds, made ready, or why they cannot be.

        Raises:
            DataError: the row holds no tests, or tests of less integrity than asked for.
        """
        spec = read_tests(row.columns, place=row.place)
        if self._last is None or self._last[0] != spec:
            self._last = spec, self._made(row, spec)
        return self._last[1]

    def _made(self, row: Row, spec: TestsSpec) -> Tests | str:
        try:
            tests = spec_tests(spec, self._comparator)
            integrity, _ = tests.integrity, tests.ready
        except InputError as error:
            return str(error)
        if is_below(integrity, self._min_integrity):
            raise DataError(
                f"{row.place} has tests of integrity {integrity!r}, below --min-integrity "
                f"{self._min_integrity}: lower that to accept them"
            )
        return tests


@dataclass
class RunTally:
    """What has been seen of the results so far; its size does not grow with the file.

    Attributes:
        limit: how many programs to list.
        passed, scorable: programs.
        fractions: the sum of their shares of tests passed.
        outcomes: programs by their outcome; tests by theirs.
        integrity, isolation: programs that were run, by each.
        timed, cpu_s: tests that were run, and what they took.
        listed: the programs to list, as text.
        to_list: how many there would be without a limit.
    """

    limit: int
    programs: int = 0
    passed: int = 0
    scorable: int = 0
    fractions: float = 0.0
    outcomes: Counter[CodeOutcome] = field(default_factory=Counter)
    case_outcomes: Counter[CodeOutcome] = field(default_factory=Counter)
    integrity: Counter[str] = field(default_factory=Counter)
    isolation: Counter[IsolationLevel] = field(default_factory=Counter)
    timed: int = 0
    cpu_s: float = 0.0
    listed: list[str] = field(default_factory=list)
    to_list: int = 0

    def add(self, result: ProgramResult) -> None:
        """Counts a result."""
        self.programs += 1
        self.passed += result.passed is True
        if result.is_scorable:
            self.scorable += 1
            self.fractions += result.score
        self.outcomes[result.outcome] += 1
        self.case_outcomes.update(case.outcome for case in result.cases)
        timed = [case for case in result.cases if case.outcome not in NOT_TIMED]
        if timed:
            self.timed += len(timed)
            self.cpu_s += sum(case.cpu_s for case in timed)
            self.integrity[result.integrity] += 1
            self.isolation[result.isolation] += 1

    def list(self, texts: Mapping[int, str]) -> None:
        """Keeps programs to look at, by their place, as far as there is room."""
        self.to_list += len(texts)
        places = sorted(texts)[: self.limit - len(self.listed)]
        self.listed += [texts[place] for place in places]

    def print(self, terminal: Terminal) -> None:
        """The table of outcomes, and what held the programs."""
        if self.timed:
            levels = ", ".join(f"{level.name.lower()}" for level in sorted(self.isolation))
            kinds = ", ".join(f"{name} {count:,}" for name, count in self.integrity.most_common())
            terminal.print(f"isolation {levels}; integrity of verdicts: {kinds}")
        terminal.print()
        terminal.table(
            ("outcome", "programs", "share", "tests"),
            [
                (
                    outcome.name,
                    f"{self.outcomes[outcome]:,}",
                    percent(self.outcomes[outcome], self.programs),
                    f"{self.case_outcomes[outcome]:,}",
                )
                for outcome in CodeOutcome
                if self.outcomes[outcome] or self.case_outcomes[outcome]
            ],
        )

    def print_listed(self, terminal: Terminal, what: str) -> None:
        """The programs that were kept to be looked at."""
        if self.listed:
            terminal.print(f"\n{what}: {self.to_list:,}, the first {len(self.listed)} of them")
            for text in self.listed:
                terminal.print(text)


def run_jobs(runner: CodeRunner, jobs: Sequence[Job]) -> Iterator[tuple[int, ProgramResult]]:
    """Yields (index, result) as they come, first those that need no run."""
    places, programs, tests = list[int](), list[str](), list[Tests]()
    for index, job in enumerate(jobs):
        if isinstance(job.tests, str):
            yield index, ProgramResult.without_run(CodeOutcome.TESTS_INVALID, job.tests)
        elif job.program is None:
            yield index, ProgramResult.without_run(CodeOutcome.NO_PROGRAM, "there is no program in it")
        else:
            places.append(index)
            programs.append(job.program)
            tests.append(job.tests)
    for place, result in runner.stream(programs, tests):
        yield places[place], result


def first_to_mend(result: ProgramResult) -> int:
    """Which test decided the result's outcome."""
    return next((i for i, case in enumerate(result.cases) if case.outcome is result.outcome), 0)


def describe(job: Job, result: ProgramResult, remark: str = "") -> str:
    """A program to look at: how it ended, the test that decided, in that test's own words, and why."""
    passed = sum(case.outcome is CodeOutcome.PASSED for case in result.cases)
    lines = [f"line {job.row.line}: {result.outcome.name}{remark}"]
    if len(result.cases) > 1:
        lines[0] += f", {passed} of {len(result.cases)} tests passed"
    index = first_to_mend(result)
    if isinstance(job.tests, Tests) and job.program is not None and result.cases:
        lines.append(f"  test {index + 1}: {shown(job.tests.describe(index))}".removesuffix(": "))
    message = result.note or (result.cases[index].message if result.cases else "")
    if message:
        lines.append(f"  {shown(message)}")
    return "\n".join(lines)
