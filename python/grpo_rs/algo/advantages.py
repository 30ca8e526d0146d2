"""From the knobs to the advantages of a step: rewards are shaped, compared with a baseline, and scaled.

Order: KL in the reward, then the transform, the baseline and the group's own scale, then the scale of the
batch. Everything is float64 numpy; the estimators themselves are in `grpo_rs.advantages`.

With zero_variance = "drop", statistics of the batch are those of the rows that are trained on: groups
without a signal are left out as if they had not been sampled. With "keep" they are part of them.

Shapes: N = completions, T = their tokens end to end, in the order of `rollouts.completions.flat`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from grpo_rs.advantages import (
    Advantages,
    Merge,
    StepRewards,
    discounted_returns,
    divide_by_std,
    generalized_advantages,
    group_advantages,
    kl_estimate,
    length_adaptive_lambda,
    live_rows,
    optimal_token_advantages,
    pass_k_analytic,
    pass_k_max,
    per_reward_advantages,
    pkpo_rewards,
    process_advantages,
    sequence_sums,
    share_factor,
    token_rewards,
    token_whiten,
    whiten,
    with_token_values,
)
from grpo_rs.algo.knobs import Algo
from grpo_rs.arrays import BoolArray, FloatArray, IntArray, flags, floats, integers
from grpo_rs.batch import Rollouts
from grpo_rs.errors import InputError
from grpo_rs.statistics import Moments

# Whitening after GDPO's per-reward normalisation, whose epsilon is a knob of its own.
WHITEN_EPSILON = 1e-8

Given = TypeVar("Given")


@dataclass
class PassRateTracker:
    """A running estimate of every prompt's pass rate, as a Beta distribution that forgets: SPO's baseline.

    Attributes:
        drift_half: drift of the policy at which half of a prompt's past is forgotten.
        rho_min, rho_max: bounds of the share of the past that is kept.
        alpha, beta: pseudo-counts of successes and failures, by the prompt's place in the data set.

    Source:
        SPO, arXiv 2509.13232, section 3.1.
    """

    drift_half: float = 0.06
    rho_min: float = 0.875
    rho_max: float = 0.96
    alpha: dict[int, float] = field(default_factory=dict)
    beta: dict[int, float] = field(default_factory=dict)

    def start(self, prompt: int, successes: float = 0.0, samples: int = 0) -> None:
        """Begins a prompt's estimate from completions drawn beforehand; from none it is 1/2."""
        weight = 1.0 / (1.0 - self.rho_min)
        rate = (successes + 0.5) / (samples + 1.0)
        self.alpha[prompt], self.beta[prompt] = weight * rate, weight * (1.0 - rate)

    def pass_rate(self, prompts: Sequence[int] | IntArray) -> FloatArray:
        """Estimates of some prompts, float64; 1/2 for one never seen."""
        seen = ((self.alpha.get(int(p), 0.5), self.beta.get(int(p), 0.5)) for p in prompts)
        return np.array([alpha / (alpha + beta) for alpha, beta in seen])

    def kept_share(self, drift: Sequence[float] | FloatArray) -> FloatArray:
        """The share of its past that a prompt keeps, 2^(-drift / drift_half) within its bounds."""
        share: FloatArray = np.exp2(-floats("drift", drift) / self.drift_half)
        return np.clip(share, self.rho_min, self.rho_max)

    def update(
        self,
        prompts: Sequence[int] | IntArray,
        rewards: Sequence[float | None] | FloatArray,
        drift: Sequence[float] | FloatArray | None = None,
    ) -> None:
        """Learns the rewards of a step, after its advantages have been taken.

        Args:
            prompts: of each completion; several of one prompt count as one observation each.
            rewards: of each completion, from 0 to 1; NaN or None is passed over.
            drift: of each completion: how far the policy has moved since its prompt was last used, the mean
                of |log pi_then - log pi_now| over the prompt's last completion. None for no drift.

        Raises:
            InputError: lengths differ, or a reward is outside of 0 to 1.
        """
        index, reward = integers("prompts", prompts), floats("rewards", rewards)
        share = self.kept_share(np.zeros(len(index)) if drift is None else drift)
        if not len(index) == len(reward) == len(share):
            raise InputError(
                f"{len(index)} prompts, {len(reward)} rewards and {len(share)} drifts: "
                "give one per completion"
            )
        scored = ~np.isnan(reward)
        if np.any((reward[scored] < 0) | (reward[scored] > 1)):
            raise InputError("a tracked pass rate needs rewards from 0 to 1: rescale the rewards")
        for prompt in np.unique(index[scored]).tolist():
            of_prompt = scored & (index == prompt)
            if prompt not in self.alpha:
                self.start(prompt)
            kept = float(share[of_prompt].min())
            self.alpha[prompt] = kept * self.alpha[prompt] + float(reward[of_prompt].sum())
            self.beta[prompt] = kept * self.beta[prompt] + float((1.0 - reward[of_prompt]).sum())

    def sampling_weights(self, prompts: Sequence[int] | IntArray, *, explore: float = 0.05) -> FloatArray:
        """How often to draw each prompt, sqrt(p (1 - p)) + explore: those of middle difficulty most."""
        rate = self.pass_rate(prompts)
        return np.sqrt(rate * (1.0 - rate)) + explore

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """What a checkpoint keeps: prompts ascending, and their counts."""
        prompts = sorted(self.alpha)
        return {
            "prompts": np.array(prompts, np.int64),
            "alpha": np.array([self.alpha[prompt] for prompt in prompts], np.float64),
            "beta": np.array([self.beta[prompt] for prompt in prompts], np.float64),
        }

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes up what `state_dict` gave."""
        prompts = state["prompts"].tolist()
        self.alpha = dict(zip(prompts, state["alpha"].tolist(), strict=True))
        self.beta = dict(zip(prompts, state["beta"].tolist(), strict=True))


def compute_advantages(
    algo: Algo,
    rollouts: Rollouts,
    *,
    old_logprobs: FloatArray | None = None,
    ref_logprobs: FloatArray | None = None,
    values: FloatArray | None = None,
    greedy_rewards: Sequence[float] | FloatArray | None = None,
    tracker: PassRateTracker | None = None,
    teacher_logprobs: FloatArray | None = None,
    step_rewards: StepRewards | None = None,
    square_sums: FloatArray | None = None,
    reward_weights: Mapping[str, float] | None = None,
    mask: BoolArray | None = None,
    merge: Merge = lambda moments: moments,
) -> Advantages:
    """The advantages of a step, as the knobs say.

    Args:
        algo: baseline, scale, transform and what belongs to them.
        rollouts: scored; only for pure distillation may rewards be missing.
        old_logprobs: float64 (T,), of the policy that sampled, as the trainer computes them; None for the
            sampler's own.
        ref_logprobs: float64 (T,), of the reference; needed for a KL in the reward.
        values: float64 (T,), of the critic; needed for the baseline "critic".
        greedy_rewards: of each prompt's greedy completion, in the order of `rollouts.prompts`; for "greedy".
        tracker: pass rates by `rollouts.prompt_index`; for "tracker". It is read, not updated.
        teacher_logprobs: float64 (T,); for the transform "distill".
        step_rewards: of each completion; for the transform "process".
        square_sums: float64 (T,), sums of squared probabilities; for the baseline "optimal_token".
        reward_weights: of `rollouts.components` by name, 1 where it has none; for the transform "per_reward".
        mask: bool (T,), tokens that the policy chose; None for all. Others have no reward, no advantage,
            and no part in any statistic.
        merge: this rank's moments to those of the whole batch; called by every rank the same number of times.

    Raises:
        InputError: something that the knobs need is missing, of another length, or not finite; the message
            names it.
    """
    step = _Step(algo, rollouts, mask, merge)
    kl = _reward_kl(step, old_logprobs, ref_logprobs)
    if algo.transform == "distill":
        teacher = _needed(teacher_logprobs, "teacher_logprobs", 'transform = "distill"')
        return _distilled(step, kl, teacher, old_logprobs, greedy_rewards, tracker)
    if algo.transform == "process":
        steps = _needed(step_rewards, "step_rewards", 'transform = "process"')
        offsets, ids = rollouts.completions.offsets, rollouts.group_ids
        found = process_advantages(steps, offsets, ids, scale=_std(algo), **step.group)
        return _scaled(step, step.with_tokens(found, found.per_token(rollouts.completions.lengths)), None)
    if algo.transform == "per_reward":
        return _per_reward(step, reward_weights or {})
    if algo.baseline == "critic":
        return _critic(step, kl, _needed(values, "values", 'baseline = "critic"'))
    if algo.baseline == "optimal_token":
        squares = _needed(square_sums, "square_sums", 'baseline = "optimal_token"')
        return _optimal_token(step, kl, squares, old_logprobs)
    return _scaled(step, *_outcome(step, kl, greedy_rewards, tracker))


class _Step:
    """What every path needs: the knobs, the table, and which tokens count."""

    def __init__(self, algo: Algo, rollouts: Rollouts, mask: BoolArray | None, merge: Merge) -> None:
        if mask is not None:
            mask = flags("mask", mask)
            _check_tokens(rollouts, "mask", mask)
        self.algo, self.rollouts, self.mask, self.merge = algo, rollouts, mask, merge
        self.offsets, self.ids = rollouts.completions.offsets, rollouts.group_ids
        self.chosen_T = np.ones(len(rollouts.completions.flat), np.bool_) if mask is None else mask
        self.lengths_N = sequence_sums(self.chosen_T.astype(np.float64), self.offsets).astype(np.int64)
        self.row_T = np.repeat(np.arange(len(rollouts)), rollouts.completions.lengths)
        self.group: dict[str, Any] = {
            "ddof": algo.std_ddof,
            "epsilon": algo.std_epsilon,
            "zero_variance": algo.zero_variance,
        }
        self.std: dict[str, Any] = {"ddof": algo.std_ddof, "epsilon": algo.std_epsilon}

    @property
    def rewards(self) -> FloatArray:
        return _needed(self.rollouts.rewards, "rollouts.rewards", "an advantage from outcomes")

    def chosen_logprobs(self, name: str, logprobs: FloatArray) -> FloatArray:
        """Log-probabilities of the tokens that the policy chose, finite; 0 at the others."""
        logprobs_T = floats(name, logprobs)
        _check_tokens(self.rollouts, name, logprobs_T)
        chosen_T: FloatArray = np.where(self.chosen_T, logprobs_T, 0.0)
        broken = int((~np.isfinite(chosen_T)).sum())
        if broken:
            raise InputError(
                f"{name} of {broken} tokens is infinite or not a number: score with the sampler's "
                "temperature and its set of allowed tokens, or mask these tokens"
            )
        return chosen_T

    def with_tokens(self, advantages: Advantages, token_values: FloatArray) -> Advantages:
        """Advantages of tokens; 0 on masked ones and on rows that are not trained on."""
        used_T = self.chosen_T & advantages.trainable[self.row_T]
        return with_token_values(advantages, np.where(used_T, token_values, 0.0), self.offsets, self.mask)


def _outcome(
    step: _Step,
    kl: FloatArray | None,
    greedy_rewards: Sequence[float] | FloatArray | None,
    tracker: PassRateTracker | None,
) -> tuple[Advantages, FloatArray]:
    """Advantages from outcomes before the batch's scale, and the rewards that they were made of."""
    algo, ids = step.algo, step.ids
    if (
        algo.transform == "none"
        and algo.baseline in ("none", "greedy")
        and (kl is not None or algo.gamma < 1)
    ):
        return _returns(step, kl, greedy_rewards), step.rewards
    rewards = step.rewards
    if kl is not None:
        # The completion's KL is part of its reward before any statistic, as in RLOO.
        rewards = rewards - algo.kl_beta * sequence_sums(kl, step.offsets, step.mask)
    match algo.transform:
        case "pass_k_max":
            return pass_k_max(rewards, ids, scale=_std(algo), **step.group), rewards
        case "pass_k_analytic":
            _check_k(algo, ids)
            kept = algo.zero_variance
            return pass_k_analytic(rewards, ids, algo.pass_k, zero_variance=kept), rewards
        case "pkpo":
            _check_k(algo, ids)
            rewards = pkpo_rewards(rewards, ids, algo.pass_k)
    return _grouped(step, rewards, greedy_rewards, tracker), rewards


def _grouped(
    step: _Step,
    rewards: FloatArray,
    greedy_rewards: Sequence[float] | FloatArray | None,
    tracker: PassRateTracker | None,
) -> Advantages:
    """One advantage per completion, by the baseline and the scale of its group."""
    ids, group = step.ids, step.group
    match step.algo.baseline:
        case "group_mean":
            return group_advantages(rewards, ids, scale=_group_scale(step.algo), **group)
        case "leave_one_out":
            scale = _group_scale(step.algo)
            return group_advantages(rewards, ids, baseline="leave_one_out", scale=scale, **group)
        case "length_weighted":
            return group_advantages(
                rewards,
                ids,
                baseline="length_weighted",
                scale=_group_scale(step.algo),
                lengths=step.lengths_N,
                **group,
            )
        case "none":
            return group_advantages(rewards, ids, baseline="none", scale=_no_group_scale(step.algo), **group)
        case "batch_mean":
            moments = step.merge(Moments.of(rewards[~np.isnan(rewards)]))
            baselines = np.full(len(rewards), moments.mean)
        case "greedy":
            baselines = _greedy(step, greedy_rewards)
        case "tracker":
            found = _needed(tracker, "tracker", 'baseline = "tracker"')
            baselines = found.pass_rate(step.rollouts.prompt_index[ids])
        case other:
            raise InputError(f"the baseline {other!r} does not go with the transform {step.algo.transform!r}")
    scale = _no_group_scale(step.algo)
    return group_advantages(rewards, ids, baseline="given", baselines=baselines, scale=scale, **group)


def _returns(
    step: _Step, kl: FloatArray | None, greedy_rewards: Sequence[float] | FloatArray | None
) -> Advantages:
    """The discounted return from each token on, less the greedy reward if that is the baseline."""
    algo = step.algo
    rewards_T = token_rewards(step.rewards, step.offsets, kl=kl, beta=algo.kl_beta, mask=step.mask)
    returns_T = discounted_returns(rewards_T, step.offsets, gamma=algo.gamma, mask=step.mask)
    if algo.baseline == "greedy":
        returns_T = returns_T - _greedy(step, greedy_rewards)[step.row_T]
    return step.with_tokens(_ungrouped(step), returns_T)


def _critic(step: _Step, kl: FloatArray | None, values: FloatArray) -> Advantages:
    """Generalised advantages, and what the values should have been.

    With a lambda that depends on the length the critic learns plain returns, those of lambda 1.

    Source:
        PPO, arXiv 1707.06347; VAPO, arXiv 2504.05118, section 4.1.
    """
    algo = step.algo
    rewards_T = token_rewards(step.rewards, step.offsets, kl=kl, beta=algo.kl_beta, mask=step.mask)
    lam: float | FloatArray = algo.lam
    if algo.lam_length_alpha is not None:
        lam = length_adaptive_lambda(step.lengths_N, algo.lam_length_alpha)

    def gae_T(lam: float | FloatArray) -> FloatArray:
        return generalized_advantages(
            rewards_T, values, step.offsets, gamma=algo.gamma, lam=lam, mask=step.mask
        )

    advantages_T = gae_T(lam)
    returns_T = values + (advantages_T if algo.lam_length_alpha is None else gae_T(1.0))
    found = step.with_tokens(_ungrouped(step), advantages_T)
    used_T = step.chosen_T & found.trainable[step.row_T]
    return replace(_scaled(step, found, step.rewards), token_returns=np.where(used_T, returns_T, 0.0))


def _optimal_token(
    step: _Step, kl: FloatArray | None, square_sums: FloatArray, old_logprobs: FloatArray | None
) -> Advantages:
    if kl is not None or step.mask is not None:
        raise InputError('baseline = "optimal_token" knows neither a KL in the reward nor masked tokens')
    found = optimal_token_advantages(
        step.rewards,
        _sampled_logprobs(step.rollouts, old_logprobs),
        square_sums,
        step.offsets,
        step.ids,
        epsilon=step.algo.std_epsilon,
        zero_variance=step.algo.zero_variance,
    )
    return _scaled(step, found, step.rewards)


def _per_reward(step: _Step, weights: Mapping[str, float]) -> Advantages:
    """GDPO: normalise each reward, sum, whiten."""
    algo, components = step.algo, step.rollouts.components
    if len(components) < 2:
        raise InputError(
            f'transform = "per_reward" normalises each reward by itself; rollouts.components has '
            f"{len(components)}: score with two reward functions or more"
        )
    unknown = sorted(set(weights) - set(components))
    if unknown:
        raise InputError(f"reward_weights has {unknown[0]!r}; the rewards are {', '.join(components)}")
    found = per_reward_advantages(
        list(components.values()),
        [weights.get(name, 1.0) for name in components],
        step.ids,
        scale=_std(algo),
        **step.group,
    )
    used = found.trainable
    if algo.per_reward_final == "sequence":
        moments = step.merge(Moments.of(found.values[used]))
        final = whiten(found.values, moments, ddof=algo.std_ddof, epsilon=algo.std_epsilon)
    else:
        moments = step.merge(Moments.of(found.values[used], step.lengths_N[used].astype(np.float64)))
        final = token_whiten(found.values, moments, ddof=algo.std_ddof, epsilon=WHITEN_EPSILON)
    return replace(found, values=np.where(used, final, 0.0))


def _distilled(
    step: _Step,
    kl: FloatArray | None,
    teacher_logprobs: FloatArray,
    old_logprobs: FloatArray | None,
    greedy_rewards: Sequence[float] | FloatArray | None,
    tracker: PassRateTracker | None,
) -> Advantages:
    """outcome_coef * advantage + distill_coef * (log teacher - log student): every token has a signal.

    Source:
        on-policy distillation; MiMo-V2-Flash, arXiv 2601.02780.
    """
    algo, rollouts = step.algo, step.rollouts
    student_T = step.chosen_logprobs("old_logprobs", _sampled_logprobs(rollouts, old_logprobs))
    gap_T = step.chosen_logprobs("teacher_logprobs", teacher_logprobs) - student_T
    if algo.outcome_coef:
        outcome = _scaled(step, *_outcome(step, kl, greedy_rewards, tracker))
        outcome_T = outcome.per_token(rollouts.completions.lengths)
    else:
        unscored = np.full(len(rollouts), np.nan) if rollouts.rewards is None else rollouts.rewards
        outcome = group_advantages(unscored, step.ids, ddof=algo.std_ddof)
        outcome_T = np.zeros(len(gap_T))
    everywhere = replace(outcome, trainable=np.ones(len(rollouts), np.bool_))
    return step.with_tokens(everywhere, algo.outcome_coef * outcome_T + algo.distill_coef * gap_T)


def _scaled(step: _Step, found: Advantages, rewards: FloatArray | None) -> Advantages:
    """The scales that need the whole batch; the group's own have been applied."""
    algo, used = step.algo, found.trainable
    match algo.scale:
        case "batch_reward_std":
            scored = _needed(rewards, "rollouts.rewards", 'scale = "batch_reward_std"')
            moments = step.merge(Moments.of(scored[used]))
            return _map(step, found, lambda x: divide_by_std(x, moments, **step.std))
        case "batch_advantage_std":
            moments = step.merge(_completion_moments(step, found))
            return _map(step, found, lambda x: divide_by_std(x, moments, **step.std))
        case "batch_whiten":
            moments = step.merge(_completion_moments(step, found))
            return _map(step, found, lambda x: whiten(x, moments, **step.std))
        case "token_whiten":
            moments = step.merge(_token_moments(step, found))
            return _map(step, found, lambda x: token_whiten(x, moments, **step.std))
        case "live_share":
            scored = _needed(rewards, "rollouts.rewards", 'scale = "live_share"')
            factor = share_factor(live_rows(found, step.ids)[~np.isnan(scored)], step.merge)
            return _map(step, found, lambda x: factor * x)
    return found


def _map(step: _Step, found: Advantages, scale: Callable[[FloatArray], FloatArray]) -> Advantages:
    """Applies a scale to what is trained on; the rest stays 0."""
    if found.token_values is not None:
        return step.with_tokens(found, scale(found.token_values))
    return replace(found, values=np.where(found.trainable, scale(found.values), 0.0))


def _completion_moments(step: _Step, found: Advantages) -> Moments:
    """Of the advantages of completions, or of tokens where these have their own."""
    if found.token_values is not None:
        return _token_moments(step, found)
    return Moments.of(found.values[found.trainable])


def _token_moments(step: _Step, found: Advantages) -> Moments:
    """Of the advantages of tokens, so that long completions weigh more."""
    used = found.trainable
    if found.token_values is None:
        return Moments.of(found.values[used], step.lengths_N[used].astype(np.float64))
    return Moments.of(found.token_values[step.chosen_T & used[step.row_T]])


def _ungrouped(step: _Step) -> Advantages:
    """Which rows are trained on, and the groups' statistics, where no group is relative to itself."""
    return group_advantages(step.rewards, step.ids, baseline="none", scale="none", ddof=step.algo.std_ddof)


def _reward_kl(
    step: _Step, old_logprobs: FloatArray | None, ref_logprobs: FloatArray | None
) -> FloatArray | None:
    """The KL of every token, if it is part of the reward."""
    algo = step.algo
    if algo.kl_in != "reward" or algo.kl == "none" or algo.kl_beta == 0.0:
        return None
    reference = _needed(ref_logprobs, "ref_logprobs", 'kl_in = "reward"')
    # Straight-through k3 has the value of k3; a reward has no gradient.
    estimator: Literal["k1", "k2", "k3", "abs"] = "k3" if algo.kl == "k3_straight" else algo.kl
    return kl_estimate(
        step.chosen_logprobs("old_logprobs", _sampled_logprobs(step.rollouts, old_logprobs)),
        step.chosen_logprobs("ref_logprobs", reference),
        estimator,
    )


def _sampled_logprobs(rollouts: Rollouts, old_logprobs: FloatArray | None) -> FloatArray:
    if old_logprobs is None:
        return floats("sampler_logprobs", rollouts.policy_logprobs)
    return floats("old_logprobs", old_logprobs)


def _check_tokens(rollouts: Rollouts, name: str, array: npt.NDArray[Any]) -> None:
    tokens = len(rollouts.completions.flat)
    if len(array) != tokens:
        raise InputError(f"{name} has {len(array)} entries for {tokens} tokens: give one per token")


def _greedy(step: _Step, greedy_rewards: Sequence[float] | FloatArray | None) -> FloatArray:
    """Each row's baseline: the reward of the greedy completion of its prompt."""
    if greedy_rewards is None:
        raise InputError('baseline = "greedy" needs greedy_rewards: give it to compute_advantages')
    rewards = floats("greedy_rewards", greedy_rewards)
    prompts = len(step.rollouts.prompts)
    if len(rewards) != prompts:
        raise InputError(
            f"greedy_rewards has {len(rewards)} entries for {prompts} prompts: give one per prompt"
        )
    return rewards[step.ids]


def _std(algo: Algo) -> Literal["std", "none"]:
    return "std" if algo.scale == "group_std" else "none"


def _group_scale(algo: Algo) -> Literal["std", "none", "leave_one_out_std", "mean"]:
    match algo.scale:
        case "group_std":
            return "std"
        case "leave_one_out_std":
            return "leave_one_out_std"
        case "group_mean":
            return "mean"
    return "none"


def _no_group_scale(algo: Algo) -> Literal["none"]:
    if _group_scale(algo) != "none":
        raise InputError(
            f'scale = "{algo.scale}" needs a baseline of the group; with baseline = "{algo.baseline}" use '
            '"none" or a scale of the batch'
        )
    return "none"


def _check_k(algo: Algo, ids: IntArray) -> None:
    largest = int(np.unique(ids, return_counts=True)[1].max()) if len(ids) else algo.pass_k
    if algo.pass_k > largest:
        raise InputError(
            f"pass_k is {algo.pass_k}, but the largest group has {largest} completions: no group has k of "
            "them; lower pass_k or sample more"
        )


def _needed(value: Given | None, name: str, what_for: str) -> Given:
    if value is None:
        raise InputError(f"{what_for} needs {name}: give it to compute_advantages")
    return value
