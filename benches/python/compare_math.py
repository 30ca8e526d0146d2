r"""Our maths verifier beside Math-Verify, verl's graders, Qwen's and the string graders, on the same pairs.

Each grader runs in a process of its own on one core, one pair at a time; a pair that takes longer than
`--limit-s` counts as refused, and its process is replaced. Times are processor times of that process and the
children it has waited for. Ours is also measured as training calls it, a batch at once (on one thread still).

    pip install 'math-verify[antlr4-13-2]' pylatexenc word2number regex numpy
    pip install --no-deps verl trl evalscope==1.0.0 lm-eval openrlhf
    python benches/python/compare_math.py --record
    python benches/python/compare_math.py --data FOLDER
    python benches/python/compare_math.py --parts worst memory --graders ours

Parts: `accuracy` (labelled pairs), `speed` (four rows of pairs made by rule), `hacks` (18 wrong answers to
100 golds), `worst` (ours on inputs that stop other graders), `memory` (growth over a million golds).

A line of a data file has `gold`, `pred`, `expected` (true or false; others are left out) and `pred_form`:
"answer" (is put into `The answer is $\boxed{..}$.`), "text" or "completion" (verbatim). Without `--data` the
labelled pairs are tests/conformance/data/math and the pairs made by rule.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import describe, record, status_mb
from math_graders import GRADERS, INSTALL
from math_pairs import Form, Pair, hacks, pathological, speed_rows

PARTS = ("accuracy", "speed", "hacks", "worst", "memory")
CONFORMANCE = Path(__file__).parents[2] / "tests" / "conformance" / "data" / "math"
PEERS = ("math-verify", "latex2sympy2_extended", "antlr4-python3-runtime", "sympy", "verl", "trl",
         "evalscope", "lm-eval", "openrlhf")  # fmt: skip
# The worst wall time of any one pair.
BAR_MS = 10.0
DISTINCT_GOLDS = 1_000_000
# Each loads a part of sympy, where that is used, before the clock starts.
WARM_UP = ("5", "\\frac{1}{2}", "2\\sqrt{3}+x^2", "[1, 2)", "\\begin{pmatrix} 1 & 2 \\end{pmatrix}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of labelled pairs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["accuracy", "speed", "hacks", "worst"])
    parser.add_argument("--graders", nargs="+", choices=GRADERS, default=list(GRADERS))
    parser.add_argument("--sample", type=int, help="at most so many pairs of each data file, drawn at random")
    parser.add_argument("--pairs", type=int, default=200, help="pairs of each speed row")
    parser.add_argument("--limit-s", type=float, default=15, help="wall seconds a pair may take")
    parser.add_argument(
        "--python",
        nargs="+",
        default=[],
        metavar="GRADER=EXECUTABLE",
        help="another interpreter for a grader",
    )
    parser.add_argument("--list", action="store_true", help="print the pairs that ours decides wrongly")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", choices=GRADERS, help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        serve(arguments.inside, arguments.jobs)
        return

    # Ours on one thread, like the others.
    os.environ["GRPO_RS_NUM_THREADS"] = "1"
    parts = dict.fromkeys(arguments.parts, True)
    labelled = (
        (read(arguments.data, arguments.sample) if arguments.data else own()) if "accuracy" in parts else {}
    )
    speed = speed_rows(arguments.pairs) if "speed" in parts else {}
    hacked = hacks() if "hacks" in parts else {}
    interpreters = dict(item.split("=", 1) for item in arguments.python)

    rows: list[dict[str, Any]] = []
    for name in arguments.graders if labelled or speed or hacked else ():
        run = Run(name, interpreters.get(name, sys.executable), arguments.limit_s)
        missing = run.missing()
        if missing:
            print(f"{name} skipped: {missing}. {INSTALL}", file=sys.stderr)
            continue
        row: dict[str, Any] = {"grader": name, "about": GRADERS[name].about}
        begin = time.perf_counter()
        if labelled:
            row["accuracy"] = accuracy(run, labelled, arguments.list and name == "ours")
            if name == "ours":
                row["accuracy"]["batch_ms"] = batch_ms(
                    [pair for pairs in labelled.values() for pair in pairs]
                )
        if speed:
            row["speed"] = {
                of: {**figures(run.grade(pairs)), **({"batch_ms": batch_ms(pairs)} if name == "ours" else {})}
                for of, pairs in speed.items()
            }
        if hacked:
            row["hacks"] = {of: accepted(run.grade(pairs)) for of, pairs in hacked.items()}
        rows.append(row)
        print(f"{name}: done in {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)

    result: dict[str, Any] = {"benchmark": "compare_math", "parts": arguments.parts}
    if rows:
        result |= {"labelled_pairs": {of: len(pairs) for of, pairs in labelled.items()}, "graders": rows}
        print(table(rows))
        if hacked:
            print(hack_table(rows))
    if "worst" in parts:
        result["worst"] = worst()
        print(worst_table(result["worst"]))
    if "memory" in parts:
        result["memory"] = memory()
        print(f"memory: {result['memory']}")
    result["machine"] = describe(*PEERS)
    if arguments.record:
        record("compare_math", result)
    print(json.dumps(result))


# ---- the data ----------------------------------------------------------------------------------------------


def read(folder: Path, sample: int | None) -> dict[str, list[Pair]]:
    """The labelled pairs of a folder, by file."""
    corpora = {}
    for path in sorted(folder.glob("*.jsonl")):
        pairs = [
            Pair(str(line.get("id", number)), line["gold"], line["pred"], line["expected"], line["pred_form"])
            for number, line in enumerate(map(json.loads, path.read_text(encoding="utf-8").splitlines()))
            if line["expected"] is not None
        ]
        if sample is not None and len(pairs) > sample:
            pairs = random.Random(0).sample(pairs, sample)
        if pairs:
            corpora[path.stem] = pairs
    return corpora


def own() -> dict[str, list[Pair]]:
    """The conformance cases whose way of extraction every other grader has too, and pairs made by rule."""
    written = []
    files = sorted(CONFORMANCE.glob("*.toml"))
    cases = [case for file in files for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]]
    for case in cases:
        if "policy" in case:
            continue
        strategy, outcome = case.get("extract", "auto"), case["outcome"]
        if strategy in ("auto", "boxed", "whole") and not outcome.startswith("GOLD_"):
            form: Form = "answer" if strategy == "whole" else "completion"
            written.append(Pair(case["id"], case["gold"], case["prediction"], outcome == "CORRECT", form))
    return {"conformance": written, **speed_rows(250)}


# ---- a grader in a process of its own ----------------------------------------------------------------------


@dataclass(frozen=True)
class Graded:
    """How a grader decided one pair. The verdict is None if it called the pair not scorable."""

    pair: Pair
    verdict: bool | None
    cpu_ms: float
    failure: str = ""


class Run:
    """A grader's process, started anew when a pair takes too long or ends it."""

    def __init__(self, name: str, interpreter: str, limit_s: float) -> None:
        self.command = [interpreter, str(Path(__file__).resolve()), "--inside", name]
        self.limit_s = limit_s

    def missing(self) -> str:
        """Why the grader cannot be used, or nothing."""
        ended = self._start([])
        error = ended.communicate()[1].decode(errors="replace").strip()
        return error.splitlines()[-1] if ended.returncode else ""

    def grade(self, pairs: Sequence[Pair]) -> list[Graded]:
        graded: list[Graded] = []
        while len(graded) < len(pairs):
            graded += self._grade_some(pairs[len(graded) :])
        return graded

    def _grade_some(self, pairs: Sequence[Pair]) -> list[Graded]:
        """Grades until the process ends or hangs, and at least one pair."""
        process = self._start(pairs)
        assert process.stdout is not None
        graded: list[Graded] = []
        buffer = b""
        # The first answer waits for the imports too.
        limit = self.limit_s + 60
        while len(graded) < len(pairs):
            ready, _, _ = select.select([process.stdout], [], [], limit)
            chunk = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                failure = "crash" if ready else "timeout"
                graded.append(Graded(pairs[len(graded)], verdict=False, cpu_ms=0, failure=failure))
                break
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in filter(None, lines):
                verdict, cpu_ms, failure = json.loads(line)
                if failure != "ready":
                    graded.append(Graded(pairs[len(graded)], verdict, cpu_ms, failure))
            limit = self.limit_s
        process.kill()
        process.wait()
        process.stdout.close()
        return graded

    def _start(self, pairs: Sequence[Pair]) -> subprocess.Popen[bytes]:
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False, encoding="utf-8") as jobs:
            json.dump([(pair.completion, pair.gold, pair.form == "text") for pair in pairs], jobs)
        errors = subprocess.DEVNULL if pairs else subprocess.PIPE
        return subprocess.Popen([*self.command, "--jobs", jobs.name], stdout=subprocess.PIPE, stderr=errors)


def serve(name: str, jobs: Path) -> None:
    """Inside a grader's process: one line of JSON for each job."""
    work = json.loads(jobs.read_text(encoding="utf-8"))
    jobs.unlink()
    # What graders print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    grade = GRADERS[name].load()
    for text in WARM_UP:
        grade(f"It is $\\boxed{{{text}}}$.", text, False)
    print(json.dumps([None, 0, "ready"]), file=answers, flush=True)
    for completion, gold, text in work:
        failure = ""
        begin = cpu_s()
        try:
            verdict = grade(completion, gold, text)
        # Math-Verify's timeout is no Exception.
        except BaseException as error:
            verdict, failure = False, type(error).__name__
        spent = cpu_s() - begin
        print(json.dumps([verdict, spent * 1e3, failure]), file=answers, flush=True)


def cpu_s() -> float:
    """Processor seconds of this process, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


# ---- figures -----------------------------------------------------------------------------------------------


def accuracy(run: Run, corpora: dict[str, list[Pair]], list_wrong: bool) -> dict[str, Any]:
    """Counts over all pairs, and the accuracy of each corpus. Not scorable or failed: counts as refused."""
    counts: dict[str, int] = defaultdict(int)
    by_corpus: dict[str, float] = {}
    cpu_ms = 0.0
    for of, pairs in corpora.items():
        right = 0
        for graded in run.grade(pairs):
            accepts = graded.verdict is True
            expected = graded.pair.expected
            right += accepts == expected
            counts["pairs"] += 1
            counts["false_positives"] += accepts and not expected
            counts["false_negatives"] += expected is True and not accepts
            counts["not_scorable"] += graded.verdict is None
            counts["timeouts"] += graded.failure == "timeout"
            counts["failures"] += graded.failure not in ("", "timeout")
            cpu_ms += graded.cpu_ms
            if list_wrong and accepts != expected:
                kind = "false positive" if accepts else "false negative"
                print(
                    f"{kind}\t{graded.pair.id}\t{graded.pair.gold}\t{graded.pair.pred[-200:]!r}",
                    file=sys.stderr,
                )
        by_corpus[of] = round(right / len(pairs), 4)
    wrong = counts["false_positives"] + counts["false_negatives"]
    return {
        **counts,
        "accuracy": round(1 - wrong / counts["pairs"], 4),
        "macro_accuracy": round(statistics.mean(by_corpus.values()), 4),
        "cpu_ms": round(cpu_ms / counts["pairs"], 5),
        "by_corpus": by_corpus,
    }


def figures(graded: list[Graded]) -> dict[str, float]:
    """Processor time a pair in ms, its distribution, and how many verdicts were right."""
    times = sorted(one.cpu_ms for one in graded)
    return {
        "cpu_ms": round(statistics.mean(times), 5),
        **{f"p{part}_ms": round(times[math.ceil(len(times) * part / 100) - 1], 5) for part in (50, 95, 99)},
        "right": sum((one.verdict is True) == one.pair.expected for one in graded),
        "pairs": len(graded),
    }


def accepted(graded: list[Graded]) -> int:
    return sum(one.verdict is True for one in graded)


def batch_ms(pairs: list[Pair]) -> float:
    """Processor time a pair of ours in one call, the least of several: every gold is read anew each time."""
    from grpo_rs import verify_math

    completions, golds = [pair.completion for pair in pairs], [pair.gold for pair in pairs]
    times = []
    for _ in range(7):
        begin = time.process_time()
        verify_math(completions, golds)
        times.append(time.process_time() - begin)
    return round(min(times) / len(pairs) * 1e3, 5)


def worst() -> list[dict[str, Any]]:
    """The wall time of ours on each hostile input, as gold and prediction, beside a neighbour and itself."""
    from grpo_rs import verify_math

    rows = []
    for pair in pathological():
        longest, accepts_neighbour = 0.0, False
        for gold, pred in ((pair.gold, pair.pred), (pair.pred, pair.gold), (pair.gold, pair.gold)):
            for text in (pred, f"$\\boxed{{{pred}}}$"):
                times = []
                for _ in range(5):
                    begin = time.perf_counter()
                    verdicts = verify_math([text], [gold])
                    times.append(time.perf_counter() - begin)
                # Other processes on the machine only ever add to it.
                longest = max(longest, min(times))
                accepts_neighbour |= gold != pred and bool(verdicts.scores[0] == 1)
        rows.append(
            {"input": pair.id, "wall_ms": round(longest * 1e3, 3), "accepts_neighbour": accepts_neighbour}
        )
    return rows


def memory() -> dict[str, float]:
    """How far the resident memory grows from the first tenth of a million distinct golds to the last."""
    from grpo_rs import verify_math

    batch = 10_000
    resident = {}
    for done in range(0, DISTINCT_GOLDS, batch):
        golds = [f"\\frac{{{k}}}{{{k % 89 + 2}}}\\sqrt{{{k % 7 + 2}}}" for k in range(done, done + batch)]
        verify_math([f"So $\\boxed{{{gold}}}$." for gold in golds], golds)
        resident[done + batch] = round(status_mb("VmRSS"), 1)
    first, last = resident[DISTINCT_GOLDS // 10], resident[DISTINCT_GOLDS]
    return {
        "golds": DISTINCT_GOLDS,
        "first_tenth_mb": first,
        "last_mb": last,
        "growth_mb": round(last - first, 1),
    }


# ---- tables ------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]]) -> str:
    """All graders in one table; times are processor ms a pair, with the ratio to ours in brackets."""
    first = rows[0]
    our = next((row for row in rows if row["grader"] == "ours"), None)
    heads = ["grader"]
    if "accuracy" in first:
        heads += [
            "accuracy",
            "macro",
            "false pos.",
            "false neg.",
            "not scorable",
            "timeouts",
            "failures",
            "ms a pair",
        ]
    heads += [f"{of} ms" for of in first.get("speed", {})]
    hack_pairs = 100 * len(first.get("hacks", {}))
    heads += [f"hacks of {hack_pairs}"] if hack_pairs else []
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        cells = [row["grader"]]
        if "accuracy" in row:
            found = row["accuracy"]
            cells += [f"{found['accuracy']:.1%}", f"{found['macro_accuracy']:.1%}"]
            counted = ("false_positives", "false_negatives", "not_scorable", "timeouts", "failures")
            cells += [str(found[kind]) for kind in counted]
            cells.append(shown(found, our and our["accuracy"]))
        for of, found in row.get("speed", {}).items():
            cells.append(shown(found, our and our["speed"][of]))
        if "hacks" in row:
            cells.append(str(sum(row["hacks"].values())))
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(found: dict[str, Any], ours: dict[str, Any] | None) -> str:
    """Milliseconds a pair, in a batch if they are ours, and how many times ours the others take."""
    ms = found.get("batch_ms", found["cpu_ms"])
    return f"{ms:.4g}" + (f" ({ms / ours['batch_ms']:.3g}x)" if ours and found is not ours else "")


def hack_table(rows: list[dict[str, Any]]) -> str:
    """Which hack each grader accepts how often."""
    lines = [["accepted of 100", *(row["grader"] for row in rows)], ["---"] * (len(rows) + 1)]
    lines += [[f"`{of}`", *(str(row["hacks"][of]) for row in rows)] for of in rows[0]["hacks"]]
    return "\n".join(["", *(f"| {' | '.join(cells)} |" for cells in lines)])


def worst_table(rows: list[dict[str, Any]]) -> str:
    lines = ["", f"| input | worst wall ms (bar {BAR_MS:g}) | accepts a neighbour |", "| --- | --- | --- |"]
    for row in rows:
        over = " OVER" if row["wall_ms"] > BAR_MS else ""
        lines.append(f"| `{row['input']}` | {row['wall_ms']:.3f}{over} | {row['accepts_neighbour']} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
