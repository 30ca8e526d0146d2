"""Assert tests as calls and values: what is lowered, what is not, and that neither changes a verdict."""

import json
import math
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from grpo_rs.code.lowering import Lowered, Unlowered, free_names, helpers, lower
from grpo_rs.errors import DataError

SHARED = Path(os.environ.get("GRPO_SHARED_DATA", Path(__file__).parents[3] / "shared")) / "data" / "code"


def only(source, **options):
    """The one case of a source."""
    lowered = lower(source, **options)
    assert isinstance(lowered, Lowered), lowered
    (case,) = lowered.cases
    return case


def rows_of(file):
    return [json.loads(line) for line in (SHARED / file).read_text().splitlines()]


def refused(source, **options):
    found = lower(source, **options)
    assert isinstance(found, Unlowered), found
    return found


@pytest.mark.parametrize(
    ("text", "check", "expected"),
    [
        ("f(1) == 2", "eq", 2),
        ("2 == f(1)", "eq", 2),
        ("(f(1) == 2)", "eq", 2),
        ("f(1) == 2, 'why'", "eq", 2),
        ("f(1) == 2, g(1)", "eq", 2),
        ("f(1) != 2", "ne", 2),
        ("f(1) < 2", "lt", 2),
        ("f(1) <= 2", "le", 2),
        ("f(1) > 2.5", "gt", 2.5),
        ("f(1) >= 2", "ge", 2),
        ("2 < f(1)", "gt", 2),
        ("2 >= f(1)", "le", 2),
        ("f(1) is None", "is", None),
        ("True is f(1)", "is", True),
        ("f(1) is not None", "ne", None),
        ("f(1) in [1, 2]", "in", (1, 2)),
        ("f(1) in {1: 'a', 2: 'b'}", "in", (1, 2)),
        ("f(1) in range(3)", "in", (0, 1, 2)),
        ("f(1) not in (1, 2)", "not_in", (1, 2)),
        ("f(1)", "truthy", None),
        ("f(1), 'why'", "truthy", None),
        ("not f(1)", "falsy", None),
        ("not not f(1)", "truthy", None),
        ("not f(1) == 2", "ne", 2),
        ("not f(1) != 2", "eq", 2),
        ("not f(1) is None", "ne", None),
        ("not f(1) in [2]", "not_in", (2,)),
    ],
)
def test_the_forms_of_an_assert(text, check, expected):
    case = only(f"assert {text}")
    assert (case.entry_point, case.args, case.kwargs) == ("f", (1,), {})
    assert (case.check, case.expected) == (check, expected)
    assert type(case.expected) is type(expected)
    assert case.call == ("f", (1,), {}, check, expected, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-3", -3),
        ("[1, (2,), {'a': {1, 2}}]", [1, (2,), {"a": {1, 2}}]),
        ("[*(1, 2), 3]", [1, 2, 3]),
        ("{'a': 1, **{'b': 2}}", {"a": 1, "b": 2}),
        ("2.0 / 3.0", 2.0 / 3.0),
        ("3 + 5 * 7 - 2 ** 10", 3 + 5 * 7 - 2**10),
        ("1 << 70", 1 << 70),
        ("'a' * 3 + 'b'", "aaab"),
        ("[1] * 3", [1, 1, 1]),
        ("f'{1}-{\"x\"}'", "1-x"),
        ("b'\\x00'", b"\x00"),
        ("1j + 2", 2 + 1j),
        ("1 < 2 <= 2", True),
        ("[] or 'x'", "x"),
        ("1 if not [] else 2", 1),
        ("'abc'[::-1]", "cba"),
        ("[[1, 2], [3]][0][-1]", 2),
        ("tuple([1, 2])", (1, 2)),
        ("set([1, 1])", {1}),
        ("frozenset((1,))", frozenset({1})),
        ("dict(a=1)", {"a": 1}),
        ("dict([(1, 2)])", {1: 2}),
        ("list(range(5))", [0, 1, 2, 3, 4]),
        ("sorted({3, 1, 2}, reverse=True)", [3, 2, 1]),
        ("sum([i ** 2 for i in range(4) if i % 2])", 10),
        ("sum(i for i in range(4))", 6),
        ("{k: v for k, v in [(1, 2)]}", {1: 2}),
        ("[x + y for x in [1, 2] for y in [10, 20]]", [11, 21, 12, 22]),
        ("max(1, 2) + min([3, 4]) + len('ab') + abs(-1)", 8),
        ("round(2.5)", 2),
        ("chr(ord('a') + 1)", "b"),
        ("int('ff', 16)", 255),
        ("float('-inf')", -math.inf),
        ("bytearray(2)", bytearray(2)),
        ("str(12)", "12"),
        ("int", int),
        ("...", ...),
    ],
)
def test_constants_are_computed_as_python_would(text, value):
    for case in (only(f"assert f({text})"), only(f"assert f(x={text})"), only(f"assert f(0) == ({text})")):
        found = case.kwargs["x"] if case.kwargs else case.args[0] if case.check == "truthy" else case.expected
        assert (type(found), found) == (type(value), value)


def test_types_of_libraries_that_were_imported():
    source = """
import math
from decimal import Decimal as D
import fractions
assert f(math.pi) == D('1.10')
assert f(fractions.Fraction(1, 3)) == math.inf
"""
    first, second = lower(source).cases
    assert (first.args, first.expected) == ((math.pi,), Decimal("1.10"))
    assert str(first.expected) == "1.10"
    assert (second.args, second.expected) == ((Fraction(1, 3),), math.inf)
    assert "math.pi is not a constant" in refused("assert f(math.pi) == 1").reason


@pytest.mark.parametrize(
    ("text", "expected", "passes", "fails"),
    [
        ("abs(f(1) - 2.5) < 0.5", 2.5, (2.6, 2.0000001), (2.0, 3.0)),
        ("abs(2.5 - f(1)) <= 0.5", 2.5, (2.0, 3.0), (1.9, 3.1)),
        ("0.5 > abs(f(1) - 2.5)", 2.5, (2.6,), (2.0, 3.0)),
        ("0.5 >= abs(f(1) - 2.5)", 2.5, (2.0, 3.0), (1.9,)),
        ("abs(f(1) - 3) < 1", 3, (3, 3.9999999999999996), (2, 4)),
        ("abs(f(1) - 3) <= 0", 3, (3, 3.0), (3.0000000001,)),
    ],
)
def test_a_tolerance_is_the_same_set_of_numbers(text, expected, passes, fails):
    case = only(f"assert {text}")
    assert (case.check, case.expected, case.rel) == ("close", expected, 0.0)
    for values, verdict in ((passes, True), (fails, False)):
        for value in values:
            assert eval(text, {"f": lambda _, value=value: value}) is verdict
            assert (abs(value - case.expected) <= max(case.rel * abs(case.expected), case.abs)) is verdict


JUDGES = {
    "eq": lambda value, case: value == case.expected,
    "ne": lambda value, case: value != case.expected,
    "is": lambda value, case: value is case.expected,
    "lt": lambda value, case: value < case.expected,
    "le": lambda value, case: value <= case.expected,
    "gt": lambda value, case: value > case.expected,
    "ge": lambda value, case: value >= case.expected,
    "truthy": lambda value, case: value,
    "falsy": lambda value, case: not value,
    "in": lambda value, case: value in case.expected,
    "not_in": lambda value, case: value not in case.expected,
    "close": lambda value, case: abs(value - case.expected) <= max(case.rel * abs(case.expected), case.abs),
}
RETURNED = (
    *(None, True, False, 0, 1, 2, 3, -1, 1.0, 0.5, 1.5, 2.5, 2.0000001, 2**60, math.nan, math.inf, -math.inf),
    *("", "a", "abc", b"a", [], [1], (1,), {1}, frozenset({1}), {1: 2}, {}, 1j, Decimal(1), Fraction(1, 2)),
    *(math.nextafter(2.5, 3), math.nextafter(2.5, 2), math.nextafter(1.5, 2), math.nextafter(1.5, 1)),
)


@pytest.mark.parametrize("left", ["f(0)", "not f(0)"])
@pytest.mark.parametrize(
    "right",
    [
        "",
        *(
            f" {op} {value}"
            for op in ("==", "!=")
            for value in ("1", "None", "[1]", "{1}", "{1: 2}", "'a'", "nan")
        ),
        *(f" {op} {value}" for op in ("is", "is not") for value in ("None", "True", "False")),
        *(f" {op} {value}" for op in ("<", "<=", ">", ">=") for value in ("1", "2.5", "'a'", "True", "nan")),
        *(
            f" {op} {value}"
            for op in ("in", "not in")
            for value in ("[1, 'a', None]", "(1,)", "{1, 'a'}", "{1: 2}")
        ),
        *(f" - 2 {op} {value}" for op in ("<", "<=") for value in ("0.5", "1")),
    ],
)
def test_a_lowered_assert_is_the_assert(left, right):
    test = f"abs({left}{right.replace(' <', ') <')}" if " - " in right else left + right
    source = f"nan = float('nan')\nassert {test}"
    found = lower(source)
    if isinstance(found, Unlowered):
        assert left != "f(0)" or right.startswith((" is not", " not in {")), found
        return
    (case,) = found.cases
    for value in RETURNED:

        def verdict(judge, value=value):
            try:
                return bool(judge(value))
            except (TypeError, ArithmeticError):
                return False

        names = {"nan": math.nan}
        native = verdict(lambda value: eval(test, {**names, "f": lambda _: value}))
        assert verdict(lambda value: JUDGES[case.check](value, case)) is native, (test, value)


def test_isclose():
    case = only("import math\nassert math.isclose(f(1), 0.3, rel_tol=1e-7)")
    assert (case.check, case.expected, case.rel, case.abs) == ("close", 0.3, 1e-7, 0.0)
    case = only("from math import isclose as near\nassert near(3, f(1), abs_tol=0.5)")
    assert (case.expected, case.rel, case.abs) == (3, 1e-9, 0.5)
    assert "coarse" in refused("import math\nassert math.isclose(f(1), 2.0, rel_tol=0.1)").reason
    # Without its import it is no name that the tests have.
    assert refused("assert math.isclose(f(1), 2.0)").names == ("f", "math")
    assert only("assert math.isclose(f(1), 2.0)", prompt="import math\n", entry_point="f").check == "close"


@pytest.mark.parametrize(
    "text",
    [
        "1 == f(1) == 1",
        "1 < f(1) < 3",
        "f(1) == f(2)",
        "f(1) == g(2)",
        "f(g(1)) == 2",
        "len(f(1)) == 2",
        "tuple(f(1)) == (1,)",
        "f(1)[0] == 2",
        "f(1) + 1 == 2",
        "f(1) == 2 and f(2) == 3",
        "(f(1) == 2) == True",
        "f(x := 1) == 2",
        "f(lambda x: x) == 2",
        "f(CONSTANT) == 2",
        "f(1) == CONSTANT",
        "f(i for i in [1]) == 2",
        "f(iter([1])) == 2",
        "f(1).value == 2",
        "make().method(1) == 2",
        "module.f(1) == 2",
        "isinstance(f(1), int)",
        "2 in f(1)",
        "f(1) is 5",
        "f(1) is not True",
        "not f(1) < 2",
        "f(1) in 'abc'",
        "f(1) not in {1, 2}",
        "f(1) < [2]",
        "round(f(1), 2) == 1.23",
        "round(f(1)) == 1",
        "not abs(f(1) - 2) < 0.5",
        "abs(f(1) - 2) < 0",
        "abs(f(1) - float('inf')) < 1",
        "abs(f(1) - 2) < float('inf')",
        "abs(f(1) - 2 ** 60) < 1",
        "f([float('nan')]) == [float('nan')]",
        "f(1) in [float('nan')]",
        "f(1 / 0) == 2",
        "f({[]: 1}) == 2",
        "f(int | str) == 2",
        "f(list[int]) == 2",
        "f(list({'a', 'b'})) == 2",
        "f([x for x in {'a', 'b'}]) == 2",
        "f(**{1: 2}) == 2",
        "f('%d' % 5) == 2",
        "f(f'{1:>5}') == 2",
        "f(open('x')) == 2",
        "f(__import__('os')) == 2",
        "f(eval('1')) == 2",
        "f((1).__class__) == 2",
    ],
)
def test_what_is_left_to_the_tests_own_python(text):
    found = refused(f"assert f(0) == 0\nassert {text}")
    assert (found.line, found.unit_lines, found.units) == (2, (1, 2), 2)


@pytest.mark.parametrize(
    "text",
    [
        "10 ** 10 ** 10",
        "1 << 10 ** 10",
        "'a' * 10 ** 10",
        "[0] * 10 ** 10",
        "[[0] * 1000] * 100000",
        "list(range(10 ** 10))",
        "range(10 ** 10)[5] in range(10 ** 10)",
        "[[i for i in range(2000)] for _ in range(2000)]",
        "bytes(10 ** 10)",
        "Decimal('1e999999999')",
        "Fraction('1e999999999')",
        "[" * 120 + "]" * 120,
    ],
)
def test_values_that_no_memory_or_time_is_spent_on(text):
    imports = "from decimal import Decimal\nfrom fractions import Fraction\n"
    refused(f"{imports}assert f({text}) == 1")
    refused(f"{imports}assert f(1) == {text}")


def test_a_list_in_itself_many_times_over_is_not_written_out():
    doubled = "\n".join(f"x{i + 1} = [x{i}, x{i}]" for i in range(60))
    assert "items" in refused(f"x0 = [0]\n{doubled}\nassert f(1) == x60").reason


def test_deep_expressions_are_no_crash():
    with pytest.raises(DataError, match="cannot be read"):
        lower("assert f(" + "(" * 5000 + ")" * 5000 + ") == 1")
    for depth in (300, 900, 3000):
        try:
            found = lower("assert f(1) == " + "-" * depth + "1")
        except DataError:
            continue
        assert isinstance(found, Lowered | Unlowered)


# A function may change what it is given, and the tests would see it.
@pytest.mark.parametrize(
    "source",
    [
        "x = [1]\nassert f(x) == x",
        "x = [1]\nassert x == f(x)",
        "x = [1]\nassert f(x) == 1\nassert f(x) == 1",
        "x = [1]\nassert f(x) == 1\nassert f(len(x)) == 1",
        "x = [1]\nassert f(x) == 1\nassert f(1) == [*x]",
        "x = [1]\nassert f(x) == len(x)",
        "x = [1]\nassert f(x, x) == 1",
        "x = [1]\nassert f(x, y=x) == 1",
        "x = [1]\nassert f([x, x]) == 1",
        "x = [1]\ny = x\nassert f(x) == 1\nassert f(y) == 1",
        "x = y = [1]\nassert f(x, y) == 1",
        "x = [1]\ny = (x, 2)\nassert f(y) == 1\nassert f(x) == 1",
        "x = [[1]]\nassert f(x[0]) == 1\nassert g(x) == 1",
        "x = {'a': [1]}\nassert f(x['a']) == x",
        "x = {1}\nassert f(x) == x",
        "x = bytearray(b'a')\nassert f(x) == x",
        "assert f([[0] * 3] * 3) == 1",
        "x = [0]\nassert f([x for _ in range(2)]) == 1",
        "x = [1]\nx.append(2)\nassert f(x) == 1",
        "x = [1]\nx += [2]\nassert f(x) == 1",
        "x = [1]\nx[0] = 2\nassert f(x) == 1",
        "x = [1]\ndel x[0]\nassert f(x) == 1",
    ],
)
def test_values_that_the_program_could_change_are_used_once(source):
    refused(source)


def test_values_that_cannot_change_and_those_used_once_are_constants():
    source = """
x = [1, 2]
total = sum(x)
assert f(x) == total
x = [3]
assert f(x) == total
t: tuple = (1, 2)
expected = [[1]]
assert f(t) == expected
assert f(t, t) == expected
assert f([[0] * 2, [0] * 2]) == t
"""
    cases = lower(source).cases
    assert [case.args for case in cases] == [
        ([1, 2],),
        ([3],),
        ((1, 2),),
        ((1, 2), (1, 2)),
        ([[0, 0], [0, 0]],),
    ]
    assert [case.expected for case in cases] == [3, 3, [[1]], [[1]], (1, 2)]


def test_arguments_with_stars_and_names():
    case = only("assert f(*[1, 2], *'ab', c=3, **{'d': 4}) == 5")
    assert (case.args, case.kwargs) == ((1, 2, "a", "b"), {"c": 3, "d": 4})
    refused("assert f(c=3, **{'c': 4}) == 5")


def test_what_is_called():
    names = ["f", "g", "Solution.add", "Solution.add"]
    source = """
from typing import List
assert f(1) == 1
assert g(1) == 1
assert Solution().add(1) == 1
alias = Solution().add
assert alias(1) == 1
"""
    assert [case.entry_point for case in lower(source).cases] == names


def test_human_eval():
    source = '''
METADATA = {
    'author': 'jt',
}

assert add(0, 0) == 0

def check(candidate):
    """Tests."""
    # a comment
    print("start")
    assert True, "good"
    assert candidate(2, 3) == 5, \\
        "two lines"
    pass
    assert abs(candidate(1, 0.5) - 1.5) < 1e-6
    é = "é"; assert add(é, "b") == "éb"
    print
'''
    lowered = lower(source, entry_point="add", prompt='def add(a, b):\n    """Adds."""\n')
    assert [case.entry_point for case in lowered.cases] == ["add"] * 4
    assert [case.args for case in lowered.cases] == [(0, 0), (2, 3), (1, 0.5), ("é", "b")]
    assert [case.line for case in lowered.cases] == [6, 13, 16, 17]
    assert lowered.cases[1].text == 'assert candidate(2, 3) == 5, \\\n        "two lines"'
    assert lowered.cases[3].text == 'assert add(é, "b") == "éb"'
    assert lowered.calls == [case.call for case in lowered.cases]


def test_check_may_be_called_by_the_tests():
    source = "def check(candidate):\n    assert candidate(1) == 2\n"
    assert only(source, entry_point="f").entry_point == "f"
    assert only(source + "check(g)\n", entry_point="g").entry_point == "g"
    assert only(source + "check(Solution().add)\n").entry_point == "Solution.add"
    assert len(lower(source + "check(g)\ncheck(g)\n").cases) == 2
    assert only(source, entry_point="Solution.add").entry_point == "Solution.add"
    with pytest.raises(DataError, match="entry_point"):
        lower(source)
    refused(source + "check(lambda x: 2)\n", entry_point="f")
    refused("def check(candidate, n=1):\n    assert candidate(1) == 2\n", entry_point="f")
    refused("def check(candidate):\n    assert candidate(1) == 2\n    check(candidate)\n", entry_point="f")


def test_names_keep_the_scope_they_have_in_python():
    # A local name hides the outer one in the whole function.
    source = "x = 1\ndef check(candidate):\n    assert candidate(x) == 1\n    x = 2\n"
    assert "x has no value" in refused(source, entry_point="f").reason
    # A builtin, once defined anew, is no builtin.
    refused("def len(x):\n    return 5\nassert f(len([1])) == 1")
    refused("len = f\nassert f(len([1])) == 1")
    assert refused("assert f(len([1])) == 1", prompt="def len(x):\n    return 5\n", entry_point="f")
    assert only("def check(sum):\n    assert sum(1, 2) == 3\n", entry_point="add").entry_point == "add"
    assert only("assert f([i for i in range(2)]) == 1").args == ([0, 1],)
    refused("y = [i for i in range(2)]\nassert f(i) == 1")


def test_a_function_named_as_one_of_pythons():
    lowered = lower("assert sum(10, 15) == 6\nassert sum(4, 6) == 3")
    assert [case.entry_point for case in lowered.cases] == ["sum", "sum"]
    assert only("assert sum([1, 2]) == max(1, 3)", entry_point="sum").expected == 3
    # Python's own is meant where the program has a function of its own.
    assert only("assert f(1) == sum([1, 2])").expected == 3
    assert refused("assert sum(10, 15) == 6\nassert sum(CONSTANT, 15) == 6", entry_point="sum").names == (
        "CONSTANT",
        "sum",
    )


def test_a_helper_of_the_prompt_is_not_the_program():
    prompt = "import math\n\ndef poly(xs, x):\n    return math.pi\n\n\ndef find_zero(xs):\n    'Zero.'\n"
    source = "def check(candidate):\n    assert abs(poly([1], candidate([1]))) < 1e-4\n"
    found = refused(source, entry_point="find_zero", prompt=prompt, setup="import copy")
    assert found.names == ("find_zero",)
    assert "def poly" in found.setup
    assert "def find_zero" not in found.setup
    assert found.setup.endswith("import copy")
    assert found.unit_lines == (2,)
    refused("assert poly([1], 2) == 1", entry_point="find_zero", prompt=prompt)


def test_helpers_of_a_prompt():
    prompt = "from typing import List\n\ndef f(x: List):\n    '''Doc.'''\n"
    assert helpers(prompt, "f") == "from typing import List"
    assert helpers("import math\ndef f(x):\n", "f") == "import math"
    assert helpers("class Solution:\n    def f(self): pass\nX = 1", "Solution.f") == "X = 1"
    assert helpers("Write a function, please.", "f") == ""


def test_star_imports_bring_names_that_are_not_the_programs():
    prompt = "from math import *\nfrom typing import *\n\ndef gcd(a, b):\n    pass\n"
    assert only("assert gcd(4, 6) == 2", entry_point="gcd", prompt=prompt).entry_point == "gcd"
    refused("assert comb(4, 2) == 6", entry_point="gcd", prompt=prompt)
    refused("from unknown import *\nassert f(1) == 1")


def test_modules_that_may_not_be_there_are_left_to_python():
    refused("import torch\nassert f(1) == 1")
    refused("from solution import f\nassert f(1) == 1")
    refused("from . import f\nassert f(1) == 1")
    # In the prompt they are the program's matter, unless the tests use them.
    assert only("assert f(1) == 1", entry_point="f", prompt="import torch\n").args == (1,)
    refused("assert f(torch) == 1", entry_point="f", prompt="import torch\n")
    assert only("import numpy as np\nassert f(1) == 1").args == (1,)
    refused("import numpy as np\nassert np.allclose(f(1), 1)")


def test_loops_and_helpers_stay_tests():
    source = """
def same(a, b):
    assert a == b

def check(candidate):
    assert candidate(1) == 1
    expected = candidate(5)
    for i in range(10):
        assert candidate(i) == i
    same(candidate(2), 2)
    if candidate(3):
        raise AssertionError
    np.testing.assert_allclose(candidate(1), 1)
"""
    found = refused(source, entry_point="f")
    assert found.unit_lines == (6, 8, 10, 11, 13)
    assert found.names == ("f", "np")


def test_names_that_the_program_must_have():
    found = refused("root = 1\nassert f(Node(root), sys.maxsize, len([])) == LIMIT\nassert g(X().y)")
    assert found.names == ("LIMIT", "Node", "X", "f", "g", "sys")
    found = refused("assert f(root) == 1", setup="import sys\nroot = Node(1)\nroot.left = sys.argv")
    assert (found.names, found.line, found.unit_lines) == (("Node", "f"), 0, (1,))
    assert "line 2 of the set-up code" in found.reason
    assert free_names("import a\nfrom b import c as d\nx = 1\ndef f(y):\n    return y + x + z + a\n") == {"z"}


def test_set_up_code():
    assert only("import math\nassert f(x) == y", setup="x = [1]\ny = 2").call[1:5] == (([1],), {}, "eq", 2)
    with pytest.raises(DataError, match="set-up code"):
        lower("assert f(1) == 1", setup="x = (")
    refused("assert f(1) == 1", setup="assert f(0) == 0")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# assert f(1) == 2",
        "x = 1",
        "assert True",
        "assert 1 + 1 == 2",
        "assert len([1, 2]) == 2, 'fine'\nassert 1",
        "def check(candidate):\n    pass\n",
        "def check(candidate):\n    candidate(1)\n",
        "f(1)",
        "print(f(1))",
        "for i in range(3):\n    f(i)\n",
        "for i in range(3):\n    assert True\n",
        "def check(candidate):\n    assert True\n",
        "from unittest import *\nclass T(TestCase):\n    def t(self):\n        self.assertEqual(f(1), 2)\n",
    ],
)
def test_tests_that_test_nothing_are_an_error(source):
    with pytest.raises(ValueError, match="no tests"):
        lower(source, entry_point="f")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("assert (f(1) == 2, 'why')", "line 1 of the tests asserts a tuple"),
        (
            "for i in [1]:\n    assert (f(i) == 2, 'why')",
            "line 2 of the tests asserts a tuple",
        ),
        ("assert f(1) == 2\nassert False", "line 2 of the tests fails whatever"),
        ("assert f(1) == 2\nassert ()", "line 2 of the tests fails whatever"),
        ("assert f(1) == 2\nassert 1 == 2, 'why'", "line 2 of the tests fails whatever"),
        ("assert f(1) ==", "cannot be read as Python"),
        ("assert f(1) == '\0'", "cannot be read as Python"),
    ],
)
def test_tests_at_fault(source, message):
    with pytest.raises(DataError, match=message):
        lower(source, entry_point="f")


def test_odd_sources():
    lowered = lower("assert f('\\d') == 1\r\n\r\nassert f('''a\r\nb''') == 2\r\n")
    assert [(case.args, case.line) for case in lowered.cases] == [(("\\d",), 1), (("a\nb",), 3)]
    assert lowered.cases[0].text == "assert f('\\d') == 1"
    assert lowered.cases[1].text == "assert f('''a\nb''') == 2"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not here")
def test_what_is_lowered_of_human_eval_and_mbpp():
    rows = rows_of("HumanEval.jsonl")
    left = {
        row["task_id"]: found.units
        for row in rows
        if isinstance(
            found := lower(row["test"], entry_point=row["entry_point"], prompt=row["prompt"]), Unlowered
        )
    }
    assert {int(name.partition("/")[2]) for name in left} == {32, 33, 37, 38, 44, 50, 53}
    assert left["HumanEval/53"] == 6
    rows = rows_of("mbpp.jsonl")
    left = {
        row["task_id"]: found.names
        for row in rows
        if isinstance(found := lower("\n".join(row["test_list"]), setup=row["test_setup_code"]), Unlowered)
    }
    assert left == {
        367: ("Node", "is_tree_balanced"),
        596: ("sys", "tuple_size"),
        601: ("Pair", "max_chain_length"),
        912: ("lobb_num",),
        927: ("Node", "max_height"),
    }
