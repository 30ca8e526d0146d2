"""`CodeRunner` around its pool: order, laziness, cancellation, threads, refusals. The pool is a stand-in."""

import asyncio
import itertools
import math
import os
import pickle
import threading
from contextlib import aclosing

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import CodeOutcome, CodeRunner, IsolationLevel, Limits, stdio_tests

pytestmark = pytest.mark.usefixtures("fake_core")

ONE = stdio_tests([("", "")])
TWO = stdio_tests([("1", ""), ("2", "")])


def last_batch(runner):
    return runner._pool.batches[-1]


def test_results_are_in_order_of_programs_whatever_finishes_first():
    results = CodeRunner(workers=2).run(
        ["LATE WRONG_OUTPUT", "PASSED", "PASSED CPU_EXCEEDED"], [ONE, ONE, TWO]
    )
    assert results.scores.tolist() == [0.0, 1.0, 0.5]
    assert results.scores.dtype == np.float32
    assert results.passed.tolist() == [False, True, False]
    assert [program.outcome.name for program in results] == ["WRONG_OUTPUT", "PASSED", "CPU_EXCEEDED"]


def test_what_a_result_holds():
    (program,) = CodeRunner().run(["PASSED RUNTIME_ERROR"], [TWO])
    assert (program.integrity, program.isolation, program.note) == ("outside", IsolationLevel.LANDLOCK, "")
    assert program.cases[1] == g.CaseResult(
        outcome=CodeOutcome.RUNTIME_ERROR,
        integrity="outside",
        exit_code=1,
        signal=None,
        stdout="out\n",
        stderr="err\n",
        exception="ValueError",
        line=3,
        wall_s=0.004,
        cpu_s=0.002,
        peak_bytes=1 << 20,
        message="message of RUNTIME_ERROR",
    )
    assert (program.cases[1].wall_ms, program.cases[1].cpu_ms) == (4.0, 2.0)
    assert program.cpu_s == 0.004


@pytest.mark.parametrize("program", ["PASSED NOT_RUN", "PASSED TESTS_INVALID", "PASSED CANCELLED", "BOOM"])
def test_a_fault_of_ours_leaves_no_score(program):
    """It is neither a wrong program nor a right one."""
    results = CodeRunner().run([program, "PASSED SKIPPED"], [TWO, TWO])
    assert math.isnan(results[0].score) and results[0].passed is None
    assert not results[0].outcome.is_scorable
    np.testing.assert_array_equal(results.scores, [math.nan, 0.5])
    assert results.passed.tolist() == [False, False]


def test_a_stream_yields_what_finishes_first():
    stream = CodeRunner(workers=1).stream(["LATE", "PASSED", "WRONG_OUTPUT"], [ONE] * 3)
    # A result that is there is handed on before the next program is read.
    assert [index for index, _ in stream] == [1, 2, 0]


def test_a_stream_reads_a_few_ahead_of_an_endless_input():
    read = []

    def programs():
        for i in itertools.count():
            read.append(i)
            yield "never"

    runner = CodeRunner(workers=3)
    stream = runner.stream(programs(), itertools.repeat(ONE))
    assert read == []
    ended = []

    def wait():
        with pytest.raises(g.InputError, match="the runner is closed"):
            next(stream)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    assert len(read) == 4 * 3
    runner.close()
    thread.join(5)
    assert ended == [True]


def test_leaving_a_stream_cancels_what_is_pending():
    runner = CodeRunner(workers=2)
    for index, _ in runner.stream(["PASSED", *["never"] * 5], [ONE] * 6):
        assert index == 0
        break
    # The generator is gone, and with it what it had submitted.
    assert last_batch(runner).cancelled == (1 if len(last_batch(runner).submitted) > 1 else 0)
    stream = runner.stream(itertools.cycle(["PASSED", "never"]), itertools.repeat(ONE))
    next(stream), next(stream)
    stream.close()
    assert last_batch(runner).cancelled == 1


def test_a_finished_stream_cancels_nothing():
    runner = CodeRunner()
    assert len(list(runner.stream(["PASSED"] * 30, [ONE] * 30))) == 30
    assert last_batch(runner).cancelled == 0


def test_an_error_of_the_input_cancels_and_passes():
    def programs():
        yield "never"
        raise ConnectionError("the server is gone")

    runner = CodeRunner()
    with pytest.raises(ConnectionError):
        list(runner.stream(programs(), itertools.repeat(ONE)))
    assert last_batch(runner).cancelled == 1


def test_ctrl_c_cancels(monkeypatch):
    runner = CodeRunner()
    stream = runner.stream(["never"], [ONE])

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert last_batch(runner).cancelled == 1


def test_asyncio_keeps_the_loop_free_and_the_order():
    runner = CodeRunner(workers=2)

    async def work():
        many = [runner.run_async([f"{['PASSED', 'WRONG_OUTPUT'][i % 2]}"] * 3, [ONE] * 3) for i in range(40)]
        return await asyncio.gather(*many)

    results = asyncio.run(work())
    assert [r.scores.tolist() for r in results] == [[1.0] * 3, [0.0] * 3] * 20


def test_asyncio_cancellation():
    runner = CodeRunner(workers=2)

    async def work():
        task = asyncio.create_task(runner.run_async(["never"] * 50, [ONE] * 50))
        ticks = 0
        while ticks < 5:
            await asyncio.sleep(0.01)
            ticks += 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert last_batch(runner).cancelled == 1
    assert len(last_batch(runner).submitted) == 8


def test_asyncio_stream():
    runner = CodeRunner(workers=1)

    async def work():
        seen = []
        async with aclosing(
            runner.stream_async(itertools.cycle(["PASSED", "never"]), itertools.repeat(ONE))
        ) as s:
            async for index, _ in s:
                seen.append(index)
                if len(seen) == 2:
                    break
        return seen

    assert asyncio.run(work()) == [0, 2]
    assert last_batch(runner).cancelled == 1


def test_threads_share_a_runner():
    runner, results = CodeRunner(workers=2), [None] * 8

    def work(i):
        words = ["PASSED", "WRONG_OUTPUT"]
        results[i] = runner.run([words[(i + k) % 2] for k in range(40)], [ONE] * 40).scores.tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[float((i + k) % 2 == 0) for k in range(40)] for i in range(8)]


def test_closing_is_final_and_may_be_repeated():
    with CodeRunner() as runner:
        stream = runner.stream(["PASSED", "never"], [ONE] * 2)
        next(stream)
    runner.close()
    for use in (
        lambda: runner.run([], []),
        lambda: runner.stream([], []),
        lambda: runner.stream_async([], []),
        lambda: runner.protection,
        runner.__enter__,
        lambda: list(stream),
    ):
        with pytest.raises(g.InputError, match="the runner is closed: make another"):
            use()
    with pytest.raises(g.InputError, match="the runner is closed"):
        asyncio.run(runner.run_async([], []))


def test_a_runner_that_is_forgotten_is_closed(fake_core):
    CodeRunner()
    assert fake_core.made[-1].closed == 1
    runner = CodeRunner.__new__(CodeRunner)
    runner.__del__()  # one whose __init__ raised


def test_a_stream_does_not_go_on_in_a_fork(monkeypatch):
    runner = CodeRunner()
    stream = runner.stream(["PASSED", "never"], [ONE] * 2)
    next(stream)
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(g.InputError, match="begin another there"):
        next(stream)
    assert last_batch(runner).cancelled == 0  # that is the parent's


def test_what_reaches_the_pool(fake_core):
    limits = Limits(wall_s=3, cpu_s=1, memory_mb=256, output_kb=64, processes=2, file_mb=4, disk_mb=8)
    assert limits.numbers() == (3.0, 1.0, 256, 64, 2, 4, 5.0)
    assert Limits(total_cpu_s=2).numbers()[-1] == 2.0
    CodeRunner(
        limits,
        workers=3,
        python="/usr/bin/python3",
        packages=["numpy"],
        min_isolation=IsolationLevel.SECCOMP,
        max_isolation=IsolationLevel.LANDLOCK,
        stop_at_first_failure=True,
        landlock_abi=1,
    )
    config = fake_core.made[-1].config
    expected = {
        "workers": 3,
        "python": "/usr/bin/python3",
        "min_isolation": 1,
        "max_isolation": 2,
        "stop_at_first_failure": True,
        "landlock_abi": 1,
        "disk_mb": 8,
    }
    assert {key: config[key] for key in expected} == expected
    assert "numpy" in config["tiers"][-1][0]
    CodeRunner()
    assert fake_core.made[-1].config["workers"] == len(os.sched_getaffinity(0))


def test_protection():
    protection = CodeRunner(min_isolation=IsolationLevel.NAMESPACES).protection
    assert protection.level is IsolationLevel.LANDLOCK
    assert (protection.landlock_abi, protection.sufficient) == (7, False)
    assert [name for name, there in protection.layers.items() if not there] == list(protection.reasons)
    assert CodeRunner().protection.sufficient


def test_a_runner_is_pickled_without_its_workers(fake_core):
    runner = CodeRunner(Limits(cpu_s=1), min_integrity="split", packages=["json"])
    again = pickle.loads(pickle.dumps(runner))
    assert (again.limits, again.min_integrity) == (runner.limits, "split")
    assert again._pool is not runner._pool
    assert again._pool.config == runner._pool.config


@pytest.mark.parametrize("least", ["outside", "split"])
def test_tests_of_lower_integrity_are_refused_before_anything_is_run(least):
    runner = CodeRunner(min_integrity=least)
    with pytest.raises(
        g.InputError, match=f"program 1 offer the integrity 'in_process' .* min_integrity='{least}'"
    ):
        runner.run(["PASSED"] * 2, [ONE, g.unittest_tests("import a")])
    assert runner._pool.batches == []
    with pytest.raises(g.InputError, match="program 1"):
        list(runner.stream(["never"] * 2, [ONE, g.unittest_tests("import a")]))
    assert last_batch(runner).cancelled == 1


@pytest.mark.parametrize(
    ("programs", "tests", "error", "message"),
    [
        (["1"], [], g.InputError, "1 programs but tests for 0: give each program its tests"),
        (["1", 2], [ONE, ONE], TypeError, "program 1 is a int, not a str"),
        (["1"], [[("1", "2")]], TypeError, "the tests of program 0 are a list: make them with stdio_tests"),
    ],
)
def test_batches_that_do_not_fit(programs, tests, error, message):
    with pytest.raises(error, match=message):
        CodeRunner().run(programs, tests)


def test_streams_that_do_not_fit():
    with pytest.raises(g.InputError, match="programs and tests differ in number"):
        list(CodeRunner().stream(iter(["PASSED"] * 3), iter([ONE] * 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers is 0: give a number from 1 on"),
        ({"min_integrity": "half"}, "min_integrity 'half': give one of outside, split, in_process"),
        ({"packages": "numpy"}, "packages is the text 'numpy': give a list"),
    ],
)
def test_arguments_that_no_runner_can_have(arguments, message):
    with pytest.raises(g.InputError, match=message):
        CodeRunner(**arguments)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"wall_s": 0.0}, "wall_s is 0.0: give a number of seconds above 0"),
        ({"wall_s": -1}, "wall_s is -1: give a number of seconds above 0"),
        ({"cpu_s": math.nan}, "cpu_s is nan: give a number of seconds above 0"),
        ({"total_cpu_s": math.inf}, "total_cpu_s is inf: give a number of seconds above 0"),
        ({"memory_mb": 1}, "memory_mb is 1: give a whole number from 32 to 4294967295"),
        ({"memory_mb": 512.5}, r"memory_mb is 512\.5: give a whole number"),
        ({"processes": 0}, "processes is 0: give a whole number from 1"),
        ({"output_kb": 2**40}, "output_kb is 1099511627776: give a whole number from 0 to 4294967295"),
    ],
)
def test_limits_under_which_nothing_can_run(limits, message):
    with pytest.raises(g.InputError, match=message):
        Limits(**limits)


def test_an_empty_batch():
    results = CodeRunner().run([], [])
    assert len(results) == 0
    assert (results.scores.dtype, results.scores.shape) == (np.float32, (0,))
