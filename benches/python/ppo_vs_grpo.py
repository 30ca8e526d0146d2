"""What a critic costs and what it brings: PPO beside GRPO on the same sums, ours and TRL's.

    pip install '.[train,smollm2]' trl
    pip install --no-deps --target TRL_WITH_PPO trl==1.12.0      # the last release with a PPO trainer
    python benches/python/ppo_vs_grpo.py --model smollm2 --trl-ppo TRL_WITH_PPO --record
    python benches/python/ppo_vs_grpo.py --model tiny --seeds 3 --record

`smollm2`: SmolLM2-135M-Instruct on one-digit sums (configs/smollm2_addition.toml), a few steps of ours PPO,
ours GRPO, TRL's PPO and TRL's GRPO: 16 completions a step of at most 32 tokens, temperature 1, one epoch,
float32, no KL penalty, the same verifier, learning rate 1e-5, policy and critic alike. `tiny`: the embedded
model on two-digit sums, ours alone, long enough for a learning curve, PPO and GRPO from the same warm-up with
the same number of sampled tokens a step and the same learning rate.

TRL's PPO knows no groups and draws 16 prompts a step. It keeps a frozen copy of the policy even without a
KL penalty, and one optimiser for policy and critic. Its reward is the verifier, behind a network without
weights.

PPO has gamma 1, lambda 1 and, in the long runs, an untouched policy while the critic warms up, so that it is
not the weaker side by its settings. Each side runs in a process of its own, one after the other. In MB over
the process before the model was loaded:

- model: bytes of all parameters held, exact; optimiser: bytes of its state, exact;
- activations: peak of the resident memory during the steps, less the two above: gradients, activations,
  logits, the sampler's cache;
- peak: all of it together.

Prints a table and, as the last line, a JSON object with the ratios. `--record` puts the result beside that of
the other model in benches/results/DATE-ppo_vs_grpo.json.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from machine import RESULTS, describe, record, reset_peak, status_mb

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "smollm2_addition.toml"
SIDES = {
    "smollm2": ("ours-ppo", "ours-grpo", "trl-ppo", "trl-grpo"),
    "tiny": ("ours-ppo", "ours-grpo"),
}
STEPS = {"smollm2": 5, "tiny": 300}
# What differs from each preset, on both sides of a comparison: no KL and so no reference, one epoch.
COMMON = {"kl": "none", "kl_beta": 0.0, "epochs": 1, "minibatches": 1}
# The tiny model starts from random weights, and learns at rates that would ruin a pretrained one.
CRITIC = {
    # A few steps measure costs: none of them may be one in which the policy rests.
    "smollm2": {"critic_lr": 1e-5, "critic_warmup_steps": 0},
    "tiny": {"critic_lr": 1e-3, "critic_warmup_steps": 10},
}
CELLS = ("model_mb", "optimiser_mb", "activation_mb", "peak_mb", "step_s", "cpu_step_s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", choices=tuple(SIDES), default="smollm2")
    parser.add_argument(
        "--sides", nargs="+", choices=SIDES["smollm2"], help="default: all that the model has"
    )
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to N - 1")
    parser.add_argument("--steps", type=int, help="default: 5 (smollm2), 300 (tiny)")
    parser.add_argument("--trl-ppo", type=Path, help="folder with a TRL that has experimental.ppo")
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    parser.add_argument("--inside", choices=SIDES["smollm2"], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or STEPS[arguments.model]
    if arguments.inside:
        trainer, algorithm = arguments.inside.split("-")
        run = {"ours": run_ours, "trl": run_trl}[trainer]
        print(json.dumps(run(algorithm, arguments.model, arguments.steps, arguments.seed)))
        return

    runs = [
        run
        for seed in range(arguments.seeds)
        for side in (arguments.sides or SIDES[arguments.model])
        if (run := in_own_process(side, seed, arguments)) is not None
    ]
    table = summary(runs)
    print_table(table)
    footing = equal_footing(runs)
    for name, row in footing.items():
        print(f"{name:<11} greedy accuracy " + ", ".join(f"{at} {value:.1%}" for at, value in row.items()))
    result = {
        "benchmark": "ppo_vs_grpo",
        arguments.model: {
            "steps": arguments.steps,
            "table": table,
            "ratios": ratios(table),
            "not_lower": not_lower(table),
            "equal_footing": footing,
            "runs": runs,
            "machine": describe(),
        },
    }
    if arguments.record:
        record("ppo_vs_grpo", recorded_today() | result)
    last = {"benchmark": "ppo_vs_grpo", "model": arguments.model, "ratios": ratios(table)}
    print(json.dumps(last | {"not_lower": not_lower(table), "equal_footing": footing}))


def in_own_process(side: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any] | None:
    environment = os.environ | {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
    if side == "trl-ppo":
        if arguments.trl_ppo is not None:
            paths = [str(arguments.trl_ppo.resolve()), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        elif not has_trl_ppo():
            print("trl-ppo: left out, this TRL has no experimental.ppo; see --trl-ppo", flush=True)
            return None
    print(f"{side}, seed {seed} ...", end=" ", flush=True)
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--inside", side, "--model", arguments.model]
    done = subprocess.run(
        [*command, "--steps", str(arguments.steps), "--seed", str(seed)],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"failed\n{done.stderr}")
    run = {"side": side, "seed": seed, **json.loads(done.stdout.splitlines()[-1])}
    print(
        f"{run['step_s']:.2f} s a step, {run['peak_mb']:,.0f} MB, accuracy {run['accuracy_before']:.1%} -> "
        f"{run['accuracy_after']:.1%} ({time.perf_counter() - begin:.0f} s in all)",
        flush=True,
    )
    return run


def has_trl_ppo() -> bool:
    if importlib.util.find_spec("trl") is None:
        return False
    return importlib.util.find_spec("trl.experimental.ppo") is not None


def recorded_today() -> dict[str, Any]:
    path = RESULTS / f"{time.strftime('%Y-%m-%d')}-ppo_vs_grpo.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# ---- Measuring ---------------------------------------------------------------------------------------


class Meter:
    """Wall and CPU seconds of each step, and the peak of the process's memory over all of them."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.base_mb = status_mb("VmRSS")
        self.peak_mb = 0.0
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.held: dict[str, float] = {}

    def start(self) -> None:
        """A step begins; what the process held before it is forgotten by the peak."""
        reset_peak()
        self.begin = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """A step is over."""
        wall, cpu = self.begin
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        self.peak_mb = max(self.peak_mb, status_mb("VmHWM"))
        if len(self.wall) == self.steps:
            # In the last step, since a critic's warm-up leaves the policy's optimiser empty at first.
            self.held = held_mb()

    def figures(self) -> dict[str, Any]:
        peak = self.peak_mb - self.base_mb
        return {
            **{name: round(value, 1) for name, value in self.held.items()},
            "activation_mb": round(peak - sum(self.held.values()), 1),
            "peak_mb": round(peak, 1),
            "base_mb": round(self.base_mb, 1),
            "step_s": round(statistics.median(self.wall), 3),
            "cpu_step_s": round(statistics.median(self.cpu), 3),
        }


def held_mb() -> dict[str, float]:
    """Bytes of every parameter and every optimiser state alive, each storage once, whoever holds it."""
    import torch

    # By type: isinstance would touch every lazy module there is.
    everything = gc.get_objects()
    optimizers = [thing for thing in everything if issubclass(type(thing), torch.optim.Optimizer)]
    parameters = [thing for thing in everything if issubclass(type(thing), torch.nn.Parameter)]
    states = [
        value
        for optimizer in optimizers
        for state in optimizer.state.values()
        for value in state.values()
        if torch.is_tensor(value)
    ]

    def total(tensors: list[Any]) -> float:
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
        return sum(storages.values()) / 2**20

    return {"model_mb": total(parameters), "optimiser_mb": total(states)}


# ---- Ours --------------------------------------------------------------------------------------------


def configuration(algorithm: str, model: str, steps: int, seed: int) -> Any:
    from grpo_rs.train.config import config_from_dict, read_toml

    values = read_toml(CONFIG) if model == "smollm2" else {}
    algo = {"preset": algorithm, **COMMON, **(CRITIC[model] if algorithm == "ppo" else {})}
    evaluations = {"every": steps // 12} if model == "tiny" else {}
    return config_from_dict(
        values
        | {"algo": algo, "eval": values.get("eval", {}) | evaluations, "checkpoint": {"every": 0}}
        | {"run": values.get("run", {}) | {"steps": steps, "seed": seed}}
    )


def run_ours(algorithm: str, model: str, steps: int, seed: int) -> dict[str, Any]:
    from grpo_rs.train.log import Display
    from grpo_rs.train.loop import train

    config = configuration(algorithm, model, steps, seed)
    warm_up_threads()
    meter = Meter(steps)
    curve = Curve(steps)

    class Watch(Display):
        """Between the end of a step and the start of the next there is at most an evaluation."""

        def step(self, metrics: Any, shares: Any) -> None:
            if "eval/accuracy" in metrics:
                # The evaluation came after the step: neither its time nor its memory is the step's.
                meter.begin = meter.begin[0], float("nan")
            meter.stop()
            meter.wall[-1] = metrics["time/step"]
            curve.add(
                metrics["reward/mean"],
                metrics["time/step"],
                metrics["tokens/generated"],
                metrics.get("eval/accuracy"),
            )
            super().step(metrics, shares)
            meter.start()

        def note(self, text: str) -> None:
            if text.startswith("held-out accuracy before"):
                meter.start()
            super().note(text)

    with tempfile.TemporaryDirectory() as folder:
        run = config.run.model_copy(update={"out": f"{folder}/run"})
        outcome = train(
            config.model_copy(update={"run": run}), display=Watch(config.run.name, config.run.steps)
        )
    assert outcome.summary is not None
    curve.points[-1]["greedy"] = round(outcome.summary["accuracy_after"], 4)
    meter.cpu = [cpu for cpu in meter.cpu if cpu == cpu]
    return {
        **meter.figures(),
        "accuracy_before": round(outcome.summary["accuracy_before"], 4),
        "accuracy_after": round(outcome.summary["accuracy_after"], 4),
        "generated_tokens": outcome.summary["generated_tokens"],
        "trained_tokens": outcome.summary["trained_tokens"],
        "curve": curve.points,
    }


class Curve:
    """A learning curve of a dozen points, by the tokens and the seconds of the steps until then."""

    def __init__(self, steps: int) -> None:
        self.every = max(1, steps // 12)
        self.points: list[dict[str, float]] = []
        self.rewards: list[float] = []
        self.tokens, self.wall_s = 0, 0.0

    def add(self, reward: float, wall_s: float, tokens: int = 0, greedy: float | None = None) -> None:
        self.rewards.append(reward)
        self.tokens, self.wall_s = self.tokens + tokens, self.wall_s + wall_s
        if len(self.rewards) % self.every == 0:
            point = {"step": len(self.rewards), "generated_tokens": self.tokens, "wall_s": self.wall_s}
            point["reward"] = statistics.mean(self.rewards[-self.every :])
            if greedy is not None:
                point["greedy"] = greedy
            self.points.append({name: round(value, 4) for name, value in point.items()})


def warm_up_threads() -> None:
    """The first product of torch allocates its threads: before the meter's base, on every side."""
    import torch

    (torch.ones(256, 256) @ torch.ones(256, 256)).sum()


# ---- TRL ---------------------------------------------------------------------------------------------


def run_trl(algorithm: str, model: str, steps: int, seed: int) -> dict[str, Any]:
    import datasets
    import trl
    from transformers import TrainerCallback

    if algorithm == "ppo":
        import trl.experimental.ppo
    from grpo_rs.adapters.trl import math_reward
    from grpo_rs.train.setup import prepare

    config = configuration("grpo", model, steps, seed)
    warm_up_threads()
    meter = Meter(steps)
    setup = prepare(config)
    setup.learner.optimizer = None
    before = accuracy(setup, config)
    curve = Curve(steps)
    rewarded: list[float] = []

    def scores(texts: list[str], golds: list[str]) -> list[float]:
        found = math_reward("solution", extract=config.rewards.extract)(texts, solution=golds)
        rewarded.extend(float(score or 0.0) for score in found)
        return [float(score or 0.0) for score in found]

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            meter.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            meter.stop()
            curve.add(statistics.mean(rewarded), meter.wall[-1])
            rewarded.clear()
            meter.start()

    build = {"grpo": trl_grpo, "ppo": trl_ppo}[algorithm]
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "output_dir": folder,
            "per_device_train_batch_size": config.rollout.prompts_per_step * config.rollout.group_size,
            "temperature": config.rollout.temperature,
            "learning_rate": config.optim.lr,
            "lr_scheduler_type": "constant",
            "seed": seed,
            "use_cpu": True,
            "bf16": False,
            "report_to": [],
            "save_strategy": "no",
            "disable_tqdm": True,
        }
        build(trl, datasets, setup, config, steps, common, scores, Clock()).train()
    setup.policy.model.eval()
    return {
        **meter.figures(),
        "accuracy_before": round(before, 4),
        "accuracy_after": round(accuracy(setup, config), 4),
        "trl": trl.__version__,
        "curve": curve.points,
    }


def trl_grpo(
    trl: Any, datasets: Any, setup: Any, config: Any, steps: int, common: Any, scores: Any, clock: Any
) -> Any:
    rows = [
        {"prompt": [{"role": "user", "content": p.columns[config.data.prompt_column]}], "solution": p.gold}
        for p in setup.problems.train
    ]

    def reward(completions: Any, solution: list[str], **_: Any) -> list[float]:
        return scores([messages[-1]["content"] for messages in completions], solution)

    return trl.GRPOTrainer(
        model=setup.policy.model,
        reward_funcs=[reward],
        args=trl.GRPOConfig(
            num_generations=config.rollout.group_size,
            max_completion_length=config.rollout.max_new_tokens,
            max_steps=steps,
            beta=0.0,
            **common,
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=setup.policy.tokenizer,
        callbacks=[clock],
    )


def trl_ppo(
    trl: Any, datasets: Any, setup: Any, config: Any, steps: int, common: Any, scores: Any, clock: Any
) -> Any:
    """TRL's PPO takes a network for the reward: one without weights, that asks the verifier."""
    import torch
    from transformers import AutoModelForSequenceClassification

    policy, tokenizer = setup.policy.model, setup.policy.tokenizer
    golds = {tuple(problem.tokens): problem.gold for problem in setup.problems.train}
    # A padding token that occurs nowhere else: TRL reads lengths off the padding.
    taken = set().union(*golds) | {tokenizer.eos_token_id}
    tokenizer.pad_token_id = next(token for token in tokenizer.all_special_ids if token not in taken)
    policy.config.pad_token_id = tokenizer.pad_token_id
    policy.config.num_labels = 1
    value = AutoModelForSequenceClassification.from_config(policy.config, dtype=policy.dtype)
    value.base_model.load_state_dict(policy.base_model.state_dict())
    torch.nn.init.zeros_(value.score.weight)
    prompts = sorted({len(tokens) for tokens in golds})

    class VerifierAsRewardModel(torch.nn.Module):
        base_model_prefix = "tokens"

        def tokens(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
            marked = input_ids.masked_fill(~attention_mask, -1)
            return SimpleNamespace(hidden_states=[marked])

        def score(self, marked: Any) -> Any:
            texts, wanted = [], []
            for row in marked.tolist():
                tokens = [token for token in row if token >= 0]
                size = next(size for size in prompts if tuple(tokens[:size]) in golds)
                texts.append(tokenizer.decode(tokens[size:], skip_special_tokens=True))
                wanted.append(golds[tuple(tokens[:size])])
            rewards = torch.tensor(scores(texts, wanted))
            return rewards[:, None, None].expand(*marked.shape, 1)

    class Trainer(trl.experimental.ppo.PPOTrainer):  # type: ignore[misc, name-defined]
        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Not wanted here."""

    batch = common["per_device_train_batch_size"]
    return Trainer(
        args=trl.experimental.ppo.PPOConfig(
            total_episodes=steps * batch,
            num_ppo_epochs=1,
            num_mini_batches=1,
            num_sample_generations=0,
            response_length=config.rollout.max_new_tokens,
            stop_token="eos",
            kl_coef=0.0,
            gamma=1.0,
            lam=1.0,
            **common,
        ),
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=VerifierAsRewardModel(),
        value_model=value,
        train_dataset=datasets.Dataset.from_list([{"input_ids": list(map(int, tokens))} for tokens in golds]),
        eval_dataset=datasets.Dataset.from_list([{"input_ids": [1]}]),
        callbacks=[clock],
    )


def accuracy(setup: Any, config: Any) -> float:
    from grpo_rs.rollout.sampler import SamplingParams
    from grpo_rs.rollout.torch_sampler import TorchSampler
    from grpo_rs.train.evaluate import evaluate

    sampler = TorchSampler(setup.policy.model, setup.policy.stop_tokens)
    greedy = SamplingParams(config.rollout.max_new_tokens, temperature=0.0)
    found = evaluate(
        setup.policy, sampler, setup.problems.held_out, params=greedy, batch_size=64,
        verifier=setup.verifier, seed=0,
    )  # fmt: skip
    return found.accuracy


# ---- The table ---------------------------------------------------------------------------------------


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Each side's figures: the median over seeds; the accuracies: the mean."""
    table: dict[str, dict[str, float]] = {}
    for side in dict.fromkeys(run["side"] for run in runs):
        mine = [run for run in runs if run["side"] == side]
        table[side] = {cell: round(statistics.median(run[cell] for run in mine), 3) for cell in CELLS}
        for when in ("accuracy_before", "accuracy_after"):
            table[side][when] = round(statistics.mean(run[when] for run in mine), 4)
    return table


def ratios(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Row over row, cell by cell; below 1 the first is the cheaper one."""
    pairs = [
        ("ours-ppo", "trl-ppo"),
        ("ours-grpo", "trl-grpo"),
        ("ours-ppo", "ours-grpo"),
        ("trl-ppo", "trl-grpo"),
    ]
    return {
        f"{one}/{other}": {cell: round(table[one][cell] / table[other][cell], 3) for cell in CELLS}
        for one, other in pairs
        if one in table and other in table
    }


def not_lower(table: dict[str, dict[str, float]]) -> dict[str, list[str]]:
    """The cells in which ours is not below TRL's.

    Without a reference both sides of GRPO hold the same policy, so that model and optimiser are equal.
    """
    return {
        pair: [cell for cell, ratio in cells.items() if ratio >= 1]
        for pair, cells in ratios(table).items()
        if pair.startswith("ours") and "/trl" in pair
    }


def equal_footing(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Greedy accuracy after the same number of sampled tokens and after the same seconds of steps.

    Both budgets are what the cheaper side of a seed has spent in the end, and a third and two thirds of it;
    the mean over seeds.
    """
    ours = [run for run in runs if run["side"].startswith("ours") and len(run["curve"]) > 2]
    found: dict[str, dict[str, list[float]]] = {}
    for seed in {run["seed"] for run in ours}:
        pair = [run for run in ours if run["seed"] == seed]
        for unit, word in (("generated_tokens", "tokens"), ("wall_s", "seconds")):
            budget = min(run["curve"][-1][unit] for run in pair)
            for share in (1 / 3, 2 / 3, 1):
                for run in pair:
                    reached = [run["accuracy_before"]] + [
                        point["greedy"]
                        for point in run["curve"]
                        if "greedy" in point and point[unit] <= share * budget
                    ]
                    at = found.setdefault(run["side"], {}).setdefault(f"{share:.0%} of the {word}", [])
                    at.append(reached[-1])
    return {
        side: {at: round(statistics.mean(values), 4) for at, values in row.items()}
        for side, row in found.items()
    }


def print_table(table: dict[str, dict[str, float]]) -> None:
    heads = ("model", "optimiser", "activations", "peak MB", "s/step", "CPU s", "accuracy")
    print("\n" + f"{'':<11}" + "".join(f"{head:>13}" for head in heads))
    for side, row in table.items():
        memory = "".join(f"{row[cell]:>13,.0f}" for cell in CELLS[:4])
        seconds = "".join(f"{row[cell]:>13.2f}" for cell in CELLS[4:])
        print(f"{side:<11}{memory}{seconds}   {row['accuracy_before']:.1%} -> {row['accuracy_after']:.1%}")


if __name__ == "__main__":
    main()
