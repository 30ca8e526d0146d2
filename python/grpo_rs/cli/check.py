"""Checks the golds of a data set: each must accept itself in other words and refuse its neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from grpo_rs.cli import neighbours
from grpo_rs.cli.rows import GOLD_NAMES, Column, batches, file_size
from grpo_rs.cli.terminal import Progress, Terminal, shown
from grpo_rs.math import Extract, MathPolicy, unreadable_golds, verify_math

# The marks of a worked solution, in the verifier's order.
MARKS: tuple[Extract, ...] = ("boxed", "hash", "answer_tag")


@dataclass(frozen=True)
class Trial:
    """A prediction to judge.

    Attributes:
        line: of the gold.
        form: how the prediction was made.
        accepted: whether the gold must accept it.
    """

    line: int
    form: str
    accepted: bool
    prediction: str
    gold: str


@dataclass
class Findings:
    """What has been found so far; its size does not grow with the file.

    Attributes:
        limit: how many unreadable golds, and how many failures, to list.
        golds: all of them.
        unreadable: those that no prediction can be scored against.
        tried, failed: trials by form and what must become of them.
    """

    limit: int
    golds: int = 0
    unreadable: int = 0
    tried: Counter[tuple[bool, str]] = field(default_factory=Counter)
    failed: Counter[tuple[bool, str]] = field(default_factory=Counter)
    listed_unreadable: list[str] = field(default_factory=list)
    listed_failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there is nothing to complain of."""
        return not self.unreadable and not self.failed


def run(terminal: Terminal, file: str, *, gold: str | None, policy: MathPolicy, show: int) -> int:
    """Checks a file and prints what was found; returns the exit status."""
    column, findings = None, Findings(show)
    with Progress(terminal, file_size(file)) as progress:
        for batch in batches(file, progress):
            column = column or Column.choose("--gold", gold, GOLD_NAMES, batch[0])
            lines = [row.line for row in batch]
            _check(lines, [column.text(row) for row in batch], policy, findings)
            progress.advance(len(batch))
    assert column is not None
    terminal.print(f"{findings.golds:,} golds from column {column.name!r}, {progress.seconds:.2f} s")
    _print_findings(terminal, findings)
    return 0 if findings.passed else 1


def _check(lines: list[int], texts: list[str], policy: MathPolicy, findings: Findings) -> None:
    findings.golds += len(texts)
    unreadable = unreadable_golds(texts, policy=policy)
    for index, reason in unreadable.items():
        findings.unreadable += 1
        if len(findings.listed_unreadable) < findings.limit:
            findings.listed_unreadable.append(f'line {lines[index]}: "{shown(texts[index])}"\n  {reason}')

    trials = [
        trial
        for index, answer in enumerate(_answers(texts, policy))
        if index not in unreadable
        for trial in _trials(lines[index], texts[index], answer, policy)
    ]
    verdicts = verify_math([t.prediction for t in trials], [t.gold for t in trials], policy=policy)
    for index, trial in enumerate(trials):
        key = (trial.accepted, trial.form)
        findings.tried[key] += 1
        if (verdicts.scores[index] == 1) != trial.accepted:
            findings.failed[key] += 1
            # One form that fails everywhere must not hide the others.
            of_a_form = max(1, findings.limit // 5)
            if findings.failed[key] <= of_a_form and len(findings.listed_failures) < findings.limit:
                findings.listed_failures.append(
                    f'line {trial.line}: "{shown(trial.gold)}" must '
                    f"{'accept' if trial.accepted else 'refuse'} {shown(trial.prediction)} ({trial.form})\n"
                    f"  {shown(verdicts.explain(index))}"
                )


def _answers(golds: list[str], policy: MathPolicy) -> list[str]:
    """The answer that each gold states: a worked solution's is marked, of any other it is the whole."""
    answers: list[str | None] = [None] * len(golds)
    for extract in MARKS:
        unmarked = [index for index, answer in enumerate(answers) if answer is None]
        texts = [golds[index] for index in unmarked]
        verdicts = verify_math(texts, texts, extract=extract, policy=policy)
        for place, index in enumerate(unmarked):
            answers[index] = verdicts.answer(place)
    return [(answer or gold).strip() for answer, gold in zip(answers, golds, strict=True)]


def _trials(line: int, gold: str, answer: str, policy: MathPolicy) -> Iterator[Trial]:
    yield Trial(line, "itself", True, gold, gold)
    for form, prediction in neighbours.same(answer):
        yield Trial(line, form, True, prediction, gold)
    for form, prediction in neighbours.different(answer, policy):
        yield Trial(line, form, False, prediction, gold)


def _print_findings(terminal: Terminal, findings: Findings) -> None:
    for title, accepted, wrong in (("must accept", True, "refused"), ("must refuse", False, "accepted")):
        rows = [
            (form, f"{count:,}", f"{findings.failed[accepted, form]:,}")
            for (kind, form), count in findings.tried.items()
            if kind is accepted
        ]
        if rows:
            terminal.print()
            terminal.table((title, "golds", wrong), rows)
    for what, listed, total in (
        ("Golds that cannot be read", findings.listed_unreadable, findings.unreadable),
        ("Predictions misjudged", findings.listed_failures, findings.failed.total()),
    ):
        if total:
            terminal.print(f"\n{what}: {total:,} ({len(listed)} listed)")
        for text in listed:
            terminal.print(text)
    terminal.print("\nEvery gold passed" if findings.passed else "\nThe check failed")
