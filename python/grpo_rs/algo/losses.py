"""The policy loss and its aggregation weights.

Shapes: T = completion tokens of a micro-batch, end to end; N = completions of an optimiser step.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from grpo_rs.batch import FloatArray, IntArray

Aggregate = Literal["token_mean", "seq_mean_token_mean"]


def ratio_T(logp_T: Tensor, old_logp_T: Tensor) -> Tensor:
    """The importance ratio pi(token) / pi_old(token), float (T,). Gradient flows through `logp_T` only."""
    return (logp_T - old_logp_T.detach()).exp()


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
