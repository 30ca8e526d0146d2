"""The training loop, from top to bottom.

One step: sample a group of completions of each prompt and score them, choose what to train on, take the
log-probabilities that the advantages need, turn rewards into advantages, update the policy on the rows that
carry a signal, log. Everything random is drawn from the seed and the place of a prompt in the run, so a
checkpoint needs no more than the step, the weights, the optimiser and the reference, and what a step that is
sampled ahead has drawn from weights that are gone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grpo_rs.advantages import StepRewards
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.arrays import FloatArray
from grpo_rs.errors import ModelError
from grpo_rs.learner.critic import Critic
from grpo_rs.learner.memory import PeakMemory
from grpo_rs.learner.nonfinite import NonFiniteError
from grpo_rs.learner.reference import Reference
from grpo_rs.rewards import Completions, step_rewards
from grpo_rs.rewards.stream import RewardPool, RewardReport
from grpo_rs.rollout.sampler import gather, greedy_seeds
from grpo_rs.train.audit import audit
from grpo_rs.train.background import BackgroundCollector
from grpo_rs.train.checkpoint import (
    RunDirectory,
    TrainerState,
    atomic_folder,
    load_checkpoint,
    save_checkpoint,
    set_random_states,
    write_json,
)
from grpo_rs.train.collect import Batch, Collector, Interrupted, Sampled
from grpo_rs.train.config import Config
from grpo_rs.train.data import Problem
from grpo_rs.train.evaluate import evaluate
from grpo_rs.train.ledger import count_tokens, ledger, padding
from grpo_rs.train.log import Display, LineFile, Phases, memory_line
from grpo_rs.train.metrics import completion_lines, mismatch, process_metrics, staleness, step_metrics
from grpo_rs.train.prompts import NoPromptsLeft, PromptQueue
from grpo_rs.train.results import Evaluation, compare
from grpo_rs.train.samplers import make_sampler
from grpo_rs.train.schedule import learning_rate
from grpo_rs.train.select import select, settle
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
        should_stop: asked between completions and between the phases of a step; when true, the run is saved
            and left. What is sampled ahead is waited for: the weights that it is drawn from are not kept.
        display: where progress is shown.
        started: `time.perf_counter()` when the process began, to count its imports as part of the run.

    Raises:
        InputError: bad configuration, data, model or run directory, before any training; or a gradient that
            is not finite, or a reward that returned what it must not, in the middle of it.
    """
    config.check()
    display = display or Display(config.run.name, config.run.steps)
    # Threads and processes of rewards and of sampling end with the call, however it ends.
    with ExitStack() as closing:
        return _train(config, resume, should_stop, display, started, closing)


def _train(
    config: Config,
    resume: bool,
    should_stop: Callable[[], bool],
    display: Display,
    started: float | None,
    closing: ExitStack,
) -> TrainingResult:
    """What `train` does; what must be closed is entered into `closing`."""
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    torch.manual_seed(config.run.seed)

    # ---- The run directory, and where it stands ------------------------------------------------------
    run = RunDirectory(run_path(config, resume=resume))
    state, saved, pending, checkpoint = TrainerState(), None, Sampled(0), None
    if resume:
        run.check(config)
        checkpoint = run.latest()
    if checkpoint is not None:
        state, saved, pending = load_checkpoint(checkpoint)
    elif resume:
        display.note("note: the run was ended before its first checkpoint; starting from the beginning")

    # ---- Everything that can be wrong is found out here, before any training --------------------------
    began = time.perf_counter() if started is None else started
    phases = Phases(state.phase_seconds, began)
    phases.add("start", time.perf_counter() - began)
    with phases.measure("start"):
        setup = prepare(config, checkpoint)
    policy, problems, learner = setup.policy, setup.problems, setup.learner
    if resume:
        differences = run.continue_in(setup.versions)
    else:
        run.begin(config, setup.versions)
        differences = []
    for line in config.algo.describe():
        display.note(line)
    for note in [*config.algo.notes(), *setup.notes, *differences]:
        display.note(f"note: {note}")
    # SPO's running estimate of each prompt's pass rate: the only state of an estimator.
    tracker = PassRateTracker() if config.algo.baseline == "tracker" else None
    queue = PromptQueue(
        len(problems.train),
        config.run.seed,
        drop_above=config.rollout.drop_above,
        drop_below=config.rollout.drop_below,
    )
    sampler = make_sampler(config, policy)
    pool = closing.enter_context(
        RewardPool(
            setup.rewards,
            setup.verifier,
            deadline_s=config.rewards.deadline_s,
            paths={name: name for name, weight in config.rewards.custom.items() if weight},
        )
    )
    collector = Collector(config, problems.train, queue, sampler, pool, policy.text)
    background = closing.enter_context(BackgroundCollector(collector, policy.model.device))
    held_out = problems.held_out[: config.eval.max_prompts]
    metrics_file = LineFile(run.path / "metrics.jsonl", state.file_sizes.get("metrics.jsonl"))
    completions_file = LineFile(run.path / "completions.jsonl", state.file_sizes.get("completions.jsonl"))

    critic: Critic | None = None
    warned = False

    def save_models(folder: Path) -> None:
        policy.save(folder)
        if critic is not None:
            critic.save(folder)

    def save(pending: Sampled | None = None) -> None:
        with phases.measure("checkpoint"):
            pending = pending or background.sampled()
            save_checkpoint(
                run,
                state,
                save_model=save_models,
                learner_state=learner.state_dict(),
                critic_state=None if critic is None else critic.state_dict(),
                tracker_state=None if tracker is None else tracker.state_dict(),
                queue_state=queue.state_dict(),
                pending=pending,
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
            background.wait()
            sampler.sync(policy.model, state.step)
            return evaluate(
                policy,
                sampler,
                on,
                params=config.rollout.params(config.eval.temperature if samples > 1 else 0.0),
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
    def keeping() -> Iterator[None]:
        try:
            yield
        except (Interrupted, NoPromptsLeft):
            raise
        except Exception as error:
            # A reward of the user's own failed, most likely: keep what was sampled, so that it can be mended.
            save(collector.sampled)
            display.note(f"step {state.step + 1} stopped ({type(error).__name__}); mend it, then --resume")
            raise

    def score_steps(batch: Batch) -> StepRewards | None:
        if setup.process is None:
            return None
        assert config.rewards.process is not None
        name, tokens = config.rewards.process, batch.rollouts.completions
        return step_rewards(name, setup.process, batch.completions, tokens, policy.decode)

    def greedy_baseline(batch: Batch) -> tuple[int, FloatArray | None]:
        if config.algo.baseline != "greedy":
            return 0, None
        with phases.measure("sample"):
            prompts = [batch.rollouts.prompts[group].tolist() for group in range(len(batch.rollouts.prompts))]
            stream = sampler.stream(prompts, greedy_seeds(len(prompts)), config.rollout.params(0.0))
            greedy = gather(prompts, batch.rollouts.prompt_index, stream)
        with phases.measure("score"):
            scored, report = collector.score(greedy, should_stop=should_stop)
        for sentence in report.sentences():
            display.note(f"step {state.step + 1}, greedy completions: {sentence}")
        return len(greedy.completions.flat), scored.total

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
        assert setup.memory is not None
        state.memory = setup.memory.beside()
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
        queue.load_state_dict({name: value.numpy() for name, value in saved["queue"].items()})
        if config.algo.needs_reference:
            if state.reference_step is None:
                learner.refer_to_base()
            else:
                learner.reference = Reference(policy.model, run.load_reference(state.reference_step))
        # Last: making models and a critic draws from them.
        set_random_states(saved["random"])
    before = Evaluation.read(run.evaluations / "step-000000.jsonl")
    if state.step == 0 and not (run.path / "audit.json").exists():
        # After the checkpoint: a run that a failed check stops need not do its warm-up again.
        with phases.measure("audit"):
            sampler.sync(policy.model, state.step)
            dtype = None if config.rollout.dtype == "auto" else getattr(torch, config.rollout.dtype)
            audited = audit(
                setup,
                sampler,
                pool,
                config,
                params=config.rollout.params(),
                evaluation=before,
                sampler_dtype=dtype,
            )
        for line in audited.lines():
            display.note(line)
        audited.raise_failed(run.path)
        if sampler.fallback is not None:
            display.note(f"note: sampling with the cache of transformers ({sampler.fallback})")
        write_json(run.path / "audit.json", audited.values())
    display.note(f"held-out accuracy before GRPO: {before.average} of {before.count} problems")

    # ---- GRPO ----------------------------------------------------------------------------------------
    began_at = state.step
    with display.running(state.step):
        while state.step < config.run.steps:
            phases.step = {}

            # 1. Sample a group of completions of each prompt, and score them meanwhile; or wait for those
            #    that were sampled ahead.
            try:
                with keeping():
                    with phases.measure("sample"):
                        batch = background.take()
                    if batch is None:
                        with phases.measure("sync"):
                            sampler.sync(policy.model, state.step)
                        batch = collector.collect(pending, measure=phases.measure, should_stop=should_stop)
            except Interrupted:
                # Rounds that are whole may be of weights that are gone.
                begun = collector.sampled
                save(begun if begun is not None and begun.rollouts is not None else None)
                return TrainingResult(run.path, None)
            except NoPromptsLeft as error:
                display.note(f"the run ends after step {state.step}: {error}")
                save()
                break
            if should_stop():
                save(batch.sampled)
                return TrainingResult(run.path, None)
            rewarding = RewardReport.joined(batch.reports)
            for sentence in rewarding.sentences():
                display.note(f"step {state.step + 1}: {sentence}")
            try:
                with keeping():
                    with phases.measure("score"):
                        steps = score_steps(batch)
                    greedy_tokens, greedy_rewards = greedy_baseline(batch)
            except Interrupted:
                save(batch.sampled)
                return TrainingResult(run.path, None)
            queue.learn(batch.rollouts.prompt_index[batch.rollouts.group_ids], batch.plain)
            skipped = batch.sampled.position - state.position - len(batch.rollouts.prompts)
            state.position = batch.sampled.position
            pending = Sampled(state.position)
            if config.rollout.ahead and state.step + 1 < config.run.steps:
                with phases.measure("sync"):
                    sampler.sync(policy.model, state.step)
                background.start(pending)

            # 2. What to train on.
            selection = select(config, batch, state.step)
            rollouts = selection.rollouts

            # 3. What advantages need beside rewards: a greedy completion's reward, log-probabilities.
            old_logp = reference_logp = teacher_logp = square_sums = None
            if greedy_rewards is not None:
                # A prompt whose greedy completion has no reward has no baseline: it teaches nothing.
                unknown = np.isnan(greedy_rewards)
                rollouts.rewards = np.where(unknown[rollouts.group_ids], np.nan, selection.rewards)
                greedy_rewards = np.where(unknown, 0.0, greedy_rewards)
            reward_kl = config.algo.needs_reference and config.algo.kl_in == "reward"
            if reward_kl or setup.teacher is not None:
                with phases.measure("logprobs"):
                    old_logp = learner.logprobs(rollouts)
                    if reward_kl:
                        reference_logp = learner.reference_logprobs(rollouts)
                    if setup.teacher is not None:
                        teacher_logp = learner.logprobs_under(setup.teacher, rollouts)

            if config.algo.baseline == "optimal_token":
                with phases.measure("logprobs"):
                    old_logp, square_sums = learner.square_sums(rollouts)

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
                    square_sums=square_sums,
                    reward_weights=collector.weights,
                )
                judged: dict[str, float] = {}
                if critic is None:
                    advantages = advantages_of()
                else:
                    advantages, judged = critic.learn(rollouts, advantages_of, lr=config.algo.critic_lr)
                advantages = replace(advantages, trainable=advantages.trainable & selection.rows)
                fates = settle(selection, advantages)
                resting = state.step < config.algo.critic_warmup_steps
                if resting:
                    # The policy rests: it would follow a critic that knows nothing yet.
                    advantages = replace(advantages, trainable=np.zeros_like(advantages.trainable))
                if tracker is not None:
                    tracker.update(rollouts.prompt_index[rollouts.group_ids], batch.plain)
                lr = learning_rate(config.optim, state.step, config.run.steps)
                peak = (
                    PeakMemory(learner, beside=0 if critic is None else critic.nbytes)
                    if state.trained_tokens == 0 and not resting
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
                    raise stopped_by(error, batch.completions, run, state.step + 1) from error
                # Sampling, and a critic's update, need the room.
                learner.optimizer.zero_grad()
            ages = staleness(rollouts, advantages.trainable, state.step)
            state.step += 1
            if peak is not None and trained["train/tokens"]:
                state.memory = (state.memory or {}) | {"first_update": peak.read()}
                display.note(memory_line(state.memory))

            # 6. Tell.
            tokens = count_tokens(fates, rollouts.completions.lengths)
            metrics: dict[str, Any] = {
                "step": state.step,
                "epoch": state.position / len(problems.train),
                "lr": lr,
                **process_metrics(steps),
                **step_metrics(batch, advantages, refills=batch.sampled.rounds - 1),
                **judged,
                **trained,
                **ages,
                **queue.metrics(skipped),
                **ledger(tokens, baseline=greedy_tokens, seconds=batch.sample_s),
                **padding(trained, seconds=phases.step["update"]),
                **rewarding.metrics(),
                **({} if sampler.gap is None else sampler.gap.metrics()),
            }
            seconds = sum(phases.step.values())
            metrics |= {f"time/{phase}": spent for phase, spent in phases.step.items()}
            metrics |= {"time/step": seconds, "tokens_per_s": metrics["tokens/generated"] / seconds}
            state.generated_tokens += metrics["tokens/generated"]
            state.trained_tokens += int(trained["train/tokens"])
            state.fates = {name: state.fates.get(name, 0) + count for name, count in tokens.items()}
            state.wasted_s += metrics["time/wasted"]
            if not warned and (warning := mismatch(metrics, config)) is not None:
                display.note(f"warning: {warning}")
                warned = True
            last = state.step == config.run.steps
            if config.eval.every and state.step % config.eval.every == 0 and not last:
                evaluation = evaluate_held_out()
                metrics |= evaluation.metrics()
                display.note(f"step {state.step}: held-out accuracy {evaluation.average}")
            metrics_file.write(metrics)
            if state.step % config.run.completions_every == 0 or last:
                count = config.run.completions_count
                for values in completion_lines(batch, advantages, step=state.step, count=count):
                    completions_file.write(values)
            display.step(metrics, phases.shares())

            # 7. Keep.
            if config.algo.reference_every and state.step % config.algo.reference_every == 0:
                freeze_reference()
            stopping = should_stop() or 0 < config.run.stop_after <= state.step
            if last or stopping or (config.checkpoint.every and state.step % config.checkpoint.every == 0):
                save()
            if stopping and not last:
                return TrainingResult(run.path, None)

    # ---- The end: what it was worth, and the model ------------------------------------------------------
    after = evaluate_held_out()
    comparison = compare(before, after).summary() if after.count else None
    if state.step > began_at:
        # Of a run that had ended for lack of prompts, and was continued with other bounds.
        shutil.rmtree(run.path / "final", ignore_errors=True)
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
        "tokens": state.fates,
        "wasted_s": state.wasted_s,
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
