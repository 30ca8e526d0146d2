"""Plays the trainer for test_attacks.py: `python driver.py LEVEL [ID ...]` prints a report as JSON.

It is a process of its own, so that an attack on the trainer does not end the tests, and so that it can
become another user. It plants the canaries, runs every payload on its routes, among honest programs,
and then looks at what became of the canaries and what is left over.
"""

import ctypes
import importlib.util
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import corpus

NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x1000, 0x4000, 1 << 18, 2
WORKERS = 4
LIMITS = {
    "quick": {"wall_s": 6.0, "cpu_s": 1.0},
    "burn": {"wall_s": 6.0, "cpu_s": 0.4},
    "wait": {"wall_s": 2.0, "cpu_s": 1.0},
    "many": {"wall_s": 4.0, "cpu_s": 1.0, "processes": 8},
}
COMMON_LIMITS = {"memory_mb": 256, "output_kb": 256, "file_mb": 4, "disk_mb": 16}
# The trainer itself: what it may grow to while it reads what hostile programs send.
TRAINER_PEAK_MB = 700
HONEST_EVERY = 8

CASES = [((2, 3), 5), ((10, -4), 6), ((1000, 1), 1001)]
SPLIT = {
    "split_eq": "for a, b in [(2, 3), (10, -4), (7, 7)]:\n    assert add(a, b) == a + b\n",
    "split_abs": "for a, b in [(2, 3), (10, -4)]:\n    assert abs(add(a, b) - (a + b)) < 0.5\n",
    "split_truth": "for a, b in [(2, 3), (10, -4)]:\n    assert not add(a, b) - (a + b)\n",
    "split_in": "for a, b in [(2, 3), (10, -4)]:\n    assert add(a, b) in [a + b]\n",
    "split_mutate": (
        "for size in [2, 3]:\n    xs = list(range(size))\n    add(xs, 7)\n"
        "    assert xs == list(range(size)) + [7]\n"
    ),
    "split_callback": (
        "for size in [2, 3]:\n    seen = []\n    add(seen.append, size)\n"
        "    assert seen == list(range(size))\n"
    ),
    "split_raises": (
        "for a in [1, 2]:\n    try:\n        add(a, None)\n    except ZeroDivisionError:\n        continue\n"
        "    raise AssertionError('nothing was raised')\n"
    ),
}
HONEST_ROUTES = (*SPLIT, "calls", "close", "lowered", "method", "stdio", "stdio2", "stdio_floats")
# "CANARY-PROGRAM-@" is what zyg_07 looks for in the memory of later runs.
HONEST_FUNCTION = """
# CANARY-PROGRAM-@honest
def add(a, b):
    if b is None: return 1 // 0
    if isinstance(a, list): a.append(b); return None
    if callable(a): [a(n) for n in range(b)]; return None
    return a + b
class Solution:
    def add(self, a, b): return a + b
"""
HONEST_PROGRAM = """
# CANARY-PROGRAM-@honest
import sys
for line in sys.stdin: print(sum(map(int, line.split())))
"""


# ---- another user ---------------------------------------------------------------------------------------


class Unavailable(Exception):
    """This level cannot be produced on this machine."""


def become_nobody():
    """Gives up root. What the interpreter needs stays readable where it is.

    A directory that others may not enter (root's home, often) is covered by an empty one that holds the
    needed folders, in a mount namespace of our own: paths stay the same, nothing outside changes.
    """
    if os.geteuid() != 0:
        raise Unavailable("only root can become another user; the other levels already run unprivileged")
    needed = [Path(entry) for entry in (sys.prefix, sys.base_prefix, *sys.path) if entry]
    package = importlib.util.find_spec("grpo_rs")
    needed += [Path(place) for place in package.submodule_search_locations] if package else []
    needed += [path.resolve() for path in needed]
    covered = {}
    for path in needed:
        closed = [folder for folder in reversed(path.parents) if folder.exists() and not is_open(folder)]
        if closed and path.exists():
            covered.setdefault(closed[0], set()).add(path)
    if covered:
        libc = ctypes.CDLL(None, use_errno=True)
        check(libc.unshare(CLONE_NEWNS), "a mount namespace")
        mount(libc, None, "/", None, MS_REC | MS_PRIVATE)
        for folder, paths in covered.items():
            cover(libc, folder, outermost(paths))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.environ["HOME"] = "/"
    os.chdir("/")


def is_open(folder):
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def outermost(paths):
    return sorted(path for path in paths if not any(other in path.parents for other in paths))


def cover(libc, folder, paths):
    stage = Path(tempfile.mkdtemp())
    mount(libc, "tmpfs", stage, "tmpfs", 0, "mode=755")
    for number, path in enumerate(paths):
        (stage / str(number)).mkdir()
        mount(libc, path, stage / str(number), None, MS_BIND | MS_REC)
    mount(libc, "tmpfs", folder, "tmpfs", 0, "mode=755")
    for number, path in enumerate(paths):
        path.mkdir(parents=True)
        mount(libc, stage / str(number), path, None, MS_BIND | MS_REC)
    check(libc.umount2(os.fsencode(stage), MNT_DETACH), "unmounting the stage")
    stage.rmdir()


def mount(libc, source, target, kind, flags, data=None):
    encoded = [None if item is None else os.fsencode(item) for item in (source, target, kind)]
    check(libc.mount(*encoded, flags, None if data is None else data.encode()), f"a mount on {target}")


def check(answer, what):
    if answer != 0:
        raise Unavailable(f"{what}: {os.strerror(ctypes.get_errno())}")


# ---- canaries -------------------------------------------------------------------------------------------


class Canaries:
    """What an attack could read, change, reach or kill, and whether it did."""

    def __init__(self):
        self.token = os.urandom(4).hex()
        self.memory = [f"CANARY-MEM-{self.token}" for _ in range(3)]
        self.base = Path(tempfile.mkdtemp(prefix="attack_", dir="/tmp"))
        self.base.chmod(0o755)
        self.secret = self.write("secret.txt", f"CANARY-FS-{self.token}", 0o644)
        self.drop = self.folder("drop")
        self.precious = self.write("drop/precious", "precious", 0o644)
        self.module = self.write("trainer_module.py", "value = 1\n", 0o666)
        self.tmp = self.folder("tmp")
        (self.tmp / "other_run_1").mkdir()
        self.write("tmp/other_run_1/solution.py", f"CANARY-TMP-{self.token}", 0o644)
        self.cwd = self.folder("cwd")
        os.chdir(self.cwd)
        os.environ["CANARY_TOKEN"] = f"CANARY-ENV-{self.token}"
        os.environ["TMPDIR"] = str(self.tmp)
        tempfile.tempdir = None
        held = os.open(self.write("held", f"CANARY-FD-{self.token}", 0o600), os.O_RDONLY)
        for number in (77, 300):
            os.dup2(held, number, inheritable=True)
        self.listeners = self._listen()
        self.victim = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                f"import time; s = 'CANARY-MEM-{self.token}'; time.sleep(900)",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.precious_state = self._state()

    def folder(self, name):
        path = self.base / name
        path.mkdir()
        path.chmod(0o777)
        return path

    def write(self, name, text, mode):
        path = self.base / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def _listen(self):
        self.abstract, self.socket_path = f"attack-{self.token}", self.base / "service.sock"
        datagram_path = f"{self.socket_path}.dgram"
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(self.socket_path)),
            (socket.AF_UNIX, socket.SOCK_DGRAM, datagram_path),
            (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.abstract),
        ]
        listeners = []
        for family, kind, address in places:
            listener = socket.socket(family, kind)
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen(100)
            listener.setblocking(False)
            listeners.append(listener)
        for path in (self.socket_path, Path(datagram_path)):
            path.chmod(0o777)
        return listeners

    def _state(self):
        names = sorted(os.listdir(self.drop))
        if not self.precious.exists():
            return names
        seen = self.precious.stat()
        about = (seen.st_mode, seen.st_uid, seen.st_nlink, seen.st_mtime_ns)
        return [*names, *about, self.precious.read_text()]

    def places(self):
        return {
            "SECRET": self.secret,
            "DROP": self.drop,
            "PKG": self.module,
            "TMP": self.tmp,
            "VICTIM": self.victim.pid,
            "PORT": self.listeners[0].getsockname()[1],
            "UDP": self.listeners[1].getsockname()[1],
            "SOCK": self.socket_path,
            "ABS": self.abstract,
            "TRAINER": os.getpid(),
            "HERE": corpus.PAYLOADS.parent,
        }

    def harm(self):
        """What was touched, as sentences; attacks name themselves in what they write."""
        found = []
        if self.victim.poll() is not None:
            found.append("the bystander is dead")
        elif Path(f"/proc/{self.victim.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt":
            found.append("the bystander is stopped")
        if self._state() != self.precious_state:
            found.append(f"the trainer's file changed: {self._state()}")
        if self.module.read_text() != "value = 1\n":
            found.append("the trainer's module changed")
        for folder in (self.cwd, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/")):
            names = [name for name in os.listdir(folder) if re.match(r"leak_|left_|pwn_", name)]
            found += [f"left in {folder}: {name}" for name in names]
        for listener in self.listeners:
            found += [f"received: {data!r}" for data in self._received(listener)]
        queues = Path("/dev/mqueue")
        found += [f"a message queue: {path}" for path in queues.glob("q*_ipc")] if queues.exists() else []
        for table in ("shm", "sem", "msg"):
            path = Path("/proc/sysvipc") / table
            keys = (
                [int(line.split()[0]) for line in path.read_text().splitlines()[1:]] if path.exists() else []
            )
            found += [f"System V {table} {key:x}" for key in keys if key in (0x5EED, 0x5EEE, 0x5EEF)]
        return found

    @staticmethod
    def _received(listener):
        while True:
            try:
                if listener.type == socket.SOCK_DGRAM:
                    yield listener.recv(100)
                else:
                    connection, _ = listener.accept()
                    connection.settimeout(0.5)
                    yield connection.recv(100)
            except OSError:
                return

    def remove(self):
        self.victim.kill()
        self.victim.wait()
        os.chdir("/")
        shutil.rmtree(self.base, ignore_errors=True)


# ---- running --------------------------------------------------------------------------------------------


def tests_of(g, route, *, many, expected=None):
    """The tests of one route; `many`: more than one case."""
    cases = [(args, value if expected is None else expected) for args, value in CASES[: 3 if many else 1]]
    text = [(f"{a} {b}\n", f"{value}\n") for (a, b), value in cases]
    if route in SPLIT:
        return g.assert_tests(SPLIT[route], entry_point="add")
    if route == "lowered":
        return g.assert_tests("".join(f"assert add{args} == {value}\n" for args, value in cases))
    if route == "stdio2":
        return g.stdio_tests([("2 3\n10 -4\n1 1\n", "5\n6\n2\n")])
    if route.startswith("stdio"):
        comparator = {"stdio_floats": g.Floats()}.get(route, route.partition("_")[2] or "lines")
        return g.stdio_tests(text, comparator=comparator)
    if route == "close":
        return g.call_tests("add", cases, tolerance=1e-6)
    return g.call_tests("Solution.add" if route == "method" else "add", cases)


def runner_options(g, level):
    options = {"workers": WORKERS}
    if level in ("landlock", "abi1"):
        options["max_isolation"] = g.IsolationLevel.LANDLOCK
    if level == "abi1":
        options["landlock_abi"] = 1
    return options


def jobs_of(payloads, places, level):
    """(payload, route, program): fewer routes for slow payloads at levels that differ little."""
    for payload in payloads:
        routes = payload.routes()
        if payload.group != "quick" and level in ("abi1", "unprivileged"):
            routes = routes[:1]
        program = payload.program(places)
        yield from ((payload, route, program) for route in routes)


def run_group(g, level, group, payloads, places):
    """Records of one group of payloads, and what went wrong with the honest programs among them."""
    jobs = list(jobs_of(payloads, places, level))
    many = group == "quick"
    batch = []
    for number, (payload, route, program) in enumerate(jobs):
        expected = eval(payload.header["expected"]) if "expected" in payload.header else None
        batch.append((number, program, tests_of(g, route, many=many, expected=expected)))
        if number % HONEST_EVERY == 0:
            batch.append((None, *honest(g, HONEST_ROUTES[number // HONEST_EVERY % len(HONEST_ROUTES)])))
    batch += [(None, *honest(g, route)) for route in HONEST_ROUTES]
    limits = g.Limits(**LIMITS[group], **COMMON_LIMITS)
    records, dishonoured = [], []
    with g.CodeRunner(limits, **runner_options(g, level)) as runner:
        warm = [honest(g, route) for route in ("calls", "stdio") * WORKERS]
        runner.run(*map(list, zip(*warm, strict=True)))
        results = runner.run([program for _, program, _ in batch], [tests for *_, tests in batch])
        last = runner.run(*map(list, zip(*[honest(g, "calls"), honest(g, "stdio")], strict=True)))
        protection = runner.protection
    for (number, _, _), result in zip(batch, results, strict=True):
        if number is None:
            dishonoured += [describe(result)] if result.passed is not True else []
        else:
            records.append(record_of(jobs[number][0], jobs[number][1], result))
    dishonoured += [f"afterwards: {describe(result)}" for result in last if result.passed is not True]
    return records, dishonoured, {"level": int(protection.level), "landlock_abi": protection.landlock_abi}


def honest(g, route):
    program = HONEST_PROGRAM if route.startswith("stdio") else HONEST_FUNCTION
    return program, tests_of(g, route, many=True)


def describe(result):
    return str(
        [(case.outcome.name, case.exception, case.message, case.stderr[-200:]) for case in result.cases]
    )


def record_of(payload, route, result):
    printed = "\n".join(f"{case.stdout}\n{case.stderr}" for case in result.cases)
    said = {
        kind: sorted(set(re.findall(rf"{kind}:{payload.id}:([^\n]*)", printed)))
        for kind in ("MET", "EVIDENCE")
    }
    return {
        "id": payload.id,
        "route": route,
        "outcomes": [case.outcome.name for case in result.cases],
        "met": said["MET"],
        "evidence": said["EVIDENCE"],
        "isolation": int(result.isolation),
        "integrity": result.integrity,
        "seconds": round(sum(case.wall_s for case in result.cases), 3),
        "details": describe(result)[:1000],
    }


# ---- leftovers ------------------------------------------------------------------------------------------


def descendants():
    """Ids and names of all processes below this one; orphans are ours too, as we are their reaper."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(text.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append((int(entry.name), text[: text.rindex(")") + 3]))
    below, waiting = [], [os.getpid()]
    while waiting:
        for pid, name in children.get(waiting.pop(), ()):
            below.append(name)
            waiting.append(pid)
    return below


def traces(canaries):
    """What a runner could leave behind."""
    return {
        "processes": [name for name in descendants() if not name.startswith(f"{canaries.victim.pid} ")],
        "files": sorted(str(path) for path in canaries.tmp.rglob("*")),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "mounts": Path("/proc/self/mountinfo").read_text(),
    }


def leftovers(canaries, before):
    """What is there now and was not before, once it had time to go away."""
    for _ in range(30):
        after = traces(canaries)
        changed = [
            f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name]
        ]
        if not changed:
            break
        time.sleep(0.1)
    return changed


def main(level, *ids):
    if level == "unprivileged":
        become_nobody()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    canaries = Canaries()
    report = {"level": level, "records": [], "honest": [], "leftovers": [], "protection": {}}
    try:
        import grpo_rs as g

        payloads = [payload for payload in corpus.load_all() if corpus.supported(payload)]
        payloads = [payload for payload in payloads if corpus.applies(payload, level)]
        payloads = [payload for payload in payloads if not ids or payload.id in ids]
        for group in corpus.GROUPS:
            chosen = [payload for payload in payloads if payload.group == group]
            if not chosen:
                continue
            before = traces(canaries)
            records, dishonoured, report["protection"] = run_group(g, level, group, chosen, canaries.places())
            report["records"] += records
            report["honest"] += dishonoured
            report["leftovers"] += leftovers(canaries, before)
        report["harm"] = canaries.harm()
        # Not ru_maxrss, which begins with the peak of whoever started this process.
        status = Path("/proc/self/status").read_text()
        report["peak_mb"] = int(re.search(r"VmHWM:\s*(\d+)", status)[1]) >> 10
    finally:
        canaries.remove()
    return report


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except Unavailable as reason:
        print(json.dumps({"skip": str(reason)}))
