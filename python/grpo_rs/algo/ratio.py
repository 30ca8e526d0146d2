"""The ratio of the policy to the policy it is held against, and distances between the two at a token.

Shapes: T = completion tokens, end to end.
"""

from __future__ import annotations

from torch import Tensor

from grpo_rs.algo.completions import Completions
from grpo_rs.algo.knobs import Level

# A ratio of exp(20) is a broken policy, not a signal: the exponent is clamped, so that nothing overflows.
MAX_LOG_RATIO = 20.0
# Probabilities stay this far from 0 and 1 where a logarithm of them is taken.
MIN_PROB = 1e-6


def at_level_T(log_ratio_T: Tensor, level: Level, completions: Completions) -> Tensor:
    """Log-ratios of tokens as they are, or their mean over each completion.

    Args:
        log_ratio_T: float (T,), log(pi / anchor) of each token; differentiated.
        level: "token"; "sequence", the logarithm of the geometric mean of the completion's ratios;
            "sequence_token", that value with the gradient of the token's own ratio.

    Returns:
        float (T,).

    Source:
        GSPO and GSPO-token, arXiv 2507.18071.
    """
    if level == "token":
        return log_ratio_T
    if level == "sequence":
        return completions.mean_T(log_ratio_T)
    return completions.mean_T(log_ratio_T).detach() + log_ratio_T - log_ratio_T.detach()


def ratio_T(log_ratio_T: Tensor) -> Tensor:
    """The exponential of a log-ratio clamped to +-20, float (T,); no gradient beyond the clamp."""
    return log_ratio_T.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()


def proximal_logp_T(logp_T: Tensor, rollout_logp_T: Tensor, alpha: float) -> Tensor:
    """The log-linear mix of sampler and current policy that stands in for the policy before the update.

    Returns:
        float (T,), rollout + alpha * (logp - rollout), detached.

    Source:
        A-3PO, arXiv 2512.06547.
    """
    return (rollout_logp_T + alpha * (logp_T - rollout_logp_T)).detach()


def total_variation_T(logp_T: Tensor, logq_T: Tensor) -> Tensor:
    """|p - q| of each token's two probabilities, float (T,), detached.

    Source:
        Binary total variation; DPPO, arXiv 2602.04879.
    """
    return (logp_T.detach().exp() - logq_T.detach().exp()).abs()


def binary_kl_T(logp_T: Tensor, logq_T: Tensor) -> Tensor:
    """KL(q || p) between "this token" and "any other", float (T,), detached.

    Args:
        logp_T: float (T,), log-probabilities under the trainer's policy.
        logq_T: float (T,), under the sampler's.

    Source:
        q log(q / p) + (1 - q) log((1 - q) / (1 - p)): DPPO, arXiv 2602.04879.
    """
    p_T = logp_T.detach().exp().clamp(MIN_PROB, 1 - MIN_PROB)
    q_T = logq_T.detach().exp().clamp(MIN_PROB, 1 - MIN_PROB)
    return q_T * (q_T / p_T).log() + (1 - q_T) * ((1 - q_T) / (1 - p_T)).log()
