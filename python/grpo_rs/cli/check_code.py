"""Checks the tests of a data set: each must accept its reference solution and refuse an empty program."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grpo_rs.cli.code_runs import Job, RunTally, TestReader, describe, run_jobs
from grpo_rs.cli.rows import Column, Row, batches, file_size
from grpo_rs.cli.terminal import Progress, Terminal
from grpo_rs.code import CodeRunner
from grpo_rs.code.rows import REFERENCE_NAMES, read_row

EMPTY_PROGRAM = "pass\n"


@dataclass
class Findings:
    """What has been found so far; its size does not grow with the file.

    Attributes:
        references: results of the reference solutions.
        empty: results of the empty program on the same tests.
    """

    references: RunTally
    empty: RunTally

    @property
    def passed(self) -> bool:
        """Whether there is nothing to complain of."""
        return not self.references.to_list and not self.empty.to_list


def run(
    terminal: Terminal, file: str, *, runner: CodeRunner, tests: TestReader, reference: str | None, show: int
) -> int:
    """Checks a file and prints what was found; returns the exit status."""
    column, findings = None, Findings(RunTally(show), RunTally(show))
    with Progress(terminal, file_size(file)) as progress:
        for batch in batches(file, progress):
            column = column or Column.choose("--reference", reference, REFERENCE_NAMES, batch[0])
            solved = [Job(row, _reference(row, column), tests.read(row)) for row in batch]
            _run(runner, solved, findings.references, wanted=True)
            # Tests that cannot be used have been counted once.
            usable = [job for job in solved if not isinstance(job.tests, str)]
            emptied = [replace(job, program=EMPTY_PROGRAM) for job in usable]
            _run(runner, emptied, findings.empty, wanted=False)
            progress.advance(len(batch))
    assert column is not None
    terminal.print(
        f"{findings.references.programs:,} references from column {column.name!r}, {progress.seconds:.2f} s"
    )
    _print_findings(terminal, findings)
    return 0 if findings.passed else 1


def _reference(row: Row, column: Column) -> str | None:
    """A solution, after its prompt if it is what goes on where that stops."""
    if column.value(row) in ("", None):
        return None
    solution = read_row(row.columns, place=row.place, column=column.name)
    if solution.completion is None:
        return solution.program
    return solution.assembled(solution.completion)


def _run(runner: CodeRunner, jobs: list[Job], tally: RunTally, *, wanted: bool) -> None:
    misjudged: dict[int, str] = {}
    for index, result in run_jobs(runner, jobs):
        tally.add(result)
        if result.passed is not wanted:
            misjudged[index] = describe(jobs[index], result)
    tally.list(misjudged)


def _print_findings(terminal: Terminal, findings: Findings) -> None:
    findings.references.print(terminal)
    findings.references.print_listed(terminal, "References that do not pass their tests")
    findings.empty.print_listed(terminal, "Tests that do not refuse an empty program")
    terminal.print("\nEvery row passed" if findings.passed else "\nThe check failed")
