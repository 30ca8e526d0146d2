"""SmolLM2-135M-Instruct on one-digit sums: this trainer beside TRL's GRPOTrainer, on the same work.

Both sides get the same problems, in the same number of steps: 16 completions a step in groups of 8, at most
32 new tokens, temperature 1, learning rate 1e-5, no KL, float32, rewards from the same verifier (the last
number of the reply). Each runs in a process of its own, one after the other; both are evaluated by the same
greedy evaluation on the same held-out sums, and on the sums they trained on. Prints a table and, as the last
line, a JSON object with the ratio of the times a step.

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
import time
from pathlib import Path
from typing import Any

from machine import describe, record

CONFIG = Path(__file__).parents[2] / "configs" / "smollm2_addition.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=("ours", "trl"), default=["ours", "trl"])
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to N - 1")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", choices=("ours", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
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
                f"{run['peak_mb']:,.0f} MB",
                flush=True,
            )
    result: dict[str, Any] = {"benchmark": "train_smollm2", "steps": arguments.steps, "runs": runs}
    if len(arguments.sides) == 2:
        steps = {s: [r["median_step_s"] for r in runs if r["side"] == s] for s in arguments.sides}
        result["step_time_ratio_trl_over_ours"] = round(
            statistics.median(t / o for t, o in zip(steps["trl"], steps["ours"], strict=True)), 2
        )
    result["machine"] = describe()
    if arguments.record:
        record("train_smollm2", result)
    print(json.dumps(result))


def run_ours(steps: int, seed: int) -> dict[str, Any]:
    from grpo_rs.train.loop import train

    config, setup = prepared(steps, seed)
    before = accuracies(setup, config)
    del setup
    with tempfile.TemporaryDirectory() as folder:
        run = config.run.model_copy(update={"out": f"{folder}/run"})
        begin, cpu = time.perf_counter(), time.process_time()
        outcome = train(config.model_copy(update={"run": run}))
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        peak = peak_mb()
        lines = (outcome.path / "metrics.jsonl").read_text().splitlines()
        times = [json.loads(line)["time/step"] for line in lines]
        outside = wall - sum(times)
        model = config.model.model_copy(update={"path": str(outcome.path / "final")})
        _, trained = prepared(steps, seed, model)
        after = accuracies(trained, config)
    # What lies outside the steps (loading, evaluations, checkpoints) is single- and multi-threaded alike.
    return figures(before, after, times, cpu * sum(times) / (sum(times) + outside), peak)


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

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begin = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter() - self.begin)

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
        cpu = time.process_time()
        trainer.train()
        cpu = time.process_time() - cpu
        peak = peak_mb()
    setup.policy.model.eval()
    return figures(before, accuracies(setup, config), times, cpu, peak)


def prepared(steps: int, seed: int, model: Any = None) -> tuple[Any, Any]:
    from grpo_rs.train.config import config_from_dict, read_toml
    from grpo_rs.train.setup import prepare

    config = config_from_dict(read_toml(CONFIG))
    run = config.run.model_copy(update={"steps": steps, "seed": seed})
    config = config.model_copy(update={"run": run, **({"model": model} if model else {})})
    return config, prepare(config)


def accuracies(setup: Any, config: Any) -> dict[str, float]:
    from grpo_rs.rollout.torch_sampler import TorchSampler
    from grpo_rs.train.evaluate import evaluate

    sampler = TorchSampler(setup.policy.model, setup.policy.stop_tokens, setup.policy.tokenizer.pad_token_id)
    return {
        name: evaluate(
            setup.policy, sampler, problems, max_new_tokens=config.rollout.max_new_tokens, batch_size=64,
            verifier=setup.verifier,
        ).accuracy
        for name, problems in (("held_out", setup.problems.held_out), ("trained", setup.problems.train))
    }  # fmt: skip


def figures(
    before: dict[str, float], after: dict[str, float], times: list[float], cpu: float, peak: float
) -> dict[str, Any]:
    return {
        **{f"{name}_before": round(value, 4) for name, value in before.items()},
        **{f"{name}_after": round(value, 4) for name, value in after.items()},
        "median_step_s": round(statistics.median(times), 2),
        "all_steps_s": round(sum(times), 1),
        "cpu_step_s": round(cpu / len(times), 1),
        "peak_mb": round(peak),
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
