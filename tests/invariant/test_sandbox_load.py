"""A verdict is the program's: it depends neither on the load of the machine nor on chance."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pytest
from grpo_rs import CodeRunner, Limits, call_tests, stdio_tests

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.timeout(600)]

# The wall-clock backstop is far away: under load it takes its time.
LIMITS = Limits(wall_s=120.0, cpu_s=0.3, total_cpu_s=60.0)
ANY = stdio_tests([("", "done")])
# Uses so much CPU time of its own, in one thread or in more.
SPIN = "import time\nwhile time.process_time() < {}: pass\nprint('done')"
THREADS = (
    "import threading, time\n"
    "def spin():\n    while time.process_time() < {}: pass\n"
    "threads = [threading.Thread(target=spin) for _ in range(3)]\n"
    "for thread in threads: thread.start()\n"
    "for thread in threads: thread.join()\n"
    "print('done')"
)
SLEEP = "import time; time.sleep(0.5); print('done')"
CALLED = """
import time
def f(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
"""
CALLS = call_tests("f", [((0.2,), None), ((0.2,), None), ((5.0,), None), ((0.2,), None)])


@contextlib.contextmanager
def busy(count):
    """Keeps the machine busy with so many processes."""
    spin = [sys.executable, "-S", "-c", "print(flush=True)\nwhile True: pass"]
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(spin, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            process.stdout.readline()
        yield


def test_verdicts_are_the_same_under_threefold_oversubscription():
    programs = [SPIN.format(0.22), SPIN.format(60), THREADS.format(0.22), THREADS.format(60), SLEEP, CALLED]
    tests = [ANY] * 5 + [CALLS]
    expected = [["PASSED"], ["CPU_EXCEEDED"], ["PASSED"], ["CPU_EXCEEDED"], ["PASSED"]]
    expected.append(["PASSED", "PASSED", "CPU_EXCEEDED", "PASSED"])

    def outcomes():
        return [[case.outcome.name for case in result.cases] for result in runner.run(programs, tests)]

    cpus = len(os.sched_getaffinity(0))
    with CodeRunner(LIMITS) as runner:
        assert outcomes() == expected
        with busy(3 * cpus):
            assert outcomes() == expected


# What depends on hashes or on seeds, but on no address and no clock.
CHANCE = """
import random
words = [str(i) * 3 for i in range(50)]
print(hash("a"), hash(b"a"), hash((1, "b")), hash(None) if hash(None) < 2 ** 32 else "address")
print(set(words), frozenset(words), {word: 1 for word in set(words)})
print(random.random(), random.sample(words, 5), random.Random(3).random())
"""
NUMPY = "import numpy as np\nprint(np.random.rand(3), np.random.default_rng(1).random())\n"
# In front of the same program: other interpreters, kept warm with other modules.
TIERS = ["", "import json, decimal\n", "import numpy\n"]


def printed(runner, program, times=1):
    """The different outputs of so many runs."""
    results = runner.run([program] * times, [stdio_tests([("", "")])] * times)
    assert all(result.outcome.name == "WRONG_OUTPUT" for result in results), results[0]
    return {result.cases[0].stdout for result in results}


@pytest.mark.parametrize("program", [CHANCE, NUMPY], ids=["hashes", "numpy"])
def test_chance_is_the_same_in_every_run(program):
    seen = set()
    for workers in (1, 3):
        with CodeRunner(workers=workers) as runner:
            seen |= printed(runner, program, 12)
    assert len(seen) == 1


def test_chance_is_the_same_in_every_interpreter():
    with CodeRunner(workers=1) as runner:
        seen = [printed(runner, tier + CHANCE) for tier in TIERS]
    assert seen == seen[:1] * len(TIERS)


@pytest.mark.parametrize("variables", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "PYTHONUTF8": "0"}])
def test_the_trainers_own_hash_seed_does_not_matter(variables):
    code = textwrap.dedent(f"""
        from grpo_rs import CodeRunner, stdio_tests
        with CodeRunner(workers=1) as runner:
            print(runner.run([{CHANCE!r}], [stdio_tests([("", "")])])[0].cases[0].stdout, end="")
    """)
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    with CodeRunner(workers=1) as runner:
        assert printed(runner, CHANCE) == {elsewhere.stdout}
