"""Rows of data sets as programs and their tests: HumanEval, MBPP, LiveCodeBench, APPS, verl, our own.

The form is recognised by the columns, in this order:

| columns | form |
|---|---|
| `tests` | our own: see below |
| `test`, `entry_point` | HumanEval: `check(candidate)` |
| `test_list` | MBPP: asserts; `test_setup_code`, `test_imports`, `challenge_test_list` |
| `public_test_cases`, `private_test_cases` | LiveCodeBench; `metadata` has func_name |
| `input_output` | APPS: {inputs, outputs}, with fn_name for calls |
| `ground_truth`, `reward_model` | verl, PRIME: the same, or {assert_case} |

In our own form `tests` is one of

- a list of `{"stdin": text, "stdout": text}`, beside it `comparator`: "lines", "exact", "tokens",
  `{"rel": 1e-6, "abs": 1e-6}`, or `{"checker": source, "entry_point": name}`;
- a list of `{"call": name, "args": [...], "kwargs": {...}, "returns": value}`, beside it `tolerance`: a
  number, or `{"rel": 1e-6, "abs": 1e-6}`;
- `{"asserts": source, "entry_point": name, "prompt": text, "setup": source}`;
- `{"unittest": source, "setup": source}`.

Values are JSON. What JSON has not is an object with one key: `{"$tuple": [...]}`, `$set`, `$frozenset`,
`{"$dict": [[key, value], ...]}`, `{"$float": "nan"}` (or "inf", "-inf"), `{"$int": "123"}` (or "0xff"),
`{"$complex": [re, im]}`, `{"$bytes": base64}`, `{"$bytearray": base64}`, `{"$range": [start, stop, step]}`,
`{"$decimal": "1.10"}`, `{"$fraction": [1, 3]}`.

Nothing in a row is run or unpickled here.
"""

from __future__ import annotations

import ast
import base64
import binascii
import builtins
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Literal

from grpo_rs.code.lowering import free_names, helpers
from grpo_rs.errors import DataError

__all__ = [
    "AssertSpec",
    "CallCase",
    "CallSpec",
    "CheckerSpec",
    "CodeRow",
    "FloatsSpec",
    "StdioSpec",
    "TestsSpec",
    "UnittestSpec",
    "read_row",
    "read_tests",
    "typed_value",
]

# Where a row has a program that can be run as it is, or a reply that has one in it.
PROGRAM_NAMES = ("program",)
COMPLETION_NAMES = ("completion", "response", "prediction", "pred", "generation", "output", "reply")
REFERENCE_NAMES = ("canonical_solution", "code", "solution", "solutions")

TEXT_COMPARATORS = ("lines", "exact", "tokens")
MAX_DEPTH = 100
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class FloatsSpec:
    """Numbers may differ by the larger of `rel * |expected|` and `abs`."""

    rel: float
    abs: float


@dataclass(frozen=True)
class CheckerSpec:
    """A program that judges outputs, and its function."""

    source: str
    entry_point: str


@dataclass(frozen=True)
class StdioSpec:
    """(stdin, expected stdout) pairs, and how outputs are compared; None: by the runner's default."""

    cases: tuple[tuple[str, str], ...]
    comparator: str | FloatsSpec | CheckerSpec | None = None


@dataclass(frozen=True)
class CallCase:
    """One call.

    Attributes:
        entry_point: the function, "Class.method", or the name of a method of a class `Solution`.
        args, kwargs: what it is given.
        expected: what it must return: for "in" one of these.
        check: "eq" or "in".
    """

    entry_point: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    expected: Any
    check: Literal["eq", "in"] = "eq"


@dataclass(frozen=True)
class CallSpec:
    """Calls, and how much numbers in what they return may differ."""

    cases: tuple[CallCase, ...]
    tolerance: FloatsSpec | None = None


@dataclass(frozen=True)
class AssertSpec:
    """The arguments of `assert_tests`."""

    source: str
    entry_point: str | None = None
    prompt: str = ""
    setup: str = ""


@dataclass(frozen=True)
class UnittestSpec:
    """The arguments of `unittest_tests`."""

    source: str
    setup: str = ""


TestsSpec = StdioSpec | CallSpec | AssertSpec | UnittestSpec


@dataclass(frozen=True)
class CodeRow:
    """A row of a data set.

    Attributes:
        program: to be run as it is; None if it must be found in the completion first.
        completion: a model's reply with the program somewhere in it; None if `program` is there.
        tests: what it is tested with.
    """

    program: str | None
    completion: str | None
    tests: TestsSpec

    def assembled(self, text: str) -> str:
        """The program to run, given what was found in the completion: see `complete_prompt`."""
        if isinstance(self.tests, AssertSpec) and self.tests.entry_point is not None:
            return complete_prompt(self.tests.prompt, text, self.tests.entry_point)
        return text


def read_row(
    columns: Mapping[str, Any], *, place: str = "the row", column: str | None = None, challenge: bool = False
) -> CodeRow:
    """A program, or the reply it is in, with its tests.

    Args:
        columns: the row.
        place: where it is, for messages.
        column: which column has the program or reply; None for the usual ones: `program`, else a completion,
            else the data set's own solution.
        challenge: whether MBPP's challenge tests count too.

    Raises:
        DataError: the form is not known or broken, there are no tests, or nothing to test.
    """
    tests = read_tests(columns, place=place, challenge=challenge)
    usual = (*PROGRAM_NAMES, *COMPLETION_NAMES, *REFERENCE_NAMES)
    name = column or next(
        (name for name in usual if columns.get(name) is not None),
        None,
    )
    if name is None or name not in columns:
        missing = f"no column {column!r}" if column else f"none of the columns {', '.join(usual)}"
        raise DataError(f"{place} has {missing}, to take the program from; it has {_listed(columns)}")
    text = columns[name]
    if name == "solutions":
        # APPS: a list, or one as JSON.
        solutions = _from_json(text, place, name) if isinstance(text, str) else text
        text = solutions[0] if isinstance(solutions, list) and solutions else None
    if not isinstance(text, str):
        raise DataError(f"{place}: column {name!r} holds a {type(text).__name__}, not the text of a program")
    row = CodeRow(None, text, tests)
    if name in PROGRAM_NAMES:
        return CodeRow(text, None, tests)
    if name in REFERENCE_NAMES:
        return CodeRow(row.assembled(text), None, tests)
    whole = row.assembled(text)
    # HumanEval's completions are code that goes on where the prompt stops.
    if whole != text and "```" not in text and _parsed(whole) is not None:
        return CodeRow(whole, None, tests)
    return row


def read_tests(columns: Mapping[str, Any], *, place: str = "the row", challenge: bool = False) -> TestsSpec:
    """The tests of a row; the arguments and errors are those of `read_row`."""
    has = {name for name, value in columns.items() if value is not None}
    if "tests" in has:
        return _own(columns, place)
    if {"test", "entry_point"} <= has:
        return _human_eval(columns, place)
    if "test_list" in has:
        return _mbpp(columns, place, challenge=challenge)
    if {"public_test_cases", "private_test_cases"} & has:
        return _live_code_bench(columns, place)
    if "input_output" in has:
        return _inputs_outputs(columns["input_output"], place, "input_output")
    if "ground_truth" in has:
        return _inputs_outputs(columns["ground_truth"], place, "ground_truth")
    if "reward_model" in has:
        return _reward_model(columns["reward_model"], place)
    raise DataError(
        f"{place} has no tests of a known form; it has {_listed(columns)}: give tests, test and entry_point, "
        "test_list, public_test_cases, input_output, ground_truth or reward_model"
    )


def complete_prompt(prompt: str, text: str, entry_point: str) -> str:
    """The program that a completion of a prompt makes.

    A text that defines the entry point is a program of its own, with the prompt's imports and helpers before
    it if it uses any of them without defining them. Any other goes on where the prompt stops.
    """
    root = entry_point.partition(".")[0]
    module = _parsed(text)
    if module is None:
        defines = re.search(rf"^(async def|def|class)\s+{re.escape(root)}\b", text, re.MULTILINE)
        return text if defines else prompt + text
    if not any(isinstance(item, _DEFINITIONS) and item.name == root for item in module.body):
        return prompt + text
    code = helpers(prompt, entry_point)
    future = any(isinstance(item, ast.ImportFrom) and item.module == "__future__" for item in module.body)
    return text if future or not _uses(text, code) else f"{code}\n\n{text}"


def typed_value(value: Any, *, place: str = "the row") -> Any:
    """A Python value from the JSON of our own form."""
    return _typed(value, place, MAX_DEPTH)


def _own(columns: Mapping[str, Any], place: str) -> TestsSpec:
    tests = columns["tests"]
    comparator, tolerance = columns.get("comparator"), columns.get("tolerance")
    if isinstance(tests, dict):
        _refuse(comparator, "comparator", "a list of {stdin, stdout}", place)
        _refuse(tolerance, "tolerance", "a list of {call, args, returns}", place)
        if "asserts" in tests:
            _only(tests, ("asserts", "entry_point", "prompt", "setup"), place)
            entry_point = tests.get("entry_point")
            return AssertSpec(
                _text(tests["asserts"], place, "asserts"),
                None if entry_point is None else _text(entry_point, place, "entry_point"),
                _text(tests.get("prompt", ""), place, "prompt"),
                _text(tests.get("setup", ""), place, "setup"),
            )
        if "unittest" in tests:
            _only(tests, ("unittest", "setup"), place)
            return UnittestSpec(
                _text(tests["unittest"], place, "unittest"), _text(tests.get("setup", ""), place, "setup")
            )
    if not isinstance(tests, list):
        raise DataError(
            f"{place}: tests must be a list of cases, {{asserts: source}} or {{unittest: source}}; "
            f"it is {_kind(tests)}"
        )
    if not tests:
        raise _no_tests(place)
    if not all(isinstance(case, dict) for case in tests):
        raise DataError(f"{place}: each of tests must be an object")
    if all("call" in case for case in tests):
        _refuse(comparator, "comparator", "a list of {stdin, stdout}", place)
        return CallSpec(
            tuple(_own_call(case, f"{place}, tests[{index}]") for index, case in enumerate(tests)),
            None if tolerance is None else _floats(tolerance, place, "tolerance"),
        )
    if all("stdout" in case for case in tests):
        _refuse(tolerance, "tolerance", "a list of {call, args, returns}", place)
        return StdioSpec(
            tuple(_own_stdio(case, f"{place}, tests[{index}]") for index, case in enumerate(tests)),
            _comparator(comparator, place),
        )
    raise DataError(f"{place}: tests must all have stdin and stdout, or all call, args and returns")


def _own_stdio(case: dict[str, Any], place: str) -> tuple[str, str]:
    _only(case, ("stdin", "stdout"), place)
    return _text(case.get("stdin", ""), place, "stdin"), _text(case["stdout"], place, "stdout")


def _own_call(case: dict[str, Any], place: str) -> CallCase:
    _only(case, ("call", "args", "kwargs", "returns"), place)
    args, kwargs = case.get("args", []), case.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise DataError(f"{place}: args must be a list and kwargs an object")
    if "returns" not in case:
        raise DataError(f"{place} does not say what the call returns")
    return CallCase(
        _text(case["call"], place, "call"),
        tuple(typed_value(value, place=place) for value in args),
        {name: typed_value(value, place=place) for name, value in kwargs.items()},
        typed_value(case["returns"], place=place),
    )


def _comparator(given: Any, place: str) -> str | FloatsSpec | CheckerSpec | None:
    if given is None or given in TEXT_COMPARATORS:
        return given  # type: ignore[no-any-return]
    if isinstance(given, dict) and "checker" in given:
        _only(given, ("checker", "entry_point"), place)
        return CheckerSpec(
            _text(given["checker"], place, "checker"),
            _text(given.get("entry_point", "check"), place, "entry_point"),
        )
    if isinstance(given, dict):
        return _floats(given, place, "comparator")
    raise DataError(
        f"{place}: comparator is {str(given)[:40]!r}; give one of {', '.join(TEXT_COMPARATORS)}, "
        "{rel, abs} or {checker, entry_point}"
    )


def _floats(given: Any, place: str, name: str) -> FloatsSpec:
    if isinstance(given, dict):
        _only(given, ("rel", "abs"), place)
        rel, abs_ = given.get("rel", 0.0), given.get("abs", 0.0)
    else:
        rel = abs_ = given
    for value in (rel, abs_):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise DataError(f"{place}: {name} must be a number from 0 on, or {{rel, abs}} of such")
    return FloatsSpec(float(rel), float(abs_))


def _human_eval(columns: Mapping[str, Any], place: str) -> AssertSpec:
    # LeetCode's way to say it: Solution().twoSum
    entry_point = _text(columns["entry_point"], place, "entry_point").replace("()", "")
    return AssertSpec(
        _some(_text(columns["test"], place, "test"), place),
        entry_point,
        _text(columns.get("prompt") or "", place, "prompt"),
    )


def _mbpp(columns: Mapping[str, Any], place: str, *, challenge: bool) -> AssertSpec:
    tests = _texts(columns["test_list"], place, "test_list")
    if challenge:
        tests += _texts(columns.get("challenge_test_list") or [], place, "challenge_test_list")
    setup = _texts(columns.get("test_imports") or [], place, "test_imports")
    setup.append(_text(columns.get("test_setup_code") or "", place, "test_setup_code"))
    return AssertSpec(_some("\n".join(tests), place), setup="\n".join(part for part in setup if part.strip()))


def _live_code_bench(columns: Mapping[str, Any], place: str) -> StdioSpec | CallSpec:
    cases = list[dict[str, Any]]()
    for name in ("public_test_cases", "private_test_cases"):
        packed = columns.get(name)
        if packed is None or packed == "":
            continue
        if isinstance(packed, str) and not packed.lstrip().startswith("["):
            raise DataError(
                f"{place}: {name} is not JSON but packed (LiveCodeBench pickles them): unpickling runs "
                "whatever the file says, so it is not done here; write the column as JSON with a tool and a "
                "source that you trust"
            )
        found = _from_json(packed, place, name) if isinstance(packed, str) else packed
        if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
            raise DataError(f"{place}: {name} must be a list of {{input, output, testtype}}")
        cases += found
    if not cases:
        raise _no_tests(place)
    kinds = {case.get("testtype", "stdin") for case in cases}
    pairs = [
        (_text(case.get("input"), place, "input"), _text(case.get("output"), place, "output"))
        for case in cases
    ]
    if kinds == {"stdin"}:
        return StdioSpec(tuple(pairs))
    if kinds != {"functional"}:
        raise DataError(f"{place}: testtype must be stdin or functional, the same for all; here {kinds}")
    metadata = columns.get("metadata") or {}
    if isinstance(metadata, str):
        metadata = _from_json(metadata, place, "metadata")
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(function, str):
        raise DataError(f"{place}: the tests are functional, and metadata has no func_name to call")
    return CallSpec(
        tuple(
            CallCase(function, _json_lines(given, place), {}, _from_json(output, place, "output"))
            for given, output in pairs
        )
    )


def _reward_model(model: Any, place: str) -> TestsSpec:
    if not isinstance(model, dict) or "ground_truth" not in model:
        raise DataError(f"{place}: reward_model must be an object with ground_truth")
    return _inputs_outputs(model["ground_truth"], place, "reward_model.ground_truth")


def _inputs_outputs(given: Any, place: str, name: str) -> TestsSpec:
    """{inputs, outputs}, with fn_name for calls, or {assert_case}; as JSON or an object."""
    tests = _from_json(given, place, name) if isinstance(given, str) else given
    if not isinstance(tests, dict) or not ("assert_case" in tests or {"inputs", "outputs"} <= tests.keys()):
        has = _listed(tests) if isinstance(tests, dict) else _kind(tests)
        raise DataError(f"{place}: {name} must have inputs and outputs, or assert_case; it has {has}")
    function = tests.get("fn_name")
    if function is not None:
        function = _text(function, place, "fn_name")
    if tests.get("assert_case"):
        asserts = tests["assert_case"]
        source = asserts if isinstance(asserts, str) else "\n".join(_texts(asserts, place, "assert_case"))
        return AssertSpec(_some(source, place), function)
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise DataError(f"{place}: inputs and outputs of {name} must be lists of one length")
    if not inputs:
        raise _no_tests(place)
    if function is None:
        return StdioSpec(
            tuple(
                (_joined(stdin, place, "inputs"), _joined(stdout, place, "outputs"))
                for stdin, stdout in zip(inputs, outputs, strict=True)
            )
        )
    return CallSpec(
        tuple(
            _apps_call(function, given, output, place) for given, output in zip(inputs, outputs, strict=True)
        )
    )


def _apps_call(function: str, given: Any, output: Any, place: str) -> CallCase:
    if isinstance(given, str):
        args = _json_lines(given, place)
        expected = _from_json(output, place, "outputs") if isinstance(output, str) else _plain(output, place)
    elif isinstance(given, list):
        args, expected = tuple(_plain(value, place) for value in given), _plain(output, place)
    else:
        raise DataError(f"{place}: with fn_name each of inputs is a list of arguments, or lines of JSON")
    if isinstance(expected, list) and len(expected) == 1:
        # APPS wraps some values in a list, and does not say which: its own tests take either.
        return CallCase(function, args, {}, (expected, expected[0]), "in")
    return CallCase(function, args, {}, expected)


def _typed(value: Any, place: str, depth: int) -> Any:
    if depth == 0:
        raise DataError(f"{place}: a value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [_typed(item, place, depth - 1) for item in value]
    if not isinstance(value, dict):
        return _scalar(value)
    tag = next(iter(value), "")
    if len(value) != 1 or not tag.startswith("$"):
        return {name: _typed(item, place, depth - 1) for name, item in value.items()}
    content = value[tag]
    read = _TAGS.get(tag)
    if read is None:
        raise DataError(
            f"{place}: {tag} is no type; known are {', '.join(_TAGS)}; write a dict with this key as $dict"
        )
    if tag in _NESTED and isinstance(content, list):
        content = [_typed(item, place, depth - 1) for item in content]
    if tag == "$dict" and isinstance(content, list):
        # Each pair is a list of the form's, not of the value's.
        content = [_typed(pair, place, depth - 1) if isinstance(pair, list) else pair for pair in content]
    try:
        return read(content)
    except (TypeError, ValueError, KeyError, InvalidOperation, ZeroDivisionError, binascii.Error) as error:
        raise DataError(f"{place}: {json.dumps(value)[:60]} is not a value: {error}") from None


def _items(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("it must hold a list")
    return content


def _float(content: Any) -> float:
    return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[_string(content)]


def _int(content: Any) -> int:
    text = _string(content)
    if not re.fullmatch(r"-?([0-9]+|0[xX][0-9a-fA-F]+)", text):
        raise ValueError("it must hold decimal digits, or 0x and hexadecimal ones")
    # Hexadecimal has no limit on its length.
    return int(text, 16 if "x" in text.lower() else 10)


def _dict(content: Any) -> dict[Any, Any]:
    pairs = _items(content)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise TypeError("it must hold pairs [key, value]")
    return {key: value for key, value in pairs}  # noqa: C416


def _numbers(content: Any, *kinds: type) -> list[Any]:
    numbers = [_scalar(item) for item in _items(content)]
    if not all(type(number) in kinds for number in numbers):
        raise TypeError("it must hold numbers")
    return numbers


def _complex(content: Any) -> complex:
    real, imaginary = _numbers(content, int, float)
    return complex(real, imaginary)


def _decimal(content: Any) -> Decimal:
    return Decimal(_string(content))


def _string(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError("it must hold a text")
    return content


def _base64(content: Any) -> bytes:
    return base64.b64decode(_string(content), validate=True)


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda content: tuple(_items(content)),
    "$set": lambda content: set(_items(content)),
    "$frozenset": lambda content: frozenset(_items(content)),
    "$dict": _dict,
    "$float": _float,
    "$int": _int,
    "$complex": _complex,
    "$bytes": _base64,
    "$bytearray": lambda content: bytearray(_base64(content)),
    "$range": lambda content: range(*_numbers(content, int)),
    "$decimal": _decimal,
    "$fraction": lambda content: Fraction(*_numbers(content, int)),
}
_NESTED = frozenset(("$tuple", "$set", "$frozenset"))


def _plain(value: Any, place: str, depth: int = MAX_DEPTH) -> Any:
    """JSON as it is, with the numbers of whoever parsed it made Python's own."""
    if depth == 0:
        raise DataError(f"{place}: a value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [_plain(item, place, depth - 1) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, place, depth - 1) for name, item in value.items()}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, float) else value


def _json_lines(text: str, place: str) -> tuple[Any, ...]:
    return tuple(_from_json(line, place, "an argument") for line in text.split("\n") if line.strip())


def _from_json(text: str, place: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: {name} is not JSON: {error}") from None


def _text(value: Any, place: str, name: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{place}: {name} is {_kind(value)}, not a text")
    return value


def _texts(value: Any, place: str, name: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DataError(f"{place}: {name} is not a list of texts")
    return list(value)


def _joined(value: Any, place: str, name: str) -> str:
    """A text, or its lines."""
    return "\n".join(_texts(value, place, name)) if isinstance(value, list) else _text(value, place, name)


def _some(source: str, place: str) -> str:
    if not source.strip():
        raise _no_tests(place)
    return source


def _no_tests(place: str) -> DataError:
    return DataError(f"{place} has no tests: an empty list must never count as a pass")


def _only(given: dict[str, Any], names: Sequence[str], place: str) -> None:
    unknown = given.keys() - set(names)
    if unknown:
        raise DataError(
            f"{place} has {', '.join(map(repr, sorted(unknown)))}; it may have {', '.join(names)}"
        )


def _refuse(given: object, name: str, where: str, place: str) -> None:
    if given is not None:
        raise DataError(f"{place}: {name} belongs to tests that are {where}")


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _listed(columns: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, columns)) or "no columns"


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _uses(text: str, code: str) -> bool:
    """Whether a text uses names that it does not define and the code does, or may."""
    module = _parsed(code)
    try:
        free = free_names(text)
    except SyntaxError:
        return False
    if module is None:
        return False
    defined = _defined(module)
    return bool(free & defined) or ("*" in defined and not all(hasattr(builtins, name) for name in free))


def _defined(module: ast.Module) -> set[str]:
    names = set[str]()
    for item in module.body:
        match item:
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name.partition(".")[0] for alias in item.names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(item.name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names
