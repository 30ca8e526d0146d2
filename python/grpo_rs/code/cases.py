"""The tests of a program: what it is given, and what must come back."""

from __future__ import annotations

import ast
import math
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from grpo_rs import _core
from grpo_rs.code.isolation import Integrity
from grpo_rs.code.lowering import Lowered, Unlowered, lower
from grpo_rs.code.rows import CallCase, complete_prompt
from grpo_rs.errors import InputError

TextComparator = Literal["lines", "exact", "tokens"]

# The first line that is not blank is indented.
INDENTED = re.compile(r"(?:[ \t]*\n)*[ \t]+\S")

TEXT_COMPARATORS: tuple[TextComparator, ...] = typing.get_args(TextComparator)


@dataclass(frozen=True)
class Floats:
    """Compares tokens, and those that are numbers with a tolerance.

    An output is right if it has as many tokens as the expected one, and each equals its counterpart as text
    or differs as a number by no more than the larger of `rel * |expected|` and `abs`.

    Attributes:
        rel: relative tolerance.
        abs: absolute tolerance.

    Raises:
        InputError: a tolerance is negative or not finite.
    """

    rel: float = 1e-6
    abs: float = 1e-6

    def __post_init__(self) -> None:
        for name, value in (("rel", self.rel), ("abs", self.abs)):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"the tolerance {name} is {value}: give a number from 0 on")


@dataclass(frozen=True)
class Checker:
    """A program of yours that decides whether an output is right. It runs in the sandbox as well.

    Attributes:
        source: Python; it defines a function of (stdin, expected, output), all text, that returns whether the
            output is right. If it raises, the output is wrong. Without the function, the test is
            TESTS_INVALID.
        entry_point: the function's name.

    Raises:
        InputError: the source is not Python.
    """

    source: str
    entry_point: str = "check"

    def __post_init__(self) -> None:
        _parsed(self.source, "the checker")


Comparator = TextComparator | Floats | Checker


class Tests:
    """The tests of one program: `StdioTests`, `CallTests`, `AssertTests` or `UnittestTests`.

    They are made ready for the sandbox when first used, once, and can be shared by any number of programs,
    threads and runners. They can be pickled.
    """

    __test__ = False  # pytest would take the name for one of its own

    @property
    def integrity(self) -> Integrity:
        """Who could change the verdict: see `ProgramResult.integrity`."""
        raise NotImplementedError

    @cached_property
    def ready(self) -> _core.CodeTests:
        """The same in Rust's form; InputError if a value has no form that another process could be sent."""
        raise NotImplementedError

    def describe(self, index: int) -> str:
        """A test in its own words."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        # What is cached belongs to this process.
        fields = self.__dataclass_fields__  # type: ignore[attr-defined]
        return {name: value for name, value in self.__dict__.items() if name in fields}


@dataclass(frozen=True)
class StdioTests(Tests):
    """Tests of a program that reads stdin and writes stdout.

    Attributes:
        cases: (stdin, expected stdout) pairs.
        comparator: when an output is right; see `stdio_tests`.
    """

    cases: tuple[tuple[str, str], ...]
    comparator: Comparator = "lines"

    def __post_init__(self) -> None:
        _refuse_none(self.cases)
        for index, case in enumerate(self.cases):
            if len(case) != 2 or not all(isinstance(text, str) for text in case):
                raise InputError(f"case {index} is not a pair (stdin, expected stdout) of texts")
        if not isinstance(self.comparator, Floats | Checker) and self.comparator not in TEXT_COMPARATORS:
            raise InputError(
                f"comparator {self.comparator!r}: give one of {', '.join(TEXT_COMPARATORS)}, Floats() "
                "or Checker()"
            )

    @property
    def integrity(self) -> Integrity:
        """Always "outside": this process compares."""
        return "outside"

    @cached_property
    def ready(self) -> _core.CodeTests:
        """The same in Rust's form."""
        name, floats, checker = "", Floats(), None
        match self.comparator:
            case Floats():
                name, floats = "floats", self.comparator
            case Checker():
                name, checker = "checker", self.comparator
            case text:
                name = text
        return _core.CodeTests.stdio(
            list(self.cases),
            name,
            floats.rel,
            floats.abs,
            checker.source if checker else None,
            checker.entry_point if checker else "",
        )

    def describe(self, index: int) -> str:
        """The input and the expected output."""
        stdin, expected = self.cases[index]
        return f"{stdin!r} -> {expected!r}"


@dataclass(frozen=True)
class CallTests(Tests):
    """Tests that call functions of the program and compare what they return.

    Attributes:
        cases: the calls.
        tolerance: of numbers; see `call_tests`.
    """

    cases: tuple[CallCase, ...]
    tolerance: Floats | None = None

    def __post_init__(self) -> None:
        _refuse_none(self.cases)
        for case in self.cases:
            _check_name(case.entry_point)

    @property
    def integrity(self) -> Integrity:
        """Always "outside": this process compares."""
        return "outside"

    @cached_property
    def ready(self) -> _core.CodeTests:
        """The same in Rust's form."""
        tolerance = self.tolerance or Floats(0.0, 0.0)
        return _core.CodeTests.calls(
            [
                (
                    case.entry_point,
                    case.args,
                    case.kwargs,
                    self._check(case),
                    case.expected,
                    tolerance.rel,
                    tolerance.abs,
                )
                for case in self.cases
            ]
        )

    def _check(self, case: CallCase) -> str:
        tolerable = case.check == "eq" and _holds_number(case.expected)
        return "close" if self.tolerance and tolerable else case.check

    def describe(self, index: int) -> str:
        """The call and the expected value."""
        case = self.cases[index]
        given = [*map(repr, case.args), *(f"{name}={value!r}" for name, value in case.kwargs.items())]
        relation = "in" if case.check == "in" else "=="
        return f"{case.entry_point}({', '.join(given)}) {relation} {case.expected!r}"


@dataclass(frozen=True)
class AssertTests(Tests):
    """Tests written as assert statements, as in HumanEval and MBPP.

    Attributes:
        source: Python with the asserts, or with a function `check(candidate)` that holds them.
        entry_point: the function that `check` is given; None for bare asserts.
        prompt: trusted text that came before the program, whose helpers the tests may use.
        setup: trusted code that runs before the tests.
    """

    source: str
    entry_point: str | None = None
    prompt: str = ""
    setup: str = ""

    def __post_init__(self) -> None:
        if self.entry_point is not None:
            _check_name(self.entry_point)
        # Tests that cannot be used are refused here, not in the middle of a batch.
        _ = self.lowering

    @property
    def integrity(self) -> Integrity:
        """Who could change the verdict: "outside" if every assert could be lowered, else "split"."""
        return "outside" if isinstance(self.lowering, Lowered) else "split"

    @cached_property
    def lowering(self) -> Lowered | Unlowered:
        """The asserts as calls with values, or why they cannot be written so."""
        return lower(self.source, entry_point=self.entry_point, prompt=self.prompt, setup=self.setup)

    @cached_property
    def ready(self) -> _core.CodeTests:
        """The same in Rust's form."""
        match self.lowering:
            case Lowered(calls=calls):
                return _core.CodeTests.calls(calls)
            case Unlowered(setup=setup, names=names, unit_lines=lines):
                return _core.CodeTests.split(self.source, setup, self.entry_point, list(names), list(lines))

    def completed(self, program: str | None, reply: str) -> str | None:
        """A program after its prompt, whose imports and helpers it may use; without a prompt, as it is.

        Args:
            program: what was found in a reply.
            reply: the reply, which may be what follows on the prompt: the body of the function that it
                begins.
        """
        if not self.prompt or self.entry_point is None:
            return program
        name = re.escape(self.entry_point.partition(".")[0])
        begins = re.compile(rf"^(?:(?:async\s+)?def\s+{name}\b|class\s+{name}\b|{name}\s*[:=])", re.MULTILINE)
        # Without a body or a definition of its own, the bare head that the prompt ends with would be called.
        for text in (program, reply):
            if text is not None and (begins.search(text) or INDENTED.match(text)):
                whole = complete_prompt(self.prompt, text, self.entry_point)
                if text is program or _is_python(whole):
                    return whole
        return program

    def describe(self, index: int) -> str:
        """The assert, as it was written."""
        if isinstance(self.lowering, Lowered):
            return self.lowering.cases[index].text
        if index >= len(self.lowering.unit_lines):
            return ""
        line = self.lowering.unit_lines[index]
        return f"line {line}: {self.source.splitlines()[line - 1].strip()}"


@dataclass(frozen=True)
class UnittestTests(Tests):
    """A file of unittest cases, which share a process with the program.

    Attributes:
        source: Python with subclasses of `unittest.TestCase`.
        setup: trusted code that runs before it.
    """

    source: str
    setup: str = ""

    def __post_init__(self) -> None:
        if not _parsed(self.source, "the tests").body:
            raise InputError(NO_TESTS)

    @property
    def integrity(self) -> Integrity:
        """Always "in_process": the program could change its verdict."""
        return "in_process"

    @cached_property
    def ready(self) -> _core.CodeTests:
        """The same in Rust's form."""
        return _core.CodeTests.unittest(self.source, self.setup)

    def describe(self, index: int) -> str:
        """Nothing: which methods there are is known when they have run, and the results name them."""
        return ""


NO_TESTS = "there are no tests: an empty list must never count as a pass"


def stdio_tests(cases: Sequence[tuple[str, str]], *, comparator: Comparator = "lines") -> StdioTests:
    """Tests from (stdin, expected stdout) pairs.

    Args:
        cases: the pairs; every one is a run of its own.
        comparator: when an output is right. "lines": spaces at the end of a line and empty lines at the end
            of the output do not count; "tokens": nor does any other white space; "exact": everything counts,
            byte for byte. `Floats` compares numbers with a tolerance, `Checker` asks a program of yours.

    Raises:
        InputError: there is no case, or one is not a pair of texts.
    """
    return StdioTests(tuple((stdin, expected) for stdin, expected in map(_pair, cases)), comparator)


def call_tests(
    entry_point: str,
    cases: Sequence[tuple[Any, Any] | tuple[Any, Mapping[str, Any], Any]],
    *,
    tolerance: float | Floats | None = None,
) -> CallTests:
    """Tests from arguments and the value that must be returned.

    Values are compared as Python's `==` does, in this process: 1 equals 1.0 and True, a list is not a tuple,
    NaN equals nothing. A numpy scalar counts as its number; an array equals one, or a list, of the same shape
    and items.

    Args:
        entry_point: the function's name, "Class.method" for a method of a fresh instance, or the name of a
            method of a class `Solution`.
        cases: (args, expected) or (args, kwargs, expected), args being a tuple or a list. Values are None,
            bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range,
            Decimal, Fraction, deque, a built-in type, and numpy scalars and arrays.
        tolerance: how much a number may differ, also inside of a list, tuple or dict: a relative and absolute
            tolerance at once, or `Floats` for two. None: not at all.

    Raises:
        InputError: there is no case, or one has another form.

    Example:
        >>> call_tests("add", [((2, 3), 5), ((10, -4), 6)]).describe(1)
        'add(10, -4) == 6'
    """
    if isinstance(tolerance, int | float):
        tolerance = Floats(tolerance, tolerance)
    calls = (_call(entry_point, index, case) for index, case in enumerate(cases))
    return CallTests(tuple(calls), tolerance)


def assert_tests(
    source: str, *, entry_point: str | None = None, prompt: str = "", setup: str = ""
) -> AssertTests:
    """Tests written as assert statements.

    Where every assert compares calls with values, they are lowered to such calls, and this process compares:
    the verdict's integrity is "outside". Otherwise a second sandboxed process holds the tests and asks the
    program's for values: "split".

    Args:
        source: bare asserts (MBPP), or a function `check(candidate)` that holds them (HumanEval). Trusted.
        entry_point: the function that `check` is given; None for bare asserts.
        prompt: what came before the program, as in HumanEval; the tests may use its helpers. Trusted.
        setup: code that runs before the tests, such as imports. Trusted.

    Raises:
        InputError: the source is not Python, or asserts nothing of the program.

    Example:
        >>> assert_tests("assert add(2, 3) == 5").integrity
        'outside'
    """
    return AssertTests(source, entry_point, prompt, setup)


def unittest_tests(source: str, *, setup: str = "") -> UnittestTests:
    """Tests from a file of unittest cases. Program and tests share a process: a hostile program could pass.

    Every method is a test of its own. A runner or reward refuses them unless its `min_integrity` is
    "in_process".

    Args:
        source: Python with subclasses of `unittest.TestCase`. Trusted.
        setup: code that runs before it. Trusted.

    Raises:
        InputError: the source is not Python, or holds nothing.
    """
    return UnittestTests(source, setup)


def _refuse_none(cases: Sequence[object]) -> None:
    if not cases:
        raise InputError(NO_TESTS)


def _check_name(entry_point: str) -> None:
    if not all(part.isidentifier() for part in entry_point.split(".")):
        raise InputError(f"entry_point {entry_point!r} is not a name: give a function, or Class.method")


def _parsed(source: str, what: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{what} cannot be read as Python: {error}") from None


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _pair(case: Sequence[str]) -> tuple[str, str]:
    # A pair of one-letter texts could be one text: that is a mistake, not a case.
    if isinstance(case, str) or len(case) != 2:
        raise InputError(f"{str(case)[:60]!r} is not a pair (stdin, expected stdout) of texts")
    return case[0], case[1]


def _call(entry_point: str, index: int, case: Sequence[Any]) -> CallCase:
    match case:
        case (tuple() | list() as args, expected):
            return CallCase(entry_point, tuple(args), {}, expected)
        case (tuple() | list() as args, Mapping() as kwargs, expected):
            return CallCase(entry_point, tuple(args), dict(kwargs), expected)
    raise InputError(
        f"case {index} has another form than (args, expected) or (args, kwargs, expected), args being a tuple"
    )


def _holds_number(value: object) -> bool:
    match value:
        case dict():
            return any(map(_holds_number, value.values()))
        case list() | tuple():
            return any(map(_holds_number, value))
        case bool() | str() | bytes() | None:
            return False
        case _:
            return True
