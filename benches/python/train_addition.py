"""How well and how fast the default run learns, over several seeds.

Runs `python -m grpo_rs.train` once a seed, each in a process of its own, and prints a table and, as the last
line, a JSON object. Arguments after `--` go to the trainer:

    python benches/python/train_addition.py --seeds 5 --record
    python benches/python/train_addition.py --seeds 2 -- --optim.lr 5e-4
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe, record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to N - 1")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("trainer", nargs="*", help="arguments for the trainer")
    arguments = parser.parse_args()

    runs = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            command = [sys.executable, "-m", "grpo_rs.train", *arguments.trainer]
            begin = time.perf_counter()
            subprocess.run(
                [*command, "--run.seed", str(seed), "--run.out", str(out)], check=True, capture_output=True
            )
            wall = time.perf_counter() - begin
            summary = json.loads((out / "summary.json").read_text())
        run = {
            "seed": seed,
            "accuracy_before": round(summary["accuracy_before"], 4),
            "accuracy_after": round(summary["accuracy_after"], 4),
            "warmup_steps": (summary["warmup"] or {}).get("steps", 0),
            "steps": summary["steps"],
            # The whole process as a user waits for it, interpreter and imports included.
            "process_s": round(wall, 1),
            "phase_s": {name: round(part["seconds"], 1) for name, part in summary["phases"].items()},
        }
        runs.append(run)
        print(
            f"seed {seed}: {run['accuracy_before']:.1%} -> {run['accuracy_after']:.1%} in {wall:.0f} s "
            f"({run['warmup_steps']} supervised and {run['steps']} GRPO steps) {run['phase_s']}",
            flush=True,
        )
    result = {
        "benchmark": "train_addition",
        "arguments": arguments.trainer,
        "worst_accuracy_before": max(run["accuracy_before"] for run in runs),
        "worst_accuracy_after": min(run["accuracy_after"] for run in runs),
        "slowest_process_s": max(run["process_s"] for run in runs),
        "runs": runs,
        "machine": describe(),
    }
    if arguments.record:
        record("train_addition", result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
