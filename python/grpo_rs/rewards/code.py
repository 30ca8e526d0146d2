"""The sandbox as a reward."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from grpo_rs.code import AssertTests, CodeResults, CodeRunner, ProgramResult, Tests, extract_program
from grpo_rs.code.columns import BESIDE, TESTS_COLUMNS, row_tests
from grpo_rs.code.isolation import INTEGRITIES, Integrity, is_below
from grpo_rs.code.programs import Language
from grpo_rs.errors import InputError
from grpo_rs.outcomes import CodeOutcome
from grpo_rs.rewards.base import Completions

Mode = Literal["fraction", "all"]


class CodeReward:
    """Runs the program in each completion on the tests of its row.

    0 for a completion without a program; NaN, with a reason in `results`, where the tests or the host are at
    fault. Within a batch the same program is run on the same tests once.

    Args:
        runner: what runs the programs; None: one with its defaults, which `close` ends.
        tests_column: the column of the rows with the tests: made by `grpo_rs.stdio_tests` and its like, a
            text or list of asserts, or our own form; see `grpo_rs.code.columns.cell_tests`. None: the columns
            of HumanEval, MBPP, LiveCodeBench or APPS, by their names.
        language: of the programs.
        mode: "fraction": the share of tests passed; "all": 1 if all are, else 0.
        min_integrity: the least that the tests must offer. "split" refuses unittest files, whose verdict a
            program could forge; see `grpo_rs.ProgramResult`.

    Raises:
        InputError: an argument is none of the above.
    """

    bounded = True

    def __init__(
        self,
        runner: CodeRunner | None = None,
        *,
        tests_column: str | None = "tests",
        language: Language = "python",
        mode: Mode = "fraction",
        min_integrity: Integrity = "split",
    ) -> None:
        for name, value, known in (
            ("mode", mode, typing.get_args(Mode)),
            ("min_integrity", min_integrity, INTEGRITIES),
            ("language", language, typing.get_args(Language)),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r}: give one of {', '.join(known)}")
        self._owns_runner = runner is None
        self.runner = runner or CodeRunner()
        self.tests_column = tests_column
        self.language: Language = language
        self.mode: Mode = mode
        self.min_integrity: Integrity = min_integrity

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64]:
        """One score per completion.

        Raises:
            SandboxUnavailable: less isolation is there than the runner asks for.
            InputError: the rows have no such column, or tests with less integrity than `min_integrity`.
        """
        results = self.results(completions)
        if self.mode == "fraction":
            return results.scores.astype(np.float64)
        return np.array([np.nan if r.passed is None else float(r.passed) for r in results], np.float64)

    def results(self, completions: Completions) -> CodeResults:
        """The results behind the scores, one per completion: outcomes, messages, times.

        Of a completion without a program the only case is NO_PROGRAM; where the tests cannot be used,
        TESTS_INVALID, with the reason as its message and the result's note.
        """
        tests = self._tests(completions)
        results: list[ProgramResult | None] = [None] * len(completions)
        same: dict[tuple[str, int], list[int]] = {}
        for index, (text, of_row) in enumerate(zip(completions.texts, tests, strict=True)):
            program = extract_program(text, self.language)
            if isinstance(of_row, AssertTests):
                program = of_row.completed(program, text)
            if isinstance(of_row, str):
                results[index] = ProgramResult.without_run(CodeOutcome.TESTS_INVALID, of_row)
            elif program is None:
                results[index] = ProgramResult.without_run(
                    CodeOutcome.NO_PROGRAM, "the completion holds no program"
                )
            else:
                same.setdefault((program, id(of_row)), []).append(index)

        by_id = {id(of_row): of_row for of_row in tests if isinstance(of_row, Tests)}
        ran = self.runner.run([program for program, _ in same], [by_id[key] for _, key in same])
        for indices, result in zip(same.values(), ran, strict=True):
            for index in indices:
                results[index] = result
        return CodeResults.of(results)

    def close(self) -> None:
        """Ends the runner, if it was made here."""
        if self._owns_runner:
            self.runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tests(self, completions: Completions) -> list[Tests | str]:
        """The tests of each row, or why they cannot be used; equal cells give the same object."""
        if len(completions.rows) != len(completions):
            raise InputError(
                f"{len(completions)} completions but {len(completions.rows)} rows: CodeReward finds the "
                "tests in Completions.rows, one per completion"
            )
        read: dict[object, Tests | str] = {}
        found = []
        for row in completions.rows:
            if self.tests_column is not None and self.tests_column not in row:
                raise InputError(
                    f"a row has no column {self.tests_column!r}; it has {', '.join(map(repr, row))}: name "
                    "the one with the tests, CodeReward(tests_column=...)"
                )
            names = TESTS_COLUMNS if self.tests_column is None else (self.tests_column, *BESIDE)
            cells = [row.get(name) for name in names]
            key = tuple(id(cell) if isinstance(cell, Tests) else repr(cell) for cell in cells)
            if key not in read:
                read[key] = self._usable(row)
            found.append(read[key])
        return found

    def _usable(self, row: Mapping[str, Any]) -> Tests | str:
        try:
            tests = row_tests(row, self.tests_column)
            integrity, _ = tests.integrity, tests.ready
        except InputError as error:
            return str(error)
        if is_below(integrity, self.min_integrity):
            raise InputError(
                f"a row has tests of integrity {integrity!r}, below min_integrity={self.min_integrity!r}: a "
                "program could forge their verdict. Lower min_integrity to accept them"
            )
        return tests
