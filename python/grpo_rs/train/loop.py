"""The training loop, from top to bottom.

One step: sample a group of completions of each prompt, score them, take the log-probabilities that the
advantages need, turn rewards into advantages, update the policy on the rows that carry a signal, log.
Everything random is drawn from the seed and the step number, so a checkpoint needs no more than the step, the
weights, the optimiser and the reference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grpo_rs.advantages import Advantages, GroupState, StepRewards
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.batch import Rollouts
from grpo_rs.errors import ModelError
from grpo_rs.learner.critic import Critic
from grpo_rs.learner.memory import PeakMemory
from grpo_rs.learner.nonfinite import NonFiniteError
from grpo_rs.learner.reference import Reference
from grpo_rs.math import MathVerdicts
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import Completions, Scored, step_rewards
from grpo_rs.rollout.sampler import Sampler, SamplingParams, completion_seeds, gather, greedy_seeds
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.train.audit import audit
from grpo_rs.train.checkpoint import (
    RunDirectory,
    TrainerState,
    atomic_folder,
    load_checkpoint,
    save_checkpoint,
    set_random_states,
    write_json,
)
from grpo_rs.train.config import Config, OptimConfig
from grpo_rs.train.data import Problem, PromptOrder
from grpo_rs.train.evaluate import evaluate
from grpo_rs.train.log import Display, LineFile, Phases, memory_line
from grpo_rs.train.results import Evaluation, compare
from grpo_rs.train.setup import prepare, run_path
from grpo_rs.train.warmup import supervised_warmup

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
    state, saved, rollouts, checkpoint = TrainerState(), None, None, None
    if resume:
        run.check(config)
        checkpoint = run.latest()
    if checkpoint is not None:
        state, saved, rollouts = load_checkpoint(checkpoint)
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
    for line in config.algo.describe():
        display.note(line)
    for note in [*config.algo.notes(), *setup.notes, *differences]:
        display.note(f"note: {note}")
    sampler: Sampler = TorchSampler(policy.model, policy.stop_tokens, policy.tokenizer.pad_token_id or 0)
    # SPO's running estimate of each prompt's pass rate: the only state of an estimator.
    tracker = PassRateTracker() if config.algo.baseline == "tracker" else None
    order = PromptOrder(len(problems.train), config.run.seed)
    params = SamplingParams(config.rollout.max_new_tokens, config.rollout.temperature)
    held_out = problems.held_out[: config.eval.max_prompts]
    metrics_file = LineFile(run.path / "metrics.jsonl", state.file_sizes.get("metrics.jsonl"))
    completions_file = LineFile(run.path / "completions.jsonl", state.file_sizes.get("completions.jsonl"))

    critic: Critic | None = None

    def save_models(folder: Path) -> None:
        policy.save(folder)
        if critic is not None:
            critic.save(folder)

    def save(rollouts: Rollouts | None = None) -> None:
        with phases.measure("checkpoint"):
            save_checkpoint(
                run,
                state,
                save_model=save_models,
                learner_state=learner.state_dict(),
                critic_state=None if critic is None else critic.state_dict(),
                tracker_state=None if tracker is None else tracker.state_dict(),
                rollouts=rollouts,
                line_files=[metrics_file.path, completions_file.path],
            )
            run.prune(config.checkpoint.keep)

    def freeze_reference() -> None:
        with phases.measure("checkpoint"):
            if policy.adapters is not None and state.step == 0 and state.warmup is None:
                learner.refer_to_base()
                return
            learner.freeze_reference()
            assert learner.reference is not None and learner.reference.weights is not None
            run.save_reference(state.step, learner.reference.weights)
            state.reference_step = state.step

    def measure_accuracy(on: Sequence[Problem], *, samples: int = 1) -> Evaluation:
        with phases.measure("evaluate"):
            return evaluate(
                policy,
                sampler,
                on,
                params=replace(params, temperature=config.eval.temperature if samples > 1 else 0.0),
                samples=samples,
                batch_size=config.eval.batch_size,
                verifier=setup.verifier,
                seed=config.run.seed,
            )

    def evaluate_held_out() -> Evaluation:
        evaluation = measure_accuracy(held_out, samples=config.eval.samples)
        with phases.measure("evaluate"):
            run.evaluations.mkdir(exist_ok=True)
            evaluation.write(run.evaluations / f"step-{state.step:06d}.jsonl")
        return evaluation

    @contextmanager
    def keeping(rollouts: Rollouts) -> Iterator[None]:
        try:
            yield
        except Exception:
            # A reward of the user's own failed: keep the step's work, so that it can be mended.
            save(rollouts)
            display.note(f"a reward failed at step {state.step + 1}; mend it, then --resume")
            raise

    def score_steps(rollouts: Rollouts, batch: Completions) -> StepRewards | None:
        if setup.process is None:
            return None
        assert config.rewards.process is not None
        name = config.rewards.process
        return step_rewards(name, setup.process, batch, rollouts.completions, policy.decode)

    def score(rollouts: Rollouts) -> tuple[Completions, MathVerdicts, Scored]:
        asked = [problems.train[rollouts.prompt_index[group]] for group in rollouts.group_ids]
        batch = Completions(
            texts=policy.decode(rollouts.completions),
            golds=[problem.gold for problem in asked],
            prompts=[problem.text for problem in asked],
            rows=[problem.columns for problem in asked],
        )
        verdicts = setup.verifier.verdicts(batch)
        return batch, verdicts, rewards(batch, known={"math": verdicts.scores.astype(np.float64)})

    # ---- Before the first step: warm-up, the frozen reference, the accuracy to beat --------------------
    if saved is None:
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
        if config.algo.needs_reference:
            freeze_reference()
        if config.algo.needs_critic:
            critic = Critic(learner)
        state.accuracy_before = evaluate_held_out().accuracy
        save()
    else:
        learner.load_state_dict(saved["learner"])
        if config.algo.needs_critic:
            assert checkpoint is not None
            critic = Critic(learner)
            critic.load(checkpoint)
            critic.load_state_dict(saved["critic"])
        if tracker is not None:
            tracker.load_state_dict({name: value.numpy() for name, value in saved["tracker"].items()})
        if config.algo.needs_reference:
            if state.reference_step is None:
                learner.refer_to_base()
            else:
                learner.reference = Reference(policy.model, run.load_reference(state.reference_step))
        # Last: making models and a critic draws from them.
        set_random_states(saved["random"])
    before = Evaluation.read(run.evaluations / "step-000000.jsonl")
    if state.step == 0 and not (run.path / "audit.json").exists():
        # After the checkpoint: what a failed check names is mended, and the run continued.
        with phases.measure("audit"):
            audited = audit(setup, sampler, config, params=params, evaluation=before)
        for line in audited.lines():
            display.note(line)
        audited.raise_failed()
        write_json(run.path / "audit.json", audited.values())
    display.note(f"held-out accuracy before GRPO: {before.average} of {before.count} problems")

    # ---- GRPO ----------------------------------------------------------------------------------------
    with display.running(state.step):
        while state.step < config.run.steps:
            phases.step = {}

            # 1. Sample a group of completions of each prompt.
            if rollouts is None:
                index = order.take(state.position, config.rollout.prompts_per_step)
                with phases.measure("sample"):
                    prompts = [problems.train[i].tokens for i in index]
                    draws = np.arange(state.position, state.position + len(index))
                    seeds = completion_seeds(config.run.seed, draws, config.rollout.group_size)
                    rollouts = gather(prompts, index, sampler.stream(prompts, seeds, params))
                state.position += len(index)
                state.generated_tokens += len(rollouts.completions.flat)
                if should_stop():
                    save(rollouts)
                    return TrainingResult(run.path, None)

            # 2. Score them, in one batch on all cores.
            with phases.measure("score"), keeping(rollouts):
                batch, verdicts, scored = score(rollouts)
                steps = score_steps(rollouts, batch)
                rollouts = replace(
                    rollouts, rewards=scored.total, components=scored.parts, outcomes=verdicts.outcomes
                )

            # 3. What advantages need beside rewards: a greedy completion's reward, log-probabilities.
            greedy_rewards = old_logp = reference_logp = teacher_logp = None
            if config.algo.baseline == "greedy":
                with phases.measure("sample"):
                    prompts = [rollouts.prompts[group].tolist() for group in range(len(rollouts.prompts))]
                    best = sampler.stream(
                        prompts, greedy_seeds(len(prompts)), replace(params, temperature=0.0)
                    )
                    greedy = gather(prompts, rollouts.prompt_index, best)
                with phases.measure("score"), keeping(rollouts):
                    greedy_rewards = score(greedy)[2].total
                # A prompt whose greedy completion has no reward has no baseline: it teaches nothing.
                unknown = np.isnan(greedy_rewards)
                rollouts = replace(
                    rollouts, rewards=np.where(unknown[rollouts.group_ids], np.nan, scored.total)
                )
                greedy_rewards = np.where(unknown, 0.0, greedy_rewards)
            reward_kl = config.algo.needs_reference and config.algo.kl_in == "reward"
            if reward_kl or setup.teacher is not None:
                with phases.measure("logprobs"):
                    old_logp = learner.logprobs(rollouts)
                    if reward_kl:
                        reference_logp = learner.reference_logprobs(rollouts)
                    if setup.teacher is not None:
                        teacher_logp = learner.logprobs_under(setup.teacher, rollouts)

            # 4. Advantages; 5. one or more optimiser steps on the rows that teach.
            with phases.measure("update"):
                advantages_of = partial(
                    compute_advantages,
                    config.algo,
                    rollouts,
                    old_logprobs=old_logp,
                    ref_logprobs=reference_logp,
                    greedy_rewards=greedy_rewards,
                    step_rewards=steps,
                    tracker=tracker,
                    teacher_logprobs=teacher_logp,
                    reward_weights=rewards.weights,
                )
                judged: dict[str, float] = {}
                if critic is None:
                    advantages = advantages_of()
                else:
                    advantages, judged = critic.learn(rollouts, advantages_of, lr=config.algo.critic_lr)
                resting = state.step < config.algo.critic_warmup_steps
                if resting:
                    # The policy rests: it would follow a critic that knows nothing yet.
                    advantages = replace(advantages, trainable=np.zeros_like(advantages.trainable))
                if tracker is not None:
                    tracker.update(rollouts.prompt_index[rollouts.group_ids], scored.total)
                lr = learning_rate(config.optim, state.step, config.run.steps)
                peak = (
                    PeakMemory(learner, beside=0 if critic is None else critic.nbytes)
                    if state.memory is None and not resting
                    else None
                )
                try:
                    trained = learner.update(
                        rollouts,
                        advantages,
                        lr=lr,
                        old_logp=old_logp,
                        reference_logp=reference_logp,
                    )
                except NonFiniteError as error:
                    raise stopped_by(error, batch, run, state.step + 1) from error
                # Sampling, and a critic's update, need the room.
                learner.optimizer.zero_grad()
            state.step += 1
            state.trained_tokens += int(trained["train/tokens"])
            if peak is not None and trained["train/tokens"]:
                state.memory = setup.memory.beside(peak.read())
                display.note(memory_line(state.memory))
            if config.algo.reference_every and state.step % config.algo.reference_every == 0:
                freeze_reference()

            # 6. Tell.
            metrics = {
                "step": state.step,
                "epoch": state.position / order.size,
                "lr": lr,
                **process_metrics(steps),
                **step_metrics(rollouts, scored, advantages),
                **judged,
                **trained,
            }
            seconds = sum(phases.step.values())
            metrics |= {f"time/{phase}": spent for phase, spent in phases.step.items()}
            metrics |= {"time/step": seconds, "tokens_per_s": metrics["tokens/generated"] / seconds}
            last = state.step == config.run.steps
            if config.eval.every and state.step % config.eval.every == 0 and not last:
                evaluation = evaluate_held_out()
                metrics |= evaluation.metrics()
                display.note(f"step {state.step}: held-out accuracy {evaluation.average}")
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

            # 7. Keep.
            stopping = should_stop() or 0 < config.run.stop_after <= state.step
            if last or stopping or (config.checkpoint.every and state.step % config.checkpoint.every == 0):
                save()
            if stopping and not last:
                return TrainingResult(run.path, None)

    # ---- The end: what it was worth, and the model ------------------------------------------------------
    after = evaluate_held_out()
    comparison = compare(before, after).summary() if after.count else None
    if not (run.path / "final").exists():
        with phases.measure("checkpoint"), atomic_folder(run.path / "final") as folder:
            policy.save(folder)
    phases.finish()
    summary = {
        "accuracy_before": state.accuracy_before,
        "accuracy_after": after.accuracy,
        "held_out": after.count,
        "evaluation": after.summary(),
        "comparison": comparison,
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
        "token_budget": learner.token_budget,
        "memory": state.memory,
        "model": str(run.path / "final"),
        "examples": [
            {"prompt": prompt, "completion": text, "correct": correct}
            for prompt, text, correct in after.examples
        ],
    }
    write_json(run.path / "summary.json", summary)
    return TrainingResult(run.path, summary)


def stopped_by(error: NonFiniteError, batch: Completions, run: RunDirectory, step: int) -> ModelError:
    """Writes what is known of a group whose numbers are not finite, and says where and how to go on."""
    rows = error.facts.get("rows", [])
    where = error.write(
        run.path / "nonfinite",
        f"step-{step:06d}",
        prompt=batch.prompts[rows[0]] if rows else "",
        completions=[batch.texts[row] for row in rows],
    )
    latest = run.latest()
    return ModelError(
        f"step {step}: {error}. The group that caused it is in {where} and the .npz beside it. To go on, "
        f"start a new run with --model.path {latest}, and a lower optim.lr, or model.dtype float32"
    )


def learning_rate(config: OptimConfig, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: a linear rise, then the schedule down to its end."""
    rise = config.warmup_steps or round(config.warmup_ratio * steps)
    if step < rise:
        return config.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(1, steps - 1 - rise)
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


def process_metrics(steps: StepRewards | None) -> dict[str, Any]:
    """What the rewards of steps say, where there are any."""
    if steps is None:
        return {}
    number = np.diff(steps.offsets)
    return {
        "steps/reward": _mean(steps.rewards[~np.isnan(steps.rewards)]),
        "steps/count": _mean(number[number > 0]),
    }


def _mean(values: np.ndarray[Any, Any]) -> float:
    return float(values.mean()) if len(values) else math.nan
