"""Statistics that are merged over ranks, reported, or compared: moments, off-policy metrics, evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.arrays import FloatArray, IntArray, floats, integers
from grpo_rs.errors import InputError


@dataclass(frozen=True)
class Moments:
    """What is needed to know the mean and the spread of numbers, in a form that merges.

    Whitening by the statistics of one rank, or of one micro-batch, would be another algorithm: every rank
    takes the moments of its part, all are merged, and each scales by the result.

    Attributes:
        count: sum of the weights; the number of values when each weighs 1.
        mean: NaN of nothing.
        squares: sum of weight times squared distance to the mean.
        min: the least value, infinity of nothing.
        max: the greatest, minus infinity of nothing.

    Source:
        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances"
        (1979).

    Example:
        >>> Moments.of([1.0, 0.0]).merge(Moments.of([2.0])).mean
        1.0
    """

    count: float = 0.0
    mean: float = math.nan
    squares: float = 0.0
    min: float = math.inf
    max: float = -math.inf

    @classmethod
    def of(
        cls, values: Sequence[float] | FloatArray, weights: Sequence[float] | FloatArray | None = None
    ) -> Moments:
        """The moments of numbers, each with a weight of at least 0 (1 by default); 0 leaves a number out."""
        weighed = None if weights is None else floats("weights", weights)
        return cls(*_core.moments(floats("values", values), weighed))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets together."""
        return Moments(*_core.merge_moments(astuple(self), astuple(other)))

    @property
    def constant(self) -> bool:
        """All values are equal, tested exactly; also True of none."""
        return self.min >= self.max

    def variance(self, ddof: int) -> float:
        """Squares over (count - ddof); exactly 0 where all values are equal."""
        if self.constant or self.count <= ddof:
            return 0.0
        return self.squares / (self.count - ddof)

    def std(self, ddof: int) -> float:
        """Square root of `variance`."""
        return math.sqrt(self.variance(ddof))


def off_policy_metrics(
    trainer_logprobs: FloatArray | Sequence[float],
    sampler_logprobs: npt.NDArray[np.floating] | Sequence[float],
    offsets: IntArray | Sequence[int],
    *,
    low: float = 0.5,
    high: float = 5.0,
) -> dict[str, float]:
    """How far the trainer's probabilities of sampled tokens are from the sampler's own.

    d is log trainer - log sampler of a token, D its sum over a completion. Large ratios do not overflow:
    sums of exponentials are taken in logarithms. Completions without a token are left out.

    Args:
        trainer_logprobs: float64, flat, of the policy before the update.
        sampler_logprobs: flat, as the sampler reported them.
        offsets: int64, where completions begin and end in the flat arrays (`Tokens.offsets`).
        low, high: ratios outside of these are counted in `outside_fraction`.

    Returns:
        kl: mean of -d, the k1 estimate of KL(sampler || trainer).
        k3_kl: mean of exp(d) - d - 1, the k3 estimate.
        training_ppl, rollout_ppl: perplexity of each completion, averaged over completions.
        log_ppl_diff, log_ppl_abs_diff: mean over completions of log training_ppl - log rollout_ppl, and of
            its absolute value.
        ppl_ratio: mean over completions of the trainer's perplexity over the sampler's.
        chi2_token, chi2_seq: mean of exp(2 d) - 1 over tokens, of exp(2 D) - 1 over completions.
        ess_token_fraction, ess_sequence_fraction: effective sample size, (sum w)^2 / (n sum w^2), of ratios
            exp(d) and exp(D): 1 when on-policy.
        max_abs_prob_diff, mean_abs_prob_diff: difference of a token's two probabilities.
        outside_fraction: share of tokens whose ratio is not in low to high.
        All NaN without a token.

    Raises:
        InputError: lengths differ, or a log-probability is not finite.

    Source:
        k1 and k3: Schulman, "Approximating KL divergence" (2020); effective sample size: Kong (1992).
    """
    trainer = floats("trainer_logprobs", trainer_logprobs)
    sampler = floats("sampler_logprobs", sampler_logprobs)
    return dict(_core.off_policy_metrics(trainer, sampler, integers("offsets", offsets), low=low, high=high))


# ---- Evaluation ------------------------------------------------------------------------------------------


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The probability that at least one of k samples is correct, unbiased: 1 - C(n - c, k) / C(n, k).

    Args:
        samples: n, completions drawn of the problem; twice k or more is recommended.
        correct: c, how many of them are.
        k: size of an attempt, at most n.

    Raises:
        InputError: k is not between 1 and n, or c not between 0 and n.

    Source:
        Codex, arXiv 2107.03374, equation 1, in the product form that does not overflow.

    Example:
        >>> round(pass_at_k(10, 3, 5), 4)
        0.9167
    """
    if not 0 <= correct <= samples:
        raise InputError(f"{correct} of {samples} are correct: give a number from 0 to {samples}")
    _check_draws(samples, k)
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / j for j in range(samples - correct + 1, samples + 1))


def maj_at_k(counts: Sequence[int], k: int, *, correct: int = 0) -> float:
    """The probability that the most frequent answer of k samples is correct, unbiased; ties are split evenly.

    The k samples are drawn without replacement from those that there are, so that no answer is drawn more
    often than it was given.

    Args:
        counts: how often each distinct answer was given.
        k: number of votes, at most the sum of counts.
        correct: which of the answers is right; -1 when none of them is.

    Raises:
        InputError: k is not between 1 and the number of samples, or `correct` is not an answer.

    Source:
        self-consistency, arXiv 2203.11171; without replacement as pass@k in arXiv 2107.03374.

    Example:
        >>> round(maj_at_k([4, 3, 3], 5), 4)
        0.4762
    """
    if correct == -1:
        return 0.0
    if not 0 <= correct < len(counts):
        raise InputError(f"correct is {correct}: give the place of the right answer in counts, or -1")
    if min(counts) < 0:
        raise InputError(f"counts are {list(counts)}: give numbers of at least 0")
    samples = sum(counts)
    _check_draws(samples, k)
    right, others = counts[correct], [count for i, count in enumerate(counts) if i != correct]
    won = 0.0
    for votes in range(1, min(right, k) + 1):
        # ways[drawn][tied]: draws of the other answers, none with more votes, `tied` of them with as many.
        ways = {(0, 0): 1}
        for count in others:
            grown: dict[tuple[int, int], int] = {}
            for (drawn, tied), number in ways.items():
                for taken in range(min(count, votes, k - votes - drawn) + 1):
                    key = (drawn + taken, tied + (taken == votes))
                    grown[key] = grown.get(key, 0) + number * math.comb(count, taken)
            ways = grown
        drawn_all = sum(number / (tied + 1) for (drawn, tied), number in ways.items() if drawn == k - votes)
        won += math.comb(right, votes) * drawn_all
    return won / math.comb(samples, k)


@dataclass(frozen=True)
class Accuracy:
    """Mean accuracy of a benchmark, and how sure of it one may be.

    Attributes:
        avg_at_k: mean over problems of the share of their samples that are correct.
        se_population: standard error when the problems stand for others like them; it already contains the
            noise of sampling. NaN for a single problem.
        se_sampling: standard error on these very problems, from sampling alone; NaN for a single sample each.
        se_clustered: standard error of the mean over all samples, clustered by problem.
    """

    avg_at_k: float
    se_population: float
    se_sampling: float
    se_clustered: float


def accuracy(correct: Sequence[Sequence[float]] | FloatArray) -> Accuracy:
    """avg@k of a benchmark with its standard errors.

    Args:
        correct: 1 or 0 for each sample of each problem; problems may have different numbers of samples.

    Raises:
        InputError: there is no problem, or one without a sample.

    Source:
        "Adding error bars to evals", arXiv 2411.00640, sections 2.1, 2.2 and 3.1.

    Example:
        >>> accuracy([[1, 0], [1, 1]]).avg_at_k
        0.75
    """
    problems = [floats("correct", row) for row in correct]
    if not problems or any(len(row) == 0 for row in problems):
        raise InputError("correct has a problem without samples, or no problem: give the scores of each")
    sizes = np.array([len(row) for row in problems])
    means = np.array([row.mean() for row in problems])
    number = len(problems)
    spread = float(means.std(ddof=1)) if number > 1 else math.nan
    # p (1 - p) for scores of 0 and 1, and right for scores in between.
    noise = np.array([row.var(ddof=1) / len(row) if len(row) > 1 else math.nan for row in problems])
    flat_mean = float(np.concatenate(problems).mean())
    clustered = sum(float((row - flat_mean).sum()) ** 2 for row in problems)
    return Accuracy(
        avg_at_k=float(means.mean()),
        se_population=spread / math.sqrt(number),
        se_sampling=math.sqrt(noise.sum()) / number,
        se_clustered=math.sqrt(clustered) / int(sizes.sum()),
    )


def paired_difference(
    first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray
) -> tuple[float, float]:
    """Mean difference of two models' scores on the same problems, and its standard error.

    Args:
        first, second: one score per problem, in one order.

    Raises:
        InputError: lengths differ, or there are fewer than two problems.

    Source:
        arXiv 2411.00640, section 4.2: the noise that the problems share cancels.

    Example:
        >>> paired_difference([1.0, 0.5, 1.0], [0.5, 0.0, 0.5])
        (0.5, 0.0)
    """
    one, other = floats("first", first), floats("second", second)
    if len(one) != len(other) or len(one) < 2:
        raise InputError(
            f"{len(one)} and {len(other)} scores: give both models' on the same problems, two or more"
        )
    difference = one - other
    return float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(len(difference))


def wilson_interval(correct: float, samples: float, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """An interval for a share of successes that holds near 0 and 1 too.

    Args:
        correct: number of successes.
        samples: number of trials, at least 1; an effective number need not be whole.
        z: quantile of the normal distribution; 1.96 for 95 %.

    Raises:
        InputError: there is no trial, or more successes than trials.

    Source:
        Wilson (1927).

    Example:
        >>> low, high = wilson_interval(7, 30)
        >>> round(low, 4), round(high, 4)
        (0.1179, 0.4093)
    """
    if samples < 1 or not 0 <= correct <= samples:
        raise InputError(
            f"{correct} of {samples}: give at least one trial, and no more successes than trials"
        )
    share = correct / samples
    shrink = 1.0 + z * z / samples
    centre = (share + z * z / (2 * samples)) / shrink
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples)) / shrink
    return centre - half, centre + half


def _check_draws(samples: int, k: int) -> None:
    if not 1 <= k <= samples:
        raise InputError(f"k is {k}: with {samples} samples of a problem it must be between 1 and {samples}")
