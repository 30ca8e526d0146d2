"""What a runner's processes hold, read from /proc."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process; its start tells it from a later one of the same number."""

    pid: int
    parent: int
    start: int

    @property
    def is_there(self):
        return process(self.pid) == self


def process(pid):
    """The process of this number; None if there is none, or if it has ended and waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[1]), int(fields[19]))


def processes():
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [one for one in found if one is not None]


def descendants(root=None):
    """The processes below one (this one if none is given), parents before their children."""
    children = {}
    for one in processes():
        children.setdefault(one.parent, []).append(one)
    found = list(children.get(root or os.getpid(), []))
    for one in found:
        found += children.get(one.pid, [])
    return found


def zombies():
    """Numbers of processes below this one that have ended and were not reaped."""
    parents = {one.pid for one in descendants()} | {os.getpid()}
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) in parents:
            found.append(int(name))
    return found


def descriptors(pid):
    """How many files a process has open; None if we may not look."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


def resident_kb(pid):
    """Memory of a process's own: what it shares with files or with its parent does not grow it."""
    pages, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    return (pages - shared) * os.sysconf("SC_PAGE_SIZE") // 1024


def files():
    """What lies where a sandbox could leave something."""
    folders = [Path(tempfile.gettempdir()), Path("/dev/shm")]
    return {path for folder in folders if folder.is_dir() for path in folder.iterdir()}


def mounts():
    return Path("/proc/self/mountinfo").read_text().splitlines()


def wait_until(condition, seconds=10.0):
    """Whether a condition holds in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def are_gone(some, seconds=10.0):
    """Whether all of these processes end in time."""
    return wait_until(lambda: not any(one.is_there for one in some), seconds)
