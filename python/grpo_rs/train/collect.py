"""From prompts to the scored completions of a step.

A step samples a group of completions of each prompt. Each completion goes to its rewards as soon as it has
ended. With dynamic sampling, groups without a learning signal are replaced by groups of the next prompts.

Source:
    dynamic sampling and soft overlong punishment: DAPO, arXiv 2503.14476, sections 3.2 and 3.4.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grpo_rs.advantages import (
    GroupState,
    group_advantages,
    overlong_penalty,
    pass_k_analytic,
    per_reward_advantages,
)
from grpo_rs.algo.knobs import Algo
from grpo_rs.arrays import FloatArray, IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.math import MathVerdicts
from grpo_rs.rewards import Completions, Scored
from grpo_rs.rewards.calls import Stopped
from grpo_rs.rewards.stream import RewardPool, RewardReport, StepScores, StreamingScorer
from grpo_rs.rollout.sampler import Completion, Finish, Sampler, completion_seeds, gather
from grpo_rs.train.config import Config, judges_groups
from grpo_rs.train.data import Problem
from grpo_rs.train.prompts import NoPromptsLeft, PromptQueue

OVERLONG = "overlong"
"""Name of the punishment of length among the rewards."""

Measure = Callable[[str], AbstractContextManager[None]]
StateArray = npt.NDArray[np.uint8]


class Interrupted(Exception):
    """Sampling was asked to stop. What there was of the step can be drawn again, from the same seeds."""


@dataclass(frozen=True)
class Sampled:
    """What a step has sampled so far: beside the run's state all that a continuation needs.

    Attributes:
        position: place in the run's order behind the last prompt looked at.
        rollouts: not scored; None before the first round.
        rounds: of prompts, refills included.
    """

    position: int
    rollouts: Rollouts | None = None
    rounds: int = 0


@dataclass(frozen=True)
class Batch:
    """The completions of a step with their rewards, groups in the order of their prompts.

    Attributes:
        sampled: as the sampler gave them, and where that left the order of the prompts.
        rollouts: the same with rewards.
        completions: the same as text, with what they answer.
        verdicts: of the verifier.
        scored: rewards, the punishment of length included.
        plain: float64, one per row: rewards without it.
        states: uint8 codes of `GroupState`, one per group, by the plain rewards; None where the objective
            does not judge groups by them.
        reports: how the rewards went, one per round.
        sample_s: wall seconds of sampling.
    """

    sampled: Sampled
    rollouts: Rollouts
    completions: Completions
    verdicts: MathVerdicts
    scored: Scored
    plain: FloatArray
    states: StateArray | None
    reports: list[RewardReport]
    sample_s: float


class Collector:
    """Samples and scores the completions of a step.

    Args:
        config: how.
        problems: of the training set.
        queue: their order.
        sampler: where completions come from.
        rewards: where they go.
        decode: token ids to text, without special tokens.

    Attributes:
        sampled: what the step in hand has sampled so far: not lost when a reward fails.
    """

    def __init__(
        self,
        config: Config,
        problems: Sequence[Problem],
        queue: PromptQueue,
        sampler: Sampler,
        rewards: RewardPool,
        decode: Callable[[IntArray], str],
    ) -> None:
        self.config = config
        self.problems = problems
        self.queue = queue
        self.sampler = sampler
        self.rewards = rewards
        self.decode = decode
        self.weights = rewards.rewards.weights | (
            {OVERLONG: config.rewards.overlong} if config.rewards.overlong_tokens else {}
        )
        self.sampled: Sampled | None = None

    def collect(
        self, begun: Sampled, *, measure: Measure, should_stop: Callable[[], bool] = lambda: False
    ) -> Batch:
        """A step's completions, scored.

        Args:
            begun: what the step has sampled already; at least its position.
            measure: times the phases "sample" and "score".
            should_stop: asked before each completion is taken, and while rewards are waited for.

        Raises:
            Interrupted: `should_stop` said so.
            NoPromptsLeft: before anything was sampled for the step.
            InputError: a reward returned what it must not.
        """
        self.sampled = sampled = begun
        scores: list[StepScores] = []
        seconds = 0.0
        if begun.rollouts is not None:
            with StreamingScorer(self.rewards) as scorer, measure("score"):
                self._submit(scorer, begun.rollouts.prompt_index, completions_of(begun.rollouts))
                scores.append(finished(scorer, should_stop))
            refuse_total_failure(scores)
        while (missing := self._missing(sampled, scores)) > 0:
            try:
                drawn = self.queue.take(sampled.position, self._with_spare(missing))
            except NoPromptsLeft:
                if sampled.rollouts is None:
                    raise
                break  # the step is that much smaller
            prompts = [self.problems[i].tokens for i in drawn.prompts]
            seeds = completion_seeds(self.config.run.seed, drawn.places, self.config.rollout.group_size)
            with StreamingScorer(self.rewards) as scorer:
                with measure("sample"):
                    began = time.perf_counter()
                    with closing(self.sampler.stream(prompts, seeds, self.config.rollout.params())) as stream:
                        found = self._submit(scorer, drawn.prompts, stream, should_stop)
                    seconds += time.perf_counter() - began
                table = joined(sampled.rollouts, gather(prompts, drawn.prompts, found))
                self.sampled = sampled = Sampled(drawn.position, table, sampled.rounds + 1)
                with measure("score"):
                    scores.append(finished(scorer, should_stop))
            # Of all rounds together: a small round that fails as a whole is no reason to end a run.
            refuse_total_failure(scores)
        assert sampled.rollouts is not None
        return self._batch(sampled, sampled.rollouts, scores, seconds)

    def score(
        self, rollouts: Rollouts, *, should_stop: Callable[[], bool] = lambda: False
    ) -> tuple[Scored, RewardReport]:
        """Rewards of a table that serves as a baseline, the punishment of length included, and how they went.

        Raises:
            Interrupted: `should_stop` said so.
            InputError: a reward returned what it must not. One that fails leaves prompts without a baseline.
        """
        with StreamingScorer(self.rewards) as scorer:
            self._submit(scorer, rollouts.prompt_index, completions_of(rollouts))
            found = finished(scorer, should_stop)
        return self._shaped(found.scored, rollouts.completions.lengths), found.report

    def _submit(
        self,
        scorer: StreamingScorer,
        index: IntArray,
        completions: Iterable[Completion],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Completion]:
        found = []
        for completion in completions:
            if should_stop():
                raise Interrupted
            found.append(completion)
            problem = self.problems[index[completion.group]]
            key = completion.group * self.config.rollout.group_size + completion.member
            text = self.decode(completion.tokens)
            scorer.submit(key, text, problem.gold, problem.text, problem.columns)
        return found

    def _missing(self, sampled: Sampled, scores: Sequence[StepScores]) -> int:
        """Groups to sample yet."""
        rollout = self.config.rollout
        if sampled.rollouts is None:
            return rollout.prompts_per_step
        if sampled.rounds > rollout.max_refills:
            return 0
        scored = joined_scores(scores)
        states = self._states(scored.total, scored.parts, sampled.rollouts.group_ids)
        return rollout.prompts_per_step - int(np.sum(states == GroupState.LIVE))

    def _with_spare(self, groups: int) -> int:
        # Rounded first: 1.1 * 10 is a little more than 11.
        return math.ceil(round(self.config.rollout.oversample * groups, 6))

    def _states(
        self, total: FloatArray, parts: dict[str, FloatArray], group_ids: IntArray
    ) -> StateArray | None:
        return signal_states(self.config.algo, total, parts, self.rewards.rewards.weights, group_ids)

    def _shaped(self, plain: Scored, lengths: IntArray) -> Scored:
        cache = self.config.rewards.overlong_tokens
        if not cache:
            return plain
        penalty = overlong_penalty(lengths, max_length=self.config.rollout.max_new_tokens, cache=cache)
        total = plain.total + self.config.rewards.overlong * penalty
        return Scored(total, plain.parts | {OVERLONG: penalty})

    def _batch(
        self, sampled: Sampled, rollouts: Rollouts, scores: Sequence[StepScores], seconds: float
    ) -> Batch:
        plain = joined_scores(scores)
        states = self._states(plain.total, plain.parts, rollouts.group_ids)
        scored = self._shaped(plain, rollouts.completions.lengths)
        verdicts = MathVerdicts.concatenate(
            [score.verdicts for score in scores if score.verdicts is not None]
        )
        return Batch(
            sampled=sampled,
            rollouts=replace(
                rollouts, rewards=scored.total, components=scored.parts, outcomes=verdicts.outcomes
            ),
            completions=Completions(
                texts=[text for score in scores for text in score.completions.texts],
                golds=[gold for score in scores for gold in score.completions.golds],
                prompts=[prompt for score in scores for prompt in score.completions.prompts],
                rows=[row for score in scores for row in score.completions.rows],
            ),
            verdicts=verdicts,
            scored=scored,
            plain=plain.total,
            states=states,
            reports=[score.report for score in scores],
            sample_s=seconds,
        )


def signal_states(
    algo: Algo,
    total: FloatArray,
    parts: dict[str, FloatArray],
    weights: dict[str, float],
    group_ids: IntArray,
) -> StateArray | None:
    """Which groups carry a learning signal, tested exactly: `GroupState` codes, one per group.

    Args:
        algo: the objective.
        total: float64, one reward per row, NaN where not scorable.
        parts: of which that is the sum.
        weights: of the parts.
        group_ids: int64, one per row.

    Returns:
        None where equal rewards are a signal, or rewards are not what is learnt from.
    """
    if not judges_groups(algo):
        return None
    match algo.transform:
        case "pass_k_analytic":
            return pass_k_analytic(total, group_ids, algo.pass_k).states
        case "per_reward":
            return per_reward_advantages(
                list(parts.values()), [weights[name] for name in parts], group_ids
            ).states
        case _:
            return group_advantages(total, group_ids).states


@contextmanager
def closing(stream: Iterator[Completion]) -> Iterator[Iterator[Completion]]:
    """Ends the sampling of what is left when the block is left."""
    try:
        yield stream
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            close()


def finished(scorer: StreamingScorer, should_stop: Callable[[], bool]) -> StepScores:
    """The scores of a round, or of what else is a part of a step.

    Raises:
        Interrupted: `should_stop` said so.
        InputError: a reward returned what it must not.
    """
    try:
        return scorer.finish(refuse=False, should_stop=should_stop)
    except Stopped:
        raise Interrupted from None


def refuse_total_failure(scores: Sequence[StepScores]) -> None:
    """Raises InputError if a reward could score no completion of the step so far; see `RewardReport`."""
    RewardReport.joined([score.report for score in scores]).refuse_total_failure()


# ---- Tables ------------------------------------------------------------------------------------------------


def completions_of(rollouts: Rollouts) -> list[Completion]:
    """The rows of a table as a sampler gives them; one that ended by itself as if by a stop token."""
    offsets = rollouts.completions.offsets
    members = np.zeros(len(rollouts.prompts), np.int64)
    found = []
    for row, group in enumerate(rollouts.group_ids.tolist()):
        part = slice(offsets[row], offsets[row + 1])
        found.append(
            Completion(
                group,
                int(members[group]),
                rollouts.completions.flat[part],
                rollouts.sampler_logprobs[part],
                Finish.STOP_TOKEN if rollouts.finished[row] else Finish.LENGTH,
                0 if rollouts.versions is None else int(rollouts.versions[row]),
                None if rollouts.log_mass is None else rollouts.log_mass[part],
            )
        )
        members[group] += 1
    return found


def joined(first: Rollouts | None, second: Rollouts) -> Rollouts:
    """Two tables as one: the groups of the second behind those of the first."""
    if first is None:
        return second
    groups = len(first.prompts)
    prompts = [table.prompts[g].tolist() for table in (first, second) for g in range(len(table.prompts))]
    rows = completions_of(first)
    rows += [replace(row, group=groups + row.group) for row in completions_of(second)]
    return gather(prompts, np.concatenate([first.prompt_index, second.prompt_index]), rows)


def joined_scores(scores: Sequence[StepScores]) -> Scored:
    """The rewards of several rounds as those of one."""
    return Scored(
        np.concatenate([score.scored.total for score in scores]),
        {
            name: np.concatenate([score.scored.parts[name] for score in scores])
            for name in scores[0].scored.parts
        },
    )
