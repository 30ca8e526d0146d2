"""Estimators of KL(policy || reference) from the log-probabilities of sampled tokens.

In all of them d = logp - ref_logp. Shapes: T = completion tokens, end to end.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from grpo_rs.algo.ratio import MAX_LOG_RATIO, ratio_T

Estimator = Literal["k1", "k2", "k3", "k3_straight", "abs"]


def kl_T(estimator: Estimator, logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """The estimator of that name, float (T,).

    Args:
        estimator: a name of `Estimator`.
        logp_T: float (T,), log-probabilities under the policy; differentiated.
        ref_logp_T: float (T,), under the frozen reference.
    """
    match estimator:
        case "k1":
            return k1_T(logp_T, ref_logp_T)
        case "k2":
            return k2_T(logp_T, ref_logp_T)
        case "k3":
            return k3_T(logp_T, ref_logp_T)
        case "k3_straight":
            return k3_straight_T(logp_T, ref_logp_T)
        case "abs":
            return (logp_T - ref_logp_T).abs()


def k1_T(logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """The log-ratio d per token: unbiased in value, but its gradient is that of logp alone, 0 in expectation.

    Source:
        Schulman, "Approximating KL divergence" (2020), k1.
    """
    return logp_T - ref_logp_T


def k2_T(logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """d^2 / 2 per token. Gradient with respect to logp: d, the unbiased gradient of the KL on-policy.

    Source:
        Schulman, "Approximating KL divergence" (2020), k2.
    """
    return 0.5 * (logp_T - ref_logp_T).square()


def k3_T(logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """The k3 estimator, exp(-d) + d - 1 per token: unbiased in value, never negative.

    Args:
        logp_T: float (T,), log-probabilities under the policy; differentiated.
        ref_logp_T: float (T,), under the frozen reference.

    Returns:
        float (T,). Gradient with respect to logp: 1 - exp(-d).

    Source:
        Schulman, "Approximating KL divergence" (2020), k3; DeepSeekMath, arXiv 2402.03300, equation 4.
    """
    diff_T = (ref_logp_T - logp_T).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    # expm1 keeps the precision that exp(x) - 1 loses near 0, where the two policies are alike.
    return diff_T.expm1() - diff_T


def k3_straight_T(logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """The value of k3 with the gradient of k2, float (T,): unbiased in both on-policy."""
    k2 = k2_T(logp_T, ref_logp_T)
    return k3_T(logp_T, ref_logp_T).detach() + k2 - k2.detach()


def importance_weighted_T(kl_T: Tensor, log_ratio_T: Tensor) -> Tensor:
    """The KL per token times the differentiated ratio r: an estimate under the policy from old samples.

    For k3 the gradient with respect to logp is r * d, that of k2 weighted by the ratio.

    Args:
        kl_T: float (T,), an estimator.
        log_ratio_T: float (T,), log(pi / pi_old) of each token; differentiated.

    Source:
        DeepSeek-V3.2, arXiv 2512.02556, equation 7.
    """
    return ratio_T(log_ratio_T) * kl_T
