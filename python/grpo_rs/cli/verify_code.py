"""Runs the programs in a file on their tests, says how they ended, and lists those to look at."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from grpo_rs.cli.code_runs import Job, RunTally, TestReader, describe, first_to_mend, run_jobs
from grpo_rs.cli.rows import Column, Row, batches, file_size
from grpo_rs.cli.terminal import Progress, Terminal, percent
from grpo_rs.cli.verify import create
from grpo_rs.code import AssertTests, CodeRunner, ProgramResult, Tests, extract_program
from grpo_rs.code.rows import COMPLETION_NAMES, PROGRAM_NAMES
from grpo_rs.errors import DataError
from grpo_rs.rewards.code import Mode


@dataclass(frozen=True)
class Columns:
    """Where the rows of a file have what is needed beside the tests.

    Attributes:
        source: the program, or what it is taken from.
        extract: whether it has to be taken from a reply.
    """

    source: Column
    extract: bool
    expected: Column | None

    @classmethod
    def choose(cls, program: str | None, completion: str | None, expected: str | None, first: Row) -> Columns:
        """The columns asked for, else those of the usual names that the file has."""
        if program is not None or (completion is None and any(n in first.columns for n in PROGRAM_NAMES)):
            source, extract = Column.choose("--program", program, PROGRAM_NAMES, first), False
        else:
            source, extract = Column.choose("--completion", completion, COMPLETION_NAMES, first), True
        return cls(source, extract, None if expected is None else Column(expected, "--expected"))

    def job(self, row: Row, tests: Tests | str) -> Job:
        """The program of a row, and its tests."""
        text = self.source.text(row)
        program = extract_program(text) if self.extract else text or None
        if isinstance(tests, AssertTests):
            program = tests.completed(program, text)
        return Job(row, program, tests)


@dataclass
class Labels:
    """Programs by their label and whether they passed: None where nobody can tell."""

    counts: Counter[tuple[bool, bool | None]] = field(default_factory=Counter)

    def disagree(self, label: bool | None, passed: bool | None) -> bool:
        """Counts a program, and says whether its label says something else."""
        if label is None:
            return False
        self.counts[label, passed] += 1
        return label is not passed


def run(
    terminal: Terminal,
    file: str,
    *,
    runner: CodeRunner,
    tests: TestReader,
    program: str | None,
    completion: str | None,
    expected: str | None,
    mode: Mode,
    out: Path | None,
    show: int,
) -> int:
    """Judges a file and prints the summary; returns the exit status."""
    if out is not None and out.exists() and file != "-" and out.samefile(file):
        raise DataError(f"--out {out} is the file that is read: name another")
    columns, tally, labels, running_s = None, RunTally(show), Labels(), 0.0
    with (
        Progress(terminal, file_size(file)) as progress,
        nullcontext() if out is None else create(out) as written,
    ):
        for batch in batches(file, progress):
            columns = columns or Columns.choose(program, completion, expected, batch[0])
            jobs = [columns.job(row, tests.read(row)) for row in batch]
            begin = time.monotonic()
            verdicts = _judge(runner, jobs, columns, mode, tally, labels, progress)
            running_s += time.monotonic() - begin
            if written is not None:
                _write(written, batch, verdicts)
    assert columns is not None
    _print_summary(terminal, columns, tally, labels, progress, running_s, mode)
    return 0


def _judge(
    runner: CodeRunner,
    jobs: Sequence[Job],
    columns: Columns,
    mode: Mode,
    tally: RunTally,
    labels: Labels,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Runs a batch. Of each result only what is written out is kept: outputs can be large."""
    verdicts: list[dict[str, Any]] = [{}] * len(jobs)
    to_list: dict[int, str] = {}
    for index, result in run_jobs(runner, jobs):
        tally.add(result)
        verdicts[index] = _verdict(result, mode)
        if columns.expected is None:
            wrong, remark = result.passed is not True, ""
        else:
            row = jobs[index].row
            wrong = labels.disagree(columns.expected.label(row), result.passed)
            remark = f", column says {columns.expected.value(row)!s}"
        if wrong:
            to_list[index] = describe(jobs[index], result, remark)
        progress.advance(1)
    tally.list(to_list)
    return verdicts


def _verdict(result: ProgramResult, mode: Mode) -> dict[str, Any]:
    score = result.score if mode == "fraction" else _number(result.passed)
    decisive = result.cases[first_to_mend(result)].message if result.cases else ""
    return {
        "score": None if math.isnan(score) else score,
        "passed": result.passed,
        "outcome": result.outcome.name,
        "outcomes": [case.outcome.name for case in result.cases],
        "message": result.note or decisive,
        "integrity": result.integrity,
        "isolation": result.isolation.name,
        "cpu_ms": round(1000 * result.cpu_s, 3),
    }


def _number(passed: bool | None) -> float:
    return math.nan if passed is None else float(passed)


def _write(out: TextIO, batch: Sequence[Row], verdicts: Sequence[dict[str, Any]]) -> None:
    for row, verdict in zip(batch, verdicts, strict=True):
        out.write(json.dumps(row.columns | {"verdict": verdict}, ensure_ascii=False) + "\n")


def _print_summary(
    terminal: Terminal,
    columns: Columns,
    tally: RunTally,
    labels: Labels,
    progress: Progress,
    running_s: float,
    mode: Mode,
) -> None:
    taken = "taken from" if columns.extract else "in"
    terminal.print(f"{tally.programs:,} rows, programs {taken} column {columns.source.name!r}")
    rate = tally.programs / max(running_s, 1e-6)
    per_run = f"{1000 * tally.cpu_s / tally.timed:.2f} CPU ms a run" if tally.timed else "nothing was run"
    terminal.print(f"{progress.seconds:.2f} s, {rate:,.1f} programs/s, {tally.timed:,} runs, {per_run}")
    if tally.scorable:
        share = percent(tally.passed, tally.scorable)
        mean = tally.fractions / tally.scorable if mode == "fraction" else tally.passed / tally.scorable
        what = "mean fraction of tests" if mode == "fraction" else "mean score"
        terminal.print(
            f"{tally.passed:,} of {tally.scorable:,} scorable programs passed ({share}), {what} {mean:.3f}"
        )
    tally.print(terminal)
    if columns.expected is not None:
        _print_agreement(terminal, columns.expected, labels)
    what = "that did not pass" if columns.expected is None else "in disagreement"
    tally.print_listed(terminal, f"Programs {what}")


def _print_agreement(terminal: Terminal, expected: Column, labels: Labels) -> None:
    counts = labels.counts
    total, agreed = counts.total(), counts[True, True] + counts[False, False]
    terminal.print(
        f"\n{agreed:,} of {total:,} rows ({percent(agreed, total)}) agree with column {expected.name!r}\n"
    )
    terminal.table(
        ("expected", "passed", "failed", "not scorable"),
        [
            (word, *(f"{counts[label, passed]:,}" for passed in (True, False, None)))
            for word, label in (("correct", True), ("incorrect", False))
        ],
    )
