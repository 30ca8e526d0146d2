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

# A fork costs about a third of a microsecond for each page of 4 KiB that the interpreter has written to, so
# the smallest one has what most answers to programming problems import, and no more.
LEAN = (
    "io", "os", "math", "collections", "collections.abc", "heapq", "bisect", "itertools", "functools",
    "operator", "re", "string", "random", "copy", "typing", "time",
)  # fmt: skip
FULL = LEAN + (
    "abc", "argparse", "array", "ast", "asyncio", "base64", "binascii", "calendar", "cmath", "codecs",
    "concurrent.futures", "contextlib", "contextvars", "csv", "dataclasses", "datetime", "decimal", "difflib",
    "enum", "fileinput", "fractions", "gc", "getpass", "glob", "graphlib", "gzip", "hashlib", "hmac", "html",
    "inspect", "ipaddress", "json", "keyword", "locale", "logging", "numbers", "pathlib", "pickle", "platform",
    "pprint", "queue", "secrets", "select", "shutil", "signal", "statistics", "struct", "subprocess",
    "tempfile", "textwrap", "threading", "timeit", "traceback", "types", "unicodedata", "unittest",
    "unittest.mock", "urllib.parse", "uuid", "warnings", "weakref", "xml.etree.ElementTree", "zlib",
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
    found = [(list(LEAN), []), (list(FULL), [])]
    names, folders = [], []
    for name in packages:
        folder = _folder(name)
        if folder is not None:
            names.append(name)
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
