"""What a pool of workers is made of: the interpreters that are kept warm, and what runs in them."""

from __future__ import annotations

import importlib.util
import re
import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib import metadata, resources
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


def tiers(packages: tuple[str, ...]) -> list[Tier]:
    """The warm interpreters, the smallest first."""
    found: list[Tier] = [(list(LEAN), [], []), (list(COMMON), [], []), (list(FULL), [], [])]
    modules: list[str] = []
    files: list[Path] = []
    for name in packages:
        parts = _files(name)
        if parts is not None:
            # `numpy.random` is loaded on demand, and then from a state that is not the same each time.
            modules += [name, "numpy.random"] if name == "numpy" else [name]
            files += parts
        elif packages != DEFAULT_PACKAGES:
            raise InputError(f"packages: {name!r} cannot be imported here; install it, or leave it out")
    if modules:
        folders = dict.fromkeys(str(path.parent) for path in files)
        readable = dict.fromkeys(str(path) for path in files)
        found.append(([*FULL, *modules], list(folders), list(readable)))
    return found


# Modules to import; folders for sys.path; the files and folders in those that may be read.
Tier = tuple[list[str], list[str], list[str]]

DEFAULT_PACKAGES = ("numpy",)

REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)([^;]*)(?:;(.*))?")


def _files(package: str) -> list[Path] | None:
    """The files and folders of a package and of all that it requires; None if it is not there."""
    try:
        spec = importlib.util.find_spec(package.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    files = [origin.parent if spec.submodule_search_locations else origin]
    pending, seen = [package.partition(".")[0]], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # known by another name than its module's: what it requires must be named too
        tops = {Path(str(file)).parts[0] for file in distribution.files or ()}
        files += [Path(str(distribution.locate_file(top))) for top in tops if top != ".."]
        for requirement in distribution.requires or ():
            match = REQUIREMENT.match(requirement)
            # A marker that speaks of an extra is of something that was not asked for.
            if match and "extra" not in (match[3] or ""):
                pending.append(match[1])
    stdlib = Path(sysconfig.get_path("stdlib"))
    return [path for path in files if path.exists() and path.parent != stdlib]
