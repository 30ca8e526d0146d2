"""What a pool of workers is made of: the interpreters that are kept warm, and what runs in them."""

from __future__ import annotations

import importlib.util
import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from grpo_rs import _core
from grpo_rs.errors import InputError

# A fork costs about a third of a microsecond for each page of 4 KiB that the interpreter has written to, and
# extension modules more, so the smallest interpreter has what most answers to programming problems import,
# and no more. `random` alone, with the libraries it loads, makes a fork a quarter dearer.
LEAN = (
    "io", "os", "math", "collections", "collections.abc", "heapq", "bisect", "itertools", "functools",
    "operator", "re", "string", "copy", "typing", "time",
)  # fmt: skip
COMMON = (
    *LEAN,
    "abc", "array", "calendar", "cmath", "contextlib", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "hashlib", "json", "numbers", "queue", "random", "statistics", "struct", "textwrap",
    "threading", "traceback", "types", "warnings",
)  # fmt: skip
FULL = (
    *COMMON,
    "argparse", "ast", "asyncio", "base64", "binascii", "codecs", "concurrent.futures", "contextvars", "csv",
    "difflib", "fileinput", "gc", "getpass", "glob", "graphlib", "gzip", "hmac", "html", "inspect",
    "ipaddress", "keyword", "locale", "logging", "pathlib", "pickle", "platform", "pprint", "secrets",
    "select", "shutil", "signal", "subprocess", "tempfile", "timeit", "unicodedata", "unittest",
    "unittest.mock", "urllib.parse", "uuid", "weakref", "xml.etree.ElementTree", "zlib",
)  # fmt: skip

# A cgroup bounds what a worker's programs and warm interpreters use together.
CGROUP_SPARE_MB = 512


def configuration(
    *, python: str, packages: Sequence[str], disk_mb: int, memory_mb: int, options: dict[str, Any]
) -> dict[str, Any]:
    """The configuration of a `_core.CodePool`.

    Raises:
        InputError: a package that was asked for cannot be imported.
    """
    return options | {
        "python": python,
        "module": str(Path(_core.__file__).resolve()),
        "harness": harness_source(),
        "tiers": tiers(tuple(packages)),
        "disk_mb": disk_mb,
        "cgroup_memory_mb": memory_mb + disk_mb + CGROUP_SPARE_MB,
    }


@cache
def harness_source() -> str:
    """The text of what runs in the sandbox, which cannot read this package."""
    return (resources.files("grpo_rs.code") / "child" / "harness.py").read_text(encoding="utf-8")


def tiers(packages: tuple[str, ...]) -> list[tuple[list[str], list[str]]]:
    """The warm interpreters, the smallest first: modules to import, and where they lie."""
    found: list[tuple[list[str], list[str]]] = [(list(LEAN), []), (list(COMMON), []), (list(FULL), [])]
    names: list[str] = []
    folders: list[str] = []
    for name in packages:
        folder = _folder(name)
        if folder is not None:
            names.append(name)
            if name == "numpy":
                names.append("numpy.random")  # loaded on demand, from a state that is not the same each time
            folders.append(folder)
        elif packages != DEFAULT_PACKAGES:
            raise InputError(f"packages: {name!r} cannot be imported here; install it, or leave it out")
    if names:
        found.append(([*FULL, *names], list(dict.fromkeys(folders))))
    return found


DEFAULT_PACKAGES = ("numpy",)


def _folder(package: str) -> str | None:
    """Where a package is imported from; None if it is not there."""
    try:
        spec = importlib.util.find_spec(package.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).resolve()
    if place.is_relative_to(sysconfig.get_path("stdlib")) and "site-packages" not in place.parts:
        return str(Path(sysconfig.get_path("stdlib")))
    # The package's folder, or the file of a module, lies in the folder to search.
    return str(place.parents[1] if spec.submodule_search_locations else place.parent)
