"""Assert tests as plain calls and values, so that the verdict is reached outside of the program's process.

Tests such as `assert add(2, 3) == 5` are read, never run: the arguments and the expected value are computed
here, from a closed set of expressions. What that set does not cover is left to a second sandboxed process,
which runs the tests and asks the program's process for values.

A lowered test passes exactly when the assert would, but for these: `math.isclose` measures its relative
tolerance against the expected value; a method of a class gets a fresh instance in every call; what the
program returns is compared by value, whatever methods its type has.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import math
import operator
import symtable
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, TypeVar

from grpo_rs.errors import DataError

__all__ = ["Lowered", "LoweredCase", "Unlowered", "free_names", "helpers", "lower"]

Check = Literal["eq", "ne", "is", "lt", "le", "gt", "ge", "truthy", "falsy", "close", "in", "not_in"]

# What a test file may cost: steps of evaluation, items of a value, its depth, bits of an integer.
MAX_STEPS = 300_000
MAX_ITEMS = 1_000_000
MAX_DEPTH = 100
MAX_BITS = 1 << 16
# Beyond it an integer has no exact float, and a tolerance no exact meaning.
MAX_EXACT = 2**53
# A program could be told from math.isclose by a band of this, squared: far below what a float resolves.
MAX_ISCLOSE_REL = 1e-6
MAX_DECIMAL_EXPONENT = 4096

CHECK_FUNCTION = "check"

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class LoweredCase:
    """One assert: a call of the program, and what its value must satisfy.

    Attributes:
        entry_point: what is called: a function, or "Class.method".
        args, kwargs: what it is given; no list, dict or set is in there twice.
        check: how the value is judged against `expected`.
        expected: None for "truthy" and "falsy"; for "in" and "not_in" a list or tuple.
        rel, abs: of "close": |value - expected| <= max(rel * |expected|, abs).
        line: of the assert, in the source of the tests.
        text: the assert as it was written.
    """

    entry_point: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    check: Check
    expected: Any
    rel: float
    abs: float
    line: int
    text: str

    @property
    def call(self) -> tuple[str, tuple[Any, ...], dict[str, Any], Check, Any, float, float]:
        """The form that the Rust side takes."""
        return self.entry_point, self.args, self.kwargs, self.check, self.expected, self.rel, self.abs


@dataclass(frozen=True)
class Lowered:
    """Tests that need no Python of their own to be judged."""

    cases: tuple[LoweredCase, ...]

    @property
    def calls(self) -> list[tuple[str, tuple[Any, ...], dict[str, Any], Check, Any, float, float]]:
        """The form that the Rust side takes."""
        return [case.call for case in self.cases]


@dataclass(frozen=True)
class Unlowered:
    """Tests that must be run.

    Attributes:
        reason: why the first statement that could not be lowered could not.
        line: where it is, in the source of the tests; 0 in the code before them.
        names: what the tests use and neither they, the prompt, the set-up code nor Python define: what the
            program must.
        unit_lines: where the statements start that are reported as one test each: those of the module, and of
            `check`, that assert something themselves, in a block below, or through a helper function.
        setup: what must run before the tests: the helpers of the prompt, then the set-up code.
    """

    reason: str
    line: int
    names: tuple[str, ...]
    unit_lines: tuple[int, ...]
    setup: str

    @property
    def units(self) -> int:
        """How many tests are reported."""
        return len(self.unit_lines)


def lower(
    source: str, *, entry_point: str | None = None, prompt: str = "", setup: str = ""
) -> Lowered | Unlowered:
    """The tests as calls and values if every one of them can be written so.

    Args:
        source: asserts, as in MBPP, or a function `check(candidate)` that holds them, as in HumanEval.
        entry_point: the function that `check` is given, or "Class.method"; None for bare asserts.
        prompt: what came before the program; its helpers and imports may be used by the tests.
        setup: code that runs before the tests.

    Raises:
        DataError: the tests are not Python; they assert nothing of the program; an assert is true or false
            whatever the program does; `check` is there and no entry point.
    """
    tests = _parsed(source, "the tests")
    before = _parsed(setup, "the set-up code of the tests")
    _refuse_tuples(tests)
    if entry_point is None and _defines_check(tests) and not _calls_check(tests):
        raise DataError("the tests define check(candidate): say with entry_point which function it is given")
    helper_code = helpers(prompt, entry_point)
    inferred = _shadowed_builtin(tests) if entry_point is None else None
    program_names = {name for name in (entry_point, inferred) if name is not None}
    try:
        reader = _Reader(source, entry_point, frozenset(name.partition(".")[0] for name in program_names))
        reader.read(ast.parse(helper_code), before, tests)
    except _Unfit as unfit:
        found = unfit
    except RecursionError:
        found = _Unfit("an expression is nested too deeply")
    else:
        if not reader.cases:
            raise _no_tests()
        return Lowered(tuple(reader.cases))
    unit_lines = tuple(_unit_lines(tests, before))
    if not unit_lines:
        raise _no_tests()
    try:
        names = _needed_names(tests, [helper_code, setup, source], program_names, entry_point)
    except (SyntaxError, RecursionError) as error:
        raise DataError(f"the tests cannot be read as Python: {error}") from None
    whole_setup = "\n".join(part for part in (helper_code, setup) if part)
    return Unlowered(found.reason, found.line, names, unit_lines, whole_setup)


def helpers(prompt: str, entry_point: str | None) -> str:
    """The prompt without the definition that the program is to complete; empty if the prompt is no Python."""
    # A prompt may stop at the signature, with no body yet.
    for text in (prompt, prompt.rstrip() + "\n    pass\n"):
        try:
            module = _parsed(text, "the prompt")
        except DataError:
            continue
        root = entry_point.partition(".")[0] if entry_point else None
        defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        module.body = [item for item in module.body if not (isinstance(item, defines) and item.name == root)]
        try:
            return ast.unparse(module)
        except RecursionError:
            break
    return ""


def free_names(source: str) -> set[str]:
    """Names that a module uses and does not define, those of Python included."""
    module = _symbols(source)
    found = set[str]()
    tables = [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        found |= {
            name.get_name() for name in table.get_symbols() if name.is_global() and name.is_referenced()
        }
    return found - _own_names(module)


class _Unfit(Exception):
    """Something that has no lowered form."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class _Program:
    """A name that stands for something of the program's."""

    name: str


@dataclass(frozen=True)
class _Library:
    """A name that stands for a module or something in it."""

    path: str


@dataclass
class _Scope:
    """The names of a module, function or comprehension.

    Attributes:
        bound: all that are bound anywhere in it: these hide the outer ones even before they have a value.
        values: what they stand for now.
    """

    bound: frozenset[str]
    values: dict[str, Any] = field(default_factory=dict)


class _Constants:
    """Computes expressions of constants. Names keep Python's meaning: two of them can share a list."""

    def __init__(self, program_names: frozenset[str]) -> None:
        self.scopes = list[_Scope]()
        self._program_names = program_names
        self._steps = 0
        # Lists, dicts and sets that the program was given, and may have changed since: by id, kept alive.
        self._spent = dict[int, object]()

    def value(self, node: ast.expr) -> Any:
        """What the expression is worth."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _Unfit("the constants take too long to compute")
        compute = _EXPRESSIONS.get(type(node))
        if compute is None:
            raise _Unfit(f"{_shown(node)} is not a constant")
        try:
            return compute(self, node)
        except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, MemoryError) as error:
            raise _Unfit(f"{_shown(node)} raises {type(error).__name__}: {error}") from None

    def name(self, name: str) -> Any:
        """What a name stands for: a value, _Library or _Program."""
        for scope in reversed(self.scopes):
            if name in scope.values:
                return scope.values[name]
            if name in scope.bound:
                raise _Unfit(f"{name} has no value that is known here")
        if name in self._program_names or not hasattr(builtins, name):
            return _Program(name)
        return _Library(name)

    def target(self, node: ast.expr) -> Any:
        """What a callee stands for: _Program, _Library, or None."""
        match node:
            case ast.Name():
                found = self.name(node.id)
                return found if isinstance(found, _Program | _Library) else None
            case ast.Attribute(value=ast.Call(func=made, args=[], keywords=[])):
                # The method of a fresh instance.
                # By convention a class has a capital; a function that returns an object is another thing.
                owner = self.target(made)
                if isinstance(owner, _Program) and "." not in owner.name and owner.name[0].isupper():
                    return _Program(f"{owner.name}.{node.attr}")
            case ast.Attribute():
                owner = self.target(node.value)
                if isinstance(owner, _Library):
                    return _Library(f"{owner.path}.{node.attr}")
        return None

    def arguments(self, call: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a call is given."""
        args = list[Any]()
        for arg in call.args:
            if isinstance(arg, ast.Starred):
                args += _ordered(self.value(arg.value))
            else:
                args.append(self.value(arg))
        kwargs = dict[str, Any]()
        for keyword in call.keywords:
            more = (
                self.value(keyword.value) if keyword.arg is None else {keyword.arg: self.value(keyword.value)}
            )
            if (
                not isinstance(more, dict)
                or not all(isinstance(name, str) for name in more)
                or more.keys() & kwargs
            ):
                raise _Unfit(f"{_shown(call)} has keyword arguments that are not names, or one twice")
            kwargs |= more
        return tuple(args), kwargs

    def spend(self, *values: object) -> None:
        """Gives values to the program: from then on nothing may be computed from what it could change."""
        for value in _containers(values):
            if isinstance(value, _MUTABLE):
                if id(value) in self._spent:
                    raise _Unfit(f"the program is given the same {type(value).__name__} twice")
                self._spent[id(value)] = value

    def bind(self, name: str, value: object) -> None:
        """Assigns in the innermost scope."""
        if not isinstance(value, _Program):
            _sendable(value)
        self.scopes[-1].values[name] = value

    def _name(self, node: ast.Name) -> Any:
        value = self.name(node.id)
        if isinstance(value, _Library):
            return self._constant_of(value, node)
        if isinstance(value, _Program):
            raise _Unfit(f"{node.id} is not a constant")
        if self._spent and any(id(part) in self._spent for part in _containers((value,))):
            raise _Unfit(f"{node.id} is used after the program could have changed it")
        return value

    def _attribute(self, node: ast.Attribute) -> Any:
        return self._constant_of(self.target(node), node)

    @staticmethod
    def _constant_of(library: _Library | None, node: ast.expr) -> Any:
        if library is None or library.path not in _LIBRARY_VALUES:
            raise _Unfit(f"{_shown(node)} is not a constant")
        return _LIBRARY_VALUES[library.path]

    def _call(self, node: ast.Call) -> Any:
        function = self.target(node.func)
        if not isinstance(function, _Library) or function.path not in _FUNCTIONS:
            raise _Unfit(f"{_shown(node)} is not a constant")
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords:
            if function.path not in _CONSUMERS:
                raise _Unfit(f"{_shown(node)} is not a constant")
            args, kwargs = (list(self._comprehend(node.args[0])),), dict[str, Any]()
        else:
            args, kwargs = self.arguments(node)
        return _FUNCTIONS[function.path](*args, **kwargs)

    def _sequence(self, nodes: Iterable[ast.expr]) -> list[Any]:
        items = list[Any]()
        for node in nodes:
            if isinstance(node, ast.Starred):
                items += _ordered(self.value(node.value))
            else:
                items.append(self.value(node))
        return items

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        items = dict[Any, Any]()
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                more = self.value(value)
                if not isinstance(more, dict):
                    raise _Unfit(f"{_shown(value)} is not a dict")
                items |= more
            else:
                name = self.value(key)
                items[name] = self.value(value)
        return items

    def _unary(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self.value(node.operand))

    def _binary(self, node: ast.BinOp) -> Any:
        if type(node.op) not in _BINARY:
            raise _Unfit(f"{_shown(node)} is not a constant")
        return _BINARY[type(node.op)](self.value(node.left), self.value(node.right))

    def _boolean(self, node: ast.BoolOp) -> Any:
        stops_at = isinstance(node.op, ast.Or)
        for item in node.values:
            value = self.value(item)
            if bool(value) is stops_at:
                break
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self.value(item)
            # Whether two equal constants are one object is not the language's to say.
            if isinstance(op, ast.Is | ast.IsNot) and not (_is_singleton(left) and _is_singleton(right)):
                raise _Unfit(f"{_shown(node)} is not a constant")
            if isinstance(op, ast.In | ast.NotIn):
                _ordered(right, any_order=True)
            result = _COMPARE[type(op)](left, right)
            if not result:
                break
            left = right
        return result

    def _choose(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        return self.value(node.value)[self.value(node.slice)]

    def _slice(self, node: ast.Slice) -> slice:
        lower, upper, step = (
            None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)
        )
        return slice(lower, upper, step)

    def _joined(self, node: ast.JoinedStr) -> str:
        texts = list[str]()
        for part in node.values:
            match part:
                case ast.Constant(value=str(text)):
                    texts.append(text)
                case ast.FormattedValue(conversion=-1 | 115, format_spec=None):
                    texts.append(_str(self.value(part.value)))
                case _:
                    raise _Unfit(f"{_shown(node)} is not a constant")
        return "".join(texts)

    def _comprehended(self, node: ast.ListComp | ast.SetComp | ast.DictComp) -> Any:
        items = self._comprehend(node)
        kind = {ast.ListComp: list, ast.SetComp: set, ast.DictComp: dict}[type(node)]
        return _bounded(kind(items))

    def _comprehend(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> Iterator[Any]:
        first = node.generators[0]
        outermost = _ordered(self.value(first.iter))
        targets = (
            name.id
            for loop in node.generators
            for name in ast.walk(loop.target)
            if isinstance(name, ast.Name)
        )
        self.scopes.append(_Scope(frozenset(targets)))
        try:
            yield from self._loop(node, node.generators, outermost)
        finally:
            self.scopes.pop()

    def _loop(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        loops: Sequence[ast.comprehension],
        items: Iterable[Any],
    ) -> Iterator[Any]:
        loop, inner = loops[0], loops[1:]
        if loop.is_async:
            raise _Unfit(f"{_shown(node)} is not a constant")
        for item in items:
            self._unpack(loop.target, item)
            if not all(self.value(condition) for condition in loop.ifs):
                continue
            if inner:
                yield from self._loop(node, inner, _ordered(self.value(inner[0].iter)))
            elif isinstance(node, ast.DictComp):
                yield self.value(node.key), self.value(node.value)
            else:
                yield self.value(node.elt)

    def _unpack(self, target: ast.expr, item: Any) -> None:
        match target:
            case ast.Name():
                self.scopes[-1].values[target.id] = item
            case ast.Tuple() | ast.List():
                for part, value in zip(target.elts, _ordered(item), strict=True):
                    self._unpack(part, value)
            case _:
                raise _Unfit(f"{_shown(target)} is not a name")


def _is_known(item: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is there for every program, and has no effect on it."""
    if isinstance(item, ast.ImportFrom):
        modules = [] if item.level else [item.module or ""]
    else:
        modules = [alias.name for alias in item.names]
    known = sys.stdlib_module_names | {"numpy"}
    return bool(modules) and all(module.partition(".")[0] in known for module in modules)


def _is_star(item: ast.Import | ast.ImportFrom) -> bool:
    return any(alias.name == "*" for alias in item.names)


class _Reader:
    """Walks the statements of tests and keeps what they assert."""

    def __init__(self, source: str, entry_point: str | None, program_names: frozenset[str]) -> None:
        self.cases = list[LoweredCase]()
        self._lines = _lines(source)
        self._entry_point = entry_point
        self._constants = _Constants(program_names)
        self._program_names = program_names
        self._check: ast.FunctionDef | None = None
        self._check_ran = False

    def read(self, helper_code: ast.Module, setup: ast.Module, tests: ast.Module) -> None:
        """Reads the helpers of the prompt, the set-up code and the tests."""
        constants = self._constants
        # The program comes after the prompt, and defines what it is asked for anew.
        constants.scopes.append(_Scope(_bound(helper_code.body) - self._program_names))
        for item in helper_code.body:
            if isinstance(item, ast.Import | ast.ImportFrom) and (_is_known(item) or _is_star(item)):
                self._import(item)
        constants.scopes.append(_Scope(_bound(setup.body)))
        try:
            self._block(setup.body, asserts=False)
        except _Unfit as unfit:
            raise _Unfit(f"line {unfit.line} of the set-up code: {unfit.reason}") from None
        constants.scopes.append(_Scope(_bound(tests.body)))
        self._block(tests.body)
        if self._check is not None and not self._check_ran:
            if self._entry_point is None:
                raise _Unfit("nothing here calls check")
            self._run_check(self._check, _Program(self._entry_point))

    def _block(self, body: Sequence[ast.stmt], *, asserts: bool = True) -> None:
        for item in body:
            try:
                self._statement(item, asserts)
            except _Unfit as unfit:
                if not unfit.line:
                    unfit.line = item.lineno
                raise

    def _statement(self, item: ast.stmt, asserts: bool) -> None:
        match item:
            case ast.Assert() if asserts:
                self._assert(item)
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Expr(value=ast.Name(id=name)) if self._constants.name(name) == _Library(name):
                pass
            case ast.Expr(value=ast.Call() as call):
                self._call(call)
            case ast.Import() | ast.ImportFrom():
                self._import(item)
            case ast.Assign():
                self._assign(item.targets, item.value)
            case ast.AnnAssign(value=ast.expr() as value):
                self._assign([item.target], value)
            case ast.FunctionDef() if (
                asserts and item.name == CHECK_FUNCTION and len(self._constants.scopes) == 3
            ):
                if self._check is not None:
                    raise _Unfit("check is defined twice")
                self._check = item
            case _:
                raise _Unfit(f"{_shown(item)} is neither an assert nor a constant")

    def _import(self, item: ast.Import | ast.ImportFrom) -> None:
        if not _is_known(item):
            raise _Unfit(f"{_shown(item)}: only the standard library and numpy are known here")
        values = self._constants.scopes[-1].values
        for alias in item.names:
            if isinstance(item, ast.Import):
                root = alias.name.partition(".")[0]
                values[alias.asname or root] = _Library(alias.name if alias.asname else root)
            elif alias.name != "*":
                values[alias.asname or alias.name] = _Library(f"{item.module}.{alias.name}")
            elif item.module in _STAR_MODULES:
                names = _exported(item.module) - self._program_names
                values |= {name: _Library(f"{item.module}.{name}") for name in names}
            else:
                raise _Unfit(f"{_shown(item)}: which names it brings is not known here")

    def _assign(self, targets: Sequence[ast.expr], expression: ast.expr) -> None:
        value: Any = self._constants.target(expression)
        # Another name for a function of the program is as good as its own.
        if not isinstance(value, _Program):
            value = self._constants.value(expression)
        for target in targets:
            if not isinstance(target, ast.Name):
                raise _Unfit(f"{_shown(target)} is not a name")
            self._constants.bind(target.id, value)

    def _call(self, call: ast.Call) -> None:
        match call:
            case ast.Call(func=ast.Name(id="check"), args=[candidate], keywords=[]) if (
                self._check is not None
            ):
                target = self._constants.target(candidate)
                if not isinstance(target, _Program):
                    raise _Unfit(
                        f"check is given {_shown(candidate)}, which is not a function of the program"
                    )
                self._run_check(self._check, target)
            case ast.Call(func=ast.Name(id="print"), keywords=[]) if self._constants.name(
                "print"
            ) == _Library("print"):
                self._constants.arguments(call)
            case _:
                raise _Unfit(f"{_shown(call)} is neither an assert nor a constant")

    def _run_check(self, check: ast.FunctionDef, candidate: _Program) -> None:
        self._check_ran = True
        match check:
            case ast.FunctionDef(
                decorator_list=[],
                args=ast.arguments(
                    posonlyargs=[], args=[parameter], vararg=None, kwonlyargs=[], kwarg=None, defaults=[]
                ),
            ):
                pass
            case _:
                raise _Unfit("check is not a plain function of one parameter", check.lineno)
        scope = _Scope(_bound(check.body) | {parameter.arg}, {parameter.arg: candidate})
        self._constants.scopes.append(scope)
        self._block(check.body)
        self._constants.scopes.pop()

    def _assert(self, item: ast.Assert) -> None:
        judged = self._judged(item.test, negated=False)
        if judged is None:
            if not self._constants.value(item.test):
                raise DataError(
                    f"line {item.lineno} of the tests fails whatever the program does: {_shown(item)}"
                )
            return
        call, target, check, rel, abs_ = judged
        args, kwargs = self._constants.arguments(call)
        _sendable((*args, *kwargs.values()))
        self._constants.spend(*args, *kwargs.values())
        # Only now, when what the call could change is out of reach.
        expected = self._expected(check)
        self.cases.append(
            LoweredCase(
                target.name,
                args,
                kwargs,
                check.name,
                expected,
                rel,
                abs_,
                item.lineno,
                _text(self._lines, item),
            )
        )

    def _judged(
        self, test: ast.expr, *, negated: bool
    ) -> tuple[ast.Call, _Program, _Judgement, float, float] | None:
        """The call in a test, and what is asked of it; None if the test has no such form."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._judged(test.operand, negated=not negated)
        found = self._program_call(test)
        if found is not None:
            return *found, _Judgement("falsy" if negated else "truthy", None), 0.0, 0.0
        if isinstance(test, ast.Call):
            return None if negated else self._isclose(test)
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            return None
        left, op, right = test.left, type(test.ops[0]), test.comparators[0]
        found = self._program_call(left)
        if found is None and op in _MIRRORED:
            found = self._program_call(right)
            if found is not None:
                op, right = _MIRRORED[op], left
        if found is None:
            return None if negated else self._within(test)
        if negated:
            if op not in _NEGATED:
                raise _Unfit(f"not of {_shown(test)} has no form of its own")
            op = _NEGATED[op]
        if op is ast.IsNot:
            # No other value equals None. But 1 equals True.
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise _Unfit(f"whether a value is {_shown(right)} itself cannot be seen from outside")
            op = ast.NotEq
        return *found, _Judgement(_CHECKS[op], right), 0.0, 0.0

    def _program_call(self, node: ast.expr) -> tuple[ast.Call, _Program] | None:
        if isinstance(node, ast.Call):
            target = self._constants.target(node.func)
            if isinstance(target, _Program):
                return node, target
        return None

    def _difference(self, node: ast.expr) -> tuple[tuple[ast.Call, _Program], ast.expr] | None:
        """`f(x) - c` or `c - f(x)`."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                found = self._program_call(side)
                if found is not None:
                    return found, other
        return None

    def _within(self, test: ast.Compare) -> tuple[ast.Call, _Program, _Judgement, float, float] | None:
        """`abs(f(x) - c) < tolerance`, in its four spellings."""
        left, op, right = test.left, type(test.ops[0]), test.comparators[0]
        if op in (ast.Gt, ast.GtE):
            left, op, right = right, _MIRRORED[op], left
        if (
            op not in (ast.Lt, ast.LtE)
            or not isinstance(left, ast.Call)
            or left.keywords
            or len(left.args) != 1
        ):
            return None
        if self._constants.target(left.func) not in (_Library("abs"), _Library("math.fabs")):
            return None
        found = self._difference(left.args[0])
        if found is None:
            return None
        (call, target), expected = found
        return call, target, _Judgement("close", expected), 0.0, _tolerance(self._constants.value(right), op)

    def _isclose(self, test: ast.Call) -> tuple[ast.Call, _Program, _Judgement, float, float] | None:
        if self._constants.target(test.func) != _Library("math.isclose") or len(test.args) != 2:
            return None
        options: dict[str | None, Any] = {"rel_tol": 1e-9, "abs_tol": 0.0}
        for keyword in test.keywords:
            if keyword.arg not in options:
                return None
            options[keyword.arg] = self._constants.value(keyword.value)
        rel, abs_ = (_tolerance(options[name], ast.LtE) for name in ("rel_tol", "abs_tol"))
        if rel > MAX_ISCLOSE_REL:
            raise _Unfit(
                f"rel_tol={rel} of math.isclose is too coarse to be measured against the expected value alone"
            )
        for side, other in ((test.args[0], test.args[1]), (test.args[1], test.args[0])):
            found = self._program_call(side)
            if found is not None:
                return *found, _Judgement("close", other), rel, abs_
        return None

    def _expected(self, check: _Judgement) -> Any:
        if check.node is None:
            return None
        expected = self._constants.value(check.node)
        name = check.name
        # In a list, Python takes a NaN to equal itself; across processes there is no itself.
        _sendable(expected, nan=not _is_container(expected))
        match name:
            case "is" if not _is_singleton(expected):
                raise _Unfit(f"whether a value is {_shown(check.node)} itself cannot be seen from outside")
            case "close":
                plain = type(expected) in (int, float) and math.isfinite(expected)
                if not plain or abs(expected) >= MAX_EXACT:
                    raise _Unfit(f"{_shown(check.node)} is not a number that tolerances are exact for")
            case "lt" | "le" | "gt" | "ge" if not isinstance(expected, int | float | str):
                raise _Unfit(f"the order of values like {_shown(check.node)} is Python's to judge")
            case "in" | "not_in":
                # Text holds its parts, and a set or dict raises at what has no hash.
                if isinstance(expected, str | bytes | bytearray) or (
                    name == "not_in" and not isinstance(expected, list | tuple | range)
                ):
                    raise _Unfit(f"membership in values like {_shown(check.node)} is Python's to judge")
                return _ordered(expected, any_order=True)
        return expected


@dataclass(frozen=True)
class _Judgement:
    """A check by name, and the expression that it compares with."""

    name: Check
    node: ast.expr | None


# Types are values too: a function may be told which to leave out.
_TYPES = (
    *(bool, int, float, complex, str, bytes, bytearray, range),
    *(list, tuple, dict, set, frozenset),
)
_SENDABLE = frozenset((*_TYPES, type, type(None), type(...), Decimal, Fraction))
_MUTABLE = (list, dict, set, bytearray)
_CONTAINERS = (list, tuple, dict, set, frozenset)


def _is_container(value: object) -> bool:
    return isinstance(value, _CONTAINERS)


def _is_singleton(value: object) -> bool:
    return value is None or value is True or value is False


def _is_nan(value: object) -> bool:
    return isinstance(value, float | complex | Decimal) and bool(value != value)  # noqa: PLR0124


def _parts(value: object) -> Iterable[object]:
    match value:
        case list() | tuple() | set() | frozenset():
            return value
        case dict():
            return [*value.keys(), *value.values()]
    return ()


def _containers(values: Iterable[object]) -> Iterator[object]:
    """Every container in values, as often as it is met."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, _CONTAINERS + _MUTABLE):
            yield value
            waiting += _parts(value)


def _bounded(value: _Value) -> _Value:
    """The value, unless it is too large when written out: one list can be in another many times."""
    _sendable(value)
    return value


def _sendable(value: object, *, nan: bool = True) -> None:
    """Refuses values that are too large or too deep, and NaN where it has no meaning."""
    level: list[object] = [value]
    total = 0
    for _ in range(MAX_DEPTH):
        total += len(level)
        below = list[object]()
        for item in level:
            if isinstance(item, str | bytes | bytearray):
                total += len(item) // 16
            elif type(item) not in _SENDABLE or (isinstance(item, type) and item not in _TYPES):
                raise _Unfit(f"a {type(item).__name__} is not a constant")
            elif not nan and _is_nan(item):
                raise _Unfit("NaN in a container equals itself or not by identity alone")
            below += _parts(item)
            if total + len(below) > MAX_ITEMS:
                raise _Unfit(f"a value has more than {MAX_ITEMS} items")
        if not below:
            return
        level = below
    raise _Unfit(f"a value is nested more than {MAX_DEPTH} deep")


def _ordered(value: Any, *, any_order: bool = False) -> tuple[Any, ...]:
    """The items of a value, if their order does not depend on the seed of the hashes."""
    if not isinstance(value, list | tuple | dict | set | frozenset | range | str | bytes | bytearray):
        raise _Unfit(f"a value of type {type(value).__name__} is not a constant that has items")
    if isinstance(value, range):
        if len(value[: MAX_ITEMS + 1]) > MAX_ITEMS:
            raise _Unfit(f"a range has more than {MAX_ITEMS} items")
    elif (
        isinstance(value, set | frozenset)
        and not any_order
        and not all(isinstance(item, int) for item in value)
    ):
        raise _Unfit("the order of a set is not a constant")
    return tuple(value)


def _tolerance(value: object, op: type[ast.cmpop]) -> float:
    """The tolerance as the largest float that passes."""
    if type(value) not in (int, float) or not 0 <= float(value) < MAX_EXACT:  # type: ignore[arg-type]
        raise _Unfit(f"{value!r} is not a tolerance")
    tolerance = float(value)  # type: ignore[arg-type]
    if op is ast.LtE:
        return tolerance
    if tolerance == 0:
        raise _Unfit("nothing is closer than a tolerance of 0")
    return math.nextafter(tolerance, 0.0)


def _multiply(left: Any, right: Any) -> Any:
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, str | bytes | bytearray | list | tuple) and isinstance(times, int):
            if len(sequence) * max(times, 0) > MAX_ITEMS:
                raise _Unfit(f"a value has more than {MAX_ITEMS} items")
            return _bounded(left * right)
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return left * right


def _power(base: Any, exponent: Any, modulus: int | None = None) -> Any:
    if not all(isinstance(value, int | float | complex) for value in (base, exponent)):
        raise _Unfit("only plain numbers have powers here")
    if modulus is not None:
        return pow(base, exponent, modulus)
    if isinstance(base, int) and isinstance(exponent, int):
        _check_bits(base.bit_length() * abs(exponent))
    return base**exponent


def _shift(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right)
    return left << right


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes | bytearray):
        raise _Unfit("% of a text is not a constant")
    return left % right


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise _Unfit(f"an integer has more than {MAX_BITS} bits")


def _sum(items: Any, start: Any = 0) -> Any:
    numbers = _ordered(items, any_order=True)
    if not all(isinstance(item, int | float | complex | Decimal | Fraction) for item in (*numbers, start)):
        raise _Unfit("only numbers are summed")
    return sum(numbers if not isinstance(items, set | frozenset) else sorted(numbers), start)


def _sorted(items: Any, *, reverse: bool = False) -> list[Any]:
    return sorted(_ordered(items, any_order=True), reverse=reverse)


def _str(value: Any = "") -> str:
    if not isinstance(value, str | int | float | complex | Decimal | Fraction | None):
        raise _Unfit(f"the text of a {type(value).__name__} is not a constant")
    return str(value)


def _int(value: Any = 0, *base: int) -> int:
    if not isinstance(value, str | int | float | Decimal | Fraction):
        raise _Unfit(f"the integer of a {type(value).__name__} is not a constant")
    return int(value, *base)


def _bytes(*args: Any) -> bytes:
    if len(args) == 1 and isinstance(args[0], int) and args[0] > MAX_ITEMS:
        raise _Unfit(f"a value has more than {MAX_ITEMS} items")
    return bytes(*args)


def _decimal(value: Any = 0) -> Decimal:
    number = Decimal(value)
    # A few letters are enough for an exponent that no memory can write out.
    if number.is_finite() and abs(number.adjusted()) > MAX_DECIMAL_EXPONENT:
        raise _Unfit(f"a Decimal has an exponent beyond {MAX_DECIMAL_EXPONENT}")
    return number


def _fraction(*args: Any) -> Fraction:
    if not all(isinstance(value, int | float | str | Decimal | Fraction) for value in args):
        raise _Unfit("a Fraction is made of numbers")
    if any(isinstance(value, str) and "e" in value.lower() for value in args):
        raise _Unfit("a Fraction written with an exponent is not read")
    return Fraction(*args)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*args: Any) -> Any:
        return function(_ordered(args[0], any_order=True) if len(args) == 1 else args)

    return extreme


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: _bounded(left + right),
    ast.Sub: operator.sub,
    ast.Mult: _multiply,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: _remainder,
    ast.Pow: _power,
    ast.LShift: _shift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}

_CHECKS: dict[type[ast.cmpop], Check] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Is: "is",
    ast.In: "in",
    ast.NotIn: "not_in",
}

_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Is: ast.Is,
    ast.IsNot: ast.IsNot,
}

# The order of NaN has no opposite: `not x < 1` is not `x >= 1`.
_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}

_LIBRARY_VALUES: dict[str, Any] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.tau": math.tau,
    "math.inf": math.inf,
    "math.nan": math.nan,
    "sys.maxsize": sys.maxsize,
    **{kind.__name__: kind for kind in _TYPES},
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "list": lambda items=(): list(_ordered(items)),
    "tuple": lambda items=(): _ordered(items),
    "set": lambda items=(): set(_ordered(items, any_order=True)),
    "frozenset": lambda items=(): frozenset(_ordered(items, any_order=True)),
    "dict": lambda items=(), **more: dict(items if isinstance(items, dict) else _ordered(items), **more),
    "float": lambda value=0.0: float(value),
    "int": _int,
    "str": _str,
    "bool": lambda value=False: bool(value),
    "bytes": _bytes,
    "bytearray": lambda *args: bytearray(_bytes(*args)),
    "complex": complex,
    "range": range,
    "len": len,
    "sorted": _sorted,
    "sum": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "any": lambda items: any(_ordered(items, any_order=True)),
    "all": lambda items: all(_ordered(items, any_order=True)),
    "abs": abs,
    "round": round,
    "pow": _power,
    "divmod": divmod,
    "chr": chr,
    "ord": ord,
    "bin": bin,
    "oct": oct,
    "hex": hex,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
}

# Those that take the items of a generator and keep nothing else of it.
_CONSUMERS = frozenset(
    ("list", "tuple", "set", "frozenset", "dict", "sorted", "sum", "min", "max", "any", "all")
)

# Their names can be had by importing them here, which has no effect.
_STAR_MODULES = frozenset(
    (
        "bisect",
        "collections",
        "copy",
        "datetime",
        "decimal",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "math",
        "operator",
        "random",
        "re",
        "statistics",
        "string",
        "typing",
    )
)

_EXPRESSIONS: dict[type[ast.expr], Callable[[_Constants, Any], Any]] = {
    ast.Constant: lambda _, node: node.value,
    ast.Name: _Constants._name,
    ast.Attribute: _Constants._attribute,
    ast.Call: _Constants._call,
    ast.List: lambda constants, node: constants._sequence(node.elts),
    ast.Tuple: lambda constants, node: tuple(constants._sequence(node.elts)),
    ast.Set: lambda constants, node: set(constants._sequence(node.elts)),
    ast.Dict: _Constants._dict,
    ast.UnaryOp: _Constants._unary,
    ast.BinOp: _Constants._binary,
    ast.BoolOp: _Constants._boolean,
    ast.Compare: _Constants._compare,
    ast.IfExp: _Constants._choose,
    ast.Subscript: _Constants._subscript,
    ast.Slice: _Constants._slice,
    ast.JoinedStr: _Constants._joined,
    ast.ListComp: _Constants._comprehended,
    ast.SetComp: _Constants._comprehended,
    ast.DictComp: _Constants._comprehended,
}


@contextmanager
def _quiet() -> Iterator[None]:
    # An escape like "\d" is worth a warning to the author of the tests, not to who runs them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parsed(source: str, what: str) -> ast.Module:
    try:
        with _quiet():
            return ast.parse(source)
    except SyntaxError as error:
        raise DataError(f"{what} cannot be read as Python: {error.msg}, in line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{what} cannot be read as Python: {error or 'nested too deeply'}") from None


def _symbols(source: str) -> symtable.SymbolTable:
    with _quiet():
        return symtable.symtable(source, "<source>", "exec")


def _own_names(module: symtable.SymbolTable) -> set[str]:
    return {name.get_name() for name in module.get_symbols() if name.is_assigned() or name.is_imported()}


def _no_tests() -> DataError:
    return DataError(
        "there are no tests: no assert in the source depends on the program, which would pass whatever it "
        "does; a file of unittest cases is for unittest_tests"
    )


def _refuse_tuples(tests: ast.Module) -> None:
    for node in ast.walk(tests):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts:
            raise DataError(
                f"line {node.lineno} of the tests asserts a tuple, which is always true: write "
                "`assert test, message` with no parentheses around both"
            )


def _defines_check(tests: ast.Module) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == CHECK_FUNCTION for item in tests.body)


def _calls_check(tests: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == CHECK_FUNCTION
        for node in ast.walk(tests)
    )


def _shadowed_builtin(tests: ast.Module) -> str | None:
    """The function of Python's that the program defines anew: all that the asserts call."""
    called = set[str]()
    for node in ast.walk(tests):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return None
        if isinstance(node, ast.Assert):
            test = node.test
            while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                test = test.operand
            sides = [test.left, *test.comparators] if isinstance(test, ast.Compare) else [test]
            names = {
                side.func.id
                for side in sides
                if isinstance(side, ast.Call) and isinstance(side.func, ast.Name)
            }
            if not names:
                return None
            called |= names
        elif isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            return None
    return called.pop() if len(called) == 1 else None


def _bound(body: Sequence[ast.stmt]) -> frozenset[str]:
    """Names that statements bind, those of scopes within too: one too many only makes less known."""
    names = set[str]()
    for item in body:
        for node in ast.walk(item):
            match node:
                case ast.Name(ctx=ast.Store() | ast.Del()):
                    names.add(node.id)
                case ast.Import() | ast.ImportFrom():
                    names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    names.add(node.name)
                case ast.ExceptHandler(name=str(name)):
                    names.add(name)
    return frozenset(names)


def _exported(module: str) -> set[str]:
    found = importlib.import_module(module)
    names: Iterable[str] = getattr(found, "__all__", None) or (name for name in dir(found) if name[0] != "_")
    return set(names)


def _unit_lines(tests: ast.Module, before: ast.Module) -> Iterator[int]:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    asserting = set[str]()
    for item in (*before.body, *tests.body):
        if isinstance(item, definitions) and item.name != CHECK_FUNCTION and _asserts(item, asserting):
            asserting.add(item.name)
    for item in tests.body:
        if isinstance(item, ast.FunctionDef) and item.name == CHECK_FUNCTION:
            yield from (inner.lineno for inner in item.body if _asserts(inner, asserting))
        elif not isinstance(item, definitions) and _asserts(item, asserting):
            yield item.lineno


def _asserts(statement: ast.stmt, helper_names: set[str]) -> bool:
    """Whether a statement can fail a program by what it says, rather than by an error."""
    for node in ast.walk(statement):
        match node:
            case ast.Assert():
                if any(isinstance(part, ast.Name) for part in ast.walk(node.test)):
                    return True
            case ast.Raise():
                return True
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
                if name.startswith("assert") or name in helper_names:
                    return True
    return False


def _needed_names(
    tests: ast.Module, sources: Sequence[str], program_names: set[str], entry_point: str | None
) -> tuple[str, ...]:
    names = set[str]()
    defined = set[str]()
    for source in sources:
        names |= free_names(source)
        defined |= _own_names(_symbols(source))
    roots = {name.partition(".")[0] for name in program_names}
    needed = {
        name
        for name in names - defined
        if name in roots or not (hasattr(builtins, name) or name == "__file__")
    }
    if entry_point is not None and _defines_check(tests):
        needed |= roots
    return tuple(sorted(needed))


def _lines(source: str) -> list[str]:
    """Lines as Python counts them."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _text(lines: Sequence[str], node: ast.stmt) -> str:
    """What a statement was written as. ast.get_source_segment would split the whole source again for each."""
    last = node.end_lineno or node.lineno
    found = [line.encode() for line in lines[node.lineno - 1 : last]]
    found[-1] = found[-1][: node.end_col_offset]
    found[0] = found[0][node.col_offset :]
    return b"\n".join(found).decode()


def _shown(node: ast.AST) -> str:
    """A piece of code in a message."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else text[:77] + "..."
