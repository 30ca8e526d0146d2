"""Tests as the rows of a data set hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grpo_rs.code.cases import Checker, Floats, Tests, assert_tests, call_tests, stdio_tests, unittest_tests
from grpo_rs.errors import InputError


def tests_of(value: object) -> Tests:
    """The tests that a cell of a data set holds.

    Args:
        value: one of
            - tests made by `stdio_tests` and its like;
            - a text with assert statements, or a list of such texts, as in MBPP;
            - a mapping, or its JSON text, with a key "type" and the arguments of the function that makes such
              tests: `{"type": "stdio", "cases": [["1 2", "3"]], "comparator": {"rel": 0, "abs": 1e-6}}`,
              `{"type": "calls", "entry_point": "add", "cases": [[[1, 2], 3]]}`,
              `{"type": "asserts", "source": "assert add(1, 2) == 3"}`,
              `{"type": "unittest", "source": "class ..."}`. Keys that are null are left out.

    Raises:
        InputError: it is none of them, or holds no tests.

    Example:
        >>> tests_of("assert add(1, 2) == 3").integrity
        'outside'
        >>> tests_of('{"type": "stdio", "cases": [["1 2", "3"]]}').cases
        (('1 2', '3'),)
    """
    match value:
        case Tests():
            return value
        case str() if value.lstrip().startswith("{"):
            return _of_mapping(_of_json(value))
        case str():
            return assert_tests(value)
        case Mapping():
            return _of_mapping(value)
        case list() | tuple() if all(isinstance(part, str) for part in value):
            return assert_tests("\n".join(value))
    raise InputError(
        f"a {type(value).__name__} holds no tests: give a text with asserts, or a mapping with the key 'type'"
    )


def _of_json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the tests begin as JSON does, but are not: {error}") from None
    if not isinstance(value, Mapping):
        raise InputError(f"the tests are a JSON {type(value).__name__}, not an object")
    return value


def _of_mapping(value: Mapping[str, Any]) -> Tests:
    arguments = {key: entry for key, entry in value.items() if entry is not None}
    kind = arguments.pop("type", None)
    if kind not in KINDS:
        raise InputError(f"the tests have the type {kind!r}: give one of {', '.join(KINDS)}")
    if isinstance(comparator := arguments.get("comparator"), Mapping):
        arguments["comparator"] = _comparator(comparator)
    if isinstance(tolerance := arguments.get("tolerance"), Mapping):
        arguments["tolerance"] = _comparator(tolerance)
    make, wanted = KINDS[kind]
    unknown, missing = arguments.keys() - wanted, set(wanted[:1]) - arguments.keys()
    if unknown or missing:
        what = f"do not know {sorted(unknown)}" if unknown else f"need {sorted(missing)}"
        raise InputError(f"tests of type {kind!r} {what}: their keys are {', '.join(wanted)}")
    try:
        return make(**arguments)
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise InputError(f"tests of type {kind!r} cannot be read: {error}") from None


def _comparator(value: Mapping[str, Any]) -> Floats | Checker:
    try:
        return Checker(**value) if "source" in value else Floats(**value)
    except TypeError as error:
        raise InputError(
            f"the comparator or tolerance {dict(value)} has other keys than rel and abs, or source and "
            f"entry_point: {error}"
        ) from None


# What makes them, and its arguments, the first of which is needed.
KINDS: dict[str, tuple[Callable[..., Tests], Sequence[str]]] = {
    "stdio": (stdio_tests, ("cases", "comparator")),
    "calls": (call_tests, ("entry_point", "cases", "tolerance")),
    "asserts": (assert_tests, ("source", "entry_point", "prompt", "setup")),
    "unittest": (unittest_tests, ("source", "setup")),
}
