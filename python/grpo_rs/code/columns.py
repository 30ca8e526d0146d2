"""The tests that a row of a data set holds, ready to be run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from grpo_rs.code.cases import (
    AssertTests,
    CallTests,
    Checker,
    Comparator,
    Floats,
    StdioTests,
    Tests,
    UnittestTests,
    assert_tests,
)
from grpo_rs.code.rows import (
    AssertSpec,
    CallSpec,
    CheckerSpec,
    FloatsSpec,
    StdioSpec,
    TestsSpec,
    UnittestSpec,
    read_tests,
)
from grpo_rs.errors import InputError

# Columns that a row's tests may depend on, if they are those of a known data set.
TESTS_COLUMNS = (
    *("tests", "comparator", "tolerance"),
    *("test", "entry_point", "prompt"),
    *("test_list", "test_setup_code", "test_imports"),
    *("public_test_cases", "private_test_cases", "metadata"),
    *("input_output", "ground_truth", "reward_model"),
)
# Columns beside that of the tests which say how values are compared.
BESIDE = ("comparator", "tolerance")


def cell_tests(cell: object, row: Mapping[str, Any]) -> Tests:
    """The tests in one cell of a row.

    Args:
        cell: one of
            - tests made by `stdio_tests` and its like;
            - a text with assert statements, or a list of such texts, as in MBPP;
            - the column `tests` of our own form, as grpo_rs/code/rows.py describes it, or its JSON text:
              `[{"stdin": "1 2", "stdout": "3"}]`, `[{"call": "add", "args": [1, 2], "returns": 3}]`,
              `{"asserts": "assert add(1, 2) == 3"}`, `{"unittest": "class ..."}`. A data set whose rows have
              different forms of it should hold JSON texts;
            - `input_output` of APPS or `ground_truth` of verl: `{"inputs": [...], "outputs": [...]}`.
        row: the row, whose columns `comparator` and `tolerance` belong to our own form.

    Raises:
        InputError: it is none of them, or holds no tests.

    Example:
        >>> cell_tests("assert add(1, 2) == 3", {}).integrity
        'outside'
        >>> cell_tests('[{"stdin": "1 2", "stdout": "3"}]', {"comparator": "tokens"}).cases
        (('1 2', '3'),)
    """
    match cell:
        case Tests():
            return cell
        case str() if cell.lstrip()[:1] in ("{", "["):
            return cell_tests(_parsed(cell), row)
        case str():
            return assert_tests(cell)
        case [str(), *_] if all(isinstance(part, str) for part in cell):
            return assert_tests("\n".join(map(str, cell)))
        case {"assert_case": _} | {"inputs": _, "outputs": _}:
            return spec_tests(read_tests({"ground_truth": _without_null(cell)}))
        case Mapping() | list():
            columns = {name: row[name] for name in BESIDE if name in row}
            return spec_tests(read_tests({"tests": _without_null(cell)} | columns))
    raise InputError(f"a {type(cell).__name__} holds no tests: give asserts, or tests as the guide describes")


def row_tests(row: Mapping[str, Any], column: str | None) -> Tests:
    """The tests in a column of a row, or, without a name, in the columns of a known data set.

    Raises:
        InputError: there are none.
    """
    return spec_tests(read_tests(row)) if column is None else cell_tests(row[column], row)


def spec_tests(spec: TestsSpec, comparator: Comparator | None = None) -> Tests:
    """Tests as they were read from a row.

    Args:
        spec: what was read.
        comparator: for tests of stdin and stdout, in place of their own.

    Raises:
        InputError: they cannot be used: asserts that are not Python, for example.
    """
    match spec:
        case StdioSpec():
            return StdioTests(spec.cases, comparator or _comparator(spec.comparator))
        case CallSpec():
            of_spec = spec.tolerance
            return CallTests(spec.cases, None if of_spec is None else Floats(of_spec.rel, of_spec.abs))
        case AssertSpec():
            return AssertTests(spec.source, spec.entry_point, spec.prompt, spec.setup)
        case UnittestSpec():
            return UnittestTests(spec.source, spec.setup)


def _comparator(spec: str | FloatsSpec | CheckerSpec | None) -> Comparator:
    match spec:
        case None | "lines":
            return "lines"
        case "exact" | "tokens":
            return spec
        case FloatsSpec():
            return Floats(spec.rel, spec.abs)
        case CheckerSpec():
            return Checker(spec.source, spec.entry_point)
    raise InputError(f"comparator {spec!r} is none that is known")


def _without_null(cell: Any) -> Any:
    """The same without keys that are null: Arrow gives every row the keys of all rows."""
    if isinstance(cell, list):
        return [_without_null(case) for case in cell] if all(isinstance(c, Mapping) for c in cell) else cell
    # A call may well return null.
    return {name: value for name, value in cell.items() if value is not None or name == "returns"}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the tests begin as JSON does, but are not: {error}") from None
