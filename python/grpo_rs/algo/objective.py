"""The objective: from the log-probabilities and advantages of tokens to the loss and its metrics.

    loss = sum over tokens of  weight * (multiplier * gate(ratio, advantage) + k2_anchor * (log ratio)^2
                                         + kl_beta * KL - entropy_bonus * entropy + nll)

Weights come from `grpo_rs.algo.aggregate`, the multiplier from `correction` and `masks`, the gate from
`gates`, the KL from `kl`. Only the gate is multiplied: a token that a mask or a correction drops from the
policy term keeps its KL, unless `masked_in_denominator` is off: then it leaves the step.
Shapes: T = completion tokens, end to end; N = completions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from grpo_rs.algo import gates, masks
from grpo_rs.algo.completions import Completions
from grpo_rs.algo.correction import correct
from grpo_rs.algo.kl import importance_weighted_T, kl_T
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.ratio import at_level_T, proximal_logp_T, ratio_T
from grpo_rs.errors import InputError


@dataclass(frozen=True)
class TokenBatch:
    """The completion tokens of whole completions, end to end, on one device.

    What an objective does not need may be None.

    Attributes:
        logp_T: float (T,), log-probabilities under the policy; differentiated.
        advantage_T: float (T,), advantages.
        weight_T: float (T,), from `token_weights_N`; tokens of weight 0 are absent from every sum, mean,
            length and ranking.
        row_T: int64 (T,), each token's completion, 0..N-1, ascending.
        old_logp_T: float (T,), under the policy before the update.
        rollout_logp_T: float (T,), under the sampler.
        ref_logp_T: float (T,), under the frozen reference.
        entropy_T: float (T,), of the distribution each token was drawn from; differentiated by the
            entropy bonus alone.
        group_N: int64 (N,), each completion's group, any integers; groups are whole where `real` needs them.
        failed_N: bool (N,), completions that did not solve their task.
        truncated_N: bool (N,), completions cut off at the length limit.

    Raises:
        InputError: shapes differ, rows are out of order, a flag is not bool, or log-probabilities are in half
            precision.
    """

    logp_T: Tensor
    advantage_T: Tensor
    weight_T: Tensor
    row_T: Tensor
    old_logp_T: Tensor | None = None
    rollout_logp_T: Tensor | None = None
    ref_logp_T: Tensor | None = None
    entropy_T: Tensor | None = None
    group_N: Tensor | None = None
    failed_N: Tensor | None = None
    truncated_N: Tensor | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_T") and value is not None and value.shape != self.logp_T.shape:
                raise InputError(
                    f"{field.name} has shape {tuple(value.shape)}, logp_T {tuple(self.logp_T.shape)}: "
                    "every one of them holds one number per token"
                )
        if self.logp_T.dtype not in (torch.float32, torch.float64):
            raise InputError(f"logp_T is {self.logp_T.dtype}: ratios need log-probabilities in float32")
        if self.row_T.dtype != torch.int64 or (self.row_T.diff() < 0).any():
            raise InputError("row_T must be int64 and never fall: the tokens of a completion stand together")
        num_rows = int(self.row_T[-1]) + 1 if len(self.row_T) else 0
        for name in ("group_N", "failed_N", "truncated_N"):
            value = getattr(self, name)
            if value is None:
                continue
            if len(value) < num_rows:
                raise InputError(f"{name} has {len(value)} entries for {num_rows} completions: give one each")
            if name != "group_N" and value.dtype != torch.bool:
                raise InputError(f"{name} is {value.dtype}: give booleans")


@dataclass(frozen=True)
class PolicyLoss:
    """The objective on a batch, and what it was made of.

    Attributes:
        loss: scalar; summed over the micro-batches of a step it is the step's loss.
        metrics: detached (T,) tensors, bool or float; their mean over the tokens of a step is the metric.
            Always: ratio; approx_kl (k1 to the ratio's anchor); kept (no mask and no correction drops the
            token). By gate: clip_low, clip_high; dual_clip; outside (of a band or trust region); phi;
            dropped (Clip-Cov); penalised (KL-Cov). Else: correction_weight, correction_outside,
            correction_stat; opsm; entropy_kept; influence; kl; entropy.
    """

    loss: Tensor
    metrics: dict[str, Tensor]


def policy_loss(algo: Algo, batch: TokenBatch) -> PolicyLoss:
    """The loss of these tokens, and its metrics.

    Quantiles and covariances are taken over the tokens of this batch: an objective that has them
    (`algo.needs_whole_step`) is given the whole step at once.

    Args:
        algo: the objective.
        batch: whole completions.

    Returns:
        The loss, differentiable with respect to `logp_T`, and the metrics.

    Raises:
        InputError: the objective needs log-probabilities, entropies or flags that are None; or
            log-probabilities to compare with are not finite.
    """
    tokens = _Tokens(algo, batch)
    multiplier_T, kept_T, metrics = _multiplier(algo, tokens)
    gate_T, gate_metrics = _gate(algo, tokens, kept_T, metrics.get("correction_weight"))
    metrics |= gate_metrics | {
        "ratio": ratio_T(tokens.log_ratio_T.detach()),
        "approx_kl": -tokens.token_log_ratio_T.detach(),
        "kept": kept_T,
    }
    loss_T = multiplier_T * gate_T.masked_fill(~kept_T, 0.0)
    if algo.k2_anchor:
        loss_T = loss_T + algo.k2_anchor * tokens.token_log_ratio_T.square()
    if algo.kl != "none" and algo.kl_beta and algo.kl_in == "loss":
        kl = kl_T(algo.kl, tokens.logp_T, tokens.other_logp_T("ref_logp_T", f"kl={algo.kl!r}"))
        if algo.kl_importance:
            kl = importance_weighted_T(kl, tokens.token_log_ratio_T)
        loss_T = loss_T + algo.kl_beta * kl
        metrics["kl"] = kl.detach()
    if algo.entropy_bonus:
        loss_T = loss_T - algo.entropy_bonus * tokens.entropy_T("entropy_bonus")
    if algo.nll_coef:
        loss_T = loss_T - algo.nll_coef * tokens.logp_T * ~tokens.flag_T("failed_N", "nll_coef")
    if batch.entropy_T is not None:
        metrics["entropy"] = batch.entropy_T.detach()
    # A token that leaves the denominators leaves with all of its terms, as in verl.
    counted_T = tokens.live_T if algo.masked_in_denominator else kept_T
    return PolicyLoss((batch.weight_T.masked_fill(~counted_T, 0.0) * loss_T).sum(), metrics)


class _Tokens:
    """A batch with its log-ratios. Tokens that carry no weight are 0 in every tensor.

    Attributes:
        live_T: bool (T,), tokens that carry weight.
        logp_T, advantage_T: of the batch.
        anchor_T: float (T,), log-probabilities in the ratio's denominator, detached.
        token_log_ratio_T: float (T,), logp - anchor.
        log_ratio_T: float (T,), the same at the level `algo.ratio`.
        completions: which completion each token is of.
    """

    def __init__(self, algo: Algo, batch: TokenBatch) -> None:
        self._batch = batch
        self.live_T = batch.weight_T != 0
        if algo.overlong_filter:
            self.live_T = self.live_T & ~self.flag_T("truncated_N", "overlong_filter")
        self.completions = Completions(batch.row_T, _num_completions(batch), self.live_T)
        self.logp_T = batch.logp_T.masked_fill(~self.live_T, 0.0)
        self.advantage_T = batch.advantage_T.masked_fill(~self.live_T, 0.0)
        self.anchor_T = self._anchor_T(algo)
        self.token_log_ratio_T = self.logp_T - self.anchor_T
        self.log_ratio_T = at_level_T(self.token_log_ratio_T, algo.ratio, self.completions)

    def _anchor_T(self, algo: Algo) -> Tensor:
        match algo.anchor if algo.uses_ratio else "self":
            case "self":
                return self.logp_T.detach()
            case "old":
                return self.other_logp_T("old_logp_T", 'anchor="old"')
            case "rollout":
                return self.other_logp_T("rollout_logp_T", 'anchor="rollout"')
            case "proximal":
                rollout_T = self.other_logp_T("rollout_logp_T", 'anchor="proximal"')
                return proximal_logp_T(self.logp_T, rollout_T, algo.proximal_alpha)

    def behaviour_logp_T(self, needed_by: str) -> Tensor:
        """Log-probabilities under the policy that sampled: the sampler's own if there are any."""
        name = "old_logp_T" if self._batch.rollout_logp_T is None else "rollout_logp_T"
        return self.other_logp_T(name, needed_by)

    def trainer_logp_T(self, algo: Algo) -> Tensor:
        """Log-probabilities that the correction holds against the sampler's."""
        if algo.correction_against == "current":
            return self.logp_T.detach()
        if algo.anchor in ("self", "proximal"):
            return self.anchor_T
        return self.other_logp_T("old_logp_T", f"correction={algo.correction!r}")

    def other_logp_T(self, name: str, needed_by: str) -> Tensor:
        """The batch's log-probabilities of that name, detached; an error where one is not finite."""
        logp_T = self._field(name, needed_by).detach().masked_fill(~self.live_T, 0.0)
        broken = int((~logp_T.isfinite()).sum())
        if broken:
            raise InputError(
                f"{name} of {broken} tokens is infinite or not a number, and {needed_by} compares with it. "
                "Score with the sampler's temperature and its set of allowed tokens: a token that was drawn "
                "has a probability above 0"
            )
        return logp_T

    def entropy_T(self, needed_by: str) -> Tensor:
        return self._field("entropy_T", needed_by).masked_fill(~self.live_T, 0.0)

    def flag_T(self, name: str, needed_by: str) -> Tensor:
        """A flag or number of completions, at each of their tokens."""
        return self._field(name, needed_by)[self._batch.row_T]

    def _field(self, name: str, needed_by: str) -> Tensor:
        value = getattr(self._batch, name)
        if value is None:
            raise InputError(f"{needed_by} needs {name}, which is None")
        return value  # type: ignore[no-any-return]


def _num_completions(batch: TokenBatch) -> int:
    if batch.group_N is not None:
        return len(batch.group_N)
    return int(batch.row_T.max()) + 1 if len(batch.row_T) else 0


def _multiplier(algo: Algo, tokens: _Tokens) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The detached multiplier of each token's gate, which tokens it keeps, and the metrics of its parts."""
    multiplier_T = torch.ones_like(tokens.advantage_T)
    kept_T = tokens.live_T
    metrics = {}
    if algo.correction != "none":
        rollout_T = tokens.other_logp_T("rollout_logp_T", f"correction={algo.correction!r}")
        correction = correct(algo, tokens.trainer_logp_T(algo), rollout_T, tokens.completions)
        kept_T = kept_T & correction.keep_T
        if algo.gate != "vespo":  # which takes the weight into its own
            multiplier_T = multiplier_T * correction.weight_T
        metrics["correction_weight"] = correction.weight_T
        metrics["correction_outside"] = correction.outside_T
        metrics["correction_stat"] = correction.stat_T
    if algo.opsm_delta is not None:
        behaviour_T = tokens.behaviour_logp_T("opsm_delta")
        metrics["opsm"] = masks.off_policy_sequences_T(
            tokens.logp_T, behaviour_T, tokens.advantage_T, algo.opsm_delta, tokens.completions
        )
        kept_T = kept_T & ~metrics["opsm"]
    if algo.entropy_top is not None:
        entropy_T = tokens.entropy_T("entropy_top")
        metrics["entropy_kept"] = masks.top_entropy_T(entropy_T, algo.entropy_top, tokens.live_T)
        kept_T = kept_T & metrics["entropy_kept"]
    if algo.negative_token_share < 1:
        kept_T = kept_T & masks.failed_top_entropy_T(
            tokens.entropy_T("negative_token_share"),
            tokens.flag_T("failed_N", "negative_token_share"),
            algo.negative_token_share,
            tokens.completions,
        )
    if algo.fipo_decay is not None:
        metrics["influence"] = masks.future_influence_T(
            tokens.token_log_ratio_T,
            tokens.advantage_T,
            tokens.completions,
            decay=algo.fipo_decay,
            clip=algo.fipo_clip,
            safety=algo.fipo_safety,
            max_ratio=algo.clip_delta,
        )
        multiplier_T = multiplier_T * metrics["influence"]
    return multiplier_T, kept_T, metrics


def _gate(
    algo: Algo, tokens: _Tokens, kept_T: Tensor, correction_weight_T: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of each token before weights and multipliers, and the metrics of the gate."""
    logp_T, anchor_T, advantage_T = tokens.logp_T, tokens.anchor_T, tokens.advantage_T
    # A dropped token does not exponentiate: its ratio is 1.
    log_ratio_T = tokens.log_ratio_T.masked_fill(~kept_T, 0.0)
    r_T = ratio_T(log_ratio_T)
    all_r_T = ratio_T(tokens.log_ratio_T.detach())
    low, high = algo.weight_min or 0.0, algo.weight_max or torch.inf
    match algo.gate:
        case "importance":
            return gates.importance_T(r_T, advantage_T), {}
        case "reinforce":
            return gates.reinforce_T(logp_T, advantage_T), {}
        case "ppo" | "clip_cov":
            return _clipped_gate(algo, tokens, r_T)
        case "cispo":
            loss_T = gates.cispo_T(r_T, logp_T, advantage_T, low, high)
            return loss_T, {"clip_low": all_r_T < low, "clip_high": all_r_T > high}
        case "band":
            outside_T = gates.outside_band_T(all_r_T, low, high)
            return gates.band_T(r_T, logp_T, advantage_T, outside_T), {"outside": outside_T}
        case "sapo":
            return gates.sapo_T(r_T, advantage_T, algo.sapo_tau_positive, algo.sapo_tau_negative), {}
        case "gmpo":
            low_T, high_T = gates.log_clipped_T(
                tokens.token_log_ratio_T, advantage_T, algo.clip_low, algo.clip_high
            )
            loss_T = gates.gmpo_T(
                tokens.token_log_ratio_T, advantage_T, algo.clip_low, algo.clip_high, tokens.completions
            )
            return loss_T, {"clip_low": low_T, "clip_high": high_T}
        case "vespo":
            log_weight_T = tokens.completions.sum_T(tokens.token_log_ratio_T.detach())
            if algo.correction in ("truncate", "mask") and correction_weight_T is not None:
                log_weight_T = log_weight_T + _log_correction_T(algo, correction_weight_T, tokens.completions)
            phi_T = gates.vespo_phi_T(
                log_weight_T,
                advantage_T,
                (algo.vespo_k_positive, algo.vespo_lambda_positive),
                (algo.vespo_k_negative, algo.vespo_lambda_negative),
            )
            return gates.vespo_T(phi_T, logp_T, advantage_T), {"phi": phi_T}
        case "dppo_tv" | "dppo_kl" | "ipo":
            bounds = algo.prob_low, algo.prob_high
            if algo.gate == "dppo_tv":
                outside_T = gates.moved_away_tv_T(logp_T, anchor_T, advantage_T, *bounds)
            elif algo.gate == "dppo_kl":
                outside_T = gates.moved_away_kl_T(logp_T, anchor_T, advantage_T, *bounds)
            else:
                outside_T = gates.moved_T(logp_T, anchor_T, *bounds)
            loss_T = gates.trust_region_T(log_ratio_T, logp_T, advantage_T, outside_T, high, algo.prob_form)
            return loss_T, {"outside": outside_T}
        case "dro":
            return gates.dro_T(log_ratio_T, logp_T, advantage_T, algo.dro_beta), {}
        case "kimi":
            raw_T = tokens.log_ratio_T.detach()
            outside_T = (raw_T < algo.kimi_log_min) | (raw_T > algo.kimi_log_max)
            return gates.kimi_T(r_T, advantage_T, outside_T), {"outside": outside_T}
        case "kl_cov":
            covariance_T = gates.covariance_T(logp_T, advantage_T, tokens.live_T)
            penalised_T = gates.kl_cov_penalised_T(covariance_T, tokens.live_T, algo.cov_share)
            loss_T = gates.kl_cov_T(log_ratio_T, advantage_T, penalised_T, algo.cov_kl_coef)
            return loss_T, {"penalised": penalised_T}
        case "real":
            group_T = tokens.flag_T("group_N", 'gate="real"')
            loss_T = gates.real_T(
                tokens.token_log_ratio_T, advantage_T, group_T, algo.real_tau, tokens.completions
            )
            return loss_T, {}


def _clipped_gate(algo: Algo, tokens: _Tokens, r_T: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """PPO's clip with its variants, and Clip-Cov on top of it."""
    advantage_T = tokens.advantage_T
    all_r_T = ratio_T(tokens.log_ratio_T.detach())
    low_T: float | Tensor = algo.clip_low
    high_T: float | Tensor = algo.clip_high
    if algo.clip_prob is not None:
        low_T = high_T = gates.prob_clip_T(tokens.anchor_T, algo.clip_prob)
    loss_T = gates.ppo_T(r_T, advantage_T, low_T, high_T, delta=algo.clip_delta, dual_clip=algo.dual_clip)
    clip_low_T, clip_high_T = gates.clipped_T(all_r_T, advantage_T, low_T, high_T)
    metrics = {"clip_low": clip_low_T, "clip_high": clip_high_T}
    if algo.dual_clip is not None:
        metrics["dual_clip"] = (advantage_T < 0) & (all_r_T > algo.dual_clip)
    if algo.gate == "clip_cov":
        metrics["dropped"] = gates.clip_cov_dropped_T(
            gates.covariance_T(tokens.logp_T, advantage_T, tokens.live_T),
            tokens.live_T & ~clip_low_T & ~clip_high_T,
            algo.cov_low,
            algo.cov_high,
            algo.cov_share,
            int(tokens.live_T.sum()),
        )
        loss_T = loss_T.masked_fill(metrics["dropped"], 0.0)
    return loss_T, metrics


def _log_correction_T(algo: Algo, weight_T: Tensor, completions: Completions) -> Tensor:
    """The logarithm of the correction of a whole completion, at each of its tokens."""
    # A weight of 0 is a completion that VESPO's phi makes vanish.
    log_T = weight_T.clamp(min=1e-8).log()
    return completions.sum_T(log_T) if algo.correction_level == "token" else log_T
