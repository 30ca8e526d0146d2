r"""What rewards add to the time of a step: scored after sampling, or while it goes on.

Sampling is played by a loop that multiplies one vector a slot with matrices of the shapes of SmolLM2-135M's
(30 layers, float32; attention left out), one turn a token, with as many slots as `--slots`. Completions end
after a geometric number of tokens (mean a quarter of the limit) and the next takes the slot, as in continuous
batching; their texts were written beforehand:

- maths: 700 bytes of reasoning and a boxed fraction, radical, polynomial or matrix, half of them wrong;
- code: Python programs with 5 stdio tests each: one in four fails some, one in sixteen never ends;
- python: a user's function by its path, in its process, that takes `--python-ms` for each completion.

The sides of a row take turns in one process: sampling alone, sampling and then the weighted sum on all,
sampling beside `StreamingScorer`. Seconds are wall time, medians over turns: overlap is what is measured, so
run it on a quiet machine. "Added" is what a side takes beyond sampling alone, as a share of that; since the
processor is shared, it depends on `--threads` of the sampling: the default leaves a core free. With
`--token-ms` the sampling sleeps instead, as one on a GPU lets the processor do. "In the way" is the CPU time
that streaming costs the thread that samples, beyond sampling alone. `--peers` adds, once, what peers do:
completions one after another in a loop, Math-Verify (if installed) for maths, a new interpreter for each test
for code.

    python benches/python/reward_overlap.py --record
    python benches/python/reward_overlap.py --threads 2 --rows code --peers
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from grpo_rs import CodeRunner, Limits, stdio_tests
from grpo_rs.rewards import (
    CodeReward,
    Completions,
    MathReward,
    RewardPool,
    StreamingScorer,
    WeightedSum,
)
from machine import describe, record
from math_pairs import speed_rows

LAYERS, WIDTH, KEYS, INNER, VOCABULARY = 30, 576, 192, 1536, 49152

# The promises: seconds added / seconds of sampling.
BARS = {"math": 0.02, "code": 0.10}

# Of the last line.
KEPT = ("serial", "streaming", "in_the_way_s", "met")

# How long the user's function of the row "python" takes, and how the process that runs it learns that.
PYTHON_COLUMN = "python_s"


@dataclass(frozen=True)
class Row:
    """A step: its completions, what scores them, and what a peer would do with one of them."""

    name: str
    batch: Completions
    rewards: WeightedSum
    verifier: MathReward | None
    peer: Callable[[str, str, Mapping[str, Any]], float] | None
    paths: Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=list(ROWS))
    parser.add_argument("--completions", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=48, help="limit of a completion")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="of the sampling")
    parser.add_argument("--token-ms", type=float, help="sleep so long for a token, instead of multiplying")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--python-ms", type=float, default=20.0)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    sampling = Sampling(arguments.slots, arguments.tokens, arguments.token_ms)
    rows = [measure(ROWS[name](arguments), sampling, arguments) for name in arguments.rows]
    result = {
        "benchmark": "reward_overlap",
        "completions": arguments.completions,
        "tokens": arguments.tokens,
        "slots": arguments.slots,
        "threads": arguments.threads,
        "token_ms": arguments.token_ms,
        "turns": arguments.turns,
        "rows": rows,
    }
    if arguments.record:
        record("reward_overlap", result | {"machine": describe()})
    print(json.dumps({row["row"]: {k: row[k] for k in KEPT} for row in rows}))


class Sampling:
    """Stands for a sampler: takes its time, and says which completion has ended."""

    def __init__(self, slots: int, tokens: int, token_ms: float | None) -> None:
        shapes = [(WIDTH, WIDTH), (WIDTH, KEYS), (WIDTH, KEYS), (WIDTH, WIDTH)]
        shapes += [(WIDTH, INNER), (WIDTH, INNER), (INNER, WIDTH)]
        self.slots, self.tokens, self.token_ms = slots, tokens, token_ms
        self.layers = [[torch.randn(shape) / shape[0] ** 0.5 for shape in shapes] for _ in range(LAYERS)]
        self.head = torch.randn(WIDTH, VOCABULARY)

    @torch.no_grad()
    def stream(self, completions: int) -> Iterator[int]:
        """The places of completions as they end."""
        chance = np.random.default_rng(0)
        lengths = np.minimum(chance.geometric(4 / self.tokens, completions), self.tokens).tolist()
        waiting = list(range(completions))[::-1]
        running: dict[int, int] = {}
        while waiting or running:
            while waiting and len(running) < self.slots:
                place = waiting.pop()
                running[place] = lengths[place]
            self._token(len(running))
            running = {place: left - 1 for place, left in running.items()}
            for place in [place for place, left in running.items() if not left]:
                del running[place]
                yield place

    def _token(self, rows: int) -> None:
        if self.token_ms is not None:
            time.sleep(self.token_ms / 1000)
            return
        x = torch.ones(rows, WIDTH)
        for query, key, value, out, gate, up, down in self.layers:
            attended = (x @ query + (x @ key).sum() + (x @ value).sum()) @ out
            x = torch.nn.functional.normalize(x + attended)
            x = torch.nn.functional.normalize(x + (torch.nn.functional.silu(x @ gate) * (x @ up)) @ down)
        (x @ self.head).argmax(-1)


def measure(row: Row, sampling: Sampling, arguments: argparse.Namespace) -> dict[str, Any]:
    """Times the sides of a row in turn, prints its line, and returns what was found."""
    batch, count = row.batch, len(row.batch)
    known = {"math": row.verifier} if row.verifier else {}

    def alone() -> None:
        for _ in sampling.stream(count):
            pass

    def serial() -> None:
        alone()
        row.rewards(batch, known={name: verifier(batch) for name, verifier in known.items()})

    def streaming() -> None:
        with StreamingScorer(pool) as scorer:
            for key in sampling.stream(count):
                scorer.submit(key, batch.texts[key], batch.golds[key], "", batch.rows[key])
            waits.append(scorer.finish().report.waited_s)

    waits: list[float] = []
    seconds: dict[str, list[float]] = {"alone": [], "serial": [], "streaming": []}
    own: dict[str, list[float]] = {"alone": [], "serial": [], "streaming": []}
    with RewardPool(row.rewards, row.verifier, paths=row.paths) as pool:
        sides = {"alone": alone, "serial": serial, "streaming": streaming}
        for side in sides.values():  # warm: workers start
            side()
        waits.clear()
        for turn in range(arguments.turns):
            for name in (list(sides), list(sides)[::-1])[turn % 2]:
                began, of_thread = time.perf_counter(), time.thread_time()
                sides[name]()
                seconds[name].append(time.perf_counter() - began)
                own[name].append(time.thread_time() - of_thread)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    added = {name: median[name] / median["alone"] - 1 for name in ("serial", "streaming")}
    in_the_way = statistics.median(own["streaming"]) - statistics.median(own["alone"])
    bar = BARS.get(row.name)
    found: dict[str, Any] = {
        "row": row.name,
        "seconds": {name: round(value, 4) for name, value in median.items()},
        "all": {name: [round(value, 4) for value in values] for name, values in seconds.items()},
        "waited_s": round(statistics.median(waits), 4),
        "serial": round(added["serial"], 4),
        "streaming": round(added["streaming"], 4),
        "in_the_way_s": round(in_the_way, 4),
        "bar": bar,
        "met": None if bar is None else added["streaming"] <= bar,
    }
    line = ", ".join(f"{name} {value:.3f} s" for name, value in median.items())
    print(
        f"{row.name}: {line}; rewards add {added['serial']:.1%} serial, {added['streaming']:.1%} streaming "
        f"(waited {found['waited_s'] * 1000:.1f} ms, in the way {in_the_way * 1000:.1f} ms)",
        flush=True,
    )
    if arguments.peers and row.peer is not None:
        began = time.perf_counter()
        for item in zip(batch.texts, batch.golds, batch.rows, strict=True):
            row.peer(*item)
        found["peer_loop_s"] = round(time.perf_counter() - began, 4)
        print(f"{row.name}: a loop over completions, as peers: {found['peer_loop_s']:.3f} s", flush=True)
    return found


# ---- the rows ------------------------------------------------------------------------------------------


def math_row(arguments: argparse.Namespace) -> Row:
    half = arguments.completions // 2
    pairs = speed_rows(half)
    chosen = [pair for both in zip(pairs["latex"], pairs["structured"], strict=True) for pair in both]
    batch = Completions(
        texts=[pair.completion for pair in chosen],
        golds=[pair.gold for pair in chosen],
        prompts=[""] * len(chosen),
        rows=[{}] * len(chosen),
    )
    verifier = MathReward()
    try:
        from math_verify import parse, verify
    except ImportError:
        peer = None
    else:

        def peer(text: str, gold: str, _row: Mapping[str, Any]) -> float:
            return float(verify(parse(f"$\\boxed{{{gold}}}$"), parse(text)))

    return Row("math", batch, WeightedSum({"math": verifier}, {"math": 1.0}), verifier, peer, {})


PROGRAMS = [
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), max(a))\n",
    "input()\na = [int(x) for x in input().split()]\nt = 0\nfor x in a:\n    t += x\nprint(t, max(a))\n",
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), a[0])\n",
    "import sys\nn, *a = map(int, sys.stdin.read().split())\nprint(sum(a), max(a))\n",
]
ENDLESS = "while True:\n    pass\n"


def code_row(arguments: argparse.Namespace) -> Row:
    chance = random.Random(0)
    cases = []
    for size in (3, 5, 8, 20, 50):
        numbers = [chance.randint(-99, 99) for _ in range(size)]
        cases.append((f"{size}\n{' '.join(map(str, numbers))}\n", f"{sum(numbers)} {max(numbers)}\n"))
    tests = stdio_tests(cases)
    # Each program is another text, or it would be run once for all of a batch.
    sources = [
        f"# {place}\n{ENDLESS if place % 16 == 7 else PROGRAMS[place % len(PROGRAMS)]}"
        for place in range(arguments.completions)
    ]
    count = len(sources)
    batch = Completions(
        texts=[f"I read the numbers first.\n```python\n{source}```" for source in sources],
        golds=[""] * count,
        prompts=[""] * count,
        rows=[{"tests": tests}] * count,
    )
    runner = CodeRunner(Limits(cpu_s=0.1, wall_s=1.0, total_cpu_s=0.1))
    reward = CodeReward(runner)

    def peer(text: str, _gold: str, _row: Mapping[str, Any]) -> float:
        source = text.partition("```python\n")[2].removesuffix("```")
        passed = 0
        for given, expected in cases:
            try:
                ran = subprocess.run(
                    [sys.executable, "-c", source],
                    input=given,
                    capture_output=True,
                    text=True,
                    timeout=0.5,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                break
            passed += ran.stdout == expected
        return passed / len(cases)

    return Row("code", batch, WeightedSum({"code": reward}, {"code": 1.0}), None, peer, {})


def takes_its_time(completions: Completions) -> list[float]:
    """A user's reward in Python."""
    scores = []
    for row in completions.rows:
        end = time.perf_counter() + row[PYTHON_COLUMN]
        while time.perf_counter() < end:
            pass
        scores.append(1.0)
    return scores


def python_row(arguments: argparse.Namespace) -> Row:
    count = arguments.completions
    rows = [{PYTHON_COLUMN: arguments.python_ms / 1000}] * count
    batch = Completions([""] * count, [""] * count, [""] * count, rows)
    rewards = WeightedSum({"python": takes_its_time}, {"python": 1.0})
    return Row("python", batch, rewards, None, None, {"python": "reward_overlap:takes_its_time"})


ROWS = {"math": math_row, "code": code_row, "python": python_row}


if __name__ == "__main__":
    main()
