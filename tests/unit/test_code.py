"""`CodeRunner` in its sandbox: verdicts on honest programs of every kind. Attacks are in tests/security."""

import asyncio
import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import Checker, CodeOutcome, CodeRunner, Floats, IsolationLevel, Limits, stdio_tests

pytestmark = pytest.mark.skipif(
    not CodeRunner().protection.sufficient, reason="the kernel lacks Landlock or seccomp"
)

ADD = "a, b = map(int, input().split()); print(a + b)"
SUMS = stdio_tests([("1 2\n", "3\n"), ("5 7", "12")])
SLEEPS = "import time; time.sleep(60)"
ANY = stdio_tests([("", "")])


@pytest.fixture(scope="module")
def runner():
    with CodeRunner(workers=2) as shared:
        yield shared


def one(runner, program, tests):
    (result,) = runner.run([program], [tests])
    return result


def outcomes(result):
    return [case.outcome.name for case in result.cases]


# ---- programs that read and print -----------------------------------------------------------------------


def test_scores_are_shares_of_tests_passed(runner):
    results = runner.run([ADD, "print(3)", "raise SystemExit(1)"], [SUMS] * 3)
    assert results.scores.tolist() == [1.0, 0.5, 0.0]
    assert results.scores.dtype == np.float32
    assert results.passed.tolist() == [True, False, False]
    assert [outcomes(result) for result in results] == [
        ["PASSED"] * 2,
        ["PASSED", "WRONG_OUTPUT"],
        ["RUNTIME_ERROR"] * 2,
    ]
    assert {(result.integrity, result.isolation) for result in results} == {
        ("outside", runner.protection.level)
    }


def test_what_a_case_holds(runner):
    program = "import sys; print('Ä' + input()); print('oh', file=sys.stderr); sys.exit(3)"
    (case,) = one(runner, program, stdio_tests([("ß", "Äß")])).cases
    assert (case.outcome, case.exit_code, case.signal) == (CodeOutcome.RUNTIME_ERROR, 3, None)
    assert (case.stdout, case.stderr) == ("Äß\n", "oh\n")
    assert 0 < case.cpu_s < 4
    assert 0 < case.wall_s < 12
    assert case.peak_bytes is None or case.peak_bytes > 1 << 20
    assert case.message


def test_an_exception_has_its_type_and_line(runner):
    (case,) = one(runner, "x = 1\n\ny = x / 0", ANY).cases
    assert (case.outcome, case.exception, case.line) == (CodeOutcome.RUNTIME_ERROR, "ZeroDivisionError", 3)
    assert "ZeroDivisionError" in case.stderr


@pytest.mark.parametrize(
    ("comparator", "printed", "expected", "passes"),
    [
        ("lines", "3", "3", True),
        ("lines", "3  \n\n\n", "3\n", True),
        ("lines", "a \nb", "a\nb", True),
        ("lines", " 3", "3", False),
        ("lines", "3\n\n4", "3\n4", False),
        ("lines", "3", "3\n4", False),
        ("lines", "3.0", "3", False),
        ("lines", "", "", True),
        ("lines", "3", "", False),
        ("lines", "", "3", False),
        ("tokens", " 1\n\n2 ", "1 2", True),
        ("tokens", "12", "1 2", False),
        ("exact", "3\n", "3\n", True),
        ("exact", "3", "3\n", False),
        (Floats(abs=1e-3), "1.0001 x", "1 x", True),
        (Floats(abs=1e-3), "1.01", "1", False),
        (Floats(abs=1e-3), "1 2", "1", False),
        (Floats(rel=0.1, abs=0.0), "109", "100", True),
        (Floats(), "nan", "1", False),
    ],
)
def test_comparators(runner, comparator, printed, expected, passes):
    program = f"import sys; sys.stdout.write({printed!r})"
    assert one(runner, program, stdio_tests([("", expected)], comparator=comparator)).passed is passes


def test_a_checker_decides(runner):
    source = "def ok(stdin, expected, output):\n    return sorted(output.split()) == sorted(expected.split())"
    tests = stdio_tests([("", "1 2 3")], comparator=Checker(source, "ok"))
    assert one(runner, "print(3, 1, 2)", tests).passed is True
    assert one(runner, "print(3, 1)", tests).passed is False


def test_a_checker_that_raises_has_seen_a_wrong_output(runner):
    """`float(output)` raises for what is no number: that must not leave the program without a score."""
    checker = Checker("def check(stdin, expected, output): return float(output) == float(expected)")
    tests = stdio_tests([("", "1")], comparator=checker)
    right, wrong, no_number = runner.run(["print(1.0)", "print(2)", "print('one')"], [tests] * 3)
    assert (right.passed, wrong.passed, no_number.passed) == (True, False, False)
    assert "ValueError" in no_number.cases[0].message


def test_a_checker_at_fault_is_nobodys_score(runner):
    result = one(runner, "print(1)", stdio_tests([("", "1")], comparator=Checker("def other(): pass")))
    assert result.passed is None
    assert math.isnan(result.score)
    assert outcomes(result) == ["TESTS_INVALID"]
    assert result.note


def test_bytes_that_are_not_utf8_are_replaced(runner):
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe ok')"
    (case,) = one(runner, program, stdio_tests([("", "ok")])).cases
    assert case.outcome is CodeOutcome.WRONG_OUTPUT
    assert case.stdout == "\ufffd\ufffd ok"


def test_programs_that_are_no_programs_are_verdicts_not_errors(runner):
    programs = ["", "def f(:", "a\0b", "\ud800", "x = '\ud83d'", "\xa0"]
    results = runner.run(programs, [stdio_tests([("", "1")])] * len(programs))
    assert results.scores.tolist() == [0.0] * len(programs)
    assert "SyntaxError" in results[1].cases[0].stderr


def test_results_keep_the_order_of_programs_and_tests(runner):
    programs = [f"import time; time.sleep({0.05 * (i % 3)}); print(input(), {i})" for i in range(12)]
    tests = [stdio_tests([(f"{i}.{k}", f"{i}.{k} {i}") for k in range(1 + i % 3)]) for i in range(12)]
    results = runner.run(programs, tests)
    assert results.passed.all()
    assert [len(program.cases) for program in results] == [1 + i % 3 for i in range(12)]


def test_much_output_is_drained(runner):
    (case,) = one(runner, "print('x' * 3_000_000)", stdio_tests([("", "x" * 3_000_000)])).cases
    assert case.outcome is CodeOutcome.PASSED


# ---- functions ------------------------------------------------------------------------------------------


def test_calls_with_typed_values(runner):
    program = """
import math
import numpy as np

def echo(value): return value
def pair(a, b=2, *, c): return (a, b, c)
def nan(): return math.nan
def array(n): return np.arange(n)

class Solution:
    def __init__(self): self.seen = []
    def add(self, x):
        self.seen.append(x)
        return list(self.seen)
"""
    values = [
        *(None, True, 0, -1, 2**200, -(2**70), 1.5, math.inf, 1j, "", "\ud800ß", b"\xff", bytearray(b"a")),
        *([1, [2]], (1, (2,)), {1, 2}, frozenset({3}), {(1, 2): {"a": None}}, range(1, 9, 2)),
    ]
    assert one(runner, program, g.call_tests("echo", [((value,), value) for value in values])).score == 1.0
    different = [
        ([1], (1,)),
        ((1,), [1]),
        ({1}, {2}),
        (1, "1"),
        (2**53 + 1, float(2**53)),
        ("a", b"a"),
        (0, None),
    ]
    assert one(runner, program, g.call_tests("echo", [((a,), b) for a, b in different])).score == 0.0
    assert one(runner, program, g.call_tests("echo", [((1,), 1.0), ((True,), 1), ((0.0,), False)])).passed
    assert one(runner, program, g.call_tests("pair", [((1,), {"c": 3}, (1, 2, 3))])).passed
    assert one(runner, program, g.call_tests("nan", [((), math.nan)])).passed is False
    assert one(runner, program, g.call_tests("array", [((3,), [0, 1, 2])])).passed
    fresh = [(([1],), [[1]]), (([2],), [[2]])]
    for entry_point in ("Solution.add", "add"):
        assert one(runner, program, g.call_tests(entry_point, fresh)).passed


def test_tolerance_reaches_into_containers(runner):
    program = "def f(): return [0.1 + 0.2, {'a': 1}]"
    cases = [((), [0.3, {"a": 1}])]
    assert one(runner, program, g.call_tests("f", cases)).passed is False
    assert one(runner, program, g.call_tests("f", cases, tolerance=1e-9)).passed is True
    assert one(runner, program, g.call_tests("f", [((), [0.3, {"a": 2}])], tolerance=1e-9)).passed is False
    assert one(runner, "def f(): return 7.0000001", g.call_tests("f", [((), 7)], tolerance=1e-6)).passed


def test_calls_that_fail(runner):
    tests = g.call_tests("f", [((1,), 1), ((2,), 2)])
    assert outcomes(one(runner, "def g(x): return x", tests)) == ["NO_ENTRY_POINT"] * 2
    raised = one(runner, "def f(x):\n    return [1, 1][x - 1] // (x - 2) + 2", tests)
    assert outcomes(raised) == ["PASSED", "RUNTIME_ERROR"]
    assert (raised.cases[1].exception, raised.cases[1].line) == ("ZeroDivisionError", 2)


def test_a_value_that_cannot_be_sent_is_the_callers_mistake(runner):
    with pytest.raises(g.InputError, match="case 1"):
        one(runner, "f = 1", g.call_tests("f", [((1,), 1), ((object(),), 1)]))


# ---- asserts and unittest -------------------------------------------------------------------------------


def test_asserts_that_are_lowered(runner):
    tests = g.assert_tests("assert add(2, 3) == 5\nassert add('a', 'b') == 'ab'")
    right, half = runner.run(["def add(a, b): return a + b", "def add(a, b): return 5"], [tests] * 2)
    assert (right.passed, right.integrity) == (True, "outside")
    assert (half.score, outcomes(half)) == (0.5, ["PASSED", "WRONG_OUTPUT"])


def test_asserts_in_a_process_of_their_own(runner):
    tests = g.assert_tests(
        "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == twice(i)",
        entry_point="f",
        prompt="def twice(x):\n    return 2 * x\n\ndef f(x):\n    '''Doubles.'''\n",
    )
    right, wrong, forged = runner.run(
        ["def f(x): return x + x", "def f(x): return x * x", "def f(x): return x\ndef twice(x): return x"],
        [tests] * 3,
    )
    assert (right.passed, right.integrity) == (True, "split")
    assert (wrong.passed, outcomes(wrong)) == (False, ["WRONG_OUTPUT"])
    assert forged.passed is False


def test_unittest_methods_are_tests_of_their_own(runner):
    source = """
import unittest

class T(unittest.TestCase):
    def test_a(self): self.assertEqual(add(1, 2), 3)
    def test_b(self): self.assertEqual(add(2, 2), 5)
"""
    result = one(runner, "def add(a, b): return a + b", g.unittest_tests(source))
    assert (result.score, result.integrity) == (0.5, "in_process")
    assert sorted(outcomes(result)) == ["PASSED", "WRONG_OUTPUT"]


# ---- limits ---------------------------------------------------------------------------------------------


def test_wall_clock_is_the_backstop():
    begin = time.monotonic()
    with CodeRunner(Limits(wall_s=0.5)) as runner:
        (case,) = one(runner, SLEEPS, ANY).cases
    assert case.outcome is CodeOutcome.TIMED_OUT
    assert case.cpu_s < 0.5 <= case.wall_s
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("limits", "program", "outcome"),
    [
        ({"cpu_s": 0.3}, "while True: pass", "CPU_EXCEEDED"),
        ({"memory_mb": 128}, "x = bytearray(1 << 30)", "MEMORY_EXCEEDED"),
        ({"output_kb": 64}, "while True: print('x' * 1000)", "OUTPUT_EXCEEDED"),
        ({}, "import os; os.fork()", None),
        ({}, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "KILLED_BY_SIGNAL"),
    ],
)
def test_limits(limits, program, outcome):
    with CodeRunner(Limits(**limits), workers=1) as runner:
        result = one(runner, program, stdio_tests([("", "x")]))
    assert result.passed is False
    assert outcome is None or outcomes(result) == [outcome]


def test_a_program_has_its_cpu_time_in_all():
    limits = Limits(cpu_s=0.4, total_cpu_s=0.5)
    with CodeRunner(limits, workers=1) as runner:
        result = one(runner, "while True: pass", stdio_tests([("", "")] * 5))
    assert outcomes(result)[0] == "CPU_EXCEEDED"
    assert outcomes(result)[-1] == "SKIPPED"
    assert result.score == 0.0


def test_stopping_at_the_first_failure():
    with CodeRunner(workers=1, stop_at_first_failure=True) as runner:
        result = one(runner, "print(input())", stdio_tests([("1", "1"), ("2", "3"), ("4", "4")]))
    assert outcomes(result) == ["PASSED", "WRONG_OUTPUT", "SKIPPED"]
    assert result.score == pytest.approx(1 / 3)


# ---- the pool -------------------------------------------------------------------------------------------


def test_protection_is_reported_by_layer(runner):
    protection = runner.protection
    assert set(protection.layers) >= {"landlock", "seccomp", "rlimits", "namespaces", "cgroup"}
    assert all(type(present) is bool for present in protection.layers.values())
    assert protection.layers["landlock"] is (protection.landlock_abi > 0)
    missing = {name for name, present in protection.layers.items() if not present}
    assert set(protection.reasons) == missing
    assert protection.sufficient and protection.level >= IsolationLevel.LANDLOCK


def test_lower_levels_can_be_had_and_are_reported():
    with CodeRunner(workers=1, max_isolation=IsolationLevel.LANDLOCK) as runner:
        assert runner.protection.level is IsolationLevel.LANDLOCK
        result = one(runner, ADD, SUMS)
    assert (result.passed, result.isolation) == (True, IsolationLevel.LANDLOCK)


def test_too_little_isolation_is_an_error_that_says_so():
    with CodeRunner(
        workers=1, min_isolation=IsolationLevel.NAMESPACES, max_isolation=IsolationLevel.LANDLOCK
    ) as runner:
        assert runner.protection.sufficient is False
        with pytest.raises(g.SandboxUnavailable, match="(?i)namespaces"):
            one(runner, ADD, SUMS)


def test_python_threads_run_while_programs_do(runner):
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.wait(0.005):
            ticks.append(None)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    one(runner, "import time; time.sleep(0.4)", ANY)
    during = len(ticks) - before
    stop.set()
    thread.join()
    assert during > 20


def test_a_run_from_many_threads_at_once(runner):
    results = [None] * 6

    def work(i):
        results[i] = runner.run([f"print({i})"] * 2, [stdio_tests([("", str(i))])] * 2).scores.tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[1.0, 1.0]] * 6


def test_a_stream_of_an_endless_input(runner):
    read = []

    def programs():
        for i in itertools.count():
            read.append(i)
            yield "print(1)" if i % 3 else "print(2)"

    passed = {}
    with closing(runner.stream(programs(), itertools.repeat(stdio_tests([("", "1")])))) as stream:
        for index, result in itertools.islice(stream, 60):
            passed[index] = result.passed
    assert len(passed) == 60
    assert all(value is bool(index % 3) for index, value in passed.items())
    assert len(read) <= 60 + 4 * runner.workers


def test_leaving_a_stream_cancels_what_runs(runner):
    begin = time.monotonic()
    programs = ["print(1)", *[SLEEPS] * 20]
    with closing(runner.stream(programs, [ANY] * 21)) as stream:
        next(stream)
    assert one(runner, ADD, SUMS).passed  # the workers are free again
    assert time.monotonic() - begin < 8


def test_asyncio(runner):
    async def work():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticker = asyncio.create_task(tick())
        batches = [runner.run_async([ADD, "import time; time.sleep(0.1)"], [SUMS, SUMS]) for _ in range(4)]
        results = await asyncio.gather(*batches)
        ticker.cancel()
        return [r.scores.tolist() for r in results], ticks

    scores, ticks = asyncio.run(work())
    assert scores == [[1.0, 0.0]] * 4
    assert ticks > 10


def test_asyncio_cancellation_frees_the_workers(runner):
    async def work():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runner.run_async([SLEEPS] * 8, [ANY] * 8), 0.3)
        return await runner.run_async([ADD], [SUMS])

    begin = time.monotonic()
    assert asyncio.run(work()).passed.all()
    assert time.monotonic() - begin < 8


def test_closing_ends_a_stream_that_waits():
    runner = CodeRunner(workers=1)
    stream = runner.stream(itertools.repeat(SLEEPS), itertools.repeat(ANY))
    timer = threading.Timer(0.5, runner.close)
    timer.start()
    with pytest.raises(g.InputError, match="the runner is closed"):
        for _, result in stream:
            assert (result.outcome, result.passed) == (CodeOutcome.CANCELLED, None)
    timer.join()


def test_closing_leaves_nothing_behind():
    code = f"""
import os, sys
import grpo_rs as g
runner = g.CodeRunner(workers=2)
before = sorted(os.listdir("/proc/self/fd"))
runner.run([{ADD!r}] * 4, [g.stdio_tests([("1 2", "3")])] * 4)
children = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()
stream = runner.stream(["import time; time.sleep(60)"] * 4, [g.stdio_tests([("", "")])] * 4)
runner.close()
runner.close()
after = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()
print(len(children) > 0, after, sorted(os.listdir("/proc/self/fd")) == before)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == "True [] True\n", ended


def test_a_process_that_ends_without_closing():
    code = f"""
import grpo_rs as g
runner = g.CodeRunner()
print(runner.run([{ADD!r}], [g.stdio_tests([("1 2", "3")])]).scores)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[1.]\n", "")


def test_ctrl_c_ends_a_run():
    code = f"""
import grpo_rs as g
runner = g.CodeRunner(workers=1)
print("ready", flush=True)
try:
    runner.run([{SLEEPS!r}] * 50, [g.stdio_tests([("", "")])] * 50)
except KeyboardInterrupt:
    print(runner.run([{ADD!r}], [g.stdio_tests([("1 2", "3")])]).scores)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "[1.]\n")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_has_a_pool_of_its_own(runner):
    """As data loaders and some trainers fork: the child must neither hang nor end the parent's workers."""
    assert one(runner, ADD, SUMS).passed
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            mine = runner.run([ADD, "print(3)"], [SUMS] * 2).scores.tolist()
            runner.close()
            status = 0 if mine == [1.0, 0.5] else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert one(runner, ADD, SUMS).passed


@pytest.mark.parametrize(
    ("python", "message"),
    [("/no/such/python", "there is no such file"), ("/etc/passwd", r"give the path in sys\.executable")],
)
def test_an_interpreter_that_cannot_be_used(python, message):
    with pytest.raises(g.InputError, match=message), CodeRunner(python=python) as runner:
        runner.run(["1"], [SUMS])


def test_a_package_that_is_not_there():
    with pytest.raises(g.InputError, match="'no_such_package' cannot be imported here"):
        CodeRunner(packages=["no_such_package"])


def test_numpy_is_there(runner):
    pytest.importorskip("numpy")
    assert one(runner, "import numpy as np\nprint(np.arange(4).sum())", stdio_tests([("", "6")])).passed


# ---- programs in replies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1\n```\nor\n```python\nx = 2\n```\ndone", "x = 2"),
        ("<think>```python\nx = 1\n```</think>\n```python\nx = 2\n```", "x = 2"),
        ("I cannot.", None),
        ("", None),
    ],
)
def test_programs_in_replies(reply, program):
    found = g.extract_program(reply)
    assert (found if found is None else found.strip()) == program
