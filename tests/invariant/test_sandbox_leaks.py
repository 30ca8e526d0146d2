"""Thousands of runs, of programs that end in every way, leave nothing: not in the trainer, not beside it."""

import gc
import itertools
import os

import pytest
from grpo_rs import (
    CodeOutcome,
    CodeRunner,
    IsolationLevel,
    Limits,
    assert_tests,
    call_tests,
    stdio_tests,
    unittest_tests,
)

pytestmark = [pytest.mark.usefixtures("sandbox", "own_tmp"), pytest.mark.timeout(1200)]

LIMITS = Limits(wall_s=20.0, cpu_s=0.5, memory_mb=256, output_kb=64)
STDIO = stdio_tests([("a\n", "a\n")])
CALLS = call_tests("f", [(([1],), [1, 2])])
SPLIT = assert_tests("try:\n    f(1)\nexcept ValueError:\n    pass\nassert f([1]) == [1, 2]")
UNITTEST = unittest_tests(
    "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): self.assertEqual(f([1]), [1, 2])"
)
F = "def f(x):\n    if x == 1: raise ValueError\n    return x + [2]\n"

# (what it is, program, tests, outcome)
KINDS = [
    ("right", "print(input())", STDIO, "PASSED"),
    ("wrong", "print(input() + 'b')", STDIO, "WRONG_OUTPUT"),
    ("raises", "1 / 0", STDIO, "RUNTIME_ERROR"),
    ("aborts", "import os; os.abort()", STDIO, "KILLED_BY_SIGNAL"),
    ("kills itself", "import os; os.kill(os.getpid(), 9)", STDIO, "KILLED_BY_SIGNAL"),
    ("forbidden", "import os; os.fork(); print(input())", STDIO, "RUNTIME_ERROR"),
    (
        "leaves threads",
        "import threading, time\nfor _ in range(5):\n"
        "    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\nprint(input())",
        STDIO,
        "PASSED",
    ),
    (
        "leaves files",
        "for i in range(20): open(f'file-{i}', 'w').write('x' * 9999)\nprint(input())",
        STDIO,
        "PASSED",
    ),
    (
        "leaves deep folders",
        "import os\nfor i in range(60):\n    os.mkdir('d' * 50); os.chdir('d' * 50)\nprint(input())",
        STDIO,
        "PASSED",
    ),
    (
        "closes its descriptors",
        "import os\nprint(input(), flush=True)\nos.closerange(0, 64)",
        STDIO,
        "PASSED",
    ),
    ("closes its channel", "import os\nos.close(4)\nos.close(3)", CALLS, "RUNTIME_ERROR"),
    ("floods", "while True: print('x' * 9999)", STDIO, "OUTPUT_EXCEEDED"),
    ("hoards", "x = bytearray(1 << 33)", STDIO, "MEMORY_EXCEEDED"),
    ("torn frame", "import os; os.write(4, b'\\xff\\xff'); os._exit(0)", CALLS, "BAD_REPLY"),
    ("calls", F, CALLS, "PASSED"),
    ("wrong calls", "def f(x): return x", CALLS, "WRONG_OUTPUT"),
    ("no entry point", "g = 1", CALLS, "NO_ENTRY_POINT"),
    ("split", F, SPLIT, "PASSED"),
    ("split crash", F + "    \nimport os\ndef f(x): os.abort()", SPLIT, "KILLED_BY_SIGNAL"),
    ("unittest", F, UNITTEST, "PASSED"),
    ("no program", "def f(:", STDIO, "COMPILE_ERROR"),
]
# Each takes its whole limit, so there are few of them.
SLOW_KIND = ("loops", "while True: pass", STDIO, "CPU_EXCEEDED")
SLOW_SHARE = 200


def check(runner, count):
    """Runs so many programs and looks at every verdict."""
    kinds = list(itertools.islice(itertools.cycle(KINDS), count))
    kinds[SLOW_SHARE::SLOW_SHARE] = [SLOW_KIND] * len(kinds[SLOW_SHARE::SLOW_SHARE])
    for index, result in runner.stream((kind[1] for kind in kinds), (kind[2] for kind in kinds)):
        name, _, _, outcome = kinds[index]
        assert result.outcome.name == outcome, (name, result)


def cancel_some(runner):
    """Programs that somebody stops waiting for."""
    stream = runner.stream(["import time; time.sleep(60)", "print(input())"] * 4, [STDIO] * 8)
    assert next(stream)[1].outcome in (CodeOutcome.PASSED, CodeOutcome.RUNTIME_ERROR)
    stream.close()


@pytest.mark.parametrize("level", [None, IsolationLevel.LANDLOCK], ids=["full", "landlock"])
def test_runs_leave_nothing(tree, many, level):
    gc.collect()
    files, mounts, own = tree.files(), tree.mounts(), tree.descriptors(os.getpid())
    others = {one.pid for one in tree.descendants()}
    runner = CodeRunner(LIMITS, workers=2, max_isolation=level)
    check(runner, 6 * len(KINDS))
    cancel_some(runner)

    def look():
        gc.collect()
        below = [one for one in tree.descendants() if one.pid not in others]
        everyone = [os.getpid(), *(one.pid for one in below)]
        return (
            {one.pid for one in below},
            {pid: tree.descriptors(pid) for pid in everyone},
            {pid: tree.resident_kb(pid) for pid in everyone},
            tree.files(),
            tree.mounts(),
        )

    before = look()
    check(runner, many(900 if level is None else 350, 5000))
    cancel_some(runner)
    assert tree.wait_until(lambda: look()[0] == before[0]), "processes came or went"
    assert tree.wait_until(lambda: tree.zombies() == []), "processes that nobody reaped"
    after = look()
    assert after[1] == before[1], "open descriptors"
    assert after[3:] == before[3:], "files or mounts"
    # The trainer's allocator keeps what results took for a moment.
    grown = {pid: after[2][pid] - kb for pid, kb in before[2].items()}
    assert grown.pop(os.getpid()) < 24 << 10, "the trainer's memory, in KiB"
    assert all(kb < 4 << 10 for kb in grown.values()), grown

    runner.close()
    ended = [one for one in tree.processes() if one.pid in before[0]]
    assert tree.are_gone(ended, 5.0), "processes after closing"
    assert [one for one in tree.descendants() if one.pid not in others] == []
    assert tree.zombies() == []
    assert tree.descriptors(os.getpid()) == own
    assert (tree.files(), tree.mounts()) == (files, mounts)


def test_runners_leave_nothing(tree, many):
    """As above for runners, which come and go with each epoch in some trainers."""

    def once(level):
        with CodeRunner(LIMITS, workers=2, max_isolation=level) as runner:
            assert runner.run(["print(input())"] * 4, [STDIO] * 4).passed.all()

    levels = itertools.cycle([None, IsolationLevel.LANDLOCK])
    once(None)
    gc.collect()
    before = tree.descriptors(os.getpid()), tree.files(), tree.mounts(), tree.descendants()
    resident = tree.resident_kb(os.getpid())
    for level in itertools.islice(levels, many(10, 200)):
        once(level)
    gc.collect()
    now = tree.descriptors(os.getpid()), tree.files(), tree.mounts(), tree.descendants()
    assert now == before
    assert tree.zombies() == []
    assert tree.resident_kb(os.getpid()) - resident < 8 << 10


def test_processes_of_a_programs_own_end_with_it(tree, sandbox):
    """Where they are allowed at all; also those that want to live on, and those whose parent has gone."""
    if sandbox.level < IsolationLevel.NAMESPACES:
        pytest.skip("more than one process needs namespaces")
    child, leave = "if os.fork() == 0:\n    ", "{}\n    time.sleep(60)"
    tried = "try: os.{}\n    except OSError: pass"
    ends = {
        "leaves one": child + "time.sleep(60)",
        "leaves orphans": child + "if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nos.wait()",
        "new session": child + leave.format(tried.format("setsid()")),
        "new group": child + leave.format(tried.format("setpgid(0, 0)")),
    }
    with CodeRunner(Limits(processes=64), workers=1) as runner:
        assert runner.run(["print(input())"], [STDIO])[0].passed
        before = {one.pid for one in tree.descendants()}
        for name, end in ends.items():
            program = f"import os, time\n{end}\nprint(input(), flush=True)\nos._exit(0)"
            (result,) = runner.run([program], [STDIO])
            assert result.passed, (name, result)
            assert tree.wait_until(lambda: {one.pid for one in tree.descendants()} == before), name
            assert tree.wait_until(lambda: tree.zombies() == []), name
        # Signals to its own children are not allowed, so one waits for a child that ends by itself.
        (result,) = runner.run(
            ["import os\nif os.fork() == 0: os._exit(7)\nprint(os.wait()[1] >> 8)"], [STDIO]
        )
        assert result.cases[0].stdout == "7\n"
