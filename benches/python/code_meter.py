"""Processor time of a whole tree of processes, counted by the kernel where it can.

A supervisor that lives on is not in `RUSAGE_CHILDREN` until it has been waited for, and a process that is its
own reaper never is. A control group counts all of them, at once and to the microsecond. What no way counts
is work that the kernel does later for nobody in particular, such as taking down network namespaces: that
flatters the tools that make one for each run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

METERS = ("cpuacct", "cgroup2", "proc")

# Spends 0.15 s itself and 0.15 s in a child, then waits to be told to end.
BURN = """
import os, sys, time
sys.stdin.readline()
child = os.fork()
while time.process_time() < 0.15:
    pass
if not child:
    os._exit(0)
os.waitpid(child, 0)
print("done", flush=True)
sys.stdin.readline()
"""


class Group(ABC):
    """The processes that descend from one that was admitted."""

    @abstractmethod
    def admit(self, pid: int) -> None:
        """Counts this process, and what it starts from now on."""

    @abstractmethod
    def cpu_s(self) -> float:
        """Processor seconds of all of them so far, in user and in system mode."""

    @abstractmethod
    def processes(self) -> list[int]:
        """Those that live now."""

    @abstractmethod
    def close(self) -> None:
        """Ends what is left of them."""

    def _kill(self) -> None:
        for _ in range(100):
            living = self.processes()
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not living:
                return
            time.sleep(0.02)


class ControlGroup(Group):
    def __init__(self, folder: Path, version: int) -> None:
        self.folder = folder
        self.version = version
        folder.mkdir()

    def admit(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def cpu_s(self) -> float:
        if self.version == 1:
            return int((self.folder / "cpuacct.usage").read_text()) / 1e9
        figures = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(figures["usage_usec"]) / 1e6

    def processes(self) -> list[int]:
        found: list[int] = []
        for folder, _, _ in os.walk(self.folder):
            with contextlib.suppress(OSError):
                found += map(int, (Path(folder) / "cgroup.procs").read_text().split())
        return found

    def close(self) -> None:
        self._kill()
        for folder, _, _ in os.walk(self.folder, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


class Descendants(Group):
    """Sums over /proc: in ticks of 10 ms, and blind to processes whose parents have left them."""

    def __init__(self) -> None:
        self.root = 0

    def admit(self, pid: int) -> None:
        self.root = pid

    def cpu_s(self) -> float:
        tick = os.sysconf("SC_CLK_TCK")
        # Own user and system time, and that of children waited for.
        return sum(sum(map(int, stat[11:15])) for _, stat in self._stats()) / tick

    def processes(self) -> list[int]:
        return [pid for pid, _ in self._stats()]

    def close(self) -> None:
        self._kill()

    def _stats(self) -> list[tuple[int, list[str]]]:
        """Of each process, /proc/PID/stat from the third field on."""
        stats = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    stats[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
        members = {self.root}
        for _ in stats:
            more = {pid for pid, stat in stats.items() if int(stat[1]) in members} - members
            if not more:
                break
            members |= more
        return [(pid, stats[pid]) for pid in members if pid in stats and stats[pid][0] != "Z"]


@dataclass
class Meter:
    """One way of counting, and what it found when it was tried out."""

    kind: str
    about: str
    home: Path | None
    made: int = 0

    def group(self) -> Group:
        if self.home is None:
            return Descendants()
        self.made += 1
        folder = self.home / f"compare_code-{os.getpid()}-{self.made}"
        return ControlGroup(folder, 1 if self.kind == "cpuacct" else 2)

    def counts(self) -> bool:
        """Whether 0.3 s spent by a process and its child are seen as such."""
        group = self.group()
        command = [sys.executable, "-I", "-S", "-c", BURN]
        try:
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdin is not None and process.stdout is not None
                group.admit(process.pid)
                before = group.cpu_s()
                print(file=process.stdin, flush=True)
                process.stdout.readline()
                spent = group.cpu_s() - before
        finally:
            group.close()
        return 0.25 < spent < 0.4


def find_meter(wanted: str | None = None) -> Meter:
    """The first way of counting that works here: `wanted`, or any."""
    for kind in (wanted,) if wanted else METERS:
        if kind == "cpuacct":
            meter = Meter(kind, "cgroup v1, cpuacct.usage", _home("cgroup", "cpuacct"))
        elif kind == "cgroup2":
            meter = Meter(kind, "cgroup v2, usage_usec of cpu.stat", _home("cgroup2", None))
        else:
            meter = Meter("proc", "sums over /proc/PID/stat, in ticks of 10 ms", None)
        if kind != "proc" and meter.home is None:
            continue
        with contextlib.suppress(OSError):
            if meter.counts():
                return meter
    raise SystemExit(f"processor time cannot be counted by {wanted or 'any of ' + ', '.join(METERS)}")


def _home(filesystem: str, controller: str | None) -> Path | None:
    """The folder of this process's control group, in the hierarchy that has the controller."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind != filesystem or (controller and controller not in options.split(",")):
            continue
        root, point = mount.split()[3:5]
        for group in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = group.split(":", 2)
            if (controller in controllers.split(",")) if controller else not controllers:
                return Path(point) / path.removeprefix(root).lstrip("/")
    return None
