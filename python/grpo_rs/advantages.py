"""Advantages: what each completion, or token, is worth against a baseline. Numpy only, in float64.

Groups are held together by explicit ids, may have any sizes, and their rows any order. None and NaN mark
completions that could not be scored: they are left out of every statistic, get advantage 0 and are not
trainable. Equality of rewards is tested exactly.

Two kinds of estimator differ in which groups carry a signal:

- With a baseline made of the group's own rewards (its mean, the mean of the others, weighted by length, the
  optimal token baseline), a group of fewer than two scored completions has nothing to be relative to, and
  one whose rewards are all equal has advantages of exactly 0.
- With any other baseline (none, the batch's mean, a greedy completion, a tracked pass rate, a critic) one
  completion is enough, and equal rewards say something too: no group is dead but for want of a score.

`zero_variance="drop"` leaves groups without a signal out of the forward pass and out of every statistic of
the batch, as if they had not been sampled. "keep" leaves them in with advantage 0, which whitening may shift.

Shapes: N = completions, T = their tokens end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.arrays import BoolArray, FloatArray, IntArray, flags, floats, integers
from grpo_rs.errors import InputError
from grpo_rs.statistics import Moments

ZeroVariance = Literal["drop", "keep"]
Merge = Callable[[Moments], Moments]
"""The moments of one rank's part to those of the whole batch: gather from every rank, merge in rank order."""


class GroupState(IntEnum):
    """Whether a group carries a learning signal."""

    LIVE = 0
    """It does: with a baseline of the group, at least two scored completions with different rewards."""
    ZERO_VARIANCE = 1
    """All scored completions (for pass@k: every k of them) have one reward: each advantage is exactly 0."""
    TOO_FEW = 2
    """Too few scored completions: nothing to be relative to."""


@dataclass(frozen=True)
class Advantages:
    """Advantages of a step's rows and the statistics of its groups.

    Attributes:
        values: float64, one per row; 0 where a row is not trainable. The mean over its tokens where they have
            advantages of their own.
        trainable: bool, one per row: rows with a learning signal. Only these need a forward pass.
        group_ids: int64, one per group, in order of first appearance.
        num_scored: int64, one per group: completions whose reward is not NaN.
        means: float64, one per group; NaN without a scored completion.
        stds: float64, one per group; exactly 0 when all rewards are equal.
        states: uint8 codes of `GroupState`, one per group.
        token_values: float64, flat over all completions, in place of `values`; None where the tokens of a
            completion share its advantage.
        token_returns: float64, flat: what a critic's values should have been; None without a critic.
    """

    values: FloatArray
    trainable: BoolArray
    group_ids: IntArray
    num_scored: IntArray
    means: FloatArray
    stds: FloatArray
    states: npt.NDArray[np.uint8]
    token_values: FloatArray | None = None
    token_returns: FloatArray | None = None

    def share(self, state: GroupState) -> float:
        """The share of groups in a state, between 0 and 1 (0 without groups)."""
        return float(np.mean(self.states == state)) if len(self.states) else 0.0

    def per_token(self, lengths: IntArray) -> FloatArray:
        """Advantages of tokens, float64 flat: `token_values`, or each row's value for all its tokens."""
        return np.repeat(self.values, lengths) if self.token_values is None else self.token_values


# ---- Groups ----------------------------------------------------------------------------------------------


def group_advantages(
    rewards: Sequence[float | None] | FloatArray,
    group_ids: Sequence[int] | IntArray,
    *,
    baseline: Literal["none", "mean", "leave_one_out", "length_weighted", "given"] = "mean",
    scale: Literal["std", "none", "leave_one_out_std", "mean"] = "std",
    ddof: int = 1,
    epsilon: float = 1e-6,
    zero_variance: ZeroVariance = "drop",
    lengths: Sequence[int] | IntArray | None = None,
    baselines: Sequence[float] | FloatArray | None = None,
) -> Advantages:
    """Advantages within each group, A = (r - baseline) / (scale + epsilon), in float64.

    Groups may have any sizes and their rows any order. None and NaN mark completions that could not
    be scored: they are left out of the statistics and get advantage 0.

    Args:
        rewards: one per row, finite, NaN or None.
        group_ids: one per row; rows with the same id are answers to the same prompt.
        baseline: the group's "mean" (GRPO), the mean of the other rows ("leave_one_out", RLOO), the mean
            weighted by length ("length_weighted", OPO), one "given" for each row (ReMax, SPO), or "none".
        scale: "std" divides by the group's standard deviation (GRPO), "none" by nothing (Dr. GRPO),
            "leave_one_out_std" by the standard deviation of the other rows, and by nothing where that is 0
            (NeMo-RL), "mean" by the group's mean (MaxRL; rewards of at least 0).
        ddof: 1 for the sample standard deviation (TRL, verl), 0 for the population's.
        epsilon: added to the divisor.
        zero_variance: "keep" counts groups whose rewards are all equal as trainable, with advantage 0.
        lengths: tokens of each row, for "length_weighted".
        baselines: one number per row, for "given".

    Raises:
        InputError: lengths differ, a reward is infinite, an id is not whole, or an option is out of range.

    Source:
        DeepSeekMath, arXiv 2402.03300, section 4.1.2; Dr. GRPO, arXiv 2503.20783; RLOO, arXiv 2402.14740;
        OPO, arXiv 2505.23585; MaxRL, arXiv 2602.02710.

    Example:
        >>> group_advantages([1.0, 0.0, None, 0.3, 0.3], [7, 7, 7, 9, 9], scale="none").values
        array([ 0.5, -0.5,  0. ,  0. ,  0. ])
    """
    return Advantages(
        *_core.group_advantages(
            floats("rewards", rewards),
            integers("group_ids", group_ids),
            baseline=baseline,
            scale=scale,
            ddof=ddof,
            epsilon=epsilon,
            keep_zero_variance=_kept(zero_variance),
            lengths=None if lengths is None else integers("lengths", lengths),
            baselines=None if baselines is None else floats("baselines", baselines),
        )
    )


def per_reward_advantages(
    components: Sequence[Sequence[float | None] | FloatArray],
    weights: Sequence[float] | FloatArray,
    group_ids: Sequence[int] | IntArray,
    *,
    scale: Literal["std", "none"] = "std",
    ddof: int = 1,
    epsilon: float = 1e-6,
    zero_variance: ZeroVariance = "drop",
) -> Advantages:
    """Each reward normalised over its group by itself, then their weighted sum.

    Summed first, a reward with a wide spread drowns the others. The method whitens the result over the batch:
    `whiten` over completions or over tokens. A completion that some rewards could not score has 0 from those.
    A group is live when at least one of its rewards is.

    Args:
        components: one sequence per reward function, each with one score per row.
        weights: one per reward function.
        group_ids: one per row.
        scale, ddof, epsilon, zero_variance: as in `group_advantages`, for each reward.

    Raises:
        InputError: as `group_advantages`, or the number of weights is another.

    Source:
        GDPO, arXiv 2601.05242.

    Example:
        >>> correct, brief = [1.0, 0.0], [0.25, 0.75]
        >>> per_reward_advantages([correct, brief], [1.0, 0.5], [0, 0], scale="none").values.tolist()
        [0.375, -0.375]
    """
    columns, weight = [floats("rewards", column) for column in components], floats("weights", weights)
    if len(columns) != len(weight) or not columns:
        raise InputError(f"{len(weight)} weights for {len(columns)} rewards: give one weight for each reward")
    ids = integers("group_ids", group_ids)
    parts = [
        group_advantages(column, ids, scale=scale, ddof=ddof, epsilon=epsilon, zero_variance=zero_variance)
        for column in columns
    ]
    scores = np.stack(columns)
    missing = np.isnan(scores).all(0)
    total = np.where(missing, np.nan, weight @ np.nan_to_num(scores))
    statistics = group_advantages(total, ids, ddof=ddof)
    values = weight @ np.stack([part.values for part in parts])
    # Live if one reward is, else of zero variance if one reward has two scores.
    states = np.stack([part.states for part in parts]).min(0)
    kept = states == GroupState.LIVE
    if _kept(zero_variance):
        kept |= states == GroupState.ZERO_VARIANCE
    trainable = ~missing & kept[_group_of_row(statistics.group_ids, ids)]
    return replace(statistics, values=np.where(trainable, values, 0.0), trainable=trainable, states=states)


# ---- Best of k -------------------------------------------------------------------------------------------


def pkpo_rewards(
    rewards: Sequence[float | None] | FloatArray, group_ids: Sequence[int] | IntArray, k: int
) -> FloatArray:
    """Rewards whose plain policy gradient is the unbiased gradient of the expected best of k.

    A row's reward becomes its share: the sum of the best rewards of all subsets of k rows that hold it, over
    the number of all subsets. They are used in place of the rewards, with any baseline.

    Args:
        rewards: one per row, of any value.
        group_ids: one per row.
        k: size of a subset.

    Returns:
        float64, one per row; NaN, not trainable, in groups of fewer than k scored rows.

    Raises:
        InputError: as `group_advantages`, or k is below 1.

    Source:
        PKPO, arXiv 2505.15201, sections 3 and 4.

    Example:
        >>> pkpo_rewards([1.0, 0.0, 0.0, 0.0], [0, 0, 0, 0], 2).round(4).tolist()
        [0.5, 0.1667, 0.1667, 0.1667]
    """
    return _core.pkpo_rewards(floats("rewards", rewards), integers("group_ids", group_ids), k)


def pass_k_analytic(
    rewards: Sequence[float | None] | FloatArray,
    group_ids: Sequence[int] | IntArray,
    k: int,
    *,
    zero_variance: ZeroVariance = "drop",
) -> Advantages:
    """Pass@k training: the mean advantage of the subsets of k rows that a row is in.

    A subset's reward is that of its best row; its advantage is that, less the mean over all subsets, over
    their standard deviation. A group all of whose subsets have one reward has no signal, also when its rows
    differ: with fewer failures than k, pass@k is already 1. A group of fewer than k scored rows is too few.

    Args:
        rewards: one per row; the paper's are 0 and 1, here they may have any value.
        group_ids: one per row.
        k: size of a subset.
        zero_variance: as in `group_advantages`.

    Raises:
        InputError: as `group_advantages`, or k is below 1.

    Source:
        arXiv 2508.10751, section 2.4.

    Example:
        >>> pass_k_analytic([1.0, 0.0, 0.0, 0.0], [0, 0, 0, 0], 2).values.round(4).tolist()
        [1.0, -0.3333, -0.3333, -0.3333]
    """
    arrays = floats("rewards", rewards), integers("group_ids", group_ids)
    return Advantages(*_core.pass_k_analytic(*arrays, k, keep_zero_variance=_kept(zero_variance)))


def pass_k_max(
    rewards: Sequence[float | None] | FloatArray,
    group_ids: Sequence[int] | IntArray,
    *,
    scale: Literal["std", "none"] = "std",
    ddof: int = 1,
    epsilon: float = 1e-6,
    zero_variance: ZeroVariance = "drop",
) -> Advantages:
    """The lead of the best row over the second best, to the best row; 0 to all others.

    A group whose best reward is shared has no signal.

    Args:
        rewards: one per row.
        group_ids: one per row.
        scale, ddof, epsilon, zero_variance: as in `group_advantages`.

    Raises:
        InputError: as `group_advantages`.

    Source:
        arXiv 2503.19595.

    Example:
        >>> pass_k_max([1.0, 0.25, 0.0], [0, 0, 0], scale="none").values.tolist()
        [0.75, 0.0, 0.0]
    """
    return Advantages(
        *_core.pass_k_max(
            floats("rewards", rewards),
            integers("group_ids", group_ids),
            scale=scale,
            ddof=ddof,
            epsilon=epsilon,
            keep_zero_variance=_kept(zero_variance),
        )
    )


def max_variance_subset(rewards: Sequence[float | None] | FloatArray, size: int) -> IntArray:
    """The rows whose rewards spread most: some of the best and some of the worst.

    Args:
        rewards: one per row; rows without a score are not chosen.
        size: how many rows, at most as many as are scored.

    Returns:
        int64, row indices, ascending.

    Raises:
        InputError: fewer rows are scored than are to be chosen.

    Source:
        PODS, arXiv 2504.13818, algorithm 2.

    Example:
        >>> max_variance_subset([0.5, 1.0, 0.0, 0.4], 2).tolist()
        [1, 2]
    """
    return _core.max_variance_subset(floats("rewards", rewards), size)


# ---- Tokens ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepRewards:
    """Rewards of the steps of completions, as a process reward model gives them.

    Attributes:
        rewards: float64, those of a row end to end; NaN where a step could not be scored.
        ends: int64, the last token of each step, counted from 0 within its completion.
        offsets: int64, where rows begin and end in both.
    """

    rewards: FloatArray
    ends: IntArray
    offsets: IntArray

    @classmethod
    def from_rows(
        cls, rewards: Sequence[Sequence[float | None]], ends: Sequence[Sequence[int]]
    ) -> StepRewards:
        """Concatenates rows."""
        return cls(
            floats("step_rewards", [reward for row in rewards for reward in row]),
            integers("step_ends", [end for row in ends for end in row]),
            np.concatenate([[0], np.cumsum([len(row) for row in rewards])]).astype(np.int64),
        )


def process_advantages(
    steps: StepRewards,
    offsets: Sequence[int] | IntArray,
    group_ids: Sequence[int] | IntArray,
    *,
    scale: Literal["std", "none"] = "std",
    ddof: int = 1,
    epsilon: float = 1e-6,
    zero_variance: ZeroVariance = "drop",
) -> Advantages:
    """Step rewards normalised over all steps of the group; a token's advantage sums those from it on.

    Args:
        steps: of each row, in the order of the rows.
        offsets: int64, where completions begin and end in the flat tokens (`Tokens.offsets`).
        group_ids: one per row.
        scale, ddof, epsilon, zero_variance: as in `group_advantages`, over the group's steps.

    Raises:
        InputError: as `group_advantages`, or a step ends outside of its completion.

    Source:
        DeepSeekMath, arXiv 2402.03300, section 4.1.3.
    """
    offset = integers("offsets", offsets)
    found = _core.process_advantages(
        steps.rewards,
        steps.ends,
        steps.offsets,
        offset,
        integers("group_ids", group_ids),
        scale=scale,
        ddof=ddof,
        epsilon=epsilon,
        keep_zero_variance=_kept(zero_variance),
    )
    return with_token_values(Advantages(*found), found[0], offset)


def optimal_token_advantages(
    rewards: Sequence[float | None] | FloatArray,
    logprobs: FloatArray,
    square_sums: FloatArray,
    offsets: Sequence[int] | IntArray,
    group_ids: Sequence[int] | IntArray,
    *,
    epsilon: float = 1e-8,
    zero_tail: bool = True,
    zero_variance: ZeroVariance = "drop",
) -> Advantages:
    """The baseline of least variance at every token: rewards of the group weighted by their gradient so far.

    Args:
        rewards: one per row.
        logprobs: float64, flat, of the policy that sampled.
        square_sums: float64, flat: at each token, the sum of the squared probabilities of the vocabulary.
        offsets: int64, where completions begin and end in the flat arrays.
        group_ids: one per row.
        epsilon: added to the sum of weights.
        zero_tail: where one completion alone is left, its baseline is 0 rather than its own reward.
        zero_variance: as in `group_advantages`.

    Raises:
        InputError: as `group_advantages`, or the flat arrays do not fit.

    Source:
        arXiv 2602.07078.
    """
    offset = integers("offsets", offsets)
    found = _core.optimal_token_advantages(
        floats("rewards", rewards),
        floats("logprobs", logprobs),
        floats("square_sums", square_sums),
        offset,
        integers("group_ids", group_ids),
        epsilon=epsilon,
        zero_tail=zero_tail,
        keep_zero_variance=_kept(zero_variance),
    )
    return with_token_values(Advantages(*found), found[0], offset)


def discounted_returns(
    token_rewards: FloatArray,
    offsets: Sequence[int] | IntArray,
    *,
    gamma: float = 1.0,
    mask: Sequence[bool] | BoolArray | None = None,
) -> FloatArray:
    """The return from each token on, G_t = r_t + gamma G_{t+1}.

    Args:
        token_rewards: float64, flat.
        offsets: int64, where completions begin and end.
        gamma: discount, 0 to 1.
        mask: bool, flat: tokens that the policy chose. Others (a tool's output) are passed over and get 0.

    Raises:
        InputError: lengths differ, a reward is not finite, or gamma is out of range.

    Source:
        REINFORCE++, arXiv 2501.03262, section 3.

    Example:
        >>> discounted_returns([0.0, 0.0, 1.0], [0, 3], gamma=0.5).tolist()
        [0.25, 0.5, 1.0]
    """
    return _core.discounted_returns(
        floats("token_rewards", token_rewards), integers("offsets", offsets), gamma=gamma, mask=_mask(mask)
    )


def generalized_advantages(
    token_rewards: FloatArray,
    values: FloatArray,
    offsets: Sequence[int] | IntArray,
    *,
    gamma: float = 1.0,
    lam: float | FloatArray = 1.0,
    mask: Sequence[bool] | BoolArray | None = None,
) -> FloatArray:
    """Generalised advantages, A_t = delta_t + gamma lam A_{t+1}, delta_t = r_t + gamma V_{t+1} - V_t.

    The returns that a critic learns are A + V.

    Args:
        token_rewards: float64, flat.
        values: float64, flat: the critic's value before each token.
        offsets: int64, where completions begin and end.
        gamma: discount, 0 to 1.
        lam: lambda, 0 to 1, one for all rows or one each (`length_adaptive_lambda`).
        mask: bool, flat: tokens that the policy chose. Others are passed over, so that value and advantage
            behind them carry over, and get 0.

    Raises:
        InputError: lengths differ, a number is not finite, or gamma or lambda is out of range.

    Source:
        arXiv 1506.02438, equation 16; PPO, arXiv 1707.06347, equation 11.

    Example:
        >>> generalized_advantages([0.0, 1.0], [0.5, 0.25], [0, 2]).tolist()
        [0.5, 0.75]
    """
    offset = integers("offsets", offsets)
    lambdas = np.ascontiguousarray(np.broadcast_to(np.asarray(lam, np.float64), len(offset) - 1))
    return _core.generalized_advantages(
        floats("token_rewards", token_rewards),
        floats("values", values),
        offset,
        gamma=gamma,
        lambdas=lambdas,
        mask=_mask(mask),
    )


def length_adaptive_lambda(lengths: Sequence[int] | IntArray, alpha: float) -> FloatArray:
    """Of each completion, lambda = max(0, 1 - 1 / (alpha L)): long ones look further ahead.

    Source:
        VAPO, arXiv 2504.05118, equation 9; BPCO, arXiv 2608.23566.

    Example:
        >>> length_adaptive_lambda([5, 1], 0.4).tolist()
        [0.5, 0.0]
    """
    length = np.maximum(integers("lengths", lengths), 1)
    return np.maximum(0.0, 1.0 - 1.0 / (alpha * length))


# ---- Shaping ---------------------------------------------------------------------------------------------


def overlong_penalty(
    lengths: Sequence[int] | IntArray, *, max_length: int, cache: int, factor: float = 1.0
) -> FloatArray:
    """Soft punishment of length: 0 up to max_length - cache, then linear, -factor from max_length on.

    Args:
        lengths: tokens of each completion.
        max_length: length limit, the cache included.
        cache: over how many tokens the penalty grows, at least 1.
        factor: the largest penalty.

    Returns:
        float64, to be added to the rewards before any statistic of them.

    Raises:
        InputError: the cache is not between 1 and `max_length`.

    Source:
        DAPO, arXiv 2503.14476, equation 13.

    Example:
        >>> overlong_penalty([10, 17, 30], max_length=20, cache=4).tolist()
        [0.0, -0.25, -1.0]
    """
    if not 1 <= cache <= max_length:
        raise InputError(f"cache is {cache}: it must be between 1 and max_length, {max_length}")
    over = integers("lengths", lengths) - (max_length - cache)
    return 0.0 - factor * np.clip(over / cache, 0.0, 1.0)


def kl_estimate(
    logprobs: FloatArray, reference: FloatArray, estimator: Literal["k1", "k2", "k3", "abs"] = "k1"
) -> FloatArray:
    """An estimate of KL(policy || reference) at each sampled token, for use in a reward.

    Args:
        logprobs: float64, flat, of the policy that sampled.
        reference: float64, flat.
        estimator: with d = logprob - reference: "k1" d, "k2" d^2 / 2, "k3" exp(-d) + d - 1, "abs" |d|.

    Raises:
        InputError: lengths differ.

    Source:
        Schulman, "Approximating KL divergence" (2020).
    """
    policy, frozen = floats("logprobs", logprobs), floats("reference", reference)
    if policy.shape != frozen.shape:
        raise InputError(
            f"{len(policy)} log-probabilities and {len(frozen)} of the reference: give one per token"
        )
    difference = policy - frozen
    match estimator:
        case "k1":
            return difference
        case "k2":
            return difference * difference / 2
        case "k3":
            return np.expm1(np.minimum(-difference, 700.0)) + difference
        case "abs":
            return np.abs(difference)
    raise InputError(f"estimator is {estimator!r}: it must be k1, k2, k3 or abs")


def token_rewards(
    rewards: Sequence[float | None] | FloatArray,
    offsets: Sequence[int] | IntArray,
    *,
    kl: FloatArray | None = None,
    beta: float = 0.0,
    mask: Sequence[bool] | BoolArray | None = None,
) -> FloatArray:
    """Rewards of tokens: -beta KL at each, and the completion's reward at its last.

    Args:
        rewards: one per row; a row without a score has 0 everywhere.
        offsets: int64, where completions begin and end.
        kl: float64, flat, from `kl_estimate`.
        beta: its weight.
        mask: bool, flat: tokens that the policy chose. The reward stands at the last of these; others have 0.

    Returns:
        float64, flat.

    Source:
        arXiv 2203.02155, equation 2; DeepSeekMath, arXiv 2402.03300, equation 2.

    Example:
        >>> token_rewards([1.0], [0, 2], kl=np.array([0.5, -0.5]), beta=0.1).tolist()
        [-0.05, 1.05]
    """
    outcome, offset = floats("rewards", rewards), integers("offsets", offsets)
    if len(offset) != len(outcome) + 1:
        raise InputError(
            f"{len(offset)} offsets for {len(outcome)} rewards: give one more than there are rows"
        )
    number = int(offset[-1])
    shaped = np.zeros(number) if kl is None else -beta * floats("kl", kl)
    chosen = np.ones(number, np.bool_) if mask is None else flags("mask", mask)
    for name, array in (("kl", shaped), ("mask", chosen)):
        if len(array) != number:
            raise InputError(f"{name} has {len(array)} entries for {number} tokens: give one per token")
    row = np.repeat(np.arange(len(outcome)), np.diff(offset))
    shaped = np.where(chosen & ~np.isnan(outcome)[row], shaped, 0.0)
    last = np.full(len(outcome), -1)
    np.maximum.at(last, row[chosen], np.flatnonzero(chosen))
    ended = (last >= 0) & ~np.isnan(outcome)
    shaped[last[ended]] += outcome[ended]
    return shaped


def sequence_sums(
    values: FloatArray, offsets: Sequence[int] | IntArray, mask: Sequence[bool] | BoolArray | None = None
) -> FloatArray:
    """Sum of each completion's token values, float64, one per row; masked tokens left out."""
    offset = integers("offsets", offsets)
    chosen = values if mask is None else np.where(flags("mask", mask), values, 0.0)
    row = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    return np.bincount(row, weights=chosen, minlength=len(offset) - 1).astype(np.float64)


def centred_kl_offsets(
    kl: FloatArray,
    offsets: Sequence[int] | IntArray,
    *,
    beta: float,
    gamma: float = 0.0,
    mask: Sequence[bool] | BoolArray | None = None,
    merge: Merge = lambda moments: moments,
) -> FloatArray:
    """A KL penalty to be added to advantages, beta (mean KL - KL_t): it moves no token on average.

    Args:
        kl: float64, flat, from `kl_estimate`.
        offsets: int64, where completions begin and end.
        beta: weight.
        gamma: discount with which later tokens' penalties count too; 0 leaves each token its own.
        mask: bool, flat: tokens that the policy chose; others have 0.
        merge: this rank's moments to the batch's.

    Returns:
        float64, flat.

    Source:
        the KL penalty of Thinking Machines' Tinker cookbook.
    """
    chosen = None if mask is None else flags("mask", mask)
    moments = merge(Moments.of(kl, None if chosen is None else chosen.astype(float)))
    penalty = beta * (moments.mean - kl) if moments.count else np.zeros(len(kl))
    return discounted_returns(penalty, offsets, gamma=gamma, mask=chosen)


# ---- The batch -------------------------------------------------------------------------------------------


def divide_by_std(
    values: FloatArray, moments: Moments, *, ddof: int = 1, epsilon: float = 1e-6
) -> FloatArray:
    """Divides by std + epsilon, the standard deviation being that of the whole batch.

    Where that is 0, all numbers being equal, nothing is divided: a tiny epsilon would make a gradient of any
    size out of no spread at all.

    Args:
        values: advantages.
        moments: of the batch's rewards (Lite PPO) or advantages (ScaleRL).
        ddof, epsilon: of the standard deviation.

    Source:
        Lite PPO, arXiv 2508.08221; ScaleRL, arXiv 2510.13786.
    """
    std = moments.std(ddof)
    return values / (std + epsilon) if std > 0.0 else values


def whiten(values: FloatArray, moments: Moments, *, ddof: int = 1, epsilon: float = 1e-6) -> FloatArray:
    """(values - mean) / (std + epsilon) over the whole batch; exactly 0 where all values are equal.

    Args:
        values: advantages of completions.
        moments: of the batch's.
        ddof, epsilon: of the standard deviation.

    Source:
        Magistral, arXiv 2506.10910, section 2.1; SPO, arXiv 2509.13232.
    """
    if moments.constant:
        return np.zeros_like(values)
    return (values - moments.mean) / (moments.std(ddof) + epsilon)


def token_whiten(values: FloatArray, moments: Moments, *, ddof: int = 1, epsilon: float = 1e-8) -> FloatArray:
    """(values - mean) / sqrt(variance + epsilon) over the batch's tokens; exactly 0 where all are equal.

    Long completions weigh more: for advantages of completions the moments are weighted by their lengths.

    Args:
        values: advantages.
        moments: of the batch's tokens.
        ddof: of the variance; 1 for the unbiased one.
        epsilon: added to it.

    Source:
        REINFORCE++, arXiv 2501.03262, section 3.
    """
    if moments.constant:
        return np.zeros_like(values)
    return (values - moments.mean) / math.sqrt(moments.variance(ddof) + epsilon)


def share_factor(counted: BoolArray, merge: Merge = lambda moments: moments) -> float:
    """All completions over those that count, B / (B - M): it makes up for a batch with fewer signals.

    Args:
        counted: bool, one per completion: those of groups with a signal (the paper), or with a reward other
            than 0 (verl).
        merge: this rank's moments to the batch's.

    Returns:
        1 when none counts.

    Source:
        GPG, arXiv 2504.02546, equation 8.

    Example:
        >>> share_factor(np.array([True, True, False, True]))
        1.3333333333333333
    """
    share = merge(Moments.of(counted.astype(np.float64))).mean
    return 1.0 / share if share > 0.0 else 1.0


def live_rows(advantages: Advantages, group_ids: Sequence[int] | IntArray) -> BoolArray:
    """Bool, one per row: trainable, and not of a zero-variance group that is only kept."""
    group = _group_of_row(advantages.group_ids, integers("group_ids", group_ids))
    live: BoolArray = advantages.states == GroupState.LIVE
    return advantages.trainable & live[group]


def with_token_values(
    advantages: Advantages, token_values: FloatArray, offsets: IntArray, mask: BoolArray | None = None
) -> Advantages:
    """The same groups with advantages of tokens; a row's value is the mean of its (unmasked) tokens'."""
    number = np.diff(offsets) if mask is None else sequence_sums(mask.astype(np.float64), offsets)
    means = sequence_sums(token_values, offsets, mask) / np.maximum(number, 1)
    return replace(advantages, values=means, token_values=token_values)


def _group_of_row(groups: IntArray, ids: IntArray) -> IntArray:
    """Each row's place in the list of groups."""
    order = np.argsort(groups)
    return order[np.searchsorted(groups, ids, sorter=order)].astype(np.int64)


def _kept(zero_variance: ZeroVariance) -> bool:
    if zero_variance not in ("drop", "keep"):
        raise InputError(f'zero_variance is {zero_variance!r}: it must be "drop" or "keep"')
    return zero_variance == "keep"


def _mask(mask: Sequence[bool] | BoolArray | None) -> BoolArray | None:
    return None if mask is None else flags("mask", mask)
