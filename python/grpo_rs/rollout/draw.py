"""Draws a token a row, and says with which probability: vectorised, in few passes over the vocabulary.

Shapes: R = rows, V = vocabulary, C = candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_rs.rollout.sampler import SamplingParams

BLOCK = 256
"""Probabilities that are summed before anything is searched: few sums in float64, instead of one a token."""

CANDIDATES = 1024
"""Most probable tokens that top-p looks at first. Sorting a whole vocabulary costs more than a forward pass
of a small model, and they hold the share that is asked for almost always."""


def draw(
    logits_RV: Tensor, params: SamplingParams, uniform_R: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One token a row.

    Tokens as probable as the last one that a limit keeps are kept as well. Of logits that are not finite some
    token is given, with a log-probability that is not a number: to look at them would cost a pass.

    Args:
        logits_RV: of the next token.
        params: temperature and limits.
        uniform_R: float64, in [0, 1); None when greedy.

    Returns:
        int64 [R], the tokens; float32 [R], their log-probabilities as `Completion.logprobs` has them;
        float32 [R], `Completion.log_mass`, or None without limits.

    Source:
        top-k: Fan et al., arXiv:1805.04833; top-p: Holtzman et al., arXiv:1904.09751; min-p: Nguyen et al.,
        arXiv:2407.01082. Drawing inverts the cumulative distribution.
    """
    logits_RV = logits_RV.float()
    if params.temperature == 0.0 or uniform_R is None:
        token_R = logits_RV.argmax(-1)
        return token_R, logprob(logits_RV, token_R), None
    if params.temperature != 1.0:
        logits_RV = logits_RV / params.temperature
    prob_RV = logits_RV.softmax(-1)
    if not params.truncates:
        token_R, total_R = _invert(prob_RV, uniform_R)
        return token_R, _picked(prob_RV, token_R).log() - total_R.log(), None
    prob_RV.masked_fill_(prob_RV < _least(prob_RV, params)[:, None], 0.0)
    token_R, mass_R = _invert(prob_RV, uniform_R)
    log_mass_R = mass_R.log()
    return token_R, _picked(prob_RV, token_R).log() - log_mass_R, log_mass_R


def logprob(logits_RV: Tensor, token_R: Tensor) -> Tensor:
    """float32 [R], the log-probability of a token a row at temperature 1."""
    return _picked(logits_RV.float().log_softmax(-1), token_R)


def _picked(values_RV: Tensor, token_R: Tensor) -> Tensor:
    return values_RV.gather(-1, token_R[:, None])[:, 0]


def _least(prob_RV: Tensor, params: SamplingParams) -> Tensor:
    """[R], the probability of the least probable token that may be drawn."""
    vocabulary = prob_RV.shape[-1]
    top_k = min(params.top_k or vocabulary, vocabulary)
    least_R = prob_RV.new_zeros(len(prob_RV))
    if params.top_p < 1:
        if top_k < vocabulary:
            ranked_RC = prob_RV.topk(top_k, -1).values
            kept_RV = prob_RV.masked_fill(prob_RV < ranked_RC[:, -1:], 0.0)
            wanted_R = params.top_p * kept_RV.sum(-1, dtype=torch.float64)
        else:
            ranked_RC = prob_RV.topk(min(vocabulary, CANDIDATES), -1).values
            wanted_R = params.top_p * prob_RV.sum(-1, dtype=torch.float64)
            if bool((ranked_RC.sum(-1, dtype=torch.float64) < wanted_R).any()):
                ranked_RC = prob_RV.sort(-1, descending=True).values
        # A token is kept as long as those before it have not reached the share.
        before_RC = ranked_RC.cumsum(-1, dtype=torch.float64) - ranked_RC
        last_R = ((before_RC < wanted_R[:, None]).sum(-1) - 1).clamp(min=0)  # -1 if they are not numbers
        least_R = _picked(ranked_RC, last_R)
    elif top_k < vocabulary:
        least_R = prob_RV.topk(top_k, -1).values[:, -1]
    if params.min_p:
        least_R = torch.maximum(least_R, params.min_p * prob_RV.amax(-1))
    return least_R


def _invert(weight_RV: Tensor, uniform_R: Tensor) -> tuple[Tensor, Tensor]:
    """The token at which the cumulative weight passes a share of the whole; and the whole, [R].

    Two searches, one for the block and one inside it, both in float64: in float32 the tail of a large
    vocabulary would drown in rounding.
    """
    rows, vocabulary = weight_RV.shape
    if vocabulary <= 4 * BLOCK:
        token_R, _, total_R = _search(weight_RV, uniform_R)
        return token_R, total_R.to(weight_RV.dtype)
    if vocabulary % BLOCK:
        weight_RV = torch.nn.functional.pad(weight_RV, (0, -vocabulary % BLOCK))
    blocks_RBC = weight_RV.view(rows, -1, BLOCK)
    block_R, share_R, total_R = _search(blocks_RBC.sum(-1), uniform_R)
    inside_RC = blocks_RBC[torch.arange(rows, device=block_R.device), block_R]
    token_R, _, _ = _search(inside_RC, share_R)
    # Padding has no weight, so only what is not a number is searched for there.
    return (block_R * BLOCK + token_R).clamp(max=vocabulary - 1), total_R.to(weight_RV.dtype)


def _search(weight_RC: Tensor, share_R: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The place where a share of the total is passed, how far into that place it is, and the total.

    The place has weight, whatever is rounded. Where weights are not numbers it is any place, and the total is
    none.
    """
    sum_RC = weight_RC.cumsum(-1, dtype=torch.float64)
    total_R = sum_RC[:, -1]
    target_R = torch.minimum(share_R * total_R, total_R * (1 - 2**-52))
    place_R1 = torch.searchsorted(sum_RC, target_R[:, None], right=True).clamp(max=sum_RC.shape[-1] - 1)
    weight_R = weight_RC.gather(-1, place_R1)[:, 0]
    before_R = sum_RC.gather(-1, place_R1)[:, 0] - weight_R
    inside_R = ((target_R - before_R) / weight_R).clamp(0.0, 1 - 2**-53)
    return place_R1[:, 0], inside_R, total_R
