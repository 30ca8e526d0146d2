"""Estimators of KL(policy || reference) from the log-probabilities of sampled tokens.

Shapes: T = completion tokens of a micro-batch, end to end.
"""

from __future__ import annotations

from torch import Tensor

# A ratio of exp(20) is a broken policy, not a signal: the exponent is clamped, so that nothing overflows.
MAX_LOG_RATIO = 20.0


def k3_T(logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
    """The k3 estimator, exp(ref - logp) - (ref - logp) - 1 per token: unbiased in value, never negative.

    Args:
        logp_T: float (T,), log-probabilities under the policy; differentiated.
        ref_logp_T: float (T,), under the frozen reference.

    Returns:
        float (T,). Gradient with respect to logp: 1 - exp(ref - logp).

    Source:
        Schulman, "Approximating KL divergence" (2020), k3; DeepSeekMath, arXiv 2402.03300, equation 4.
    """
    diff_T = (ref_logp_T - logp_T).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    # expm1 keeps the precision that exp(x) - 1 loses near 0, where the two policies are alike.
    return diff_T.expm1() - diff_T
