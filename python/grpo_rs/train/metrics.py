"""What a step's completions say, for metrics.jsonl and completions.jsonl; formulas are in `log.METRICS`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from grpo_rs.advantages import Advantages, GroupState, StepRewards
from grpo_rs.arrays import BoolArray
from grpo_rs.batch import Rollouts
from grpo_rs.outcomes import MathOutcome
from grpo_rs.train.collect import Batch
from grpo_rs.train.config import Config


def step_metrics(batch: Batch, advantages: Advantages, refills: int) -> dict[str, Any]:
    """What all completions that were sampled say."""
    scored, rollouts = batch.scored, batch.rollouts
    total = scored.total[~np.isnan(scored.total)]
    codes, counts = np.unique(batch.verdicts.outcomes, return_counts=True)
    outcomes = {MathOutcome(code): int(count) for code, count in zip(codes, counts, strict=True)}
    scorable = sum(count for outcome, count in outcomes.items() if outcome.is_scorable)
    states = advantages.states if batch.states is None else batch.states
    return {
        "reward/mean": _mean(total),
        "reward/std": float(total.std()) if len(total) else math.nan,
        **{f"reward/{name}": _mean(part[~np.isnan(part)]) for name, part in scored.parts.items()},
        "accuracy": outcomes.get(MathOutcome.CORRECT, 0) / scorable if scorable else math.nan,
        **{f"outcome/{outcome.name}": count / len(rollouts) for outcome, count in outcomes.items()},
        "unscored": float(np.mean(np.isnan(scored.total))),
        "groups/live": float(np.mean(states == GroupState.LIVE)),
        "groups/zero_variance": float(np.mean(states == GroupState.ZERO_VARIANCE)),
        "groups/too_few": float(np.mean(states == GroupState.TOO_FEW)),
        "groups/sampled": len(rollouts.prompts),
        "groups/refills": refills,
        "completion/tokens_mean": _mean(rollouts.completions.lengths),
        "completion/truncated": float(np.mean(~rollouts.finished)),
    }


def staleness(rollouts: Rollouts, trained: BoolArray, step: int) -> dict[str, float]:
    """How old the weights are that drew what is trained on.

    Args:
        rollouts: of the step.
        trained: bool, one per row.
        step: optimiser steps done before this one.
    """
    if rollouts.versions is None or not trained.any():
        return {}
    age = step - rollouts.versions[trained]
    return {"staleness/mean": float(age.mean()), "staleness/max": int(age.max())}


def process_metrics(steps: StepRewards | None) -> dict[str, Any]:
    """What the rewards of steps say, where there are any."""
    if steps is None:
        return {}
    number = np.diff(steps.offsets)
    return {
        "steps/reward": _mean(steps.rewards[~np.isnan(steps.rewards)]),
        "steps/count": _mean(number[number > 0]),
    }


def completion_lines(
    batch: Batch, advantages: Advantages, *, step: int, count: int
) -> Iterator[dict[str, Any]]:
    """The first completions of a step, for completions.jsonl."""
    for row in range(min(count, len(batch.rollouts))):
        yield {
            "step": step,
            "prompt": batch.completions.prompts[row],
            "completion": batch.completions.texts[row],
            "gold": batch.completions.golds[row],
            "reward": float(batch.scored.total[row]),
            "rewards": {name: float(part[row]) for name, part in batch.scored.parts.items()},
            "advantage": float(advantages.values[row]),
            "outcome": batch.verdicts.outcome(row).name,
            "reason": batch.verdicts.explain(row),
        }


# Far beyond what rounding and a step's change of the weights make of exp(d) - d - 1 and of exp(d).
MISMATCH_K3, MISMATCH_ESS = 0.01, 0.9
# In float32, on the weights that sampled, a difference of one token beyond this is no rounding, in nats.
EXACT_GAP = 1e-2


def mismatch(metrics: dict[str, Any], config: Config) -> str | None:
    """Says why learner and sampler may differ, where they do by more than they should.

    Args:
        metrics: of the step.
        config: of the run.
    """
    if "train/sampler_k3" not in metrics:
        return None
    gap, k3, ess = (metrics[f"train/sampler_{name}"] for name in ("gap_max", "k3", "ess_token"))
    exact = (
        config.rollout.engine == "torch"
        and config.model.dtype == "float32"
        and config.rollout.dtype in ("auto", "float32")
        and not config.rollout.ahead
    )
    if not (k3 > MISMATCH_K3 or ess < MISMATCH_ESS or (exact and gap > EXACT_GAP)):
        return None
    causes = []
    if config.rollout.ahead:
        causes.append("the weights that sampled are a step old, and optim.lr moves them far in one step")
    if config.rollout.engine != "torch":
        causes += [
            f"{config.rollout.engine} has weights of before, or adapters that were not merged",
            "it reads the temperature or the limits of tokens otherwise than they are set",
            "it adds tokens to the prompt, such as a second beginning-of-sequence token",
        ]
    if "bfloat16" in (config.model.dtype, config.rollout.dtype):
        causes.append(
            "numbers of bfloat16: compare with model.dtype or rollout.dtype float32, or set "
            "learner.head_float32"
        )
    causes += [
        "dropout, or another difference of training and evaluation mode, in the model's own code",
        f"the attention of the learner's layout: compare with learner.layout = padded (it is "
        f"{config.learner.layout})",
    ]
    return (
        f"step {metrics['step']}: learner and sampler do not agree on the policy: log-probabilities of a "
        f"token differ by up to {gap:.2g} nats, k3 is {k3:.2g}, the effective sample size {ess:.0%} of the "
        f"tokens. Likely causes: {'; '.join(causes)}. Said once: see train/sampler_* in metrics.jsonl"
    )


def _mean(values: np.ndarray[Any, Any]) -> float:
    return float(values.mean()) if len(values) else math.nan
