"""Reads the golden vectors.

A vector is one JSON file: `kind`, `config`, `inputs` in ragged lists, and what is expected of them. They are
made in float64 from closed forms, and agree with what public trainers compute. `tests/golden` has
them; the folder that the environment variable GRPO_GOLDEN names may have more of the same kinds.
"""

import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "golden"
FOLDERS = [HERE, *map(Path, filter(None, [os.environ.get("GRPO_GOLDEN")]))]


def load(kind):
    """The vectors of a kind, whatever their files are called."""
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]
    cases = [json.loads(path.read_text(encoding="utf-8")) | {"path": path} for path in paths]
    return [case for case in cases if case.get("kind") == kind]


def name(case):
    own = case["path"].parent == HERE
    return case["path"].stem if own else f"GRPO_GOLDEN/{case['path'].stem}"


def close(case):
    return {"rtol": case.get("rtol", 1e-6), "atol": case.get("atol", 1e-9)}
