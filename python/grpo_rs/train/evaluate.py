"""Greedy accuracy on held-out problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import Completions, MathReward
from grpo_rs.rollout.sampler import Sampler, SamplingParams, gather, greedy_seeds
from grpo_rs.train.data import Problem
from grpo_rs.train.models import Policy


@dataclass(frozen=True)
class Evaluation:
    """What a greedy pass over held-out problems gave.

    Attributes:
        accuracy: correct answers over scorable ones.
        count: scorable problems.
        tokens: completion tokens generated.
        examples: prompt, completion and whether it was correct, for the summary.
    """

    accuracy: float
    count: int
    tokens: int
    examples: list[tuple[str, str, bool]]


def evaluate(
    policy: Policy,
    sampler: Sampler,
    problems: Sequence[Problem],
    *,
    max_new_tokens: int,
    batch_size: int,
    verifier: MathReward,
) -> Evaluation:
    """Generates one greedy completion a problem and verifies it.

    Args:
        policy: for its tokenizer.
        sampler: generates with the policy's current weights.
        problems: what to evaluate on.
        max_new_tokens: length limit of a completion.
        batch_size: prompts generated at once.
        verifier: judges the completions.
    """
    params = SamplingParams(max_new_tokens, temperature=0.0)
    texts: list[str] = []
    tokens = 0
    for start in range(0, len(problems), batch_size):
        chunk = problems[start : start + batch_size]
        prompts = [problem.tokens for problem in chunk]
        completions = sampler.stream(prompts, greedy_seeds(len(chunk)), params)
        rollouts = gather(prompts, np.arange(start, start + len(chunk)), completions)
        tokens += len(rollouts.completions.flat)
        texts += policy.decode(rollouts.completions)
    verdicts = verifier.verdicts(Completions(texts, [problem.gold for problem in problems]))
    correct = verdicts.outcomes == MathOutcome.CORRECT
    scorable = ~np.isnan(verdicts.scores)
    return Evaluation(
        accuracy=float(correct.sum() / scorable.sum()) if scorable.any() else float("nan"),
        count=int(scorable.sum()),
        tokens=tokens,
        examples=[
            (problem.text, text, bool(right))
            for problem, text, right in zip(problems[:3], texts[:3], correct[:3], strict=True)
        ],
    )
