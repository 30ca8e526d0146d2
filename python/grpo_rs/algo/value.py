"""The critic's side of PPO: what a value is, and what it costs to be wrong.

Shapes: T = completion tokens of a micro-batch, end to end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def bounded_value_T(score_T: Tensor, low: float, high: float) -> Tensor:
    """A value between two bounds, low + (high - low) * (1/2 + atan(z) / pi).

    Rewards that are known to be bounded have bounded values; the arctangent approaches the bounds slowly
    enough for its gradient to survive there.

    Args:
        score_T: float (T,), the unbounded output z of the value head; differentiated.
        low, high: smallest and largest return that is possible.

    Returns:
        float (T,). Gradient with respect to z: (high - low) / (pi * (1 + z^2)).

    Source:
        BPCO, arXiv 2608.23566, equation 9.
    """
    return low + (high - low) * (0.5 + score_T.atan() / math.pi)


def clipped_value_T(value_T: Tensor, old_value_T: Tensor, clip: float) -> Tensor:
    """The value, at most `clip` away from the one before the update, float (T,).

    Source:
        the value counterpart of the clipped ratio, in the reference implementation of PPO,
        arXiv 1707.06347.
    """
    return torch.clamp(value_T, old_value_T - clip, old_value_T + clip)


def value_loss_T(
    value_T: Tensor,
    return_T: Tensor,
    old_value_T: Tensor | None = None,
    *,
    clip: float | None = None,
    factor: float = 0.5,
) -> Tensor:
    """The squared error of a value, factor * max((v - R)^2, (clip(v, v_old -+ clip) - R)^2), per token.

    Args:
        value_T: float (T,), values under the critic; differentiated.
        return_T: float (T,), the returns R that they predict.
        old_value_T: float (T,), values before the update; needed with a `clip`.
        clip: a value moves at most this far in one update; None leaves the plain squared error.
        factor: 1/2 by convention, so that the gradient is v - R.

    Returns:
        float (T,). The gradient is 0 where the value has left the band around its old one and the clipped
        value has the larger error.

    Source:
        PPO, arXiv 1707.06347, equation 9 (the squared error); its reference implementation (the clip).
    """
    error_T = (value_T - return_T).square()
    if clip is not None:
        if old_value_T is None:
            raise TypeError("a value clip is taken around old_value_T: give it, or set clip to None")
        clipped_T = clipped_value_T(value_T, old_value_T, clip)
        error_T = torch.maximum(error_T, (clipped_T - return_T).square())
    return factor * error_T


def explained_variance(value_T: Tensor, return_T: Tensor) -> Tensor:
    """The share of the returns' variance that the values explain, 1 - Var(R - v) / Var(R), a scalar.

    1 is a perfect critic, 0 one that knows no more than the mean, below 0 one that misleads. NaN where
    all returns are equal.
    """
    if return_T.min() == return_T.max():
        return return_T.new_tensor(torch.nan)
    return 1.0 - (return_T - value_T).var(correction=0) / return_T.var(correction=0)
