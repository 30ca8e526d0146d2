"""Gates: how ratio and advantage make the loss of a token. One function per row of the literature.

Each returns a float (T,), the loss of every token, whose gradient flows through `r_T`, `log_ratio_T`
or `logp_T`, or a bool (T,) that says where a gate stops a token. Arguments that they share:

    r_T: float (T,), importance ratios r = pi / anchor; differentiated.
    log_ratio_T: float (T,), their logarithms; differentiated.
    logp_T: float (T,), log-probabilities under the policy; differentiated.
    anchor_logp_T: float (T,), under the policy in the ratio's denominator.
    advantage_T: float (T,), the advantage A of each token.

Shapes: T = completion tokens, end to end; P = groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_rs.algo.completions import Completions
from grpo_rs.algo.ratio import MAX_LOG_RATIO, binary_kl_T, ratio_T


def importance_T(r_T: Tensor, advantage_T: Tensor) -> Tensor:
    """-r A: the importance-weighted policy gradient, without a bound."""
    return -r_T * advantage_T


def reinforce_T(logp_T: Tensor, advantage_T: Tensor) -> Tensor:
    """-A log pi.

    Source:
        REINFORCE; RLOO, arXiv 2402.14740; GPG, arXiv 2504.02546.
    """
    return -advantage_T * logp_T


def ppo_T(
    r_T: Tensor,
    advantage_T: Tensor,
    low_T: float | Tensor,
    high_T: float | Tensor,
    *,
    delta: float | None = None,
    dual_clip: float | None = None,
) -> Tensor:
    """The clipped surrogate, -min(r A, clip(r, 1 - low, 1 + high) A).

    Args:
        r_T, advantage_T: see above.
        low_T: how far below 1 a ratio still moves the policy (A < 0); a number, or one per token.
        high_T: how far above 1 (A > 0). Equal to `low_T` in GRPO, larger in DAPO.
        delta: the unclipped ratio is at most this, which bounds the loss where A < 0 (INTELLECT-2).
        dual_clip: c; where A < 0 the loss is at most -c A.

    Source:
        PPO, arXiv 1707.06347, equation 7; two clip ranges: DAPO, arXiv 2503.14476, equation 8; delta:
        arXiv 2505.07291; dual clip: arXiv 1912.09729.
    """
    clipped_T = torch.clamp(r_T, 1.0 - low_T, 1.0 + high_T)  # type: ignore[arg-type]
    free_T = r_T if delta is None else r_T.clamp(max=delta)
    loss_T = -torch.minimum(free_T * advantage_T, clipped_T * advantage_T)
    if dual_clip is not None:
        bounded_T = torch.minimum(loss_T, -dual_clip * advantage_T)
        loss_T = torch.where(advantage_T < 0, bounded_T, loss_T)
    return loss_T


def clipped_T(
    r_T: Tensor, advantage_T: Tensor, low_T: float | Tensor, high_T: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Where `ppo_T` stops the gradient: bool (T,) below (A < 0), and bool (T,) above (A > 0)."""
    r_T = r_T.detach()
    return (advantage_T < 0) & (r_T < 1.0 - low_T), (advantage_T > 0) & (r_T > 1.0 + high_T)


def prob_clip_T(anchor_logp_T: Tensor, delta: float) -> Tensor:
    """The clip range of the ratio that lets a probability move by `delta`: delta / mu, float (T,).

    Source:
        BPCO, arXiv 2608.23566.
    """
    return delta * (-anchor_logp_T).clamp(max=MAX_LOG_RATIO).exp()


def cispo_T(r_T: Tensor, logp_T: Tensor, advantage_T: Tensor, low: float, high: float) -> Tensor:
    """-clip(r, low, high) A log pi with the weight detached: no token loses its gradient.

    Source:
        CISPO, MiniMax-M1, arXiv 2506.13585; with one bound, AIPO, arXiv 2505.24034, and
        ScaleRL, arXiv 2510.13786.
    """
    return -r_T.detach().clamp(low, high) * advantage_T * logp_T


def outside_band_T(r_T: Tensor, low: float, high: float) -> Tensor:
    """Where the ratio is not strictly between its bounds, bool (T,)."""
    return (r_T <= low) | (r_T >= high)


def band_T(r_T: Tensor, logp_T: Tensor, advantage_T: Tensor, outside_T: Tensor) -> Tensor:
    """-r A log pi with the weight detached, and 0 where the ratio is out of its band.

    Source:
        Double-sided importance sampling, GLM-5, arXiv 2602.15763, and SAO, arXiv 2607.07508.
    """
    return -r_T.detach().masked_fill(outside_T, 0.0) * advantage_T * logp_T


def sapo_T(r_T: Tensor, advantage_T: Tensor, tau_positive: float, tau_negative: float) -> Tensor:
    """-4 / tau * sigmoid(tau (r - 1)) A: a soft trust region around r = 1.

    Source:
        SAPO, arXiv 2511.20347.
    """
    tau_T = _by_sign_T(advantage_T, tau_positive, tau_negative)
    return -4.0 / tau_T * torch.sigmoid(tau_T * (r_T - 1.0)) * advantage_T


def gmpo_T(
    log_ratio_T: Tensor, advantage_T: Tensor, low: float, high: float, completions: Completions
) -> Tensor:
    """-A times the geometric mean of the completion's ratios, each clipped on the side that gains.

    Args:
        log_ratio_T, advantage_T: see above.
        low, high: bounds of the log-ratio: at least -low where A < 0, at most high where A > 0.
        completions: which completion each token is of.

    Source:
        GMPO, arXiv 2507.20673.
    """
    gain_T = torch.where(advantage_T < 0, log_ratio_T.clamp(min=-low), log_ratio_T.clamp(max=high))
    return -advantage_T * ratio_T(completions.mean_T(gain_T))


def log_clipped_T(log_ratio_T: Tensor, advantage_T: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Where `gmpo_T` stops the gradient: bool (T,) below (A < 0), and bool (T,) above (A > 0)."""
    log_ratio_T = log_ratio_T.detach()
    return (advantage_T < 0) & (log_ratio_T < -low), (advantage_T > 0) & (log_ratio_T > high)


def vespo_T(phi_T: Tensor, logp_T: Tensor, advantage_T: Tensor) -> Tensor:
    """-phi A log pi with phi, from `vespo_phi_T`, detached."""
    return -phi_T * advantage_T * logp_T


def vespo_phi_T(
    log_weight_T: Tensor,
    advantage_T: Tensor,
    positive: tuple[float, float],
    negative: tuple[float, float],
) -> Tensor:
    """W^k exp(lambda (1 - W)), 1 at W = 1 and small far from it; float (T,), detached.

    Args:
        log_weight_T: float (T,), log W, the sum of the completion's log-ratios.
        advantage_T: float (T,).
        positive, negative: (k, lambda) for advantages above 0, and for the others.

    Source:
        VESPO, arXiv 2602.10693.
    """
    log_weight_T = log_weight_T.detach().clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    k_T = _by_sign_T(advantage_T, positive[0], negative[0])
    lambda_T = _by_sign_T(advantage_T, positive[1], negative[1])
    return (k_T * log_weight_T + lambda_T * (1.0 - log_weight_T.exp())).exp()


def moved_away_tv_T(
    logp_T: Tensor, anchor_logp_T: Tensor, advantage_T: Tensor, low: float, high: float
) -> Tensor:
    """Where the probability rose by more than `high` (A > 0), or fell by more than `low` (A < 0); bool (T,).

    Source:
        DPPO with binary total variation, arXiv 2602.04879.
    """
    shift_T = logp_T.detach().exp() - anchor_logp_T.exp()
    return ((advantage_T > 0) & (shift_T > high)) | ((advantage_T < 0) & (shift_T < -low))


def moved_away_kl_T(
    logp_T: Tensor, anchor_logp_T: Tensor, advantage_T: Tensor, low: float, high: float
) -> Tensor:
    """The same by binary KL divergence: risen and above `high` (A > 0), fallen and above `low` (A < 0).

    Source:
        DPPO with binary KL, arXiv 2602.04879.
    """
    kl_T = binary_kl_T(logp_T, anchor_logp_T)
    rise_T = logp_T.detach() - anchor_logp_T
    return ((advantage_T > 0) & (rise_T > 0) & (kl_T > high)) | (
        (advantage_T < 0) & (rise_T < 0) & (kl_T > low)
    )


def moved_T(logp_T: Tensor, anchor_logp_T: Tensor, low: float, high: float) -> Tensor:
    """Where the probability rose by more than `high` or fell by more than `low`, whatever A; bool (T,).

    Source:
        The loss "ipo" of prime-rl.
    """
    shift_T = logp_T.detach().exp() - anchor_logp_T.exp()
    return (shift_T > high) | (shift_T < -low)


def trust_region_T(
    log_ratio_T: Tensor, logp_T: Tensor, advantage_T: Tensor, outside_T: Tensor, cap: float, form: str
) -> Tensor:
    """The surrogate of DPPO: gradient -min(r, cap) A, and 0 outside the trust region.

    Args:
        log_ratio_T, logp_T, advantage_T: see above.
        outside_T: bool (T,), from `moved_away_tv_T`, `moved_away_kl_T` or `moved_T`.
        cap: upper bound of the ratio as a weight.
        form: "logp", the weight times log pi, or "ratio", the weight itself. The gradient is the same.

    Source:
        DPPO, arXiv 2602.04879.
    """
    weight_T = ratio_T(log_ratio_T.detach()).clamp(max=cap).masked_fill(outside_T, 0.0)
    if form == "logp":
        return -weight_T * advantage_T * logp_T
    return -weight_T * (1.0 + log_ratio_T - log_ratio_T.detach()) * advantage_T


def dro_T(log_ratio_T: Tensor, logp_T: Tensor, advantage_T: Tensor, beta: float) -> Tensor:
    """-(A log pi - beta / 2 * (log r)^2).

    Source:
        Direct reward optimisation, arXiv 2405.19107, as a token loss.
    """
    return -(advantage_T * logp_T - 0.5 * beta * log_ratio_T.square())


def kimi_T(r_T: Tensor, advantage_T: Tensor, outside_T: Tensor) -> Tensor:
    """-r A, and 0 where the log-ratio is out of its band. The squared log-ratio is the knob `k2_anchor`.

    Source:
        Kimi K2.5, arXiv 2602.02276.
    """
    return (-r_T * advantage_T).masked_fill(outside_T, 0.0)


def covariance_T(logp_T: Tensor, advantage_T: Tensor, live_T: Tensor) -> Tensor:
    """(A - mean A) (log pi - mean log pi) over the live tokens of the step, float (T,), detached.

    Source:
        "The entropy mechanism of RL for reasoning language models", arXiv 2505.22617.
    """
    logp_T = logp_T.detach()
    count = live_T.sum().clamp(min=1)
    mean_A = (advantage_T * live_T).sum() / count
    mean_logp = (logp_T * live_T).sum() / count
    return (advantage_T - mean_A) * (logp_T - mean_logp)


def clip_cov_dropped_T(
    covariance_T: Tensor, candidate_T: Tensor, low: float, high: float, share: float, num_live: int
) -> Tensor:
    """The tokens that Clip-Cov drops, bool (T,): up to share * num_live with low < covariance < high.

    Where there are more of them, they are taken at even distances in the order of their covariance. The
    paper draws at random; this way a step stays a function of its inputs.

    Source:
        Clip-Cov, arXiv 2505.22617.
    """
    chosen_C = (candidate_T & (covariance_T > low) & (covariance_T < high)).nonzero()[:, 0]
    quota = max(int(share * num_live), 1)
    if len(chosen_C) > quota:
        chosen_C = chosen_C[covariance_T[chosen_C].argsort(stable=True)]
        chosen_C = chosen_C[torch.arange(quota, device=chosen_C.device) * len(chosen_C) // quota]
    return torch.zeros_like(candidate_T).index_fill(0, chosen_C, True)


def kl_cov_penalised_T(covariance_T: Tensor, live_T: Tensor, share: float) -> Tensor:
    """The share of the live tokens with the highest covariance, at least one, bool (T,). Of equals the first.

    Source:
        KL-Cov, arXiv 2505.22617.
    """
    num_live = int(live_T.sum())
    quota = min(max(int(share * num_live), 1), num_live)
    order_T = covariance_T.masked_fill(~live_T, -torch.inf).argsort(descending=True, stable=True)
    return torch.zeros_like(live_T).index_fill(0, order_T[:quota], True)


def kl_cov_T(log_ratio_T: Tensor, advantage_T: Tensor, penalised_T: Tensor, coef: float) -> Tensor:
    """-r A, and coef * |log r| more where a token is penalised.

    Source:
        KL-Cov, arXiv 2505.22617.
    """
    return -ratio_T(log_ratio_T) * advantage_T + coef * log_ratio_T.abs() * penalised_T


def real_T(
    log_ratio_T: Tensor, advantage_T: Tensor, group_T: Tensor, tau: float, completions: Completions
) -> Tensor:
    """Each group as a classification of its completions by score; every token has its group's loss.

    With s = the mean log-ratio of a completion, a group's loss is log(1 + sum over bad ones of exp(s / tau))
    + log(1 + sum over good ones of exp(-s / tau)). Good is an advantage above 0, bad one below. A group
    without both has no loss, and counts in the denominator.

    Args:
        log_ratio_T, advantage_T: see above.
        group_T: int64 (T,), each token's group, any integers; groups are whole.
        tau: temperature.
        completions: which completion each token is of.

    Source:
        REAL, arXiv 2602.05630.
    """
    groups_P, group_T = torch.unique(group_T, return_inverse=True)
    score_T = completions.mean_T(log_ratio_T).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO) / tau
    # One term per completion: that of its first token.
    first_T = completions.first_T()
    bad_T, good_T = first_T & (advantage_T < 0), first_T & (advantage_T > 0)
    loss_P = _log_one_plus_sum_P(score_T, bad_T, group_T, len(groups_P))
    loss_P = loss_P + _log_one_plus_sum_P(-score_T, good_T, group_T, len(groups_P))
    both_P = _any_P(bad_T, group_T, len(groups_P)) & _any_P(good_T, group_T, len(groups_P))
    return torch.where(both_P, loss_P, 0.0)[group_T]


def _log_one_plus_sum_P(x_T: Tensor, member_T: Tensor, group_T: Tensor, num_groups: int) -> Tensor:
    """log(1 + sum of exp(x)) over the members of each group, without overflow, float (P,)."""
    x_C, group_C = x_T[member_T], group_T[member_T]
    max_P = x_T.new_zeros(num_groups).scatter_reduce(0, group_C, x_C.detach(), "amax")
    sum_P = (-max_P).exp().index_add(0, group_C, (x_C - max_P[group_C]).exp())
    return max_P + sum_P.log()


def _any_P(member_T: Tensor, group_T: Tensor, num_groups: int) -> Tensor:
    return torch.zeros(num_groups, dtype=torch.bool, device=group_T.device).index_fill(
        0, group_T[member_T], True
    )


def _by_sign_T(advantage_T: Tensor, positive: float, negative: float) -> Tensor:
    """`positive` where A > 0, else `negative`, float (T,)."""
    return torch.full_like(advantage_T, negative).masked_fill(advantage_T > 0, positive)
