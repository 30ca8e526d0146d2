"""Judges the predictions in a file, says how they ended, and lists those to look at."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from grpo_rs.cli.rows import GOLD_NAMES, PREDICTION_NAMES, Column, Row, batches, file_size
from grpo_rs.cli.terminal import Progress, Terminal, percent, shown
from grpo_rs.errors import DataError
from grpo_rs.math import Extract, MathPolicy, MathVerdicts, verify_math
from grpo_rs.outcomes import MathOutcome


@dataclass(frozen=True)
class Columns:
    """Where the rows of a file have what is needed."""

    gold: Column
    prediction: Column
    expected: Column | None


@dataclass
class Tally:
    """What has been seen so far; its size does not grow with the file.

    Attributes:
        limit: how many rows to list.
        outcomes: rows by outcome code.
        labels: rows by expected verdict and score: 1, 0, or None where not scorable.
        listed: the rows to list, as text.
        to_list: how many there would be without a limit.
    """

    limit: int
    outcomes: Counter[int] = field(default_factory=Counter)
    labels: Counter[tuple[bool, int | None]] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)
    to_list: int = 0

    def add(self, batch: list[Row], columns: Columns, verdicts: MathVerdicts) -> None:
        """Counts rows, and keeps those to look at."""
        self.outcomes.update(verdicts.outcomes.tolist())
        if columns.expected is None:
            # NaN is not 1 either.
            wrong = np.flatnonzero(verdicts.scores != 1).tolist()
        else:
            wrong = self._disagreements(batch, columns.expected, verdicts)
        self.to_list += len(wrong)
        for index in wrong[: self.limit - len(self.listed)]:
            row = batch[index]
            label = "" if columns.expected is None else f", column says {columns.expected.value(row)!s}"
            self.listed.append(
                f"line {row.line}: {verdicts.outcome(index).name}{label}; "
                f'gold "{shown(columns.gold.text(row))}"\n  {shown(verdicts.explain(index))}'
            )

    def _disagreements(self, batch: list[Row], expected: Column, verdicts: MathVerdicts) -> list[int]:
        wrong = []
        for index, (row, score) in enumerate(zip(batch, verdicts.scores.tolist(), strict=True)):
            label = expected.label(row)
            if label is not None:
                self.labels[label, _score(score)] += 1
                if score != label:
                    wrong.append(index)
        return wrong


def run(
    terminal: Terminal,
    file: str,
    *,
    gold: str | None,
    prediction: str | None,
    expected: str | None,
    extract: Extract,
    policy: MathPolicy,
    out: Path | None,
    show: int,
) -> int:
    """Judges a file and prints the summary; returns the exit status."""
    if out is not None and out.exists() and file != "-" and out.samefile(file):
        raise DataError(f"--out {out} is the file that is read: name another")
    columns, tally, verifying_s = None, Tally(show), 0.0
    with (
        Progress(terminal, file_size(file)) as progress,
        nullcontext() if out is None else create(out) as written,
    ):
        for batch in batches(file, progress):
            columns = columns or Columns(
                Column.choose("--gold", gold, GOLD_NAMES, batch[0]),
                Column.choose("--pred", prediction, PREDICTION_NAMES, batch[0]),
                None if expected is None else Column(expected, "--expected"),
            )
            predictions = [columns.prediction.text(row) for row in batch]
            golds = [columns.gold.text(row) for row in batch]
            begin = time.monotonic()
            verdicts = verify_math(predictions, golds, extract=extract, policy=policy)
            verifying_s += time.monotonic() - begin
            tally.add(batch, columns, verdicts)
            if written is not None:
                _write(written, batch, verdicts)
            progress.advance(len(batch))
    assert columns is not None
    _print_summary(terminal, columns, tally, progress, verifying_s)
    return 0


def create(out: Path) -> TextIO:
    """Opens a file for rows with their verdicts."""
    # A lone surrogate, which UTF-8 has not, is written as JSON's \udXXX.
    return out.open("w", encoding="utf-8", errors="backslashreplace")


def _write(out: TextIO, batch: list[Row], verdicts: MathVerdicts) -> None:
    for row, verdict, explanation in zip(batch, verdicts, verdicts.explanations(), strict=True):
        result: dict[str, Any] = {
            "score": _score(verdict.score),
            "outcome": verdict.outcome.name,
            "span": verdict.span,
            "answer": verdict.answer,
            "explanation": explanation,
        }
        out.write(json.dumps(row.columns | {"verdict": result}, ensure_ascii=False) + "\n")


def _score(score: float) -> int | None:
    return None if math.isnan(score) else int(score)


def _print_summary(
    terminal: Terminal, columns: Columns, tally: Tally, progress: Progress, verifying_s: float
) -> None:
    rows, seconds = progress.rows, progress.seconds
    terminal.print(
        f"{rows:,} rows, gold from column {columns.gold.name!r}, prediction from {columns.prediction.name!r}"
    )
    terminal.print(
        f"{seconds:.2f} s, {rows / max(seconds, 1e-6):,.0f} rows/s ({verifying_s:.2f} s in the verifier)\n"
    )
    counted = [(o.name, tally.outcomes[o]) for o in MathOutcome if tally.outcomes[o]]
    terminal.table(
        ("outcome", "rows", "share"),
        [(name, f"{count:,}", percent(count, rows)) for name, count in counted],
    )
    if columns.expected is not None:
        _print_agreement(terminal, columns.expected, tally)
    what = "incorrect or not scorable" if columns.expected is None else "in disagreement"
    if tally.listed:
        terminal.print(f"\nRows {what}: {tally.to_list:,}, the first {len(tally.listed)} of them")
        for text in tally.listed:
            terminal.print(text)


def _print_agreement(terminal: Terminal, expected: Column, tally: Tally) -> None:
    labels = tally.labels
    total = labels.total()
    agreed = labels[True, 1] + labels[False, 0]
    terminal.print(
        f"\n{agreed:,} of {total:,} rows ({percent(agreed, total)}) agree with column {expected.name!r}\n"
    )
    terminal.table(
        ("expected", "judged correct", "incorrect", "not scorable"),
        [
            (word, *(f"{labels[label, score]:,}" for score in (1, 0, None)))
            for word, label in (("correct", True), ("incorrect", False))
        ],
    )
