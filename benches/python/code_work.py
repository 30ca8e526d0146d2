"""What the judges of `compare_code.py` are given: small programs, data sets, mutants, a GRPO step.

Only the standard library is used: a peer's interpreter reads this file too.
"""

from __future__ import annotations

import ast
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One program and its tests.

    Attributes:
        id: of the task.
        kind: "stdio", "calls" or "asserts".
        source: the whole program.
        right: whether it should pass; None where that is not known.
        stdio: (stdin, expected stdout) pairs.
        entry_point: the function that is called, or that `tests` check.
        calls: (arguments, expected value) pairs; of an assert test, the same tests as values, if known.
        tests, setup, prompt: an assert test's source; what runs before it, after the program (MBPP's makes
            instances of the program's class); what the model was shown.
    """

    id: str
    kind: str
    source: str
    right: bool | None = True
    stdio: tuple[tuple[str, str], ...] = ()
    entry_point: str = ""
    calls: tuple[tuple[tuple[Any, ...], Any], ...] = ()
    tests: str = ""
    setup: str = ""
    prompt: str = ""

    @property
    def asserts(self) -> str:
        """The tests as statements, to stand behind the program."""
        if self.kind == "calls":
            return "\n".join(f"assert {self.entry_point}(*{args!r}) == {want!r}" for args, want in self.calls)
        # HumanEval defines check(candidate); MBPP has the statements themselves.
        call = f"\ncheck({self.entry_point})" if self.entry_point else ""
        return self.tests + call

    @property
    def script(self) -> str:
        """Program and tests in one file, as a judge by exit code wants them."""
        return f"{self.source}\n{self.setup}\n{self.asserts}\n"


def output_matches(stdout: str, expected: str) -> bool:
    """Equal lines; spaces at their ends and empty lines at the end do not count. As ours by default."""

    def lines(text: str) -> list[str]:
        return [line.rstrip() for line in text.rstrip().splitlines()]

    return lines(stdout) == lines(expected)


# ---- small programs ----------------------------------------------------------------------------------------

TINY = "n = int(input())\nnumbers = list(map(int, input().split()))\nprint(sum(numbers), max(numbers))\n"
TINY_CASE = ("5\n3 1 4 1 5\n", "14 5\n")

FUNCTION = "def add_up(numbers, start=0):\n    return start + sum(numbers), max(numbers)\n"
FUNCTION_CALLS = ((([3, 1, 4],), (8, 4)), (([1, 5, 9, 2], 6), (23, 9)), (([6],), (6, 6)))

NUMPY = """import numpy as np
n = int(input())
a = np.arange(n * n).reshape(n, n) % 7
product = a @ a.T
print(int(product.sum()), int(np.sort(a.ravel())[-1]), a.mean(axis=0).round(3).tolist())
"""


def numpy_case() -> tuple[str, str]:
    n = 8
    rows = [[(i * n + j) % 7 for j in range(n)] for i in range(n)]
    total = sum(sum(x * y for x, y in zip(left, right, strict=True)) for left in rows for right in rows)
    means = [round(sum(row[j] for row in rows) / n, 3) for j in range(n)]
    return f"{n}\n", f"{total} {max(map(max, rows))} {means}\n"


def speed_jobs(kind: str) -> Job:
    """The program of a speed row."""
    if kind == "stdio":
        return Job("tiny", "stdio", TINY, stdio=(TINY_CASE,))
    if kind == "numpy":
        return Job("numpy", "stdio", NUMPY, stdio=(numpy_case(),))
    if kind == "calls":
        return Job("function", "calls", FUNCTION, entry_point="add_up", calls=FUNCTION_CALLS)
    statements = "".join(f"    assert candidate(*{args!r}) == {want!r}\n" for args, want in FUNCTION_CALLS)
    return Job(
        "function",
        "asserts",
        FUNCTION,
        entry_point="add_up",
        calls=FUNCTION_CALLS,
        tests=f"def check(candidate):\n{statements}",
    )


# ---- data sets ---------------------------------------------------------------------------------------------

DATA_FILES = {"humaneval": "HumanEval.jsonl", "mbpp": "mbpp.jsonl"}


def read_tasks(folder: Path, name: str) -> list[Job]:
    """The reference solutions of HumanEval or MBPP with their tests, and calls recorded from these."""
    values = _recorded(folder / "recorded_calls.json")
    jobs = []
    for line in (folder / DATA_FILES[name]).read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        if name == "humaneval":
            jobs.append(
                Job(
                    task["task_id"],
                    "asserts",
                    task["prompt"] + task["canonical_solution"],
                    entry_point=task["entry_point"],
                    tests=task["test"],
                    prompt=task["prompt"],
                    calls=values.get(("humaneval", task["task_id"]), (task["entry_point"], ()))[1],
                )
            )
            continue
        number = str(task["task_id"])
        jobs.append(
            Job(
                number,
                "asserts",
                task["code"].replace("\r\n", "\n"),
                tests="\n".join(task["test_list"]).replace("\r\n", "\n"),
                setup=task["test_setup_code"].replace("\r\n", "\n"),
                calls=values.get(("mbpp", number), ("", ()))[1],
            )
        )
    return jobs


def called_name(job: Job) -> str:
    """The function that an MBPP test calls first: the one that the program defines."""
    if job.entry_point:
        return job.entry_point
    defined = {node.name for node in ast.parse(job.source).body if isinstance(node, ast.FunctionDef)}
    names = (node.id for node in ast.walk(ast.parse(job.tests)) if isinstance(node, ast.Name))
    return next((name for name in names if name in defined), "")


def _recorded(path: Path) -> dict[tuple[str, str], tuple[str, tuple[tuple[tuple[Any, ...], Any], ...]]]:
    """Calls of one function that can be read back as values, by data set and task."""
    found: dict[tuple[str, str], tuple[str, tuple[tuple[tuple[Any, ...], Any], ...]]] = {}
    if not path.exists():
        return found
    for task in json.loads(path.read_text(encoding="utf-8"))["tasks"]:
        names = {call["fn"] for call in task["calls"]}
        if len(names) != 1 or any(call["kwargs"] != "{}" for call in task["calls"]):
            continue
        try:
            calls = tuple(
                (ast.literal_eval(call["args"]), ast.literal_eval(call["out"])) for call in task["calls"]
            )
        except ValueError:
            continue
        found[task["dataset"], str(task["task_id"])] = (names.pop(), calls)
    return found


def read_iostyles(folder: Path, tests: int) -> list[Job]:
    """Correct programs that read and print in different idioms, all on the same tests."""
    cases = json.loads((folder / "iostyles" / "tests.json").read_text(encoding="utf-8"))[:tests]
    stdio = tuple((case["input"], case["output"]) for case in cases)
    return [
        Job(path.stem, "stdio", path.read_text(encoding="utf-8"), stdio=stdio)
        for path in sorted((folder / "iostyles").glob("*.py"))
    ]


# ---- mutants -----------------------------------------------------------------------------------------------

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutate(job: Job, seed: int) -> Job | None:
    """The job with one operator or constant of its program changed, below the prompt; None without any."""
    tree = ast.parse(job.source)
    first = job.prompt.count("\n")
    sites: list[ast.AST] = []
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) <= first:
            continue
        if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
            mutable = type(node.op) in OPERATORS
        elif isinstance(node, ast.Compare):
            mutable = type(node.ops[0]) in OPERATORS
        else:
            mutable = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
        if mutable:
            sites.append(node)
    if not sites:
        return None
    site = random.Random(f"{job.id}/{seed}").choice(sites)
    if isinstance(site, ast.Compare):
        site.ops[0] = OPERATORS[type(site.ops[0])]()
    elif isinstance(site, ast.Constant):
        site.value = not site.value if isinstance(site.value, bool) else site.value + 1
    elif isinstance(site, ast.BinOp | ast.AugAssign | ast.BoolOp):
        site.op = OPERATORS[type(site.op)]()
    changed = ast.unparse(tree)
    return Job(
        f"{job.id}~{seed}",
        "asserts",
        changed + "\n",
        right=None,
        entry_point=job.entry_point,
        tests=job.tests,
        setup=job.setup,
        prompt=job.prompt,
    )


def mutants(jobs: Sequence[Job], count: int) -> list[Job]:
    """So many mutants of the jobs, spread over them."""
    order = random.Random(0).sample(list(jobs), len(jobs))
    found: list[Job] = []
    for seed in range(1 + 2 * count // max(len(order), 1)):
        for job in order:
            mutant = mutate(job, seed)
            if mutant is not None and len(found) < count:
                found.append(mutant)
    return found


# ---- a GRPO step -------------------------------------------------------------------------------------------

RIGHT = (
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), max(a), len(set(a)))\n",
    "import sys\n\n\ndef main():\n    data = sys.stdin.read().split()\n    a = [int(x) for x in data[1:]]\n"
    "    print(sum(a), max(a), len(set(a)))\n\n\nif __name__ == '__main__':\n    main()\n",
    "from collections import Counter\nfrom functools import reduce\nn = int(input())\n"
    "a = [int(x) for x in input().split()]\nprint(reduce(lambda x, y: x + y, a), max(a), len(Counter(a)))\n",
    "import heapq\nimport math\nn = int(input())\na = list(map(int, input().split()))\n"
    "print(round(math.fsum(a)), heapq.nlargest(1, a)[0], len(dict.fromkeys(a)))\n",
)
WRONG = (
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), min(a), len(a))\n",
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a) + 1, max(a), len(set(a)))\n",
    "print(0)\n",
)
RAISES = (
    "n = int(input())\na = list(map(int, input().split()))\nprint(a[n])\n",
    "n, m = map(int, input().split())\nprint(n + m)\n",
    "import sys\nn = int(input())\nprint(1 // (n - n))\n",
)
LOOPS = ("n = int(input())\nwhile n == n:\n    pass\n", "n = int(input())\nx = 1\nwhile x:\n    x += n\n")


def step_jobs(programs: int, tests: int, loops: bool) -> list[Job]:
    """Completions: 60 % right, 30 % wrong, 5 % that raise, 5 % endless ones (else more right ones)."""
    random_ = random.Random(programs)
    stdio = []
    for _ in range(tests):
        numbers = [random_.randrange(-1000, 1000) for _ in range(random_.randrange(2, 60))]
        want = f"{sum(numbers)} {max(numbers)} {len(set(numbers))}\n"
        stdio.append((f"{len(numbers)}\n{' '.join(map(str, numbers))}\n", want))
    jobs = []
    for number in range(programs):
        share = number % 20
        if share == 19 and loops:
            sources = LOOPS
        elif share == 18:
            sources = RAISES
        else:
            sources = RIGHT if share < 12 or share == 19 else WRONG
        # No two texts are equal: nothing is gained by remembering one.
        source = f"{random_.choice(sources)}# completion {number}\n"
        jobs.append(Job(f"{number}", "stdio", source, right=sources is RIGHT, stdio=tuple(stdio)))
    return jobs


BUSY = """def spend(count, n):
    x = 0
    for i in range(count):
        x = (x + i * n) % 1000003
    return x
"""


def loops_of_a_second() -> int:
    """How often the loop of `BUSY` runs in a processor second here, by the best of a few tries."""
    names: dict[str, Any] = {}
    exec(BUSY, names)
    count, times = 1_000_000, []
    for _ in range(5):
        begin = time.process_time()
        names["spend"](count, 7)
        times.append(time.process_time() - begin)
    return int(count / min(times))


def load_jobs(loops_of_a_second: int, cpu_s: float) -> list[Job]:
    """Right programs that need `cpu_s` processor seconds, wrong ones that need the same, and two endless."""
    count = int(loops_of_a_second * cpu_s)
    busy = BUSY + f"\nn = int(input())\nprint(n + 0 * spend({count}, n)"
    case = (("7\n", "7\n"),)
    kinds = [(f"{busy})\n", True)] * 8 + [(f"{busy} + 1)\n", False)] * 2 + [(LOOPS[0], False)] * 2
    return [Job(f"{n}", "stdio", source, right, stdio=case) for n, (source, right) in enumerate(kinds)]


# ---- runs that end badly -----------------------------------------------------------------------------------


def leak_jobs(count: int) -> list[Job]:
    """Programs, some of which leave behind what they can: files, children, memory, threads, output."""
    bad = (
        TINY,
        TINY.replace("sum(numbers)", "sum(numbers) + 1"),
        "raise ValueError('no')\n",
        "import os\nos._exit(3)\n",
        "import os\nos.abort()\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "print('x' * 300_000)\n",
        "import os, sys\nwhile True:\n    os.write(1, b'x' * 65536)\n",
        "held = [bytearray(16 << 20) for _ in range(64)]\n",
        "import os\nif os.fork() == 0:\n    import time\n    time.sleep(1000)\n",
        "import tempfile\nopen(tempfile.mkstemp()[1], 'w').write('left behind')\n",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(0.01,), daemon=True).start()\n",
        "import os\nkept = [os.pipe() for _ in range(200)]\nprint(len(kept))\n",
        "import sys\nsys.stdin.close()\nsys.stdout.close()\n",
    )
    # Nine of ten end as programs usually do; the others in turn.
    return [
        Job(f"{n}", "stdio", bad[n // 10 % len(bad)] if n % 10 == 0 else TINY, None, stdio=(TINY_CASE,))
        for n in range(count)
    ]
