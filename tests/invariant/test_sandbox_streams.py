"""What goes in and out of a program, in every amount and at every pace, and what ends it early."""

import asyncio
import itertools
import time

import pytest
from grpo_rs import CodeOutcome, CodeRunner, IsolationLevel, Limits, call_tests, stdio_tests

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.timeout(300)]

ANY = stdio_tests([("", "")])
SLEEPS = "import time; time.sleep(60)"
MIB = 1 << 20


@pytest.fixture(scope="module")
def runner():
    with CodeRunner(Limits(wall_s=30.0, output_kb=8192), workers=1) as runner:
        yield runner


@pytest.fixture(scope="module")
def roomy():
    with CodeRunner(Limits(wall_s=30.0, output_kb=11 << 10), workers=1) as runner:
        yield runner


def one(runner, program, stdin="", expected=""):
    (case,) = runner.run([program], [stdio_tests([(stdin, expected)], comparator="exact")])[0].cases
    return case


# ---- output ---------------------------------------------------------------------------------------------

FLOODS = {
    "stdout": "import sys\nfor _ in range(160): sys.stdout.write('x' * (1 << 16))",
    "stderr": "import sys\nfor _ in range(160): sys.stderr.write('x' * (1 << 16))",
    "both": "import sys\nfor _ in range(160):\n"
    "    sys.stdout.write('x' * 65536); sys.stderr.write('y' * 65536)",
}


@pytest.mark.parametrize("stream", FLOODS)
def test_ten_megabytes_of_output_are_an_outcome_of_their_own(runner, roomy, stream):
    begin = time.monotonic()
    case = one(runner, FLOODS[stream])
    assert case.outcome is CodeOutcome.OUTPUT_EXCEEDED
    assert "output" in case.message
    assert len(case.stdout) <= 8 * MIB
    case = one(roomy, FLOODS[stream], expected="" if stream == "stderr" else "x" * 10 * MIB)
    assert case.outcome is CodeOutcome.PASSED
    assert set(case.stderr) <= {"x", "y"}
    assert len(case.stderr) <= 8 << 10
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("more", [0, 1, 700, 40_000])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_limit_is_exact_however_fast_the_program_ends(stream, more):
    """What is cut at the limit must not be taken for the whole."""
    program = f"import os\nos.write({1 if stream == 'stdout' else 2}, b'x' * {1024 + more})\nos._exit(0)"
    expected = "x" * 1024 if stream == "stdout" else ""
    tests = stdio_tests([("", expected)], comparator="exact")
    with CodeRunner(Limits(output_kb=1), workers=2) as runner:
        results = runner.run([program] * 150, [tests] * 150)
    assert {result.outcome.name for result in results} == {"OUTPUT_EXCEEDED" if more else "PASSED"}


def test_output_that_is_not_allowed_at_all():
    with CodeRunner(Limits(output_kb=0), workers=1) as runner:
        assert one(runner, "pass").outcome is CodeOutcome.PASSED
        assert one(runner, "print('x')").outcome is CodeOutcome.OUTPUT_EXCEEDED


def test_a_slow_drip(runner):
    program = "import time\nfor i in range(30):\n    print(i, flush=True); time.sleep(0.01)"
    assert one(runner, program, expected="".join(f"{i}\n" for i in range(30))).outcome is CodeOutcome.PASSED


@pytest.mark.parametrize(
    "end",
    [
        "sys.stdout.close()",
        "os.close(1)",
        "os.closerange(0, 64)",
        "os.dup2(2, 1)",
        "os._exit(0)",
        "sys.stdout = None",
        "os.close(4)",
    ],
)
def test_what_was_written_before_the_end_counts(runner, end):
    program = f"import os, sys\nsys.stdout.write('written')\nsys.stdout.flush()\n{end}"
    case = one(runner, program, expected="written")
    assert case.outcome is CodeOutcome.PASSED, case


def test_bytes_of_every_kind(runner):
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)))"
    case = one(runner, program, expected="x")
    assert case.outcome is CodeOutcome.WRONG_OUTPUT
    assert case.stdout == bytes(range(256)).decode(errors="replace")
    assert one(runner, "print(end='a\\0b')", expected="a\0b").outcome is CodeOutcome.PASSED


def test_a_pipe_in_packets_is_read_to_its_end(runner):
    """A program may have each of its writes delivered apart; none may be lost."""
    program = (
        "import fcntl, os\n"
        "fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)\n"
        "for i in range(9): os.write(1, b'%d' % i)\n"
        "os._exit(0)"
    )
    for _ in range(40):
        assert one(runner, program, expected="012345678").outcome is CodeOutcome.PASSED


# ---- input ----------------------------------------------------------------------------------------------

NUMBERS = "1\n" * (5 * MIB // 2)


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("print('unread')", "unread\n"),
        ("print(input())", "1\n"),
        ("import sys; print(sum(map(int, sys.stdin)))", f"{5 * MIB // 2}\n"),
        (
            "import os, time\ntotal = 0\n"
            "while chunk := os.read(0, 1 << 18):\n    time.sleep(0.01); total += len(chunk)\nprint(total)",
            f"{5 * MIB}\n",
        ),
        ("import os\nos.close(0)\nprint('closed')", "closed\n"),
    ],
    ids=["unread", "first", "all", "slowly", "closed"],
)
def test_five_megabytes_of_input(runner, program, printed):
    case = one(runner, program, NUMBERS, printed)
    assert case.outcome is CodeOutcome.PASSED, case


@pytest.mark.parametrize("text", ["", "\0", "a\0b\n", "äß∂😀\u2028", "\r\n", "x" * 70_000])
def test_input_arrives_as_it_was_given(runner, text):
    program = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert one(runner, program, text, text).outcome is CodeOutcome.PASSED


def test_what_utf_8_cannot_hold_is_replaced(runner):
    """A lone surrogate, as a tokenizer may make: in a program, in its input, in what is expected of it."""
    assert one(runner, "print(ascii(input()))", "a\ud800b", "'a\\ufffdb'\n").outcome is CodeOutcome.PASSED
    assert one(runner, "print(ascii('a\ud800b'))", "", "'a\\ufffdb'\n").outcome is CodeOutcome.PASSED
    assert one(runner, "print(end='\\ufffd')", "", "\udfff").outcome is CodeOutcome.PASSED
    assert one(runner, "\ud800 = 1").outcome is CodeOutcome.COMPILE_ERROR
    assert one(runner, "x = 1\0").outcome is CodeOutcome.COMPILE_ERROR
    assert one(runner, "é = '∂😀'\nprint(é)", "", "∂😀\n").outcome is CodeOutcome.PASSED


# ---- ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, IsolationLevel.LANDLOCK], ids=["full", "landlock"])
def test_a_cancellation_ends_what_runs(tree, level):
    with CodeRunner(Limits(wall_s=60.0), workers=1, max_isolation=level) as runner:
        assert runner.run(["pass"], [ANY]).passed.all()
        idle = {one.pid for one in tree.descendants()}
        batch = runner._pool.batch()
        for index in range(3):
            batch.submit(index, SLEEPS, ANY.ready, runner.limits.numbers())

        def running():
            return [one for one in tree.descendants() if one.pid not in idle]

        assert tree.wait_until(running)
        (child,) = running()
        batch.cancel()
        assert tree.are_gone([child], 5.0)
        assert runner.run(["print(1)"], [stdio_tests([("", "1")])]).passed.all()
        assert {batch.next(5.0)[1][0][0][0] for _ in range(3)} == {CodeOutcome.CANCELLED}


@pytest.mark.parametrize(
    "program",
    [
        "import os\nfor i in range(200):\n    os.mkdir('d' * 50); os.chdir('d' * 50)",
        "open('f', 'w').write('x' * 2000000)",
    ],
    ids=["deep", "large"],
)
def test_what_is_too_much_on_disk_does_not_depend_on_when_it_is_seen(program):
    """Where no file system of its own bounds it, its folder is looked at now and then, and at the end."""
    with CodeRunner(Limits(disk_mb=1), workers=1, max_isolation=IsolationLevel.LANDLOCK) as runner:
        results = runner.run([program, "pass"] * 10, [ANY] * 20)
    assert {result.outcome.name for result in list(results)[::2]} == {"OUTPUT_EXCEEDED"}
    assert {result.outcome.name for result in list(results)[1::2]} == {"PASSED"}


def test_a_cancelled_task_frees_the_workers():
    async def main(runner):
        task = asyncio.create_task(runner.run_async([SLEEPS] * 8, [ANY] * 8))
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await runner.run_async(["pass"] * 2, [ANY] * 2)

    with CodeRunner(Limits(wall_s=60.0), workers=2) as runner:
        begin = time.monotonic()
        assert asyncio.run(main(runner)).passed.all()
        assert time.monotonic() - begin < 15


def test_a_cancellation_at_any_moment_is_heard(runner):
    """Between two runs nobody is there to be told; the next must not begin all the same."""
    tests, limits = stdio_tests([("", "")] * 2).ready, Limits(wall_s=60.0).numbers()
    for delay in range(60):
        batch = runner._pool.batch()
        batch.submit(0, SLEEPS, tests, limits)
        time.sleep(delay / 20_000)
        batch.cancel()
        _, (cases, *_) = batch.next(20.0)
        assert {case[0] for case in cases} == {CodeOutcome.CANCELLED}


def test_closing_at_any_moment_is_quick():
    """A program that a worker has just taken ends too."""
    for delay in range(16):
        runner = CodeRunner(Limits(wall_s=60.0), workers=2)
        batch = runner._pool.batch()
        for index in range(4):
            batch.submit(index, SLEEPS, ANY.ready, runner.limits.numbers())
        time.sleep(delay / 500)
        begin = time.monotonic()
        runner.close()
        assert time.monotonic() - begin < 8
        ends = [batch.next(1.0)[1][0][0][0] for _ in range(4)]
        assert ends == [CodeOutcome.CANCELLED] * 4


def test_an_endless_input_is_read_a_little_ahead():
    read = itertools.count()

    def programs():
        while True:
            yield f"print({next(read)})"

    with CodeRunner(workers=2) as runner:
        stream = runner.stream(programs(), itertools.repeat(ANY))
        for taken, _ in enumerate(itertools.islice(stream, 50), 1):
            assert next(read) <= taken + 2 * 8 + taken  # `next` itself counts too
        stream.close()


# ---- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_programs_on_any_number_of_workers(workers, count):
    with CodeRunner(workers=workers) as runner:
        programs = [f"print({i})\ndef f(): return {i}" for i in range(count)]
        tests = [
            stdio_tests([("", f"{i}")]) if i % 2 else call_tests("f", [((), i), ((), i)])
            for i in range(count)
        ]
        results = runner.run(programs, tests)
    assert len(results) == count
    assert results.passed.all()
