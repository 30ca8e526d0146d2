"""The policy loss and its aggregation weights.

Shapes: T = completion tokens of a micro-batch, end to end; N = completions of an optimiser step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from grpo_rs.algo.kl import k3_T
from grpo_rs.algo.ratio import MAX_LOG_RATIO
from grpo_rs.batch import FloatArray, IntArray

Aggregate = Literal["token_mean", "seq_mean_token_mean"]


@dataclass(frozen=True)
class PolicyLoss:
    """The objective on a micro-batch, and what it was made of.

    Attributes:
        loss: scalar; summed over the micro-batches of a step it is the step's loss.
        ratio_T: importance ratios.
        kl_T: k3 to the reference; None without one.
        clipped_low_T, clipped_high_T: bool, where the clip stops the gradient.
    """

    loss: Tensor
    ratio_T: Tensor
    kl_T: Tensor | None
    clipped_low_T: Tensor
    clipped_high_T: Tensor


def grpo_loss(
    logp_T: Tensor,
    old_logp_T: Tensor,
    advantage_T: Tensor,
    weight_T: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    kl_beta: float = 0.0,
    ref_logp_T: Tensor | None = None,
) -> PolicyLoss:
    """The GRPO objective: sum over tokens of weight * (clipped surrogate + beta * k3).

    Args:
        logp_T: float (T,), log-probabilities under the policy; differentiated.
        old_logp_T: float (T,), under the policy that the ratio is taken to.
        advantage_T: float (T,), the advantage of each token's completion.
        weight_T: float (T,), from `token_weights_N`.
        clip_low, clip_high: see `clipped_policy_loss_T`.
        kl_beta: weight of the KL term.
        ref_logp_T: float (T,), under the frozen reference; needed when `kl_beta` is not 0.

    Source:
        DeepSeekMath, arXiv 2402.03300, equations 3 and 4; with weights of "token_mean" and clip-higher,
        DAPO, arXiv 2503.14476, equation 8.
    """
    r_T = ratio_T(logp_T, old_logp_T)
    loss_T = clipped_policy_loss_T(r_T, advantage_T, clip_low=clip_low, clip_high=clip_high)
    kl_T = None
    if ref_logp_T is not None:
        kl_T = k3_T(logp_T, ref_logp_T)
        loss_T = loss_T + kl_beta * kl_T
    return PolicyLoss(
        loss=(weight_T * loss_T).sum(),
        ratio_T=r_T.detach(),
        kl_T=None if kl_T is None else kl_T.detach(),
        clipped_low_T=((r_T < 1 - clip_low) & (advantage_T < 0)).detach(),
        clipped_high_T=((r_T > 1 + clip_high) & (advantage_T > 0)).detach(),
    )


def ratio_T(logp_T: Tensor, old_logp_T: Tensor) -> Tensor:
    """The importance ratio pi(token) / pi_old(token), float (T,). Gradient flows through `logp_T` only."""
    return (logp_T - old_logp_T.detach()).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()


def clipped_policy_loss_T(
    ratio_T: Tensor, advantage_T: Tensor, *, clip_low: float, clip_high: float
) -> Tensor:
    """The clipped surrogate, -min(r A, clip(r, 1 - low, 1 + high) A) per token.

    Args:
        ratio_T: float (T,), importance ratios; differentiated.
        advantage_T: float (T,), the advantage of each token's completion.
        clip_low: how far below 1 a ratio still moves the policy (A < 0).
        clip_high: how far above 1 (A > 0). Equal to `clip_low` in GRPO; larger in DAPO.

    Returns:
        float (T,). The gradient is 0 where A > 0 and r > 1 + high, or A < 0 and r < 1 - low.

    Source:
        PPO, arXiv 1707.06347, equation 7; GRPO, arXiv 2402.03300, equation 3; clip-higher: DAPO,
        arXiv 2503.14476, equation 8.
    """
    clipped_T = ratio_T.clamp(1.0 - clip_low, 1.0 + clip_high)
    return -torch.minimum(ratio_T * advantage_T, clipped_T * advantage_T)


def token_weights_N(lengths_N: IntArray, aggregate: Aggregate) -> FloatArray:
    """What each token of a completion counts, so that the loss of a step is a plain weighted sum.

    Computed once per optimiser step from the exact token counts of all its completions: the loss and
    its gradient then do not depend on how the step is cut into micro-batches, packed or padded.

    Args:
        lengths_N: int64 (N,), completion tokens of every row that is trained on in this step.
        aggregate: "token_mean" weighs every token alike, 1 / sum(lengths): DAPO, arXiv 2503.14476.
            "seq_mean_token_mean" weighs every completion alike, 1 / (N_nonempty * length): GRPO,
            arXiv 2402.03300, equation 3.

    Returns:
        float64 (N,), the weight of each token of row n; 0 for an empty row. Sum of weight * length is 1.
    """
    if aggregate == "token_mean":
        total = int(lengths_N.sum())
        return np.full(len(lengths_N), 1.0 / total if total else 0.0)
    filled_N = lengths_N > 0
    return np.where(filled_N, 1.0 / (np.maximum(lengths_N, 1) * max(int(filled_N.sum()), 1)), 0.0)
