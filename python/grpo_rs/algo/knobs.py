"""The knobs of the GRPO family: one flat record that says which objective is minimised.

    loss = sum over tokens of  weight * multiplier * gate(ratio, advantage)  +  kl_beta * weight * KL

Each knob turns one part of that sentence and nothing else. An algorithm of the literature is a setting of
the knobs with a name: `algo.presets`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from grpo_rs.section import Section

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

Baseline = Literal[
    "none",  # the reward itself: REINFORCE, REINFORCE++
    "group_mean",  # GRPO
    "leave_one_out",  # RLOO
    "batch_mean",  # FlashREINFORCE
    "length_weighted",  # OPO
    "greedy",  # ReMax: the reward of the greedy completion
    "tracker",  # SPO: a running estimate of the prompt's pass rate
    "optimal_token",  # OTB
    "critic",  # PPO: generalised advantage estimation
]
Scale = Literal[
    "none",
    "group_std",  # GRPO
    "leave_one_out_std",  # NeMo-RL
    "group_mean",  # MaxRL
    "batch_reward_std",  # Lite PPO
    "batch_advantage_std",  # ScaleRL
    "batch_whiten",  # (A - mean) / std over the batch's completions: Magistral, SPO
    "token_whiten",  # the same over the batch's tokens: REINFORCE++
    "live_share",  # GPG: times batch / (batch - completions of groups without a signal)
]
Transform = Literal[
    "none",
    "pass_k_max",  # 2503.19595: best minus second best, to the best
    "pass_k_analytic",  # 2508.10751
    "pkpo",  # 2505.15201: unbiased reward of the best of k
    "per_reward",  # GDPO: each reward normalised by itself, then the weighted sum
    "process",  # DeepSeekMath 4.1.3: rewards of steps, normalised over the group, summed from each token on
    "distill",  # on-policy distillation: log teacher - log student, added to the token
]
Anchor = Literal["self", "old", "rollout", "proximal"]
Level = Literal["token", "sequence", "sequence_token"]
Gate = Literal[
    "importance",  # -r A
    "reinforce",  # -A log pi
    "ppo",
    "cispo",
    "band",
    "sapo",
    "gmpo",
    "vespo",
    "dppo_tv",
    "dppo_kl",
    "ipo",
    "dro",
    "kimi",
    "clip_cov",
    "kl_cov",
    "real",
]
Aggregate = Literal[
    "token_mean",
    "seq_mean_token_mean",
    "seq_mean_token_sum",
    "constant",
    "prompt_mean",
    "token_sum",
]


class Algo(Section):
    """The objective: a preset by name, and any knob of it turned."""

    preset: str = "default"
    """Algorithm whose knobs are the defaults of all below; `grpo_rs.algo.presets` lists them."""

    # ---- Advantage ---------------------------------------------------------------------------------------
    baseline: Baseline = "group_mean"
    """What a reward is compared with."""
    scale: Scale = "group_std"
    """What the centred reward is divided by."""
    std_ddof: Annotated[int, Field(ge=0, le=1)] = 1
    """Delta degrees of freedom of every standard deviation: 1 (TRL, verl) or 0."""
    std_epsilon: NonNegative = 1e-6
    """Added to a standard deviation before dividing by it."""
    transform: Transform = "none"
    """Another reading of the rewards before or in place of baseline and scale."""
    pass_k: PositiveInt = 4
    """The k of pass@k; for the transforms "pass_k_analytic" and "pkpo"."""
    per_reward_final: Literal["sequence", "token"] = "token"
    """GDPO's last whitening: over completions (TRL) or over tokens (verl)."""
    distill_coef: NonNegative = 1.0
    """Weight of log teacher - log student; for the transform "distill"."""
    zero_variance: Literal["drop", "keep"] = "drop"
    """Groups whose rewards are all equal: left out before the forward pass and of every denominator, or kept
    with advantage 0, so that they weigh in denominators, KL and entropy."""
    gamma: Share = 1.0
    """Discount of token rewards: REINFORCE++ and the critic."""
    lam: Share = 1.0
    """The lambda of generalised advantage estimation; 1 is the Monte-Carlo return."""
    lam_length_alpha: Positive | None = None
    """Length-adaptive lambda, max(0, 1 - 1 / (alpha * length)) in place of `lam`: VAPO, BPCO, SAO."""

    # ---- Ratio -------------------------------------------------------------------------------------------
    anchor: Anchor = "old"
    """Policy in the ratio's denominator: the trainer's before the update, the sampler's own
    log-probabilities, the current one ("self": ratio 1), or the log-linear mix of A-3PO."""
    proximal_alpha: Share = 0.5
    """Weight of the current policy in the anchor "proximal"."""
    ratio: Level = "token"
    """Ratio of a token, the geometric mean of its completion (GSPO), or that with a gradient per token."""

    # ---- Gate --------------------------------------------------------------------------------------------
    gate: Gate = "ppo"
    """How ratio and advantage make a token's loss."""
    clip_low: NonNegative = 0.2
    """Lower clip: ratio 1 - clip_low (gates ppo, clip_cov); log-ratio -clip_low (gmpo)."""
    clip_high: NonNegative = 0.2
    """Upper clip: ratio 1 + clip_high (gates ppo, clip_cov); log-ratio clip_high (gmpo)."""
    clip_delta: Positive | None = None
    """Upper bound of the ratio for negative advantages, two-sided clipping (INTELLECT-2)."""
    dual_clip: Positive | None = None
    """Bound c of dual-clip PPO: the loss of a negative advantage is at most -c A."""
    clip_prob: Positive | None = None
    """Clip by probability instead of ratio, |pi - mu| <= clip_prob (BPCO), in place of the two above."""
    weight_min: NonNegative | None = None
    """Lower bound of the ratio as a weight: gates cispo (clipped) and band (masked)."""
    weight_max: Positive | None = 5.0
    """Upper bound of the ratio as a weight, absolute, not 1 + x: gates cispo, band, dppo_tv, dppo_kl."""
    prob_low: NonNegative = 0.15
    """Largest fall of probability (or binary KL) that still passes: gates dppo_tv, dppo_kl, ipo."""
    prob_high: NonNegative = 0.15
    """Largest rise of probability (or binary KL) that still passes: gates dppo_tv, dppo_kl, ipo."""
    prob_form: Literal["logp", "ratio"] = "logp"
    """Form of the DPPO surrogate: a detached ratio times log pi, or the ratio itself. Same gradient."""
    sapo_tau_positive: Positive = 1.0
    """Temperature of SAPO's sigmoid for advantages above 0."""
    sapo_tau_negative: Positive = 1.05
    """The same for advantages at or below 0."""
    vespo_k_positive: Positive = 2.0
    """Exponent of the sequence ratio in VESPO, advantages above 0."""
    vespo_lambda_positive: Positive = 3.0
    """Decay of the sequence ratio in VESPO, advantages above 0."""
    vespo_k_negative: Positive = 3.0
    """The exponent for advantages at or below 0."""
    vespo_lambda_negative: Positive = 2.0
    """The decay for advantages at or below 0."""
    dro_beta: NonNegative = 0.05
    """Weight of the squared log-ratio in DRO."""
    kimi_log_min: float = -0.6931471805599453
    """Lower end of Kimi's band of log-ratios."""
    kimi_log_max: float = 0.6931471805599453
    """Upper end of Kimi's band of log-ratios."""
    cov_low: float = 1.0
    """Covariance of log-probability and advantage above which Clip-Cov may drop a token."""
    cov_high: float = 5.0
    """Covariance below which it may."""
    cov_share: Share = 2e-4
    """Share of tokens that Clip-Cov drops or KL-Cov penalises."""
    cov_kl_coef: NonNegative = 1.0
    """Weight of |log ratio| in KL-Cov."""
    real_tau: Positive = 0.5
    """Temperature of REAL's group classification."""
    k2_anchor: NonNegative = 0.0
    """Weight of the squared log-ratio to the anchor, added to every token: prime-rl, Kimi K2.5."""

    # ---- Off-policy correction -----------------------------------------------------------------------------
    correction: Literal["none", "truncate", "mask", "reject"] = "none"
    """What becomes of pi_old / pi_sampler: a weight cut at its bounds (TIS); a weight that is 0 outside
    them (IcePop, MIS); or a gate that drops tokens and gives no weight."""
    correction_level: Literal["token", "sequence", "geometric"] = "token"
    """The ratio of a token, the product over its completion (TRL's "sequence"), or its geometric mean."""
    correction_stat: Literal["ratio", "binary_kl", "tv"] = "ratio"
    """What is held against the bounds: the ratio, or a divergence of the token's two probabilities."""
    correction_min: NonNegative | None = None
    """Lower bound of the ratio."""
    correction_max: Positive | None = 2.0
    """Upper bound of the ratio, or of the divergence."""
    correction_token_weight: bool = False
    """Tokens that pass a completion-level gate keep their own token's weight (OpenRLHF, geometric masks)."""
    correction_against: Literal["old", "current"] = "old"
    """Trainer's policy in the correction: before the update, or the current one (FlashREINFORCE)."""

    # ---- Masks -------------------------------------------------------------------------------------------
    opsm_delta: NonNegative | None = None
    """Off-policy sequence masking (DeepSeek-V3.2): drop completions with A < 0 and mean(log mu - log pi)
    above this from the policy term."""
    entropy_top: Annotated[float, Field(gt=0, le=1)] | None = None
    """Only this share of tokens, those with the highest entropy, is trained on (80/20 rule)."""
    negative_token_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of tokens, by entropy, that a failed completion keeps (FlashREINFORCE)."""
    overlong_filter: bool = False
    """Completions cut off at the length limit carry no loss (DAPO)."""
    fipo_decay: Positive | None = None
    """Half-life in tokens of FIPO's influence of the future; none switches it off."""
    fipo_clip: NonNegative = 0.2
    """FIPO's weight stays within 1 -+ this."""
    fipo_safety: Positive = 2.0
    """FIPO: a negative advantage with a ratio above this gets weight at most 1."""

    # ---- Aggregation -------------------------------------------------------------------------------------
    aggregate: Aggregate = "token_mean"
    """How token losses are averaged over the optimiser step."""
    aggregate_length: PositiveInt | None = None
    """The constant of "constant" (Dr. GRPO); none takes the length limit of a completion."""
    masked_in_denominator: bool = True
    """Tokens that a mask or a correction drops still count in the denominators (TRL, AReaL); verl: not."""

    # ---- KL and entropy ----------------------------------------------------------------------------------
    kl: Literal["none", "k1", "k2", "k3", "k3_straight", "abs"] = "none"
    """Estimator of the KL divergence to the reference."""
    kl_beta: NonNegative = 0.0
    """Its weight; 0 loads no reference."""
    kl_in: Literal["loss", "reward"] = "loss"
    """Added to each token's loss, or subtracted from each token's reward."""
    kl_importance: bool = False
    """Multiply the KL by the ratio, differentiated (DeepSeek-V3.2)."""
    reference_every: Annotated[int, Field(ge=0)] = 0
    """Steps after which the current policy becomes the reference; 0 for never."""
    entropy_bonus: NonNegative = 0.0
    """Weight of the entropy of the next-token distribution, subtracted from the loss."""

    # ---- Critic (baseline "critic") ----------------------------------------------------------------------
    value_clip: Positive | None = 0.2
    """A value moves at most this far from its old value in one update; none does not clip."""
    critic_warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps in which only the critic learns."""
    critic_lr: Positive = 1e-5
    """Learning rate of the critic."""
    critic_epochs: PositiveInt = 1
    """Passes of the critic over each batch."""
    value_bounds: tuple[float, float] | None = None
    """Values stay between these (BPCO's arctangent head); none for a plain linear head."""
    nll_coef: NonNegative = 0.0
    """Weight of the negative log-likelihood of correct completions (VAPO)."""

    # ---- Data --------------------------------------------------------------------------------------------
    epochs: PositiveInt = 1
    """Passes over each batch of rollouts."""
    minibatches: PositiveInt = 1
    """Optimiser steps of a pass, each on an equal share of the groups."""
