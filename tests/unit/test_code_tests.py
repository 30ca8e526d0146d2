"""The kinds of tests: what they refuse, what reaches Rust, how rows of data sets hold them."""

import math
import pickle

import grpo_rs as g
import pytest
from grpo_rs import Checker, Floats
from grpo_rs.code.columns import cell_tests, row_tests

ASSERTS = "def check(candidate):\n    assert candidate(1) == 2"


def test_no_tests_are_never_a_pass():
    for make in (
        lambda: g.stdio_tests([]),
        lambda: g.call_tests("add", []),
        lambda: g.assert_tests("# nothing"),
        lambda: g.unittest_tests("\n"),
        lambda: g.StdioTests(()),
        lambda: g.CallTests(()),
        lambda: cell_tests("", {}),
    ):
        with pytest.raises(g.InputError, match="there are no tests: "):
            make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: g.stdio_tests(["12", "34"]), "'12' is not a pair"),
        (lambda: g.stdio_tests([("1", "2", "3")]), "'3'.* is not a pair"),
        (lambda: g.stdio_tests([("1", 2)]), "case 0 is not a pair .* of texts"),
        (
            lambda: g.stdio_tests([("1", "2")], comparator="fuzzy"),
            "comparator 'fuzzy': give one of lines, exact",
        ),
        (lambda: Floats(rel=-1), "the tolerance rel is -1: give a number from 0 on"),
        (lambda: Floats(abs=math.inf), "the tolerance abs is inf"),
        (lambda: Checker("def check(:"), "the checker cannot be read as Python"),
        (lambda: g.call_tests("add", [((1, 2), 3), 7]), "case 1 has another form"),
        (lambda: g.call_tests("add", [(1, 3)]), "case 0 has another form .*args being a tuple"),
        (lambda: g.call_tests("add()", [((1,), 3)]), r"entry_point 'add\(\)' is not a name"),
        (lambda: g.assert_tests("assert ("), "the tests cannot be read as Python"),
        (lambda: g.assert_tests("assert f()", entry_point="a b"), "entry_point 'a b' is not a name"),
        (lambda: g.unittest_tests("x\0"), "the tests cannot be read as Python: .*null byte"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(g.InputError, match=message):
        make()


def test_integrity_by_kind():
    assert g.stdio_tests([("", "")]).integrity == "outside"
    assert g.call_tests("f", [((), 1)]).integrity == "outside"
    assert g.assert_tests("assert f(1) == 2").integrity == "outside"
    assert g.assert_tests("for i in range(3):\n    assert f(i) == i + g(i)").integrity == "split"
    assert g.unittest_tests("import unittest").integrity == "in_process"


def test_what_reaches_rust(fake_core):
    stdio = g.stdio_tests([("1", "2")], comparator=Floats(1e-3, 1e-9)).ready
    assert stdio.arguments == ([("1", "2")], "floats", 1e-3, 1e-9, None, "")
    checked = g.stdio_tests([("1", "2")], comparator=Checker("def ok(i, e, o): return 1", "ok")).ready
    assert checked.arguments[1] == "checker"
    assert checked.arguments[4:] == ("def ok(i, e, o): return 1", "ok")
    assert g.stdio_tests([("1", "2")]).ready.arguments[1] == "lines"

    (cases,) = g.call_tests("add", [([1, 2], 3), ((1,), {"b": 2}, 3)]).ready.arguments
    assert cases == [("add", (1, 2), {}, "eq", 3, 0.0, 0.0), ("add", (1,), {"b": 2}, "eq", 3, 0.0, 0.0)]

    tolerant = g.call_tests(
        "f", [((), [1.0, {"a": 2}]), ((), "1.0"), ((), True), ((), ["a", None])], tolerance=0.1
    )
    (cases,) = tolerant.ready.arguments
    assert [case[3:4] + case[5:] for case in cases] == [
        ("close", 0.1, 0.1),
        ("eq", 0.1, 0.1),
        ("eq", 0.1, 0.1),
        ("eq", 0.1, 0.1),
    ]

    split = g.assert_tests(
        "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == help_me(i)",
        entry_point="f",
        prompt="def help_me(x):\n    return x\n",
        setup="import math",
    )
    source, setup, entry_point, _ = split.ready.arguments
    assert (source, entry_point) == (split.source, "f")
    assert setup.splitlines() == ["def help_me(x):", "    return x", "import math"]
    assert g.unittest_tests("import a", setup="b = 1").ready.arguments == ("import a", "b = 1")


def test_tests_are_made_ready_once(fake_core):
    tests = g.stdio_tests([("1", "2")])
    assert tests.ready is tests.ready


def test_tests_are_pickled_without_what_is_cached(fake_core):
    for tests in (
        g.stdio_tests([("1", "2")], comparator=Floats()),
        g.call_tests("f", [(([1],), {1: {2}})]),
        g.assert_tests("assert f(1) == 2"),
        g.unittest_tests("import a"),
    ):
        assert tests.ready is not None  # and is not pickled: FakeTests of a fixture could be
        again = pickle.loads(pickle.dumps(tests))
        assert again == tests
        assert "ready" not in vars(again)


STDIO = [{"stdin": "1", "stdout": "2"}]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("assert f(1) == 2", g.assert_tests("assert f(1) == 2")),
        (["assert f(1) == 2", "assert f(2) == 3"], g.assert_tests("assert f(1) == 2\nassert f(2) == 3")),
        ('[{"stdin": "1", "stdout": "2"}]', g.stdio_tests([("1", "2")])),
        (STDIO, g.stdio_tests([("1", "2")])),
        (
            [{"call": "f", "args": [1, {"$tuple": [2]}], "returns": None}],
            g.call_tests("f", [((1, (2,)), None)]),
        ),
        (
            # As Arrow gives it: every key of every row.
            {"asserts": ASSERTS, "entry_point": "f", "prompt": "a = 1", "setup": "b = 2", "unittest": None},
            g.assert_tests(ASSERTS, entry_point="f", prompt="a = 1", setup="b = 2"),
        ),
        ({"unittest": "import a"}, g.unittest_tests("import a")),
        ({"inputs": ["1"], "outputs": ["2"], "fn_name": None}, g.stdio_tests([("1", "2")])),
        ('{"assert_case": ["assert f(1) == 2"]}', g.assert_tests("assert f(1) == 2")),
    ],
)
def test_cells_of_a_data_set(cell, expected):
    assert cell_tests(cell, {"id": 1}) == expected
    assert cell_tests(expected, {}) is expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"comparator": None}, "lines"),
        ({"comparator": "tokens"}, "tokens"),
        ({"comparator": {"rel": 0, "abs": 0.5}}, Floats(0.0, 0.5)),
        ({"comparator": {"checker": "x", "entry_point": "ok"}}, Checker("x", "ok")),
    ],
)
def test_comparators_of_a_data_set(beside, expected):
    assert cell_tests(STDIO, beside).comparator == expected


def test_tolerances_of_a_data_set():
    tests = cell_tests([{"call": "f", "returns": 1.0}], {"tolerance": 0.5})
    assert tests == g.call_tests("f", [((), 1.0)], tolerance=0.5)


def test_rows_of_known_data_sets():
    human_eval = {"prompt": "def f(x):\n", "test": ASSERTS, "entry_point": "f", "canonical_solution": "x"}
    assert row_tests(human_eval, None) == g.assert_tests(ASSERTS, entry_point="f", prompt="def f(x):\n")
    mbpp = {"text": "f", "test_list": ["assert f(1) == 2"], "test_setup_code": "a = 1"}
    assert row_tests(mbpp, None) == g.assert_tests("assert f(1) == 2", setup="a = 1")
    assert row_tests(mbpp, "test_list") == g.assert_tests("assert f(1) == 2")


def test_an_answer_that_may_have_two_forms():
    """APPS wraps some values in a list, and does not say which."""
    tests = cell_tests({"inputs": [[1]], "outputs": [[2]], "fn_name": "f"}, {})
    assert [case.check for case in tests.cases] == ["in"]
    assert tests.describe(0) == "f(1) in ([2], 2)"


def test_tests_in_their_own_words():
    assert g.stdio_tests([("1\n", "2")]).describe(0) == r"'1\n' -> '2'"
    assert g.call_tests("f", [((1, "a"), {"k": None}, [2])]).describe(0) == "f(1, 'a', k=None) == [2]"
    assert g.assert_tests("assert f(1) == 2\nassert f(2) == 3").describe(1) == "assert f(2) == 3"
    split = g.assert_tests("a = 1\nfor i in range(3):\n    assert f(i) == i\nassert f(open) == f(a)")
    assert split.integrity == "split"
    assert [split.describe(i) for i in range(2)] == [
        "line 2: for i in range(3):",
        "line 4: assert f(open) == f(a)",
    ]
    assert g.unittest_tests("import a").describe(0) == ""


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (None, "a NoneType holds no tests"),
        (math.nan, "a float holds no tests"),
        ([], "no tests: an empty list must never count as a pass"),
        ("[]", "no tests: an empty list must never count as a pass"),
        ([1, 2], "each of tests must be an object"),
        ("{not json", "the tests begin as JSON does, but are not"),
        ({"cases": []}, "tests must be a list of cases, {asserts: source} or {unittest: source}"),
        ([{"stdin": ""}], "tests must all have stdin and stdout"),
        ({"asserts": "assert f("}, "the tests"),
    ],
)
def test_cells_that_hold_no_tests(cell, message):
    with pytest.raises(g.InputError, match=message):
        cell_tests(cell, {})
