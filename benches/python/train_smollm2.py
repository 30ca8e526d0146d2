"""SmolLM2-135M-Instruct on one-digit sums: this trainer beside TRL's GRPOTrainer, on the same work.

Both sides get the same problems, in the same number of steps: 16 completions a step in groups of 8, at most
32 new tokens, temperature 1, learning rate 1e-5, no KL, float32, rewards from the same verifier (the last
number of the reply). Each runs in a process of its own, one after the other; both are evaluated by the same
greedy evaluation on the same held-out sums, and on the sums they trained on. On the way, the held-out sums
are evaluated every few steps: the time to the target is the sum of the steps up to the first evaluation that
reaches it, evaluations and loading left out. Peak memory is the largest resident memory of the process during
steps, looked at every 10 ms; evaluations are left out of it too. TRL checkpoints its activations, as it does
by default. Prints a table and, as the last line, a JSON object with the ratios, ours over TRL's.

    pip install '.[train,smollm2]' trl
    python benches/python/train_smollm2.py --seeds 2 --record
    python benches/python/train_smollm2.py --sides ours
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from machine import describe, record

CONFIG = Path(__file__).parents[2] / "configs" / "smollm2_addition.toml"
TARGET = 0.95
EVAL_EVERY = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=("ours", "trl"), default=["ours", "trl"])
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to N - 1")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", choices=("ours", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps < 3:
        # The median of our processor times begins with the third step.
        parser.error(f"--steps is {arguments.steps}: it must be at least 3")
    if arguments.inside:
        side = {"ours": run_ours, "trl": run_trl}[arguments.inside]
        print(json.dumps(side(arguments.steps, arguments.seed)))
        return

    runs = []
    for seed in range(arguments.seeds):
        for side in arguments.sides:
            command = [sys.executable, __file__, "--inside", side, "--steps", str(arguments.steps)]
            done = subprocess.run(
                [*command, "--seed", str(seed)], check=True, capture_output=True, text=True,
                env=os.environ | {"TQDM_DISABLE": "1"},
            )  # fmt: skip
            run = {"side": side, "seed": seed, **json.loads(done.stdout.splitlines()[-1])}
            runs.append(run)
            print(
                f"{side:>4} seed {seed}: held-out {run['held_out_before']:.1%} -> "
                f"{run['held_out_after']:.1%}, trained sums {run['trained_before']:.1%} -> "
                f"{run['trained_after']:.1%}; "
                f"{run['median_step_s']:.1f} s a step (median), {run['cpu_step_s']:.1f} CPU s, "
                f"{run['peak_mb']:,.0f} MB, {TARGET:.0%} after {run['to_target_s']} s",
                flush=True,
            )
    result: dict[str, Any] = {"benchmark": "train_smollm2", "steps": arguments.steps, "runs": runs}
    if len(arguments.sides) == 2:
        result["ratios"] = {
            name: ratio(runs, name) for name in ("median_step_s", "cpu_step_s", "peak_mb", "to_target_s")
        }
    result["machine"] = describe()
    if arguments.record:
        record("train_smollm2", result)
    print(json.dumps(result))


def ratio(runs: list[dict[str, Any]], name: str) -> float | None:
    """Ours over TRL's, the median over seeds; None where a side never got there."""
    sides = {side: [run[name] for run in runs if run["side"] == side] for side in ("ours", "trl")}
    pairs = list(zip(sides["ours"], sides["trl"], strict=True))
    if any(None in pair for pair in pairs):
        return None
    return round(statistics.median(ours / trl for ours, trl in pairs), 3)


def run_ours(steps: int, seed: int) -> dict[str, Any]:
    from grpo_rs.train.log import Display
    from grpo_rs.train.loop import train

    class Clock(Display):
        """Processor seconds from the end of one step to the end of the next."""

        begin = 0.0

        def step(self, *arguments: Any) -> None:
            super().step(*arguments)
            cpus.append(time.process_time() - self.begin)
            peaks.append(memory.peak_mb())
            self.begin = time.process_time()

    cpus: list[float] = []
    peaks: list[float] = []
    memory = ResidentMemory()
    config, setup = prepared(steps, seed)
    before = accuracies(setup, config)
    del setup
    with tempfile.TemporaryDirectory() as folder:
        run = config.run.model_copy(update={"out": f"{folder}/run"})
        often = config.eval.model_copy(update={"every": EVAL_EVERY})
        outcome = train(config.model_copy(update={"run": run, "eval": often}), display=Clock("", steps))
        lines = [json.loads(line) for line in (outcome.path / "metrics.jsonl").read_text().splitlines()]
        times = [line["time/step"] for line in lines]
        curve = {line["step"]: line["eval/accuracy"] for line in lines if "eval/accuracy" in line}
        model = config.model.model_copy(update={"path": str(outcome.path / "final")})
        _, trained = prepared(steps, seed, model)
        after = accuracies(trained, config)
        curve[steps] = after["held_out"]
    # Every second one of them holds an evaluation, the first one the start.
    plain = slice(EVAL_EVERY, None, EVAL_EVERY)
    return figures(before, after, times, cpus[plain], max(peaks[plain]), curve)


def run_trl(steps: int, seed: int) -> dict[str, Any]:
    import datasets
    import trl
    from grpo_rs.adapters.trl import math_reward
    from transformers import TrainerCallback

    config, setup = prepared(steps, seed)
    before = accuracies(setup, config)
    rows = [
        {"prompt": [{"role": "user", "content": p.columns[config.data.prompt_column]}], "solution": p.gold}
        for p in setup.problems.train
    ]
    times: list[float] = []
    cpus: list[float] = []
    peaks: list[float] = []
    memory = ResidentMemory()
    curve: dict[int, float] = {}

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            memory.peak_mb()
            self.begin = time.perf_counter(), time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter() - self.begin[0])
            cpus.append(time.process_time() - self.begin[1])
            peaks.append(memory.peak_mb())
            if len(times) % EVAL_EVERY == 0:
                curve[len(times)] = accuracies(setup, config)["held_out"]

    rollout = config.rollout
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl.GRPOTrainer(
            model=setup.policy.model,
            reward_funcs=[math_reward("solution", extract="last_number")],
            args=trl.GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=rollout.prompts_per_step * rollout.group_size,
                num_generations=rollout.group_size,
                max_completion_length=rollout.max_new_tokens,
                temperature=rollout.temperature,
                learning_rate=config.optim.lr,
                lr_scheduler_type="constant",
                max_steps=steps,
                beta=0.0,
                seed=seed,
                use_cpu=True,
                bf16=False,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=setup.policy.tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    setup.policy.model.eval()
    return figures(before, accuracies(setup, config), times, cpus, max(peaks), curve)


def prepared(steps: int, seed: int, model: Any = None) -> tuple[Any, Any]:
    from grpo_rs.train.config import config_from_dict, read_toml
    from grpo_rs.train.setup import prepare

    config = config_from_dict(read_toml(CONFIG))
    run = config.run.model_copy(update={"steps": steps, "seed": seed})
    config = config.model_copy(update={"run": run, **({"model": model} if model else {})})
    return config, prepare(config)


def accuracies(setup: Any, config: Any) -> dict[str, float]:
    from grpo_rs.rollout.sampler import SamplingParams
    from grpo_rs.rollout.torch_sampler import TorchSampler
    from grpo_rs.train.evaluate import evaluate

    sampler = TorchSampler(setup.policy.model, setup.policy.stop_tokens)
    greedy = SamplingParams(config.rollout.max_new_tokens, temperature=0.0)
    return {
        name: evaluate(
            setup.policy, sampler, problems, params=greedy, batch_size=64, verifier=setup.verifier, seed=0,
        ).accuracy
        for name, problems in (("held_out", setup.problems.held_out), ("trained", setup.problems.train))
    }  # fmt: skip


def figures(
    before: dict[str, float],
    after: dict[str, float],
    times: list[float],
    cpus: list[float],
    peak: float,
    curve: dict[int, float],
) -> dict[str, Any]:
    reached = [step for step, accuracy in sorted(curve.items()) if accuracy >= TARGET]
    return {
        **{f"{name}_before": round(value, 4) for name, value in before.items()},
        **{f"{name}_after": round(value, 4) for name, value in after.items()},
        "median_step_s": round(statistics.median(times), 2),
        "all_steps_s": round(sum(times), 1),
        "cpu_step_s": round(statistics.median(cpus), 2),
        "peak_mb": round(peak),
        "target": TARGET,
        "to_target_steps": reached[0] if reached else None,
        "to_target_s": round(sum(times[: reached[0]]), 1) if reached else None,
        "held_out_by_step": {step: round(accuracy, 4) for step, accuracy in sorted(curve.items())},
    }


class ResidentMemory:
    """Watches it from a thread: the system's own peak cannot be set back without a trace.

    The learner returns freed memory only where it would raise that peak.
    """

    def __init__(self) -> None:
        self._peak = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def peak_mb(self) -> float:
        """The largest since the last call."""
        peak, self._peak = self._peak, 0
        return peak * resource.getpagesize() / 2**20

    def _watch(self) -> None:
        with Path("/proc/self/statm").open(encoding="ascii") as status:
            while True:
                status.seek(0)
                self._peak = max(self._peak, int(status.read().split()[1]))
                time.sleep(0.01)


if __name__ == "__main__":
    main()
