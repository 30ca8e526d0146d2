"""What an evaluation found: an answer a completion, estimates with their intervals, comparison, files.

Shapes: M = problems, n = completions of a problem.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from grpo_rs.arrays import FloatArray
from grpo_rs.errors import DataError, InputError
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rollout.sampler import Finish
from grpo_rs.statistics import maj_at_k, paired_difference, pass_at_k, wilson_interval

# Quantile of the normal distribution for intervals of 95 %.
Z = 1.959963984540054
# Random choices of signs in the test of a comparison: its least p-value is one over this and one.
SIGN_FLIPS = 9999
# Signs drawn at a time, which bounds the memory.
SIGNS_AT_ONCE = 1 << 20

NO_VOTE = -1


@dataclass(frozen=True)
class Answer:
    """A completion and what the verifier made of it.

    Attributes:
        text: the completion, without special tokens.
        answer: what was taken for its answer; None where there was none.
        outcome: the verdict.
        vote: which of the problem's different answers it gave: 0 the right one, from 1 on wrong ones, with
            one number for all that are equal; -1 for none.
        tokens: of the completion, the stop token included.
        finish: why it ended.
    """

    text: str
    answer: str | None
    outcome: MathOutcome
    vote: int
    tokens: int
    finish: Finish

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `values`."""
        return cls(
            text=values["text"],
            answer=values["answer"],
            outcome=MathOutcome[values["outcome"]],
            vote=int(values["vote"]),
            tokens=int(values["tokens"]),
            finish=Finish(values["finish"]),
        )

    def values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return vars(self) | {"outcome": self.outcome.name, "finish": self.finish.value}


@dataclass(frozen=True)
class ProblemResult:
    """The answers to one problem.

    Attributes:
        question: the prompt as the data has it; with the gold, what a problem is known by.
        prompt: the same as the model read it.
        gold: the reference answer.
        answers: in the order of their seeds.
    """

    question: str
    prompt: str
    gold: str
    answers: tuple[Answer, ...]

    @property
    def scorable(self) -> bool:
        """Whether the gold can be read; a problem that is not scorable counts nowhere."""
        return all(answer.outcome.is_scorable for answer in self.answers)

    @property
    def correct(self) -> int:
        """Correct answers."""
        return sum(answer.outcome is MathOutcome.CORRECT for answer in self.answers)

    @property
    def score(self) -> float:
        """The share of correct answers; NaN where the problem is not scorable."""
        return self.correct / len(self.answers) if self.scorable else math.nan

    def pass_at(self, k: int) -> float:
        """The probability that one of k answers is right; see `statistics.pass_at_k`."""
        return pass_at_k(len(self.answers), self.correct, k)

    def maj_at(self, k: int) -> float:
        """The probability that the right answer has most votes of k, unbiased; ties are split evenly.

        A completion without an answer is drawn like any other and has no vote: the expectation over how many
        of those are among the k, which is hypergeometric, of `statistics.maj_at_k` over the rest.
        """
        votes = Counter(answer.vote for answer in self.answers)
        blank, right = votes.pop(NO_VOTE, 0), votes.pop(0, 0)
        if not right:
            return 0.0
        counts, cast = [right, *votes.values()], len(self.answers) - blank
        draws = math.comb(len(self.answers), k)
        return sum(
            math.comb(blank, k - drawn) * math.comb(cast, drawn) / draws * maj_at_k(counts, drawn)
            for drawn in range(max(1, k - blank), min(k, cast) + 1)
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `values`."""
        answers = tuple(map(Answer.from_values, values["answers"]))
        if not answers:
            raise ValueError("a problem has no answers")
        return cls(str(values["question"]), str(values["prompt"]), str(values["gold"]), answers)

    def values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return vars(self) | {"score": self.score, "answers": [answer.values() for answer in self.answers]}


@dataclass(frozen=True)
class Estimate:
    """A mean over problems, each between 0 and 1, and how sure of it one may be.

    Attributes:
        value: the mean.
        se: its standard error when the problems stand for others like them; the noise of sampling is in it.
            NaN for a single problem.
        low, high: an interval of 95 %: Wilson's, with the effective number of trials v (1 - v) / se^2.

    Source:
        Standard error: "Adding error bars to evals", arXiv 2411.00640, section 2.1. Interval: Dean and
        Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys"
        (2015). For one completion a problem it is Wilson's own.
    """

    value: float
    se: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | FloatArray, *, samples: int = 1) -> Self:
        """The estimate of the mean of one value a problem, each the mean of `samples` completions.

        No set of completions says more than as many independent ones: the effective number of trials is at
        most M * samples, also where all problems have the same value.
        """
        v = np.asarray(values, np.float64)
        if not len(v):
            return cls(math.nan, math.nan, math.nan, math.nan)
        mean = float(v.mean())
        most = len(v) * samples
        # The square of the standard error, ddof 0: of values 0 and 1 it gives M trials.
        square = float(v.var()) / len(v)
        trials = min(most, mean * (1 - mean) / square) if square > 0 else most if 0 < mean < 1 else len(v)
        low, high = wilson_interval(mean * trials, trials)
        se = float(v.std(ddof=1)) / math.sqrt(len(v)) if len(v) > 1 else math.nan
        return cls(mean, se, max(0.0, low), min(1.0, high))

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "not scorable"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation: the results of its problems, in their order, and what follows from them."""

    results: list[ProblemResult]

    @cached_property
    def scored(self) -> list[ProblemResult]:
        """The results of the scorable problems: what every number is about."""
        return [result for result in self.results if result.scorable]

    @property
    def not_scorable(self) -> list[ProblemResult]:
        """Problems whose gold cannot be read."""
        return [result for result in self.results if not result.scorable]

    @property
    def count(self) -> int:
        """Scorable problems."""
        return len(self.scored)

    @property
    def samples(self) -> int:
        """n, completions of a problem; the least, should problems differ."""
        return min((len(result.answers) for result in self.results), default=0)

    @property
    def accuracy(self) -> float:
        """avg@n: the mean over scorable problems of the share of correct completions; NaN of none."""
        return self.average.value

    @cached_property
    def average(self) -> Estimate:
        """avg@n with its interval; of one completion a problem, the accuracy."""
        return self._estimate(lambda result: result.score)

    @property
    def tokens(self) -> int:
        """Completion tokens generated."""
        return sum(answer.tokens for answer in self._answers())

    @property
    def tokens_mean(self) -> float:
        """Mean tokens of a completion."""
        return _mean(answer.tokens for answer in self._answers())

    @property
    def truncated(self) -> float:
        """Completions cut off at the length limit / completions."""
        return _mean(answer.finish is Finish.LENGTH for answer in self._answers())

    @property
    def examples(self) -> list[tuple[str, str, bool]]:
        """Prompt, completion and whether it was correct, of the first problems."""
        firsts = [(result.prompt, result.answers[0]) for result in self.results[:3]]
        return [(prompt, one.text, one.outcome is MathOutcome.CORRECT) for prompt, one in firsts]

    def ks(self) -> list[int]:
        """The k of pass@k and maj@k that are reported: powers of 2 from 2 to n. For k = 1 both are avg@n."""
        return [1 << power for power in range(1, self.samples.bit_length())]

    def pass_at(self, k: int) -> Estimate:
        """Unbiased pass@k.

        Raises:
            InputError: k is more than the completions of a problem.
        """
        return self._estimate(lambda result: result.pass_at(k))

    def maj_at(self, k: int) -> Estimate:
        """Unbiased maj@k: see `ProblemResult.maj_at`.

        Raises:
            InputError: k is more than the completions of a problem.
        """
        return self._estimate(lambda result: result.maj_at(k))

    def estimates(self) -> dict[str, Estimate]:
        """Every estimate by the name that metrics have for it."""
        found = {"accuracy": self.average}
        for k in self.ks():
            found |= {f"pass_at_{k}": self.pass_at(k), f"maj_at_{k}": self.maj_at(k)}
        return found

    def metrics(self) -> dict[str, float]:
        """What a line of metrics.jsonl says of it; the formulas are in `log.METRICS`."""
        return {
            **{f"eval/{name}": estimate.value for name, estimate in self.estimates().items()},
            "eval/low": self.average.low,
            "eval/high": self.average.high,
            "eval/tokens_mean": self.tokens_mean,
            "eval/truncated": self.truncated,
        }

    def summary(self) -> dict[str, Any]:
        """The same as plain values with every interval, for JSON."""
        return {
            "problems": self.count,
            "not_scorable": len(self.not_scorable),
            "samples": self.samples,
            **{name: vars(estimate) for name, estimate in self.estimates().items()},
            "truncated": self.truncated,
            "tokens_mean": self.tokens_mean,
            "tokens": self.tokens,
        }

    def write(self, path: Path) -> None:
        """Writes one JSON object a problem, a line each."""
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for result in self.results:
                values = result.values()
                values["score"] = None if math.isnan(result.score) else result.score
                file.write(json.dumps(values, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote.

        Raises:
            DataError: the file cannot be read, or holds something else.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read results from {path}: {error}") from None
        results = []
        # Not `splitlines`: it splits at characters that stand as they are inside JSON strings.
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
            try:
                results.append(ProblemResult.from_values(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}, line {number} is no result of an evaluation ({error!r}): give a file that "
                    "`grpo-rs eval --out` wrote"
                ) from None
        if not results:
            raise DataError(f"{path} has no results: give a file that `grpo-rs eval --out` wrote")
        return cls(results)

    def _answers(self) -> Iterator[Answer]:
        return (answer for result in self.results for answer in result.answers)

    def _estimate(self, value: Callable[[ProblemResult], float]) -> Estimate:
        return Estimate.of([value(result) for result in self.scored], samples=max(1, self.samples))


@dataclass(frozen=True)
class Comparison:
    """Two models on the same problems.

    Attributes:
        before, after: mean scores over the problems that are scorable in both.
        difference: after - before.
        se: standard error of the difference of the pairs; NaN for a single problem.
        low, high: an interval of 95 % for the difference.
        p_value: how often random signs of the problems' differences have a sum as far from 0: the probability
            of such a result if the two were equally good.
        problems: compared.
        won, lost: problems on which the second is better, and worse.

    Source:
        Paired differences: arXiv 2411.00640, section 4.2. Interval: Agresti and Min, "Simple improved
        confidence intervals for comparing matched proportions" (2005): two more problems, of which each
        model wins half a one, so that no difference at all does not pass for certainty. Test: Fisher (1935);
        its p-value is never 0, as Phipson and Smyth, "Permutation p-values should never be zero" (2010).
    """

    before: float
    after: float
    difference: float
    se: float
    low: float
    high: float
    p_value: float
    problems: int
    won: int
    lost: int

    @property
    def told_apart(self) -> bool:
        """The p-value is below 0.05."""
        return self.p_value < 0.05

    def summary(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return vars(self) | {"told_apart": self.told_apart, "text": str(self)}

    def __str__(self) -> str:
        """Such as "31.8 % -> 99.8 % (+68.0 points [63.6, 71.8], 512 problems)"."""
        points = f"{100 * self.difference:+.1f} points [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        of = f"{self.problems} problem{'' if self.problems == 1 else 's'}"
        return f"{100 * self.before:.1f} % -> {100 * self.after:.1f} % ({points}, {of})"

    def verdict(self, before: str, after: str) -> str:
        """One sentence on what it shows of two models that are called so."""
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        if not self.told_apart:
            return f"these problems cannot tell {before} and {after} apart ({p})"
        better, worse = (after, before) if self.difference > 0 else (before, after)
        return f"{better} is better than {worse} ({p})"


def compare(before: Evaluation, after: Evaluation) -> Comparison:
    """Compares two evaluations, problem by problem.

    Raises:
        InputError: their problems are not the same, or none is scorable in both.
    """
    pairs = [
        (one.score, other.score) for one, other in _pairs(before, after) if one.scorable and other.scorable
    ]
    if not pairs:
        raise InputError("no problem is scorable in both evaluations: mend the golds, and evaluate again")
    first, second = np.array(pairs).T
    difference = second - first
    se = paired_difference(second, first)[1] if len(pairs) > 1 else math.nan
    problems = len(pairs) + 2
    centre = float(difference.sum()) / problems
    square = (float((difference**2).sum()) + 1) / problems - centre**2
    half = Z * math.sqrt(square / problems)
    return Comparison(
        before=float(first.mean()),
        after=float(second.mean()),
        difference=float(difference.mean()),
        se=se,
        low=max(-1.0, centre - half),
        high=min(1.0, centre + half),
        p_value=_sign_flip_p(difference),
        problems=len(pairs),
        won=int((difference > 0).sum()),
        lost=int((difference < 0).sum()),
    )


def _pairs(before: Evaluation, after: Evaluation) -> Iterator[tuple[ProblemResult, ProblemResult]]:
    """Results of the same problem, whatever their order; equal problems in the order that they have."""
    others: dict[tuple[str, str], list[ProblemResult]] = defaultdict(list)
    for result in after.results:
        others[result.question, result.gold].append(result)
    missing = []
    pairs = []
    for result in before.results:
        same = others[result.question, result.gold]
        if same:
            pairs.append((result, same.pop(0)))
        else:
            missing.append(result)
    left = sum(map(len, others.values()))
    if missing or left:
        example = next(iter(missing), None) or next(found[0] for found in others.values() if found)
        raise InputError(
            f"the two evaluations are not of the same problems: {len(missing)} of {len(before.results)} are "
            f"in the first alone and {left} of {len(after.results)} in the second, for example "
            f"{example.question[:80]!r}. Evaluate both on the same data, with the same number of prompts"
        )
    return iter(pairs)


def _sign_flip_p(difference: FloatArray) -> float:
    moved = difference[difference != 0]
    if not len(moved):
        return 1.0
    # Sums of equal numbers in another order differ by rounding.
    observed = abs(float(moved.sum())) * (1 - 1e-12)
    random = np.random.default_rng(0)
    at_once = max(1, SIGNS_AT_ONCE // len(moved))
    as_far = 0
    for begin in range(0, SIGN_FLIPS, at_once):
        signs = random.integers(0, 2, (min(at_once, SIGN_FLIPS - begin), len(moved))) * 2 - 1
        as_far += int((np.abs(signs @ moved) >= observed).sum())
    return (1 + as_far) / (1 + SIGN_FLIPS)


def _mean(values: Iterator[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else math.nan
