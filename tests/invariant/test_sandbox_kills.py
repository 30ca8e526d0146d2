"""Somebody kills or stops the sandbox's processes: no verdict is wrong, nothing hangs, nothing is left."""

import contextlib
import os
import random
import signal
import threading
import time

import pytest
from grpo_rs import (
    CodeOutcome,
    CodeRunner,
    InputError,
    IsolationLevel,
    Limits,
    assert_tests,
    call_tests,
    stdio_tests,
)

pytestmark = [pytest.mark.usefixtures("sandbox", "own_tmp"), pytest.mark.timeout(600)]

LEVELS = pytest.mark.parametrize("level", [None, IsolationLevel.LANDLOCK], ids=["full", "landlock"])
LIMITS = Limits(wall_s=30.0, cpu_s=5.0, memory_mb=256)
ANY = stdio_tests([("", "")])
RIGHT = "import time\ndef f(x):\n    time.sleep(0.03)\n    return x + 1\n"
WRONG = RIGHT.replace("x + 1", "x + 2")
MAIN = "if __name__ == '__main__': print(f(int(input())))"
STDIO = stdio_tests([("1", "2"), ("4", "5")])
CALLS = call_tests("f", [((1,), 2), ((4,), 5)])
SPLIT = assert_tests("for i in range(2): assert f(i) == i + 1")
FILES = "i = 0\nwhile True:\n    open(f'{i % 500}', 'w').write('x')\n    i += 1"


@contextlib.contextmanager
def killing(tree, others, every_s, seed):
    """Kills one process of the runner's after the other while the block runs; yields who was."""
    choice, over, killed = random.Random(seed), threading.Event(), []

    def work():
        while not over.wait(every_s * choice.uniform(0.5, 1.5)):
            below = [one for one in tree.descendants() if one.pid not in others]
            if below:
                killed.append(choice.choice(below))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(killed[-1].pid, signal.SIGKILL)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def everything_is_gone(tree, others, own):
    below = [one for one in tree.descendants() if one.pid not in others]
    assert tree.are_gone(below, 5.0)
    assert tree.zombies() == []
    assert tree.files() <= own  # other people's may go meanwhile


@LEVELS
def test_no_verdict_is_wrong_while_processes_are_killed(tree, many, level):
    others, own = {one.pid for one in tree.descendants()}, tree.files()
    kinds = [
        (program, tests, program.startswith(RIGHT))
        for program, tests in (
            (RIGHT + MAIN, STDIO),
            (WRONG + MAIN, STDIO),
            (RIGHT, CALLS),
            (WRONG, CALLS),
            (RIGHT, SPLIT),
            (WRONG, SPLIT),
        )
    ]
    batch = kinds * many(15, 400)
    with CodeRunner(LIMITS, workers=2, max_isolation=level) as runner:
        ready = runner.run([kind[0] for kind in kinds], [kind[1] for kind in kinds])
        assert ready.passed.tolist() == [kind[2] for kind in kinds]
        # Seldom enough that no test meets it three times, which nothing could tell from its own doing.
        with killing(tree, others, 0.15, seed=level or 0) as killed:
            results = runner.run([kind[0] for kind in batch], [kind[1] for kind in batch])
        assert len(killed) > 5
        for (_, _, is_right), result in zip(batch, results, strict=True):
            if result.outcome is not CodeOutcome.NOT_RUN:
                expected = CodeOutcome.PASSED if is_right else CodeOutcome.WRONG_OUTPUT
                assert result.outcome is expected, result
        assert sum(result.is_scorable for result in results) > 0.8 * len(batch)
        ready = runner.run([kind[0] for kind in kinds], [kind[1] for kind in kinds])
        assert ready.passed.tolist() == [kind[2] for kind in kinds]
    everything_is_gone(tree, others, own)


def test_a_program_that_kills_itself_did_so():
    """As far as anybody can tell, so it is tried again before that is believed."""
    with CodeRunner(LIMITS, workers=1) as runner:
        (case,) = runner.run(["import os; os.kill(os.getpid(), 9)"], [ANY])[0].cases
        assert (case.outcome, case.signal) == (CodeOutcome.KILLED_BY_SIGNAL, 9)
        (result,) = runner.run(["import os\ndef f(i): os.kill(os.getpid(), 9)"], [SPLIT])
        assert result.outcome is CodeOutcome.KILLED_BY_SIGNAL


@LEVELS
def test_a_killed_supervisor_takes_its_programs_with_it(tree, many, level):
    """Also one that is writing files, which must not outlive it."""
    others, own = {one.pid for one in tree.descendants()}, tree.files()
    limits = Limits(wall_s=1.0, cpu_s=30.0)
    for _ in range(many(1, 30)):
        with CodeRunner(limits, workers=1, max_isolation=level) as runner:
            stream = runner.stream([FILES], [ANY])
            thread = threading.Thread(target=lambda stream=stream: list(stream))
            thread.start()
            assert tree.wait_until(
                lambda: len(tree.descendants()) - len(others) >= (4 if level is None else 3)
            )
            time.sleep(0.1)
            below = [one for one in tree.descendants() if one.pid not in others]
            os.kill(below[0].pid, signal.SIGKILL)
            assert tree.are_gone(below, 5.0)
            thread.join()
        everything_is_gone(tree, others, own)


@pytest.mark.parametrize(
    ("level", "which"),
    [(None, 0), (None, 1), (IsolationLevel.LANDLOCK, 0)],
    ids=["full", "inner", "landlock"],
)
def test_closing_does_not_wait_for_a_stopped_process(tree, level, which):
    """`which` of the chain: the supervisor, or the first process of its process table."""
    others, own = {one.pid for one in tree.descendants()}, tree.files()
    runner = CodeRunner(LIMITS, workers=1, max_isolation=level)
    assert runner.run([RIGHT + MAIN], [STDIO]).passed.all()
    below = [one for one in tree.descendants() if one.pid not in others]
    os.kill(below[which].pid, signal.SIGSTOP)
    ends = []

    def work():
        # Far more than a socket holds: it cannot even be sent.
        tests = stdio_tests([("x" * (4 << 20), "")])
        with pytest.raises(InputError, match="closed"):
            ends.extend(runner.run(["import time; time.sleep(60)"] * 2, [tests] * 2))

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    begin = time.monotonic()
    runner.close()
    thread.join()
    assert time.monotonic() - begin < 15
    assert not any(result.is_scorable for result in ends)
    everything_is_gone(tree, others, own)


def test_an_interpreter_that_is_killed_between_runs_is_replaced(tree):
    others = {one.pid for one in tree.descendants()}
    with CodeRunner(LIMITS, workers=1) as runner:
        for _ in range(3):
            assert runner.run([RIGHT + MAIN, RIGHT], [STDIO, CALLS]).passed.all()
            *_, interpreter = [one for one in tree.descendants() if one.pid not in others]
            os.kill(interpreter.pid, signal.SIGKILL)
            assert tree.are_gone([interpreter])


def test_a_host_that_has_nothing_left_is_no_verdict(tree):
    """Supervisors that cannot be replaced, in the middle of a batch, cost no other result."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    others = {one.pid for one in tree.descendants()}
    with CodeRunner(LIMITS, workers=2) as runner:
        assert runner.run([RIGHT], [CALLS]).passed.all()  # one worker's supervisor at least is there
        below = [one for one in tree.descendants() if one.pid not in others]
        resource.setrlimit(resource.RLIMIT_NOFILE, (tree.descriptors(os.getpid()) - 1, hard))
        try:
            os.kill(below[0].pid, signal.SIGKILL)
            results = runner.run([RIGHT] * 6, [CALLS] * 6)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert {result.outcome.name for result in results} <= {"PASSED", "NOT_RUN"}
        unscored = [result for result in results if not result.is_scorable]
        assert unscored
        assert all("too many open files" in result.note.lower() for result in unscored)
        assert runner.run([RIGHT] * 4, [CALLS] * 4).passed.all()
