"""Everything a run needs before its first step, checked."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import strftime
from typing import Any

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel

import grpo_rs
from grpo_rs.errors import CheckpointError, ConfigError, ModelError
from grpo_rs.learner.layout import Layout
from grpo_rs.learner.learner import Learner
from grpo_rs.learner.memory import (
    MemoryEstimate,
    Shape,
    choose_token_budget,
    estimate_memory,
    free_memory,
    probe_step,
)
from grpo_rs.learner.probe import probe_layout
from grpo_rs.math import MathPolicy
from grpo_rs.rewards import FormatReward, MathReward, ProcessReward, Reward, WeightedSum
from grpo_rs.rewards.combine import load_reward
from grpo_rs.rewards.process import load_process_reward
from grpo_rs.train.checkpoint import DATA_HASH
from grpo_rs.train.config import Config
from grpo_rs.train.data import Problems, load_problems
from grpo_rs.train.models import Policy, load_model, load_policy


@dataclass(frozen=True)
class MemoryPlan:
    """What an update is expected to take.

    Attributes:
        estimate: by part.
        probe: peak bytes of the probe step, weights included and optimiser not; None where the system does
            not tell.
    """

    estimate: MemoryEstimate
    probe: int | None

    def beside(self, peak: int | None = None) -> dict[str, Any]:
        """The estimate in bytes, by part, beside what was measured; for the display and summary.json.

        Args:
            peak: of an update, in bytes.
        """
        return {
            "estimate": self.estimate.total,
            "parts": self.estimate.parts(),
            "micro_batch_tokens": self.estimate.micro_batch_tokens,
            "probe_step": self.probe,
            "first_update": peak,
        }


@dataclass(frozen=True)
class Setup:
    """What `prepare` made.

    Attributes:
        policy: the model with its tokenizer.
        problems: to train on and held out.
        learner: with an optimiser that has not stepped yet.
        rewards: the weighted sum that is maximised.
        verifier: the maths verifier, for accuracy and reasons, whatever its weight in the sum.
        process: the user's reward of steps, for the transform "process".
        teacher: the frozen model of the transform "distill".
        memory: what an update is expected to take; None when a run is continued, which knows.
        versions: of the software, the machine and the data.
        notes: what the user should know.
    """

    policy: Policy
    problems: Problems
    learner: Learner
    rewards: WeightedSum
    verifier: MathReward
    process: ProcessReward | None
    teacher: PreTrainedModel | None
    memory: MemoryPlan | None
    versions: dict[str, Any]
    notes: list[str]


def prepare(config: Config, checkpoint: Path | None = None) -> Setup:
    """Loads and checks the model, the problems, the rewards and the layout of the forward pass.

    Raises:
        InputError: any of them cannot be used; the message says how to mend it.
    """
    rewards, verifier = build_rewards(config)
    process = load_process_reward(config.rewards.process) if config.rewards.process else None
    policy = load_policy(config.model, seed=config.run.seed, checkpoint=checkpoint)
    problems = load_problems(config, policy)
    notes = [*config.notes(), *problems.notes]
    wanted = None if config.learner.layout == "auto" else config.learner.layout
    probe = probe_layout(policy.model, problems.train[0].tokens, wanted=wanted)
    if probe.layout == "padded" and wanted is None:
        notes.append(
            f"this model cannot take the shared-prefix layout; training with padded rows ({probe.reason})"
        )
    learner = Learner(
        policy.model,
        config.algo,
        temperature=config.rollout.temperature,
        completion_limit=config.rollout.max_new_tokens,
        layout=probe.layout,
        logprob_chunk_tokens=config.learner.logprob_chunk_tokens,
        head_float32=config.learner.head_float32,
        betas=config.optim.betas,
        epsilon=config.optim.epsilon,
        weight_decay=config.optim.weight_decay,
        decay_on=config.optim.decay_on,
        max_grad_norm=config.optim.max_grad_norm,
        master_weights=config.optim.master_weights,
        gradient_checkpointing=config.learner.gradient_checkpointing,
        recompute_cheap=config.learner.recompute_cheap,
    )
    teacher = None
    if config.model.teacher is not None:
        teacher = load_model(config.model, config.model.teacher, seed=config.run.seed)
        teacher.eval().requires_grad_(False)
        check_teacher(teacher, policy, problems.train[0].tokens, probe.layout)
    # A continued run takes up the token budget that it had.
    memory = _fit_into_memory(config, learner, problems) if checkpoint is None else None
    versions = environment(policy) | {DATA_HASH: data_hash(problems)}
    return Setup(policy, problems, learner, rewards, verifier, process, teacher, memory, versions, notes)


def check_teacher(teacher: PreTrainedModel, policy: Policy, prompt: Sequence[int], layout: Layout) -> None:
    """Refuses a teacher that cannot score the policy's tokens in the layout that they are trained in.

    Raises:
        ModelError: with the reason.
    """
    known, needed = teacher.config.get_text_config().vocab_size, len(policy.tokenizer)
    if known < needed:
        raise ModelError(
            f"the teacher knows {known} tokens and the policy's tokenizer has {needed}: model.teacher needs "
            "the policy's tokenizer"
        )
    try:
        probe_layout(teacher, prompt, wanted=layout)
    except ModelError as error:
        raise ModelError(f"model.teacher: {error}. Try learner.layout = padded") from error


def _fit_into_memory(config: Config, learner: Learner, problems: Problems) -> MemoryPlan:
    """Sets the token budget, and tries it on the largest micro-batch that the run can have."""
    device = learner.model.device
    shape = Shape(
        prompt_tokens=max(len(problem.tokens) for problem in problems.train),
        completion_tokens=config.rollout.max_new_tokens,
        group_size=config.rollout.subset or config.rollout.group_size,
        groups=-(-config.rollout.prompts_per_step // config.algo.minibatches),
    )
    # With adapters, the reference is the model without them.
    reference = config.algo.needs_reference and not (
        config.model.lora_rank and not config.algo.reference_every
    )
    budget = config.learner.token_budget
    if budget == "auto":
        budget = choose_token_budget(learner, shape, reference=reference, free=free_memory(device))
    learner.token_budget = budget
    probe = probe_step(learner, shape)
    estimate = estimate_memory(learner, shape, token_budget=learner.token_budget, reference=reference)
    return MemoryPlan(estimate, probe)


def build_rewards(config: Config) -> tuple[WeightedSum, MathReward]:
    """The weighted sum of the rewards with a weight, and the verifier.

    Raises:
        InputError: one cannot be imported.
        ConfigError: one compares the completions of a step, which are sampled in several rounds.
    """
    verifier = MathReward(config.answer_form(), policy=MathPolicy.named(config.rewards.policy))
    shipped: dict[str, tuple[Reward, float]] = {
        "math": (verifier, config.rewards.math),
        "format": (FormatReward(config.rewards.format_style), config.rewards.format),
    }
    chosen = {name: pair for name, pair in shipped.items() if pair[1]}
    chosen |= {path: (load_reward(path), weight) for path, weight in config.rewards.custom.items() if weight}
    if config.rollout.max_refills:
        for name, (reward, _) in chosen.items():
            if getattr(reward, "whole_batch", False):
                raise ConfigError(
                    f"reward {name!r} is of the whole batch (`whole_batch`), and rollout.max_refills is "
                    f"{config.rollout.max_refills}: it would see each round of refills by itself. Set "
                    "rollout.max_refills to 0 (rollout.oversample samples more in one round), or take the "
                    "attribute from the function"
                )
    return (
        WeightedSum(
            {name: reward for name, (reward, _) in chosen.items()},
            {name: weight for name, (_, weight) in chosen.items()},
        ),
        verifier,
    )


def run_path(config: Config, *, resume: bool) -> Path:
    """The run directory: `run.out`, or a new one named after the run and the time."""
    if config.run.out is not None:
        return Path(config.run.out)
    if resume:
        raise CheckpointError("--resume needs the run directory: give it as --run.out")
    return Path("runs") / f"{config.run.name}-{strftime('%Y%m%d-%H%M%S')}"


def environment(policy: Policy) -> dict[str, Any]:
    """What the result may depend on beside the configuration."""
    device = policy.model.device
    return {
        "grpo_rs": grpo_rs.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def data_hash(problems: Problems) -> str:
    """SHA-256 over the prompts and golds of both sides, in order."""
    digest = hashlib.sha256()
    for problem in problems.train + problems.held_out:
        digest.update(f"{problem.text}\0{problem.gold}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
