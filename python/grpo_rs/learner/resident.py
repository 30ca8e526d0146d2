"""The memory of this process, as the operating system counts it (proc(5)).

A C library's heap keeps what was freed, for the next tensor of that size. `trim` returns it to the system;
whatever is allocated after that has its pages handed out and cleared anew, which costs as much as writing
them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def trim() -> None:
    """Returns freed memory to the system; nothing where the C library cannot (musl, macOS, Windows)."""
    malloc_trim = _malloc_trim()
    if malloc_trim is not None:
        malloc_trim(0)


def make_room(coming: int) -> None:
    """Returns freed memory if `coming` more bytes would make this process larger than it ever was.

    So the peak hardly grows, and below it freed memory is used again at no cost.
    """
    if _malloc_trim() is None:
        return
    now, peak = status_bytes("VmRSS", "VmHWM")
    if now is None or peak is None or now + coming >= peak:
        trim()


def reset_peak() -> bool:
    """Makes the memory held now the peak; False where the system does not let us."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def status_bytes(*keys: str) -> list[int | None]:
    """Entries of this process's status: VmRSS is what it holds now, VmHWM the peak; None for unknown ones."""
    return proc_bytes(STATUS, *keys)


def proc_bytes(path: Path, *keys: str) -> list[int | None]:
    """Entries of a file of lines `key: number kB`, in bytes; None for those that are not there."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    entries = dict(line.split(":", 1) for line in lines if ":" in line)
    return [int(entries[key].split()[0]) * 1024 if key in entries else None for key in keys]
