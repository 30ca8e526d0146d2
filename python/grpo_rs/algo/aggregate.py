"""Aggregation: what one token counts in the loss of an optimiser step.

Shapes: N = completions of an optimiser step.
"""

from __future__ import annotations

import numpy as np

from grpo_rs.algo.knobs import Algo
from grpo_rs.arrays import FloatArray, IntArray, integers
from grpo_rs.errors import InputError


def token_weights_N(
    algo: Algo,
    lengths_N: IntArray,
    group_N: IntArray,
    *,
    limit: int | None = None,
    kept_N: IntArray | None = None,
) -> FloatArray:
    """What each token of a completion counts, so that the loss of a step is a plain weighted sum.

    Computed once per optimiser step from the exact token counts of all its completions: the loss and
    its gradient then do not depend on how the step is cut into micro-batches, packed or padded.

    With L = the completion's tokens, B = completions with a token, P = groups with a token:

    | aggregate | weight of a token |
    | --- | --- |
    | token_mean | 1 / sum of all L: DAPO, arXiv 2503.14476, equation 8 |
    | seq_mean_token_mean | 1 / (B L): GRPO, arXiv 2402.03300, equation 3 |
    | seq_mean_token_sum | 1 / B: RLOO, arXiv 2402.14740 |
    | constant | 1 / (B * aggregate_length): Dr. GRPO, arXiv 2503.20783 |
    | prompt_mean | 1 / (P * sum of the group's L): ScaleRL, arXiv 2510.13786 |
    | token_sum | 1 |

    The gate "real" has one loss for a group, and the mean over groups is that of prompt_mean.

    Args:
        algo: `aggregate`, `aggregate_length`, `masked_in_denominator` and `gate` are read.
        lengths_N: int64 (N,), completion tokens of every row that is trained on in this step.
        group_N: int64 (N,), the group of each row, any integers.
        limit: tokens a completion may have; the constant of "constant" unless `aggregate_length` is set.
        kept_N: int64 (N,), tokens that no mask and no correction drops. They take the place of the lengths
            when `masked_in_denominator` is False, and are not needed when it is True.

    Returns:
        float64 (N,), the weight of each token of row n; 0 for a row without tokens.

    Raises:
        InputError: no constant for "constant", no `kept_N` where it is needed, lengths differ, or a number is
            not whole.
    """
    lengths_N, group_N = integers("lengths_N", lengths_N), integers("group_N", group_N)
    if not algo.masked_in_denominator:
        if kept_N is None:
            raise InputError("masked_in_denominator=False needs kept_N, the tokens that no mask drops")
        kept_N = integers("kept_N", kept_N)
        if len(kept_N) != len(lengths_N):
            raise InputError(f"kept_N has {len(kept_N)} entries for {len(lengths_N)} completions")
        lengths_N = kept_N
    if len(group_N) != len(lengths_N):
        raise InputError(f"group_N has {len(group_N)} entries for {len(lengths_N)} completions")
    filled_N = lengths_N > 0
    return np.where(filled_N, 1.0 / _denominator_N(algo, lengths_N, group_N, limit), 0.0)


def _denominator_N(algo: Algo, lengths_N: IntArray, group_N: IntArray, limit: int | None) -> FloatArray:
    """Float64 (N,), at least 1."""
    num_filled = int((lengths_N > 0).sum())
    match "prompt_mean" if algo.gate == "real" else algo.aggregate:
        case "token_sum":
            denominator_N = np.ones(len(lengths_N), np.int64)
        case "token_mean":
            denominator_N = np.full(len(lengths_N), lengths_N.sum())
        case "seq_mean_token_mean":
            denominator_N = num_filled * lengths_N
        case "seq_mean_token_sum":
            denominator_N = np.full(len(lengths_N), num_filled)
        case "constant":
            constant = limit if algo.aggregate_length is None else algo.aggregate_length
            if constant is None:
                raise InputError('aggregate="constant" needs aggregate_length or the length limit')
            denominator_N = np.full(len(lengths_N), num_filled * constant)
        case "prompt_mean":
            _, group_N = np.unique(group_N, return_inverse=True)
            tokens_P = np.zeros(len(lengths_N), np.int64)
            np.add.at(tokens_P, group_N, lengths_N)
            denominator_N = int((tokens_P > 0).sum()) * tokens_P[group_N]
    return np.maximum(denominator_N, 1).astype(np.float64)
