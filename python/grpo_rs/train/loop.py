"""The training loop, from top to bottom.

One step: sample a group of completions of each prompt, score them, turn rewards into advantages within
each group, update the policy on the groups that carry a signal, log. Everything random is drawn from the
seed and the step number, so a checkpoint needs no more than the step, the weights and the optimiser.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grpo_rs.batch import Advantages, GroupState, Rollouts, group_advantages
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import Completions, Scored
from grpo_rs.rollout.sampler import Sampler, SamplingParams
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.train.checkpoint import (
    RunDirectory,
    TrainerState,
    atomic_folder,
    load_checkpoint,
    save_checkpoint,
    write_json,
)
from grpo_rs.train.config import Config, OptimConfig
from grpo_rs.train.data import Problem, PromptOrder
from grpo_rs.train.evaluate import Evaluation, evaluate
from grpo_rs.train.log import Display, LineFile, Phases, percent
from grpo_rs.train.models import load_model
from grpo_rs.train.setup import prepare, run_path
from grpo_rs.train.warmup import supervised_warmup

SAMPLE_STREAM = 0
# Training problems on which the warm-up's progress is measured.
WARMUP_PROBLEMS = 256


@dataclass(frozen=True)
class TrainingResult:
    """How a call of `train` ended.

    Attributes:
        path: the run directory.
        summary: the contents of summary.json; None when the run was stopped before its last step.
    """

    path: Path
    summary: dict[str, Any] | None


def train(
    config: Config,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    display: Display | None = None,
    started: float | None = None,
) -> TrainingResult:
    """Runs, or continues, a training run.

    Args:
        config: what to do.
        resume: continue the run in `config.run.out` from its newest checkpoint.
        should_stop: asked between the phases of a step; when true, the run is saved and left.
        display: where progress is shown.
        started: `time.perf_counter()` when the process began, to count its imports as part of the run.

    Raises:
        InputError: bad configuration, data, model or run directory, before any training; or a gradient that
            is not finite, or a reward that returned what it must not, in the middle of it.
    """
    config.check()
    display = display or Display(config.run.name, config.run.steps)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    torch.manual_seed(config.run.seed)

    # ---- The run directory, and where it stands ------------------------------------------------------
    run = RunDirectory(run_path(config, resume=resume))
    state, learner_state, rollouts, checkpoint = TrainerState(), None, None, None
    if resume:
        run.check(config)
        checkpoint = run.latest()
    if checkpoint is not None:
        state, learner_state, rollouts = load_checkpoint(checkpoint)
    elif resume:
        display.note("note: the run was ended before its first checkpoint; starting from the beginning")

    # ---- Everything that can be wrong is found out here, before any training --------------------------
    began = time.perf_counter() if started is None else started
    phases = Phases(state.phase_seconds, began)
    phases.add("start", time.perf_counter() - began)
    with phases.measure("start"):
        setup = prepare(config, checkpoint)
    policy, problems, learner, rewards = setup.policy, setup.problems, setup.learner, setup.rewards
    if resume:
        differences = run.continue_in(setup.versions)
    else:
        run.begin(config, setup.versions)
        differences = []
    for note in [*setup.notes, *differences]:
        display.note(f"note: {note}")
    sampler: Sampler = TorchSampler(policy.model, policy.stop_tokens, policy.tokenizer.pad_token_id or 0)
    order = PromptOrder(len(problems.train), config.run.seed)
    params = SamplingParams(
        config.rollout.group_size, config.rollout.max_new_tokens, config.rollout.temperature
    )
    held_out = problems.held_out[: config.eval.max_prompts]
    metrics_file = LineFile(run.path / "metrics.jsonl", state.file_sizes.get("metrics.jsonl"))
    completions_file = LineFile(run.path / "completions.jsonl", state.file_sizes.get("completions.jsonl"))

    def save(rollouts: Rollouts | None = None) -> None:
        with phases.measure("checkpoint"):
            save_checkpoint(
                run,
                state,
                model=policy.model,
                tokenizer=policy.tokenizer,
                learner_state=learner.state_dict(),
                rollouts=rollouts,
                line_files=[metrics_file.path, completions_file.path],
            )
            run.prune(config.checkpoint.keep)

    def measure_accuracy(on: Sequence[Problem]) -> Evaluation:
        with phases.measure("evaluate"):
            return evaluate(
                policy,
                sampler,
                on,
                max_new_tokens=config.rollout.max_new_tokens,
                batch_size=config.eval.batch_size,
                extract=config.answer_form(),
            )

    # ---- Before the first step: warm-up, the frozen reference, the accuracy to beat --------------------
    if learner_state is None:
        if config.warmup_steps():
            with phases.measure("warm-up"):
                report = supervised_warmup(
                    policy,
                    learner,
                    problems.train,
                    config.warmup,
                    max_steps=config.warmup_steps(),
                    seed=config.run.seed,
                    should_stop=should_stop,
                    accuracy=lambda: measure_accuracy(problems.train[:WARMUP_PROBLEMS]).accuracy,
                    report=lambda step, loss, accuracy: display.note(
                        f"supervised warm-up: step {step}, loss {loss:.3f} nats, greedy accuracy on "
                        f"training problems {accuracy:.0%}"
                    ),
                )
            if report is None:
                return TrainingResult(run.path, None)
            state.warmup = asdict(report)
        if config.objective.kl_beta:
            learner.freeze_reference()
            shutil.rmtree(run.path / "reference", ignore_errors=True)  # of an attempt that was cut short
            with atomic_folder(run.path / "reference") as folder:
                policy.model.save_pretrained(folder)
        state.accuracy_before = measure_accuracy(held_out).accuracy
        save()
    else:
        learner.load_state_dict(learner_state)
        if config.objective.kl_beta:
            path = str(run.path / "reference")
            learner.freeze_reference(load_model(config.model, path, seed=config.run.seed))
    display.note(
        f"held-out greedy accuracy before GRPO: {percent(state.accuracy_before)} of {len(held_out)} problems"
    )

    # ---- GRPO ----------------------------------------------------------------------------------------
    with display.running(state.step):
        while state.step < config.run.steps:
            phases.step = {}

            # 1. Sample a group of completions of each prompt.
            if rollouts is None:
                index = order.take(state.position, config.rollout.prompts_per_step)
                with phases.measure("sample"):
                    rollouts = sampler.sample(
                        [problems.train[i].tokens for i in index],
                        index,
                        params,
                        np.random.default_rng((config.run.seed, SAMPLE_STREAM, state.step)),
                    )
                state.position += len(index)
                state.generated_tokens += len(rollouts.completions.flat)
                if should_stop():
                    save(rollouts)
                    return TrainingResult(run.path, None)

            # 2. Score them, in one batch on all cores.
            with phases.measure("score"):
                asked = [problems.train[rollouts.prompt_index[group]] for group in rollouts.group_ids]
                batch = Completions(
                    texts=policy.decode(rollouts.completions),
                    golds=[problem.gold for problem in asked],
                    prompts=[problem.text for problem in asked],
                    rows=[problem.columns for problem in asked],
                )
                try:
                    verdicts = setup.verifier.verdicts(batch)
                    scored = rewards(batch, known={"math": verdicts.scores.astype(np.float64)})
                except Exception:
                    # A reward of the user's own failed: keep the work, so that it can be mended.
                    save(rollouts)
                    display.note(f"a reward failed at step {state.step + 1}; mend it, then --resume")
                    raise
                rollouts = replace(
                    rollouts, rewards=scored.total, components=scored.parts, outcomes=verdicts.outcomes
                )

            # 3. Advantages within each group; 4. one or more optimiser steps on the groups that teach.
            with phases.measure("update"):
                advantages = group_advantages(
                    scored.total,
                    rollouts.group_ids,
                    scale=config.objective.advantage,
                    epsilon=config.objective.advantage_epsilon,
                )
                lr = learning_rate(config.optim, state.step, config.run.steps)
                trained = learner.update(rollouts, advantages, lr=lr)
            state.step += 1
            state.trained_tokens += int(trained["train/tokens"])

            # 5. Tell.
            metrics = {
                "step": state.step,
                "epoch": state.position / order.size,
                "lr": lr,
                **step_metrics(rollouts, scored, advantages),
                **trained,
            }
            seconds = sum(phases.step.values())
            metrics |= {f"time/{phase}": spent for phase, spent in phases.step.items()}
            metrics |= {"time/step": seconds, "tokens_per_s": metrics["tokens/generated"] / seconds}
            last = state.step == config.run.steps
            if config.eval.every and state.step % config.eval.every == 0 and not last:
                evaluation = measure_accuracy(held_out)
                metrics["eval/accuracy"] = evaluation.accuracy
                metrics["eval/tokens_mean"] = evaluation.tokens / len(held_out)
                display.note(f"step {state.step}: held-out greedy accuracy {percent(evaluation.accuracy)}")
            metrics_file.write(metrics)
            if state.step % config.run.completions_every == 0 or last:
                for row in range(min(config.run.completions_count, len(rollouts))):
                    completions_file.write(
                        {
                            "step": state.step,
                            "prompt": batch.prompts[row],
                            "completion": batch.texts[row],
                            "gold": batch.golds[row],
                            "reward": float(scored.total[row]),
                            "rewards": {name: float(part[row]) for name, part in scored.parts.items()},
                            "advantage": float(advantages.values[row]),
                            "outcome": verdicts.outcome(row).name,
                            "reason": verdicts.explain(row),
                        }
                    )
            display.step(metrics, phases.shares())
            rollouts = None

            # 6. Keep.
            stopping = should_stop() or 0 < config.run.stop_after <= state.step
            if last or stopping or (config.checkpoint.every and state.step % config.checkpoint.every == 0):
                save()
            if stopping and not last:
                return TrainingResult(run.path, None)

    # ---- The end: what it was worth, and the model ------------------------------------------------------
    after = measure_accuracy(held_out)
    if not (run.path / "final").exists():
        with phases.measure("checkpoint"), atomic_folder(run.path / "final") as folder:
            policy.model.save_pretrained(folder)
            policy.tokenizer.save_pretrained(folder)
    phases.finish()
    summary = {
        "accuracy_before": state.accuracy_before,
        "accuracy_after": after.accuracy,
        "held_out": after.count,
        "steps": state.step,
        "wall_s": sum(phases.totals.values()),
        "generated_tokens": state.generated_tokens,
        "trained_tokens": state.trained_tokens,
        "phases": {
            phase: {"seconds": phases.totals[phase], "share": share}
            for phase, share in phases.shares().items()
        },
        "warmup": state.warmup,
        "layout": learner.layout,
        "model": str(run.path / "final"),
        "examples": [
            {"prompt": prompt, "completion": text, "correct": correct}
            for prompt, text, correct in after.examples
        ],
    }
    write_json(run.path / "summary.json", summary)
    return TrainingResult(run.path, summary)


def learning_rate(config: OptimConfig, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: a linear rise, then the schedule down to its end."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / (config.warmup_steps + 1)
    done = (step - config.warmup_steps) / max(1, steps - 1 - config.warmup_steps)
    match config.schedule:
        case "constant":
            share = 1.0
        case "linear":
            share = 1.0 - done
        case "cosine":
            share = (1.0 + math.cos(math.pi * done)) / 2.0
    return config.lr * (config.final_fraction + (1.0 - config.final_fraction) * share)


def step_metrics(rollouts: Rollouts, scored: Scored, advantages: Advantages) -> dict[str, Any]:
    """What a step's rollouts say; the formulas are in `log.METRICS`."""
    total = scored.total[~np.isnan(scored.total)]
    assert rollouts.outcomes is not None
    codes, counts = np.unique(rollouts.outcomes, return_counts=True)
    outcomes = {MathOutcome(code): int(count) for code, count in zip(codes, counts, strict=True)}
    scorable = sum(count for outcome, count in outcomes.items() if outcome.is_scorable)
    return {
        "reward/mean": _mean(total),
        "reward/std": float(total.std()) if len(total) else math.nan,
        **{f"reward/{name}": _mean(part[~np.isnan(part)]) for name, part in scored.parts.items()},
        "accuracy": outcomes.get(MathOutcome.CORRECT, 0) / scorable if scorable else math.nan,
        **{f"outcome/{outcome.name}": count / len(rollouts) for outcome, count in outcomes.items()},
        "unscored": float(np.mean(np.isnan(scored.total))),
        "groups/live": advantages.share(GroupState.LIVE),
        "groups/zero_variance": advantages.share(GroupState.ZERO_VARIANCE),
        "groups/too_few": advantages.share(GroupState.TOO_FEW),
        "completion/tokens_mean": _mean(rollouts.completions.lengths),
        "completion/truncated": float(np.mean(~rollouts.finished)),
        "tokens/generated": len(rollouts.completions.flat),
    }


def _mean(values: np.ndarray[Any, Any]) -> float:
    return float(values.mean()) if len(values) else math.nan
