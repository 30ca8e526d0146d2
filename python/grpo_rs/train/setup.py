"""Everything a run needs before its first step, checked."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from time import strftime
from typing import Any

import numpy as np
import torch
import transformers

import grpo_rs
from grpo_rs.errors import CheckpointError
from grpo_rs.learner.learner import Learner, Objective
from grpo_rs.learner.probe import probe_layout
from grpo_rs.rewards import FormatReward, MathReward, Reward, WeightedSum
from grpo_rs.rewards.combine import load_reward
from grpo_rs.train.checkpoint import DATA_HASH
from grpo_rs.train.config import Config
from grpo_rs.train.data import Problems, load_problems
from grpo_rs.train.models import Policy, load_policy


@dataclass(frozen=True)
class Setup:
    """What `prepare` made.

    Attributes:
        policy: the model with its tokenizer.
        problems: to train on and held out.
        learner: with an optimiser that has not stepped yet.
        rewards: the weighted sum that is maximised.
        verifier: the maths verifier, for accuracy and reasons, whatever its weight in the sum.
        versions: of the software, the machine and the data.
        notes: what the user should know.
    """

    policy: Policy
    problems: Problems
    learner: Learner
    rewards: WeightedSum
    verifier: MathReward
    versions: dict[str, Any]
    notes: list[str]


def prepare(config: Config, checkpoint: Path | None = None) -> Setup:
    """Loads and checks the model, the problems, the rewards and the layout of the forward pass.

    Raises:
        InputError: any of them cannot be used; the message says how to mend it.
    """
    rewards, verifier = build_rewards(config)
    policy = load_policy(config.model, seed=config.run.seed, checkpoint=checkpoint)
    problems = load_problems(config, policy)
    notes = list(problems.notes)
    wanted = None if config.learner.layout == "auto" else config.learner.layout
    probe = probe_layout(policy.model, problems.train[0].tokens, wanted=wanted)
    if probe.layout == "padded" and wanted is None:
        notes.append("this model cannot take the shared-prefix layout; training with padded rows instead")
    learner = Learner(
        policy.model,
        Objective(
            aggregate=config.objective.aggregate,
            clip_low=config.objective.clip_low,
            clip_high=config.objective.clip_high,
            kl_beta=config.objective.kl_beta,
            epochs=config.objective.epochs,
            temperature=config.rollout.temperature,
        ),
        layout=probe.layout,
        token_budget=config.learner.token_budget,
        logprob_chunk_tokens=config.learner.logprob_chunk_tokens,
        betas=config.optim.betas,
        weight_decay=config.optim.weight_decay,
        max_grad_norm=config.optim.max_grad_norm,
        gradient_checkpointing=config.learner.gradient_checkpointing,
    )
    versions = environment(policy) | {DATA_HASH: data_hash(problems)}
    return Setup(policy, problems, learner, rewards, verifier, versions, notes)


def build_rewards(config: Config) -> tuple[WeightedSum, MathReward]:
    """The weighted sum of the rewards with a weight, and the verifier."""
    verifier = MathReward(config.answer_form())
    shipped: dict[str, tuple[Reward, float]] = {
        "math": (verifier, config.rewards.math),
        "format": (FormatReward(config.rewards.format_style), config.rewards.format),
    }
    chosen = {name: pair for name, pair in shipped.items() if pair[1]}
    chosen |= {path: (load_reward(path), weight) for path, weight in config.rewards.custom.items()}
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


def memory_estimate(setup: Setup, config: Config) -> dict[str, float]:
    """Peak memory of an update in MB, by part; activations are a rule of thumb, the rest is exact.

    Activations: 34 * hidden bytes a token and layer at two bytes a number (Korthikanti et al., arXiv
    2205.05198, without the attention scores), the scores of the mask, and the logits of one chunk.
    """
    model = setup.policy.model
    text = model.config.get_text_config()
    size = torch.finfo(model.dtype).bits // 8
    parameters = sum(p.numel() for p in model.parameters())
    tokens = config.learner.token_budget
    layers = 1 if config.learner.gradient_checkpointing else text.num_hidden_layers
    parts = {
        "weights": parameters * size,
        "gradients": parameters * size,
        "optimiser": 2 * parameters * size,
        "reference": parameters * size if config.objective.kl_beta else 0,
        "activations": 17 * size * text.hidden_size * tokens * layers,
        "logits": 3 * 4 * text.vocab_size * config.learner.logprob_chunk_tokens,
    }
    return {name: value / 2**20 for name, value in parts.items()}
