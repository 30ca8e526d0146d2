"""Off-policy correction: weights and gates from the trainer's and the sampler's log-probabilities.

The two differ on the very same weights, in kernels and precision, and more so when the sampler is stale.
Shapes: T = completion tokens, end to end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from grpo_rs.algo.completions import Completions
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.ratio import binary_kl_T, ratio_T, total_variation_T


@dataclass(frozen=True)
class Correction:
    """A detached multiplier of each token's policy term.

    Attributes:
        weight_T: float (T,), 0 where a token is dropped.
        keep_T: bool (T,), False where a token is dropped.
        outside_T: bool (T,), where the statistic is out of its bounds.
        stat_T: float (T,), what was held against the bounds; one value per completion at its levels.
    """

    weight_T: Tensor
    keep_T: Tensor
    outside_T: Tensor
    stat_T: Tensor


def correct(
    algo: Algo, trainer_logp_T: Tensor, rollout_logp_T: Tensor, completions: Completions
) -> Correction:
    """The correction that the knobs `correction*` name.

    Args:
        algo: the objective.
        trainer_logp_T: float (T,), under the trainer's policy, before the update or the current one.
        rollout_logp_T: float (T,), under the sampler's.
        completions: which completion each token is of.

    Returns:
        The correction. A completion's weight is the same for all its tokens, save where tokens keep their
        own (`correction_token_weight`, and gates by a divergence).

    Source:
        Truncation (TIS): Yao et al., "Your efficient RL framework secretly brings you off-policy RL
        training" (2025). Masks at both ends: IcePop, arXiv 2510.18855. Gates of completions by a mean
        divergence: trust-region masking, arXiv 2512.23075, and FlashREINFORCE.
    """
    log_ratio_T = (trainer_logp_T - rollout_logp_T).detach()
    if algo.correction_stat == "ratio":
        stat_T = ratio_T(_log_ratio_at_level_T(algo, log_ratio_T, completions))
    else:
        divergence_T = binary_kl_T if algo.correction_stat == "binary_kl" else total_variation_T
        stat_T = divergence_T(trainer_logp_T, rollout_logp_T)
        if algo.correction_level != "token":
            stat_T = completions.mean_T(stat_T)
    low = 0.0 if algo.correction_min is None else algo.correction_min
    high = math.inf if algo.correction_max is None else algo.correction_max
    outside_T = (stat_T < low) | (stat_T > high)
    if algo.correction == "truncate" and algo.correction_stat == "ratio":
        return Correction(stat_T.clamp(low, high), torch.ones_like(outside_T), outside_T, stat_T)
    if algo.correction == "reject":
        weight_T = torch.ones_like(stat_T)
    elif algo.correction_token_weight or algo.correction_stat != "ratio":
        weight_T = ratio_T(log_ratio_T)
    else:
        weight_T = stat_T
    return Correction(weight_T.masked_fill(outside_T, 0.0), ~outside_T, outside_T, stat_T)


def _log_ratio_at_level_T(algo: Algo, log_ratio_T: Tensor, completions: Completions) -> Tensor:
    match algo.correction_level:
        case "token":
            return log_ratio_T
        case "sequence":
            return completions.sum_T(log_ratio_T)
        case "geometric":
            return completions.mean_T(log_ratio_T)
