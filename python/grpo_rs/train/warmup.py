"""The supervised warm-up: imitate solutions until the policy earns some reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.errors import DataError
from grpo_rs.learner.learner import Learner
from grpo_rs.train.config import WarmupConfig
from grpo_rs.train.data import Problem
from grpo_rs.train.models import Policy

WARMUP_STREAM = 3
# Steps over which the warm-up's learning rate rises.
RAMP_STEPS = 20


@dataclass(frozen=True)
class WarmupReport:
    """What the warm-up did.

    Attributes:
        steps: supervised steps taken.
        loss: mean negative log-likelihood of a solution's token in the last step, in nats.
        accuracy: greedy accuracy at the last check, on problems of the training set.
    """

    steps: int
    loss: float
    accuracy: float


def supervised_warmup(
    policy: Policy,
    learner: Learner,
    problems: Sequence[Problem],
    config: WarmupConfig,
    *,
    max_steps: int,
    seed: int,
    should_stop: Callable[[], bool],
    accuracy: Callable[[], float],
    report: Callable[[int, float, float], None],
) -> WarmupReport | None:
    """Minimises the negative log-likelihood of solutions with the learner's own optimiser.

    Args:
        policy, learner: what is trained.
        problems: the training set; only problems with a solution are used.
        config: batch size, learning rate and target.
        max_steps: most steps.
        seed: of the choice of problems.
        should_stop: asked after each step; when true, the warm-up is given up and None returned.
        accuracy: greedy accuracy on some training problems; called every `check_every` steps.
        report: called after each check with step, loss and accuracy.

    Raises:
        DataError: no problem has a solution.
    """
    taught = [problem for problem in problems if problem.solution is not None]
    if not taught:
        raise DataError(
            "the warm-up needs solutions to imitate: name their column in data.solution_column, or set "
            "warmup.max_steps to 0"
        )
    random = np.random.default_rng((seed, WARMUP_STREAM))
    loss = reached = float("nan")
    for step in range(1, max_steps + 1):
        batch = [taught[i] for i in random.integers(0, len(taught), config.batch_size).tolist()]
        loss = _step(policy, learner, batch, config.lr * min(1.0, step / RAMP_STEPS))
        if step % config.check_every == 0 or step == max_steps:
            reached = accuracy()
            report(step, loss, reached)
            if reached >= config.target_accuracy:
                break
        if should_stop():
            return None
    return WarmupReport(step, loss, reached)


def _step(policy: Policy, learner: Learner, problems: Sequence[Problem], lr: float) -> float:
    end = policy.stop_tokens[0]
    solutions = [
        [*policy.tokenizer.encode(str(problem.solution), add_special_tokens=False), end]
        for problem in problems
    ]
    table = _as_rollouts(problems, solutions)
    total = len(table.completions.flat)
    rows = np.arange(len(table))

    def accumulate() -> float:
        # Out of memory, this begins again with smaller micro-batches.
        learner.optimizer.zero_grad()
        loss = 0.0
        for batch in learner.plan(table, rows):
            logp_T, _ = learner.forward(batch, temperature=1.0)
            part = -logp_T.sum() / total
            part.backward()
            loss += float(part.detach())
        return loss

    loss = learner.fitting(accumulate, table, rows)
    learner.apply_gradient(lr)
    return loss


def _as_rollouts(problems: Sequence[Problem], solutions: Sequence[Sequence[int]]) -> Rollouts:
    rows = len(problems)
    completions = Tokens.from_rows(solutions)
    return Rollouts(
        prompts=Tokens.from_rows([problem.tokens for problem in problems]),
        prompt_index=np.zeros(rows, np.int64),
        completions=completions,
        group_ids=np.arange(rows, dtype=np.int64),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(rows, np.bool_),
    )
