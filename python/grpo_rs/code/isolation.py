"""How far a verdict can be trusted, and how far programs are shut in: two scales and a report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

# Who could change the verdict, the best first.
Integrity = Literal["outside", "split", "in_process"]

INTEGRITIES: tuple[Integrity, ...] = ("outside", "split", "in_process")


class IsolationLevel(IntEnum):
    """What holds a program. Each level has everything of those below it; SECURITY.md compares them.

    Attributes:
        NONE: a process with resource limits. For trusted programs, and for systems other than Linux.
        SECCOMP: a list of allowed system calls, resource limits, no capabilities.
        LANDLOCK: files as well: the interpreter can be read, nothing can be written. What default Docker and
            restricted Kubernetes allow, and the least that is accepted by default.
        NAMESPACES: processes, mounts, network and IPC of its own, and a root with the interpreter alone.
        CGROUP: memory and number of processes of the whole run, by cgroup v2.
    """

    NONE = 0
    SECCOMP = 1
    LANDLOCK = 2
    NAMESPACES = 3
    CGROUP = 4


@dataclass(frozen=True)
class Protection:
    """Which layers of protection hold programs here.

    Attributes:
        layers: whether each is there, by name.
        level: what they come to.
        landlock_abi: version of Landlock, 0 without it.
        reasons: why a layer is missing, by its name.
        sufficient: whether the level is the runner's `min_isolation` or more: programs can be run.
    """

    layers: dict[str, bool]
    level: IsolationLevel
    landlock_abi: int
    reasons: dict[str, str]
    sufficient: bool


def is_below(integrity: Integrity, least: Integrity) -> bool:
    """Whether one integrity is worth less than another."""
    return INTEGRITIES.index(integrity) > INTEGRITIES.index(least)
