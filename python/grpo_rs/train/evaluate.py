"""Evaluation: completions of held-out problems, judged by the verifier, an answer each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from grpo_rs.batch import Tokens
from grpo_rs.errors import InputError
from grpo_rs.math import MathVerdicts, verify_math
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import Completions, MathReward
from grpo_rs.rollout.sampler import (
    Completion,
    Sampler,
    SamplingParams,
    completion_seeds,
    greedy_seeds,
)
from grpo_rs.train.data import Problem
from grpo_rs.train.models import Policy
from grpo_rs.train.results import NO_VOTE, Answer, Evaluation, ProblemResult

# The stream of random numbers of evaluations; those of data are in `data`.
EVALUATION_STREAM = 4


def evaluate(
    policy: Policy,
    sampler: Sampler,
    problems: Sequence[Problem],
    *,
    params: SamplingParams,
    samples: int = 1,
    batch_size: int,
    verifier: MathReward,
    seed: int,
    progress: Callable[[int], None] = lambda problems: None,
) -> Evaluation:
    """Generates completions of every problem and verifies them.

    The same seed gives a problem the same random numbers at every evaluation, so that the difference of two
    checkpoints has less noise.

    Args:
        policy: for its tokenizer.
        sampler: generates with the policy's current weights.
        problems: what to evaluate on.
        params: how to draw; temperature 0 is greedy.
        samples: completions of a problem.
        batch_size: completions generated at once.
        verifier: judges the completions.
        seed: of the completions.
        progress: called with the number of problems done.

    Raises:
        InputError: several greedy completions are asked for, or the sampler refuses a prompt.
    """
    if samples > 1 and params.temperature == 0:
        raise InputError(
            f"{samples} samples at temperature 0 are {samples} times the same completion: set a temperature, "
            "such as 0.6 or 1.0, or 1 sample"
        )
    drawn: list[list[Completion]] = []
    at_once = max(1, batch_size // samples)
    stream = int(np.random.SeedSequence((seed, EVALUATION_STREAM)).generate_state(1, np.uint64)[0])
    for start in range(0, len(problems), at_once):
        chunk = problems[start : start + at_once]
        seeds = (
            completion_seeds(stream, np.arange(start, start + len(chunk)), samples)
            if params.temperature
            else greedy_seeds(len(chunk))
        )
        groups: list[list[Completion]] = [[] for _ in chunk]
        for completion in sampler.stream([problem.tokens for problem in chunk], seeds, params):
            groups[completion.group].append(completion)
        drawn += [sorted(group, key=lambda row: row.member) for group in groups]
        progress(len(drawn))
    flat = [completion for group in drawn for completion in group]
    texts = policy.decode(Tokens.from_rows([completion.tokens for completion in flat]))
    golds = [problem.gold for problem, group in zip(problems, drawn, strict=True) for _ in group]
    verdicts = verifier.verdicts(Completions(texts, golds))
    votes = _votes(verdicts, verifier, samples)
    answers = [
        Answer(texts[i], verdicts.answer(i), verdicts.outcome(i), votes[i], len(row.tokens), row.finish)
        for i, row in enumerate(flat)
    ]
    return Evaluation(
        [
            ProblemResult(
                problem.question, problem.text, problem.gold, tuple(answers[i * samples : (i + 1) * samples])
            )
            for i, problem in enumerate(problems)
        ]
    )


def _votes(verdicts: MathVerdicts, verifier: MathReward, samples: int) -> list[int]:
    """Which of its problem's different answers each completion gave; see `Answer.vote`.

    Answers are one if the verifier takes them for equal: right ones are equal to the gold, wrong ones are
    compared with each other. Where its equality is not transitive (roundings), the earlier answer decides.
    """
    votes = [0 if code == MathOutcome.CORRECT else NO_VOTE for code in verdicts.outcomes.tolist()]
    # The different wrong answers of each problem, by their normal form or, if they have none, their text.
    wrong: dict[int, dict[str, list[int]]] = {}
    for i, vote in enumerate(votes):
        answer = verdicts.answer(i)
        if vote == NO_VOTE and answer is not None and answer.strip():
            form = verdicts.normal_forms(i)[0] if samples > 1 else None
            wrong.setdefault(i // samples, {}).setdefault(form or answer.strip(), []).append(i)
    forms = [(problem, list(members.values())) for problem, members in wrong.items()]
    pairs = [
        (problem, one, other)
        for problem, members in forms
        for one in range(len(members))
        for other in range(one)
    ]
    texts = {problem: [str(verdicts.answer(rows[0])) for rows in members] for problem, members in forms}
    scores = verify_math(
        [texts[problem][one] for problem, one, _ in pairs],
        [texts[problem][other] for problem, _, other in pairs],
        extract="whole",
        policy=verifier.policy,
    ).scores
    equal = {pair for pair, score in zip(pairs, scores.tolist(), strict=True) if score == 1}
    for problem, members in forms:
        numbers: list[int] = []
        for one, rows in enumerate(members):
            same = next((numbers[other] for other in range(one) if (problem, one, other) in equal), None)
            numbers.append(max(numbers, default=0) + 1 if same is None else same)
            for row in rows:
                votes[row] = numbers[one]
    return votes
