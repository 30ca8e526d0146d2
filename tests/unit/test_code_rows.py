"""Rows of data sets as programs and tests."""

import base64
import json
import math
import os
import pickle
import zlib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from grpo_rs.code.lowering import Lowered, lower
from grpo_rs.code.rows import (
    AssertSpec,
    CallCase,
    CallSpec,
    CheckerSpec,
    FloatsSpec,
    StdioSpec,
    UnittestSpec,
    complete_prompt,
    read_row,
    read_tests,
    typed_value,
)
from grpo_rs.errors import DataError

SHARED = Path(os.environ.get("GRPO_SHARED_DATA", Path(__file__).parents[3] / "shared")) / "data" / "code"

PROMPT = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """Sums."""\n'
HUMAN_EVAL = {
    "task_id": "x/0",
    "prompt": PROMPT,
    "entry_point": "total",
    "canonical_solution": "    return sum(xs)\n",
    "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n",
}
MBPP = {
    "text": "Add.",
    "code": "def add(a, b):\n    return a + b",
    "test_setup_code": "x = 1",
    "test_imports": ["import math"],
    "test_list": ["assert add(1, 2) == 3", "assert add(x, 2) == 3"],
    "challenge_test_list": ["assert add(0, 0) == 0"],
}
STDIO = {"program": "print(1)", "tests": [{"stdin": "", "stdout": "1\n"}]}


# ==== where the program is ====


def test_program_before_completion_before_reference():
    row = {**MBPP, "completion": "Here:\n```python\npass\n```", "program": "pass"}
    assert read_row(row).program == "pass"
    del row["program"]
    assert (read_row(row).program, read_row(row).completion) == (None, row["completion"])
    row["completion"] = None
    assert read_row(row).program == MBPP["code"]
    assert read_row({**MBPP, "mine": "x = 1"}, column="mine").completion == "x = 1"


def test_a_row_with_nothing_to_test():
    with pytest.raises(DataError, match=r"file, line 3 has none of the columns program, .*it has 'tests'$"):
        read_row({"tests": STDIO["tests"]}, place="file, line 3")
    with pytest.raises(DataError, match="no column 'mine'"):
        read_row(STDIO, column="mine")
    with pytest.raises(DataError, match="'program' holds a int"):
        read_row({**STDIO, "program": 5})


def test_apps_solutions_are_a_list():
    row = {"input_output": {"inputs": ["1"], "outputs": ["2"]}, "solutions": json.dumps(["print(2)", "no"])}
    assert read_row(row).program == "print(2)"
    assert read_row({**row, "solutions": ["print(3)"]}).program == "print(3)"
    for nothing in ("[]", [], "{}", "print(2)"):
        with pytest.raises(DataError):
            read_row({**row, "solutions": nothing})


# ==== HumanEval ====


def test_human_eval():
    row = read_row(HUMAN_EVAL)
    assert row.tests == AssertSpec(HUMAN_EVAL["test"], "total", PROMPT)
    assert row.program == PROMPT + "    return sum(xs)\n"
    assert row.completion is None
    # A body goes on where the prompt stops.
    assert read_row({**HUMAN_EVAL, "completion": "    return 5\n"}).program == PROMPT + "    return 5\n"
    # A whole function is a program of its own.
    whole = "def total(xs):\n    return 5\n"
    assert read_row({**HUMAN_EVAL, "completion": whole}).assembled(whole) == whole
    # A reply is searched first.
    reply = f"Sure:\n```python\n{whole}```"
    row = read_row({**HUMAN_EVAL, "completion": reply})
    assert (row.program, row.completion) == (None, reply)


def test_a_whole_function_keeps_the_imports_and_helpers_of_its_prompt():
    whole = "def total(xs: List[int]):\n    return sum(xs)\n"
    program = complete_prompt(PROMPT, whole, "total")
    assert program == f"from typing import List\n\n{whole}"
    space = {}
    exec(program, space)
    assert space["total"]([1, 2]) == 3
    own = f"from typing import List\n{whole}"
    assert complete_prompt(PROMPT, own, "total") == own
    star = "from typing import *\n\nclass Solution:\n    def f(self): pass\n"
    method = "class Solution:\n    def f(self, x: List[int]):\n        return len(x)\n"
    assert complete_prompt(star, method, "Solution.f").startswith("from typing import *\n")
    plain = "class Solution:\n    def f(self, x):\n        return len(x)\n"
    assert complete_prompt(star, plain, "Solution.f") == plain
    # Nothing may come before an import from __future__.
    future = f"from __future__ import annotations\n{whole}"
    assert complete_prompt(PROMPT, future, "total") == future


def test_text_that_is_no_python_is_no_crash():
    broken = "def total(xs:\n    return"
    assert complete_prompt(PROMPT, broken, "total") == broken
    assert complete_prompt(PROMPT, "    return (", "total") == PROMPT + "    return ("
    odd = "def total(x):\n    global x\n"
    assert complete_prompt(PROMPT, odd, "total") == odd
    assert complete_prompt("Write total, please.", "def total(x): return List", "total") == (
        "def total(x): return List"
    )


def test_leetcode_says_the_entry_point_with_parentheses():
    row = {**HUMAN_EVAL, "entry_point": "Solution().total", "program": "pass"}
    assert read_tests(row).entry_point == "Solution.total"
    found = lower(row["test"], entry_point="Solution.total")
    assert isinstance(found, Lowered)
    assert found.cases[0].entry_point == "Solution.total"


# ==== MBPP ====


def test_mbpp():
    row = read_row(MBPP)
    assert row.program == MBPP["code"]
    assert row.tests == AssertSpec("\n".join(MBPP["test_list"]), setup="import math\nx = 1")
    tests = read_tests(MBPP, challenge=True)
    assert tests.source.splitlines()[2:] == MBPP["challenge_test_list"]
    sanitized = {"prompt": "Add.", "code": "pass", "test_imports": [], "test_list": MBPP["test_list"]}
    assert read_row(sanitized).tests == AssertSpec("\n".join(MBPP["test_list"]))
    # The prompt is prose: nothing goes before the program.
    assert read_row({**sanitized, "completion": "x = 1"}).assembled("x = 1") == "x = 1"
    for tests in ([], ["", " "]):
        with pytest.raises(DataError, match="no tests"):
            read_row({**MBPP, "test_list": tests})
    with pytest.raises(DataError, match="test_list is not a list of texts"):
        read_row({**MBPP, "test_list": "assert add(1, 2) == 3"})


# ==== LiveCodeBench ====


def live(public, private=None, **more):
    row = {"code": "pass", "public_test_cases": public, "private_test_cases": private, **more}
    return read_row(row).tests


def test_live_code_bench_stdin():
    public = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
    private = [{"input": "3\n", "output": "4\n", "testtype": "stdin"}]
    both = StdioSpec((("1\n", "2\n"), ("3\n", "4\n")))
    assert live(json.dumps(public), json.dumps(private)) == both
    assert live(public, private) == both
    assert live(public, "") == live(None, public) == StdioSpec((("1\n", "2\n"),))


def test_live_code_bench_functional():
    cases = [{"input": '[1, 2]\n"a"\n', "output": "[3.5, null]", "testtype": "functional"}]
    expected = CallSpec((CallCase("f", ([1, 2], "a"), {}, [3.5, None]),))
    assert live(cases, metadata='{"func_name": "f"}') == expected
    assert live(cases, metadata={"func_name": "f"}) == expected
    with pytest.raises(DataError, match="func_name"):
        live(cases, metadata="{}")
    with pytest.raises(DataError, match="an argument is not JSON"):
        live([{**cases[0], "input": "{1}"}], metadata={"func_name": "f"})
    with pytest.raises(DataError, match="testtype"):
        live([*cases, {"input": "", "output": "", "testtype": "stdin"}], metadata={"func_name": "f"})


class Bomb:
    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def test_live_code_bench_pickles_are_refused_and_not_opened():
    packed = base64.b64encode(zlib.compress(pickle.dumps(Bomb()))).decode()
    with pytest.raises(DataError, match="unpickling runs whatever the file says"):
        live([{"input": "", "output": "", "testtype": "stdin"}], packed)
    assert not Bomb.exploded


# ==== APPS, verl, PRIME ====


def test_apps_stdin():
    tests = {"inputs": ["1 2\n", ["a", "b"]], "outputs": ["3\n", ["c", "d"]]}
    expected = StdioSpec((("1 2\n", "3\n"), ("a\nb", "c\nd")))
    for row in (
        {"input_output": json.dumps(tests)},
        {"input_output": tests},
        {"ground_truth": json.dumps(tests)},
        {"reward_model": {"style": "rule", "ground_truth": json.dumps(tests)}},
        {"reward_model": {"ground_truth": tests}},
    ):
        assert read_tests(row) == expected


def test_apps_calls():
    tests = {"fn_name": "f", "inputs": [["ab", [1]], [{"k": 2.5}]], "outputs": [[True], [1, 2]]}
    wrapped, plain = read_tests({"input_output": json.dumps(tests)}).cases
    assert wrapped == CallCase("f", ("ab", [1]), {}, ([True], True), "in")
    assert plain == CallCase("f", ({"k": 2.5},), {}, [1, 2])
    lines = {"fn_name": "f", "inputs": ['"ab"\n[1]'], "outputs": ["3"]}
    assert read_tests({"ground_truth": lines}).cases == (CallCase("f", ("ab", [1]), {}, 3),)


def test_assert_case():
    tests = {"assert_case": ["assert f(1) == 2", "assert f(2) == 3"]}
    expected = AssertSpec("assert f(1) == 2\nassert f(2) == 3")
    assert read_tests({"reward_model": {"ground_truth": json.dumps(tests)}}) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("not json", "input_output is not JSON"),
        ("[1]", "must have inputs and outputs, or assert_case; it has a list"),
        ({"inputs": []}, "it has 'inputs'"),
        ({"inputs": [], "outputs": []}, "no tests"),
        ({"inputs": ["1"], "outputs": []}, "of one length"),
        ({"inputs": "1", "outputs": "2"}, "of one length"),
        ({"inputs": [1], "outputs": ["2"]}, "inputs is a int, not a text"),
        ({"inputs": [5], "outputs": [5], "fn_name": "f"}, "a list of arguments"),
        ({"inputs": [[5]], "outputs": [5], "fn_name": 7}, "fn_name"),
        ("[" * 100_000, "input_output is not JSON"),
    ],
)
def test_broken_inputs_and_outputs(given, message):
    with pytest.raises(DataError, match=message):
        read_tests({"input_output": given})


def test_numbers_of_another_parser_become_pythons_own():
    class Number(float):
        pass

    tests = {"fn_name": "f", "inputs": [[[Number(2.5)]]], "outputs": [{"k": Number(1.5)}]}
    case = read_tests({"input_output": tests}).cases[0]
    assert type(case.args[0][0]) is type(case.expected["k"]) is float
    row = {"tests": [{"call": "f", "args": [Number(2.5)], "returns": {"$tuple": [Number(1.5)]}}]}
    case = read_tests(row).cases[0]
    assert type(case.args[0]) is type(case.expected[0]) is float


# ==== our own form ====


def test_stdio():
    assert read_row(STDIO).tests == StdioSpec((("", "1\n"),))
    assert read_row(STDIO).program == "print(1)"
    for given, comparator in (
        ("tokens", "tokens"),
        ({"rel": 1e-3}, FloatsSpec(1e-3, 0.0)),
        ({"checker": "x", "entry_point": "ok"}, CheckerSpec("x", "ok")),
        ({"checker": "x"}, CheckerSpec("x", "check")),
    ):
        assert read_tests({**STDIO, "comparator": given}).comparator == comparator


def test_calls():
    row = {
        "tests": [
            {"call": "f", "args": [{"$tuple": [1, 2]}], "kwargs": {"k": {"$set": [1]}}, "returns": None},
            {"call": "Box.g", "returns": [1]},
        ],
        "tolerance": 1e-6,
    }
    assert read_tests(row) == CallSpec(
        (CallCase("f", ((1, 2),), {"k": {1}}, None), CallCase("Box.g", (), {}, [1])), FloatsSpec(1e-6, 1e-6)
    )


def test_asserts_and_unittest():
    assert read_tests({"tests": {"asserts": "assert f(1)"}}) == AssertSpec("assert f(1)")
    full = {"asserts": "a", "entry_point": "f", "prompt": "p", "setup": "s"}
    assert read_tests({"tests": full}) == AssertSpec("a", "f", "p", "s")
    assert read_tests({"tests": {"unittest": "u", "setup": "s"}}) == UnittestSpec("u", "s")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tests": []}, "no tests"),
        ({"tests": "assert f(1)"}, "tests must be a list"),
        ({"tests": {"cases": []}}, "tests must be a list"),
        ({"tests": [1]}, "each of tests must be an object"),
        ({"tests": [{"stdin": "", "stdout": ""}, {"call": "f", "returns": 1}]}, "all have stdin"),
        ({"tests": [{"stdin": "1"}]}, "all have stdin"),
        ({"tests": [{"stdin": 1, "stdout": ""}]}, r"tests\[0\]: stdin is a int"),
        ({"tests": [{"stdin": "", "stdout": None}]}, r"tests\[0\]: stdout is null"),
        ({"tests": [{"stdin": "", "stdout": "", "stdot": ""}]}, "'stdot'; it may have stdin, stdout"),
        ({"tests": [{"call": "f", "args": []}]}, "does not say what the call returns"),
        ({"tests": [{"call": "f", "args": {}, "returns": 1}]}, "args must be a list"),
        ({"tests": {"asserts": "a", "entrypoint": "f"}}, "'entrypoint'"),
        ({"tests": {"asserts": 1}}, "asserts is a int"),
        ({"tests": {"asserts": "a"}, "comparator": "exact"}, "comparator belongs to"),
        ({**STDIO, "tolerance": 0.1}, "tolerance belongs to"),
        ({**STDIO, "comparator": "fuzzy"}, "comparator is 'fuzzy'; give one of lines, exact, tokens"),
        ({**STDIO, "comparator": {"rel": -1}}, "from 0 on"),
        ({**STDIO, "comparator": {"rel": True}}, "from 0 on"),
        ({**STDIO, "comparator": {"abs": math.inf}}, "from 0 on"),
        ({"tests": [{"call": "f", "returns": 1}], "comparator": "exact"}, "comparator belongs to"),
        ({"tests": [{"call": "f", "returns": 1}], "tolerance": math.nan}, "from 0 on"),
        ({"question": "?", "answer": "!"}, "no tests of a known form; it has 'question', 'answer'"),
        ({"test_list": None, "tests": None}, "no tests of a known form"),
        ({"reward_model": "x"}, "reward_model must be an object"),
    ],
)
def test_mistakes_are_named(row, message):
    with pytest.raises(DataError, match=message):
        read_tests(row, place="file, line 3")
    with pytest.raises(DataError, match="^file, line 3"):
        read_tests(row, place="file, line 3")


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"a": [1, None, True, "x", 2.5]}, {"a": [1, None, True, "x", 2.5]}),
        ({"$tuple": [{"$tuple": []}, [1]]}, ((), [1])),
        ({"$set": [{"$tuple": [1]}]}, {(1,)}),
        ({"$frozenset": [1]}, frozenset({1})),
        ({"$dict": [[1, "a"], [{"$tuple": [2]}, {"$set": []}]]}, {1: "a", (2,): set()}),
        ({"$dict": [["$set", 1]]}, {"$set": 1}),
        ({"$float": "-inf"}, -math.inf),
        ({"$int": "-12"}, -12),
        ({"$int": "007"}, 7),
        ({"$complex": [1, 2.5]}, 1 + 2.5j),
        ({"$bytes": "AAE="}, b"\x00\x01"),
        ({"$bytearray": ""}, bytearray()),
        ({"$range": [1, 9, 2]}, range(1, 9, 2)),
        ({"$decimal": "1.10"}, Decimal("1.10")),
        ({"$fraction": [2, 6]}, Fraction(1, 3)),
        ({"$set": [1], "b": 2}, {"$set": [1], "b": 2}),
        ({}, {}),
    ],
)
def test_typed_values(given, value):
    found = typed_value(given)
    assert (type(found), found) == (type(value), value)
    assert typed_value([given]) == [value]
    assert typed_value(json.loads(json.dumps(given))) == value


def test_nan_and_integers_beyond_what_decimal_digits_may_say():
    assert math.isnan(typed_value({"$float": "nan"}))
    assert typed_value({"$int": "-0x" + "f" * 5000}) == 1 - 16**5000


@pytest.mark.parametrize(
    "given",
    [
        {"$tuple": 1},
        {"$tuple": "ab"},
        {"$set": [[1]]},
        {"$dict": [[1]]},
        {"$dict": [[[1], 2]]},
        {"$dict": {"a": 1}},
        {"$float": "1.5"},
        {"$float": 1},
        {"$int": "1_0"},
        {"$int": "١"},
        {"$int": 5},
        {"$int": "9" * 5000},
        {"$complex": [1]},
        {"$complex": ["1", 2]},
        {"$bytes": "AAE"},
        {"$bytes": "A A E ="},
        {"$range": ["a"]},
        {"$range": []},
        {"$range": [1, 2, 0]},
        {"$decimal": "x"},
        {"$decimal": 1},
        {"$fraction": [1, 0]},
        {"$fraction": [1.5]},
        {"$fraction": ["1e999999999"]},
        {"$pickle": "gASVAA=="},
        {"$": 1},
    ],
)
def test_values_that_cannot_be_read(given):
    with pytest.raises(DataError, match="^file, line 3: "):
        typed_value(given, place="file, line 3")


def test_values_nested_too_deeply():
    value = 1
    for _ in range(500):
        value = [value]
    with pytest.raises(DataError, match="nested"):
        typed_value(value)
    with pytest.raises(DataError, match="nested"):
        read_tests({"input_output": {"fn_name": "f", "inputs": [[value]], "outputs": [1]}})


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not here")
@pytest.mark.parametrize(("file", "lowered"), [("HumanEval.jsonl", 157), ("mbpp.jsonl", 969)])
def test_rows_of_human_eval_and_mbpp(file, lowered):
    count = 0
    for line in (SHARED / file).read_text().splitlines():
        row = read_row(json.loads(line))
        assert row.program is not None
        tests = row.tests
        found = lower(tests.source, entry_point=tests.entry_point, prompt=tests.prompt, setup=tests.setup)
        count += isinstance(found, Lowered)
        if tests.entry_point is not None:
            assert f"def {tests.entry_point}(" in row.program
    assert count == lowered
