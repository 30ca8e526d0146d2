"""Masks and multipliers of the policy term that are no correction of the sampler.

Every function returns (T,) tensors without gradient. Shapes: T = completion tokens, end to end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grpo_rs.algo.completions import Completions
from grpo_rs.algo.ratio import ratio_T


def off_policy_sequences_T(
    logp_T: Tensor, behaviour_logp_T: Tensor, advantage_T: Tensor, delta: float, completions: Completions
) -> Tensor:
    """Tokens of bad completions that the policy has moved away from, bool (T,): they are to be dropped.

    Args:
        logp_T: float (T,), under the policy.
        behaviour_logp_T: float (T,), under the policy that sampled.
        advantage_T: float (T,).
        delta: bound of mean(behaviour - logp) over a completion.
        completions: which completion each token is of.

    Source:
        Off-policy sequence masking, DeepSeek-V3.2, arXiv 2512.02556.
    """
    return (advantage_T < 0) & (completions.mean_T((behaviour_logp_T - logp_T).detach()) > delta)


def top_entropy_T(entropy_T: Tensor, share: float, live_T: Tensor) -> Tensor:
    """The share of the tokens with the highest entropy, bool (T,): those at or above its quantile.

    Args:
        entropy_T: float (T,), entropies of the next-token distributions, of the whole step.
        share: between 0 and 1.
        live_T: bool (T,), the tokens that are ranked.

    Source:
        "Beyond the 80/20 rule", arXiv 2506.01939. The quantile is interpolated linearly.
    """
    sorted_L = entropy_T.detach()[live_T].sort().values
    if len(sorted_L) == 0:
        return live_T
    rank = (1.0 - share) * (len(sorted_L) - 1)
    low, high = sorted_L[math.floor(rank)], sorted_L[math.ceil(rank)]
    return live_T & (entropy_T.detach() >= torch.lerp(low, high, rank - math.floor(rank)))


def failed_top_entropy_T(
    entropy_T: Tensor, failed_T: Tensor, share: float, completions: Completions
) -> Tensor:
    """All tokens of completions that did not fail; of failed ones ceil(share * length), bool (T,).

    Args:
        entropy_T: float (T,), entropies; the highest are kept.
        failed_T: bool (T,), whether the token's completion failed.
        share: above 0, at most 1.
        completions: which completion each token is of.

    Source:
        FlashREINFORCE (NVIDIA, 2026).
    """
    # Two stable sorts: by entropy, then by completion.
    ranked_T = entropy_T.detach().masked_fill(~completions.live_T, -math.inf)
    order_T = ranked_T.argsort(descending=True, stable=True)
    order_T = order_T[completions.row_T[order_T].argsort(stable=True)]
    rank_T = torch.empty_like(order_T)
    rank_T[order_T] = completions.position_T()
    # The product can come out a hair above an integer, which is not a token more.
    quota_T = (share * completions.length_T.double() - 1e-9).ceil()
    return ~failed_T | (rank_T < quota_T)


def future_influence_T(
    log_ratio_T: Tensor,
    advantage_T: Tensor,
    completions: Completions,
    *,
    decay: float,
    clip: float,
    safety: float,
    max_ratio: float | None,
) -> Tensor:
    """FIPO's weight of a token: how far what follows it has moved, discounted and clipped, float (T,).

    Args:
        log_ratio_T: float (T,), log(pi / pi_old).
        advantage_T: float (T,).
        completions: which completion each token is of; its tokens are in order and adjacent.
        decay: half-life of the discount, in tokens.
        clip: the weight stays within 1 -+ clip.
        safety: where A < 0 and the token's ratio is above this, the weight is at most 1.
        max_ratio: tokens with a ratio above this count as unmoved; None for no bound.

    Returns:
        clip(exp(sum over later tokens j >= t of 2^(-(j - t) / decay) * log r_j), 1 - clip, 1 + clip).

    Source:
        FIPO, arXiv 2603.19835.
    """
    moved_T = log_ratio_T.detach()
    r_T = ratio_T(moved_T)
    if max_ratio is not None:
        moved_T = moved_T.masked_fill(r_T > max_ratio, 0.0)
    future_T = _discounted_future_T(moved_T, 2.0 ** (-1.0 / decay), completions)
    weight_T = ratio_T(future_T).clamp(1.0 - clip, 1.0 + clip)
    risky_T = (advantage_T < 0) & (r_T > safety)
    return torch.where(risky_T, weight_T.clamp(max=1.0), weight_T)


def _discounted_future_T(x_T: Tensor, gamma: float, completions: Completions) -> Tensor:
    """The sum over j >= t of gamma^(j - t) x_j within each completion, in log2(longest) passes.

    After the pass with shift s the sum spans 2 s tokens.
    """
    row_T = completions.row_T
    longest = int(completions.length_T.max()) if len(row_T) else 0
    shift = 1
    while shift < longest:
        same_S = row_T[shift:] == row_T[:-shift]
        ahead_S = (x_T[shift:] * gamma**shift).masked_fill(~same_S, 0.0)
        x_T = torch.cat([x_T[:-shift] + ahead_S, x_T[-shift:]])
        shift *= 2
    return x_T
