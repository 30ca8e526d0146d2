"""`CodeRunner`: verdicts on honest programs, and what it refuses. Attacks are in tests/security."""

import math
import sys
import threading
import time

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import CodeOutcome, CodeRunner, Limits, stdio_tests

needs_sandbox = pytest.mark.skipif(
    not CodeRunner().protection.sufficient, reason="the kernel lacks Landlock or seccomp"
)

ADD = "a, b = map(int, input().split()); print(a + b)"
SUMS = stdio_tests([("1 2\n", "3\n"), ("5 7", "12")])


@needs_sandbox
def test_scores_are_shares_of_tests_passed():
    results = CodeRunner().run([ADD, "print(3)", "raise SystemExit(1)"], [SUMS] * 3)
    assert results.scores.tolist() == [1.0, 0.5, 0.0]
    assert results.scores.dtype == np.float32
    assert results.passed.tolist() == [True, False, False]
    assert len(results) == 3
    assert [program.score for program in results] == [1.0, 0.5, 0.0]
    assert [case.outcome.name for case in results[1].cases] == ["PASSED", "WRONG_OUTPUT"]
    assert [case.outcome.name for case in results[2].cases] == ["RUNTIME_ERROR"] * 2


@needs_sandbox
def test_what_a_case_holds():
    program = "import sys; print('Ä' + input()); print('oh', file=sys.stderr); sys.exit(3)"
    (case,) = CodeRunner().run([program], [stdio_tests([("ß", "Äß")])])[0].cases
    assert (case.outcome, case.exit_code, case.signal) == (CodeOutcome.RUNTIME_ERROR, 3, None)
    assert (case.stdout, case.stderr) == ("Äß\n", "oh\n")
    assert 0 < case.cpu_s < 4
    assert 0 < case.wall_s < 12
    assert case.peak_bytes is None or case.peak_bytes > 1 << 20


@needs_sandbox
@pytest.mark.parametrize(
    ("printed", "expected", "passes"),
    [
        ("3", "3", True),
        ("3  \n\n\n", "3\n", True),
        ("a \nb", "a\nb", True),
        (" 3", "3", False),
        ("3\n\n4", "3\n4", False),
        ("3.0", "3", False),
        ("", "", True),
        ("3", "", False),
        ("", "3", False),
    ],
)
def test_output_is_compared_but_for_spaces_at_the_ends(printed, expected, passes):
    program = f"import sys; sys.stdout.write({printed!r})"
    assert CodeRunner().run([program], [stdio_tests([("", expected)])])[0].passed is passes


@needs_sandbox
def test_bytes_that_are_not_utf8_are_replaced():
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe ok')"
    (case,) = CodeRunner().run([program], [stdio_tests([("", "ok")])])[0].cases
    assert case.outcome is CodeOutcome.WRONG_OUTPUT
    assert case.stdout == "\ufffd\ufffd ok"


@needs_sandbox
def test_programs_that_are_no_programs_are_verdicts_not_errors():
    programs = ["", "def f(:", "a\0b", "\ud800", "x = '\ud83d'", "\xa0"]
    results = CodeRunner().run(programs, [stdio_tests([("", "1")])] * len(programs))
    assert results.scores.tolist() == [0.0] * len(programs)
    assert "SyntaxError" in results[1].cases[0].stderr


@needs_sandbox
def test_results_keep_the_order_of_programs_and_tests():
    programs = [f"import time; time.sleep({0.05 * (i % 3)}); print(input(), {i})" for i in range(12)]
    tests = [stdio_tests([(f"{i}.{k}", f"{i}.{k} {i}") for k in range(1 + i % 3)]) for i in range(12)]
    results = CodeRunner().run(programs, tests)
    assert results.passed.all()
    assert [len(program.cases) for program in results] == [1 + i % 3 for i in range(12)]


@needs_sandbox
def test_python_threads_run_while_programs_do():
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.wait(0.005):
            ticks.append(None)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    CodeRunner().run(["import time; time.sleep(0.4)"], [stdio_tests([("", "")])])
    during = len(ticks) - before
    stop.set()
    thread.join()
    assert during > 20


@needs_sandbox
def test_a_run_from_many_threads_at_once():
    results = [None] * 6

    def work(i):
        results[i] = CodeRunner().run([f"print({i})"] * 2, [stdio_tests([("", str(i))])] * 2).scores.tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[1.0, 1.0]] * 6


@needs_sandbox
def test_wall_clock_is_the_backstop():
    begin = time.monotonic()
    runner = CodeRunner(Limits(wall_s=0.5))
    (case,) = runner.run(["import time; time.sleep(60)"], [stdio_tests([("", "")])])[0].cases
    assert case.outcome is CodeOutcome.TIMED_OUT
    assert case.cpu_s < 0.5 <= case.wall_s
    assert time.monotonic() - begin < 10


def test_protection_is_reported_by_layer():
    protection = CodeRunner().protection
    assert set(protection.layers) >= {"landlock", "seccomp", "rlimits"}
    assert all(type(present) is bool for present in protection.layers.values())
    assert protection.layers["landlock"] is (protection.landlock_abi > 0)
    required = [protection.layers[name] for name in ("landlock", "seccomp", "rlimits")]
    assert protection.sufficient is all(required)


def test_the_defaults():
    runner = CodeRunner()
    assert runner.python == sys.executable
    assert runner.limits == Limits(
        wall_s=12.0, cpu_s=4.0, memory_mb=512, output_kb=8192, processes=1, file_mb=16
    )


def test_an_empty_batch():
    results = CodeRunner().run([], [])
    assert len(results) == 0
    assert (results.scores.dtype, results.scores.shape) == (np.float32, (0,))


@pytest.mark.parametrize(
    ("programs", "tests", "message"),
    [
        (["1"], [], "1 programs but 0 lists of tests: give one list per program"),
        (
            ["1", "2"],
            [SUMS, stdio_tests([])],
            "program 1 has no tests: an empty list must never count as a pass",
        ),
    ],
)
def test_batches_that_do_not_fit(programs, tests, message):
    with pytest.raises(g.InputError, match=message):
        CodeRunner().run(programs, tests)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"wall_s": 0.0}, "wall and cpu must be longer than zero"),
        ({"cpu_s": 0.0}, "wall and cpu must be longer than zero"),
        ({"wall_s": -1.0}, "wall_s is -1: give a number of seconds above 0"),
        ({"cpu_s": math.nan}, "cpu_s is NaN: give a number of seconds above 0"),
        ({"wall_s": math.inf}, "wall_s is inf: give a number of seconds above 0"),
        ({"memory_mb": 1}, "at least 32 MiB, or no interpreter starts"),
        ({"memory_mb": -1}, "memory_mb is -1: give a number from 0"),
        ({"processes": 0}, "processes counts the program itself, so it is at least 1"),
        ({"output_kb": 2**40}, "output_kb is 1099511627776: give a number from 0 to 4294967295"),
    ],
)
def test_limits_under_which_nothing_can_run(limits, message):
    with pytest.raises(g.InputError, match=message):
        CodeRunner(Limits(**limits)).run(["1"], [SUMS])


@pytest.mark.parametrize(
    ("python", "message"),
    [("/no/such/python", "there is no such file"), ("/etc/passwd", r"give the path in sys\.executable")],
)
def test_an_interpreter_that_cannot_be_used(python, message):
    with pytest.raises(g.InputError, match=message):
        CodeRunner(python=python).run(["1"], [SUMS])


def test_only_texts_are_programs():
    with pytest.raises(TypeError, match="expected a str, not int"):
        CodeRunner().run([1], [SUMS])


def case(outcome):
    return g.CaseResult(outcome, 0, None, "", "", 0.1, 0.1, None)


def test_a_test_that_could_not_be_run_leaves_no_score():
    """A fault of ours is neither a wrong program nor a right one."""
    program = g.ProgramResult((case(CodeOutcome.PASSED), case(CodeOutcome.NOT_RUN)))
    assert math.isnan(program.score)
    assert program.passed is None
    results = g.CodeResults((program, g.ProgramResult((case(CodeOutcome.PASSED),))))
    np.testing.assert_array_equal(results.scores, [math.nan, 1.0])
    assert results.passed.tolist() == [False, True]
