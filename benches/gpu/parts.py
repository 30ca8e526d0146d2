"""What the GPU scripts share: the shape of the model, parts in processes of their own, the result.

A script gives its parts as functions `part_NAME(args)` that return what is printed. It calls itself for each,
with `--inside`, so that peaks of memory do not mix and one failure leaves the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))

from machine import record

# Qwen3-0.6B, from its published configuration.
QWEN3_06B = {
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
    "tie_word_embeddings": True,
}
GIB = 2**30

Parts = dict[str, Callable[[argparse.Namespace], dict[str, Any]]]


def parts_of(names: dict[str, Any]) -> Parts:
    """The functions among a script's globals that are parts."""
    return {name.removeprefix("part_"): value for name, value in names.items() if name.startswith("part_")}


def parser_for(doc: str | None, parts: Parts, *, limit_s: float, repeats: int) -> argparse.ArgumentParser:
    """A parser with the arguments that every script has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--limit-s", type=float, default=limit_s, help="wall seconds of a part")
    parser.add_argument("--out", type=Path, help="folder for the result")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


def run_parts(args: argparse.Namespace, others: Sequence[str]) -> dict[str, Any]:
    """What each part found, or how it failed.

    Args:
        args: of `parser_for`.
        others: the arguments that the parts are given beside those.
    """
    found: dict[str, Any] = {}
    for part in args.parts:
        print(f"{part} ...", flush=True)
        again = [sys.executable, sys.argv[0], "--inside", "--parts", part, "--repeats", str(args.repeats)]
        try:
            done = subprocess.run(
                [*again, *others], capture_output=True, text=True, timeout=args.limit_s, check=True
            )
            found[part] = json.loads(done.stdout.splitlines()[-1])
        except subprocess.CalledProcessError as error:
            found[part] = {"failed": error.stderr.strip().splitlines()[-8:]}
        except (subprocess.TimeoutExpired, json.JSONDecodeError, IndexError):
            found[part] = {"failed": traceback.format_exc().splitlines()[-1:]}
        print(json.dumps(found[part], indent=2), flush=True)
    return found


def finish(name: str, result: dict[str, Any], out: Path | None) -> None:
    """Prints the result as the last line, and writes it to DATE-NAME.json in `out`."""
    if out:
        record(name, result, out)
    print(json.dumps(result))


def environment(device: str) -> dict[str, Any]:
    """The device, and the versions that matter."""
    import grpo_rs
    import transformers

    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "grpo_rs": grpo_rs.__version__,
        "python": sys.version.split()[0],
    }
    if device == "cuda":
        memory = torch.cuda.get_device_properties(0).total_memory
        found |= {"cuda": torch.version.cuda, "gpu_memory_gib": memory / GIB}
    return found
