"""The knobs of the GRPO family: one flat record that says which objective is minimised.

    loss = sum over tokens of  weight * multiplier * gate(ratio, advantage)  +  kl_beta * weight * KL

Each knob turns one part of that sentence and nothing else. An algorithm of the literature is a setting of
the knobs with a name: `algo.presets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import Field, PositiveInt, ValidationError, model_validator

from grpo_rs.algo import aliases
from grpo_rs.algo.presets import preset_knobs
from grpo_rs.errors import ConfigError
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
    "optimal_token",  # OTB: for each token the mean reward, weighted by the gradients' squared norms
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
    """Algorithm whose knobs are the defaults of all below: "dapo", "gspo", "ppo" and others, see
    docs/presets.md."""

    # ---- Advantage -----------------------------------------------------------------------------------------
    baseline: Baseline = "group_mean"
    """What a reward is compared with."""
    scale: Scale = "group_std"
    """What the centred reward is divided by."""
    std_ddof: Annotated[int, Field(ge=0, le=1)] = 1
    """Delta degrees of freedom of every standard deviation: 1 (TRL, verl) or 0."""
    std_epsilon: NonNegative = 1e-6
    """Added to a divisor: a standard deviation, the variance ("token_whiten"), the group's mean
    ("group_mean"), the sum of weights (baseline "optimal_token")."""
    transform: Transform = "none"
    """Another reading of the rewards before or in place of baseline and scale."""
    pass_k: PositiveInt = 4
    """The k of pass@k; for the transforms "pass_k_analytic" and "pkpo"."""
    per_reward_final: Literal["sequence", "token"] = "token"
    """GDPO's last whitening: over completions (TRL) or over tokens (verl)."""
    distill_coef: NonNegative = 1.0
    """Weight of log teacher - log student; for the transform "distill"."""
    outcome_coef: NonNegative = 1.0
    """Weight of the advantage of the rewards beside it; 0 leaves them out. For the transform "distill"."""
    zero_variance: Literal["drop", "keep"] = "drop"
    """Groups whose rewards are all equal: left out before the forward pass and of every denominator, or kept
    with advantage 0, so that they weigh in denominators, KL and entropy. Where the baseline is not the
    group's own (none, batch_mean, greedy, tracker, critic) equal rewards are a signal, and nothing is
    dropped."""
    gamma: Share = 1.0
    """Discount of token rewards: REINFORCE++, ReMax and the critic."""
    lam: Share = 1.0
    """The lambda of generalised advantage estimation; 1 is the Monte-Carlo return."""
    lam_length_alpha: Positive | None = None
    """Length-adaptive lambda, max(0, 1 - 1 / (alpha * length)) in place of `lam`: VAPO, BPCO, SAO. The
    critic's own targets are then Monte-Carlo returns."""

    # ---- Ratio ---------------------------------------------------------------------------------------------
    anchor: Anchor = "old"
    """Policy in the ratio's denominator: the trainer's before the update, the sampler's own
    log-probabilities, the current one ("self": ratio 1), or the log-linear mix of A-3PO."""
    proximal_alpha: Share = 0.5
    """Weight of the current policy in the anchor "proximal"."""
    ratio: Level = "token"
    """Ratio of a token, the geometric mean of its completion (GSPO), or that with a gradient per token."""

    # ---- Gate ----------------------------------------------------------------------------------------------
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
    """Clip by probability instead of ratio, |pi - mu| <= clip_prob (BPCO): in place of clip_low and
    clip_high."""
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

    # ---- Masks ---------------------------------------------------------------------------------------------
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

    # ---- Aggregation ---------------------------------------------------------------------------------------
    aggregate: Aggregate = "token_mean"
    """How token losses are averaged over the optimiser step."""
    aggregate_length: PositiveInt | None = None
    """The constant of "constant" (Dr. GRPO); none takes the length limit of a completion."""
    masked_in_denominator: bool = True
    """Tokens that a mask or a correction drops still count in the denominators, and keep their KL (TRL,
    AReaL); or they leave the step altogether (verl)."""

    # ---- KL, entropy, imitation ----------------------------------------------------------------------------
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
    nll_coef: NonNegative = 0.0
    """Weight of the negative log-likelihood of correct completions (VAPO)."""

    # ---- Critic (baseline "critic") ------------------------------------------------------------------------
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

    # ---- Data ----------------------------------------------------------------------------------------------
    epochs: PositiveInt = 1
    """Passes over each batch of rollouts."""
    minibatches: PositiveInt = 1
    """Optimiser steps of a pass, each on an equal share of the groups."""

    # ---- How a preset, aliases and the knobs given become one record ---------------------------------------

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """Translates the option names of other trainers, and takes what is not given from the preset."""
        if not isinstance(values, Mapping):
            return values
        own = aliases.translate(values, known=frozenset(cls.model_fields))
        # TOML has no word for None.
        own = {name: None if value == "none" and name in OPTIONAL else value for name, value in own.items()}
        return {**preset_knobs(own.get("preset", "default")), **own}

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuses what makes no sense.

        Raises:
            ConfigError: with the reason, and how to mend it.
        """
        for rule in RULES:
            if rule.broken(self):
                raise ConfigError(rule.why.format(**self.__dict__))
        for name in self.changes():
            use = USES.get(name)
            if use is not None and not use.acts(self) and not self._rests(name):
                raise ConfigError(
                    f"{name} = {getattr(self, name)!r} has no effect: only {use.by} uses it, and this is "
                    f"{', '.join(f'{knob} = {getattr(self, knob)!r}' for knob in use.looks_at)}"
                )
        return self

    @classmethod
    def checked(cls, **values: Any) -> Algo:
        """`Algo(**values)` with a `ConfigError` in place of pydantic's own exception."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError("; ".join(_sentence(item) for item in error.errors())) from None

    def changes(self) -> dict[str, Any]:
        """Knobs that differ from the preset, with the preset's values."""
        preset = preset_knobs(self.preset)
        found = {}
        for name, field in type(self).model_fields.items():
            if name != "preset":
                value = preset.get(name, field.default)
                if getattr(self, name) != value:
                    found[name] = value
        return found

    def _rests(self, name: str) -> bool:
        """Whether a knob has a value that does nothing."""
        value = getattr(self, name)
        return value in OFF[name] if name in OFF else value is None or value is False

    # ---- What the objective needs --------------------------------------------------------------------------

    @property
    def uses_ratio(self) -> bool:
        """The loss holds the policy against its anchor."""
        return (
            self.gate != "reinforce"
            or self.k2_anchor > 0
            or self.fipo_decay is not None
            or (self.kl_importance and self.needs_reference)
        )

    @property
    def needs_old(self) -> bool:
        """Log-probabilities of the trainer's policy before the update.

        With one optimiser step per batch they are those of its own forward pass, detached.
        """
        corrects = self.correction != "none" and self.correction_against == "old"
        return (self.anchor == "old" and self.uses_ratio) or (corrects and self.anchor in ("old", "rollout"))

    @property
    def needs_rollout(self) -> bool:
        """Log-probabilities of the sampler's policy."""
        anchored = self.anchor in ("rollout", "proximal") and self.uses_ratio
        return anchored or self.correction != "none" or self.opsm_delta is not None

    @property
    def needs_reference(self) -> bool:
        """Log-probabilities of a reference policy."""
        return self.kl != "none" and self.kl_beta > 0

    @property
    def needs_entropy(self) -> bool:
        """The entropy of the next-token distribution at every token."""
        return self.entropy_top is not None or self.negative_token_share < 1 or self.entropy_bonus > 0

    @property
    def needs_entropy_gradient(self) -> bool:
        """That entropy with a gradient."""
        return self.entropy_bonus > 0

    @property
    def masks(self) -> bool:
        """Some tokens may be dropped from the loss after their advantages are known."""
        return (
            self.correction in ("mask", "reject")
            or self.opsm_delta is not None
            or self.entropy_top is not None
            or self.negative_token_share < 1
        )

    @property
    def needs_whole_step(self) -> bool:
        """A token's loss depends on tokens of the whole optimiser step, so that it cannot be cut up."""
        return (
            self.entropy_top is not None
            or self.gate in ("clip_cov", "kl_cov")
            or (self.masks and not self.masked_in_denominator)
        )

    @property
    def needs_whole_groups(self) -> bool:
        """The completions of a group must be in one micro-batch."""
        return self.gate == "real"

    @property
    def token_local(self) -> bool:
        """A token's part of the loss depends on no other token's probability."""
        return (
            not (self.needs_whole_step or self.needs_whole_groups)
            and self.ratio == "token"
            and self.gate not in ("gmpo", "vespo")
            and (self.correction == "none" or self.correction_level == "token")
            and self.opsm_delta is None
            and self.negative_token_share == 1
            and self.fipo_decay is None
        )

    @property
    def needs_critic(self) -> bool:
        """A critic is trained beside the policy."""
        return self.baseline == "critic"

    @property
    def token_advantages(self) -> bool:
        """Advantages differ between the tokens of a completion."""
        reward_tokens = self.kl_in == "reward" and self.needs_reference
        return (
            self.baseline in ("critic", "optimal_token")
            or self.transform in ("process", "distill")
            or (self.baseline in ("none", "greedy") and (self.gamma < 1 or reward_tokens))
        )

    @property
    def drops_equal_groups(self) -> bool:
        """Groups whose rewards are all equal leave the step."""
        return self.zero_variance == "drop" and self.baseline in GROUP_BASELINES

    # ---- What to tell the user -----------------------------------------------------------------------------

    def notes(self) -> list[str]:
        """What is allowed and probably worth knowing; a sentence each."""
        found = []
        steps = self.epochs * self.minibatches
        if self.gate in ("ppo", "gmpo", "clip_cov") and (
            self.anchor == "self" or (self.anchor == "old" and steps == 1)
        ):
            found.append(
                "with one optimiser step per batch the ratio to the old policy is 1, so the clip does not act"
            )
        if steps > 1 and not self.uses_ratio:
            found.append(
                f"{steps} optimiser steps per batch with gate = reinforce: those after the first are "
                "off-policy, and nothing corrects for it"
            )
        if self.gate == "cispo" and self.weight_max is not None and self.weight_max < 1:
            found.append(
                f"weight_max = {self.weight_max:g} bounds the ratio itself, not 1 + x: every gradient is "
                f"scaled down to {self.weight_max:g} (1 + x would be {1 + self.weight_max:g})"
            )
        if self.clip_high >= 1 and self.gate == "ppo" and self.clip_prob is None:
            found.append(f"clip_high = {self.clip_high:g} clips a ratio only above {1 + self.clip_high:g}")
        if self.scale in ("group_std", "leave_one_out_std") and self.std_epsilon >= 1e-3:
            found.append(
                f"std_epsilon = {self.std_epsilon:g} shrinks the advantages of rewards that vary little"
            )
        if self.aggregate == "token_sum":
            found.append("aggregate = token_sum grows with the batch, and the learning rate has to follow")
        if (
            self.kl_in == "loss"
            and self.needs_reference
            and self.kl in ("k3", "abs")
            and not self.kl_importance
        ):
            found.append(
                f"the gradient of kl = {self.kl} is not that of the KL divergence; k2, k3_straight and "
                "kl_importance = true are unbiased on-policy"
            )
        if self.k2_anchor > 0 and self.anchor == "old" and steps == 1:
            found.append(
                "k2_anchor does not act with one optimiser step per batch: the log-ratio to the old policy "
                "is 0"
            )
        for machinery, needed in (
            (
                "baseline = greedy samples and scores one greedy completion of each prompt",
                self.baseline == "greedy",
            ),
            ("baseline = tracker needs prompts that come back", self.baseline == "tracker"),
            ("transform = process needs rewards of steps", self.transform == "process"),
            ("transform = distill needs a teacher's log-probabilities", self.transform == "distill"),
            ("transform = pass_k_analytic reads rewards of 0 and 1", self.transform == "pass_k_analytic"),
            ("scale = group_mean needs rewards that are not negative", self.scale == "group_mean"),
        ):
            if needed:
                found.append(machinery)
        return found

    def describe(self) -> list[str]:
        """The objective in lines: the preset and what differs from it, then the knobs that act, by family."""
        changes = self.changes()
        differs = ", ".join(
            f"{name} = {_shown(getattr(self, name))} (not {_shown(old)})" for name, old in changes.items()
        )
        lines = [f"objective: {self.preset}" + (f" with {differs}" if differs else "")]
        width = max(map(len, FAMILIES))
        for family, names in FAMILIES.items():
            acting = [
                f"{name} = {_shown(getattr(self, name))}"
                for name in names
                if not self._rests(name) and (name not in USES or USES[name].acts(self))
            ]
            if acting:
                lines.append(f"  {family.ljust(width)}  {', '.join(acting)}")
        return lines


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _sentence(item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"{name} = {item['input']!r}: {message}" if name else str(message)


# ---- Families, for `describe` and the documentation --------------------------------------------------------

FAMILIES: dict[str, tuple[str, ...]] = {
    "advantage": (
        "baseline", "scale", "std_ddof", "std_epsilon", "transform", "pass_k", "per_reward_final",
        "distill_coef", "outcome_coef", "zero_variance", "gamma", "lam", "lam_length_alpha",
    ),
    "ratio": ("anchor", "proximal_alpha", "ratio"),
    "gate": (
        "gate", "clip_low", "clip_high", "clip_delta", "dual_clip", "clip_prob", "weight_min", "weight_max",
        "prob_low", "prob_high", "prob_form", "sapo_tau_positive", "sapo_tau_negative", "vespo_k_positive",
        "vespo_lambda_positive", "vespo_k_negative", "vespo_lambda_negative", "dro_beta", "kimi_log_min",
        "kimi_log_max", "cov_low", "cov_high", "cov_share", "cov_kl_coef", "real_tau", "k2_anchor",
    ),
    "correction": (
        "correction", "correction_level", "correction_stat", "correction_min", "correction_max",
        "correction_token_weight", "correction_against",
    ),
    "masks": (
        "opsm_delta", "entropy_top", "negative_token_share", "overlong_filter", "fipo_decay", "fipo_clip",
        "fipo_safety",
    ),
    "aggregation": ("aggregate", "aggregate_length", "masked_in_denominator"),
    "KL, entropy, imitation": (
        "kl", "kl_beta", "kl_in", "kl_importance", "reference_every", "entropy_bonus", "nll_coef",
    ),
    "critic": (
        "value_clip", "critic_warmup_steps", "critic_lr", "critic_epochs", "value_bounds",
    ),
    "data": ("epochs", "minibatches"),
}  # fmt: skip
OPTIONAL = frozenset(
    name for name, field in Algo.model_fields.items() if type(None) in get_args(field.annotation)
)
# Values under which a knob does nothing, where that is not None or False.
OFF: dict[str, tuple[Any, ...]] = {
    "transform": ("none",),
    "k2_anchor": (0,),
    "correction": ("none",),
    "negative_token_share": (1,),
    "kl": ("none",),
    "kl_beta": (0,),
    "reference_every": (0,),
    "entropy_bonus": (0,),
    "critic_warmup_steps": (0,),
    "nll_coef": (0,),
    "masked_in_denominator": (),
}

# ---- Which knob acts when ----------------------------------------------------------------------------------


class Use(NamedTuple):
    """When a knob acts: the condition, what uses it in words, and the knobs that the condition looks at."""

    acts: Callable[[Algo], bool]
    by: str
    looks_at: tuple[str, ...]


def _uses() -> dict[str, Use]:
    uses: dict[str, Use] = {}

    def add(names: str, knob: str, *values: str) -> None:
        """`names` act when `knob` has one of the values."""
        by = f"{knob} = {' or '.join(values)}"
        for name in names.split():
            uses[name] = Use(lambda algo: getattr(algo, knob) in values, by, (knob,))

    add("pass_k", "transform", "pass_k_analytic", "pkpo")
    add("per_reward_final", "transform", "per_reward")
    add("distill_coef outcome_coef", "transform", "distill")
    add("gamma", "baseline", "critic", "none", "greedy")
    add(
        "lam lam_length_alpha value_clip critic_warmup_steps critic_lr critic_epochs value_bounds",
        "baseline",
        "critic",
    )
    add("proximal_alpha", "anchor", "proximal")
    add("clip_delta dual_clip clip_prob", "gate", "ppo")
    add("weight_min", "gate", "cispo", "band")
    add("weight_max", "gate", "cispo", "band", "dppo_tv", "dppo_kl")
    add("prob_low prob_high prob_form", "gate", "dppo_tv", "dppo_kl", "ipo")
    add("sapo_tau_positive sapo_tau_negative", "gate", "sapo")
    add("vespo_k_positive vespo_lambda_positive vespo_k_negative vespo_lambda_negative", "gate", "vespo")
    add("dro_beta", "gate", "dro")
    add("kimi_log_min kimi_log_max", "gate", "kimi")
    add("cov_low cov_high", "gate", "clip_cov")
    add("cov_share", "gate", "clip_cov", "kl_cov")
    add("cov_kl_coef", "gate", "kl_cov")
    add("real_tau", "gate", "real")
    add(
        "correction_level correction_stat correction_min correction_max correction_token_weight "
        "correction_against",
        "correction", "truncate", "mask", "reject",
    )  # fmt: skip
    add("aggregate_length", "aggregate", "constant")
    uses["std_ddof"] = Use(
        lambda algo: "std" in algo.scale or "whiten" in algo.scale or algo.transform == "per_reward",
        "a scale with a standard deviation, or transform = per_reward",
        ("scale", "transform"),
    )
    uses["std_epsilon"] = Use(
        lambda algo: uses["std_ddof"].acts(algo) or algo.scale == "group_mean"
        or algo.baseline == "optimal_token",
        "a scale with a divisor, transform = per_reward, or baseline = optimal_token",
        ("baseline", "scale", "transform"),
    )  # fmt: skip
    for name in ("clip_low", "clip_high"):
        uses[name] = Use(
            lambda algo: algo.gate in ("clip_cov", "gmpo") or (algo.gate == "ppo" and algo.clip_prob is None),
            "gate = ppo (without clip_prob), clip_cov or gmpo",
            ("gate", "clip_prob"),
        )
    for name in ("fipo_clip", "fipo_safety"):
        uses[name] = Use(lambda algo: algo.fipo_decay is not None, "fipo_decay", ("fipo_decay",))
    for name in ("kl", "kl_in", "kl_importance", "reference_every"):
        uses[name] = Use(lambda algo: algo.kl_beta > 0, "kl_beta > 0", ("kl_beta",))
    uses["aggregate"] = Use(
        lambda algo: algo.gate != "real", "a gate of tokens (real is a mean over groups)", ("gate",)
    )
    uses["masked_in_denominator"] = Use(
        lambda algo: algo.masks, "a mask, or correction = mask or reject", ("correction",)
    )
    return uses


USES = _uses()

# ---- Combinations without sense ----------------------------------------------------------------------------

GROUP_BASELINES = ("group_mean", "leave_one_out", "length_weighted", "optimal_token")
GROUP_SCALES = ("group_std", "leave_one_out_std", "group_mean")


class Rule(NamedTuple):
    """A refused combination, and the reason with the remedy; `{name}` in it stands for a knob's value."""

    broken: Callable[[Algo], bool]
    why: str


RULES: tuple[Rule, ...] = (
    # -- Ratio --
    Rule(
        lambda algo: algo.ratio == "sequence" and algo.token_advantages,
        "ratio = sequence has one gradient for a whole completion, but here advantages differ between its "
        "tokens: set ratio = sequence_token, or token",
    ),
    Rule(
        lambda algo: algo.gate in ("gmpo", "real") and algo.token_advantages,
        "gate = {gate} reads one advantage for a completion, but here they differ between its tokens: use "
        "a gate of tokens, such as ppo",
    ),
    Rule(
        lambda algo: algo.ratio != "token"
        and algo.gate in ("reinforce", "gmpo", "vespo", "real", "dppo_tv", "dppo_kl", "ipo", "dro", "kimi"),
        "gate = {gate} is defined on tokens or builds its own ratio of the completion: leave ratio = token",
    ),
    Rule(
        lambda algo: algo.ratio != "token" and (algo.clip_prob is not None or algo.fipo_decay is not None),
        "clip_prob and fipo_decay look at single tokens: leave ratio = token, or take them out",
    ),
    Rule(
        lambda algo: algo.anchor == "self" and algo.epochs * algo.minibatches > 1 and algo.uses_ratio,
        "anchor = self makes the ratio 1 by definition, so with epochs = {epochs} and minibatches = "
        "{minibatches} the steps after the first would be off-policy without correction: set anchor = old",
    ),
    Rule(
        lambda algo: algo.anchor == "self" and (algo.k2_anchor > 0 or algo.fipo_decay is not None),
        "with anchor = self every log-ratio is 0, so k2_anchor and fipo_decay do nothing: set anchor = old "
        "or rollout",
    ),
    Rule(
        lambda algo: algo.anchor == "self" and algo.gate == "real",
        "gate = real classifies completions by their log-ratio, which anchor = self makes 0: set anchor = "
        "old",
    ),
    # -- Bounds --
    Rule(
        lambda algo: algo.gate == "ppo" and _crossed(1 + algo.clip_high, algo.dual_clip),
        "dual_clip = {dual_clip} bounds the ratio of negative advantages; it must lie above 1 + clip_high "
        "(clip_high = {clip_high}; 3 is usual)",
    ),
    Rule(
        lambda algo: algo.gate == "ppo" and _crossed(1 + algo.clip_high, algo.clip_delta),
        "clip_delta = {clip_delta} bounds the ratio itself; it must lie above 1 + clip_high (clip_high = "
        "{clip_high}; INTELLECT-2 has 4)",
    ),
    Rule(
        lambda algo: _crossed(algo.weight_min, algo.weight_max) and algo.gate in ("cispo", "band"),
        "weight_min = {weight_min} is above weight_max = {weight_max}: exchange them",
    ),
    Rule(
        lambda algo: algo.gate == "kimi" and _crossed(algo.kimi_log_min, algo.kimi_log_max),
        "kimi_log_min = {kimi_log_min} is above kimi_log_max = {kimi_log_max}: exchange them",
    ),
    Rule(
        lambda algo: algo.gate == "clip_cov" and _crossed(algo.cov_low, algo.cov_high),
        "cov_low = {cov_low} is above cov_high = {cov_high}: exchange them",
    ),
    Rule(
        lambda algo: algo.correction != "none" and _crossed(algo.correction_min, algo.correction_max),
        "correction_min = {correction_min} is above correction_max = {correction_max}: exchange them",
    ),
    Rule(
        lambda algo: algo.value_bounds is not None and algo.value_bounds[0] >= algo.value_bounds[1],
        "value_bounds = {value_bounds}: the lower bound comes first, and the smallest and largest reward "
        "differ",
    ),
    # -- Correction --
    Rule(
        lambda algo: algo.correction in ("truncate", "mask") and algo.anchor == "rollout",
        "anchor = rollout already weighs each token by its ratio to the sampler; correction = {correction} "
        "would count that twice: set correction = none or reject, or anchor = old",
    ),
    Rule(
        lambda algo: algo.correction in ("truncate", "mask") and algo.correction_against == "current",
        "correction_against = current holds the current policy against the sampler's, which is a test of "
        "trust and not a weight: set correction = reject, or correction_against = old",
    ),
    Rule(
        lambda algo: algo.correction == "reject"
        and algo.correction_min is None and algo.correction_max is None,
        "correction = reject without bounds rejects nothing: set correction_max",
    ),
    Rule(
        lambda algo: algo.correction != "none" and algo.correction_stat != "ratio"
        and algo.correction_level == "geometric",
        "correction_stat = {correction_stat} is averaged over a completion with correction_level = sequence; "
        "geometric is a mean of ratios",
    ),
    Rule(
        lambda algo: algo.correction != "none" and algo.correction_stat != "ratio"
        and algo.correction_min is not None and algo.correction_min > 0,
        "correction_min = {correction_min} would reject the tokens on which the policies agree: "
        "{correction_stat} is a distance, so set correction_max alone",
    ),
    Rule(
        lambda algo: algo.correction_token_weight
        and (algo.correction != "mask" or algo.correction_level == "token") and algo.correction != "none",
        "correction_token_weight keeps the tokens' own weights where a whole completion is admitted: it "
        "needs correction = mask, and correction_level = sequence or geometric",
    ),
    Rule(
        lambda algo: algo.correction == "truncate" and algo.correction_stat != "ratio",
        "correction = truncate cuts the ratio at its bounds, and correction_stat = {correction_stat} is a "
        "distance: set correction = mask or reject, or correction_stat = ratio",
    ),
    Rule(
        lambda algo: algo.gate == "vespo" and algo.correction in ("truncate", "mask")
        and algo.correction_level != "token",
        "gate = vespo takes the correction into the ratio of the whole completion, token by token: set "
        "correction_level = token (in TRL vllm_importance_sampling_mode = token_truncate or token_mask)",
    ),
    # -- Group-coupled gate --
    Rule(
        lambda algo: algo.gate == "real"
        and (algo.masks or algo.correction != "none" or algo.fipo_decay is not None or algo.k2_anchor > 0),
        "gate = real compares whole completions of a group, where weights and masks of tokens have no "
        "place: take out correction, opsm_delta, entropy_top, negative_token_share, fipo_decay and "
        "k2_anchor",
    ),
    Rule(
        lambda algo: algo.gate == "gmpo" and algo.aggregate != "seq_mean_token_mean",
        "gate = gmpo has one loss for a completion, so there is nothing to average over its tokens: set "
        "aggregate = seq_mean_token_mean",
    ),
    # -- Advantages --
    Rule(
        lambda algo: algo.baseline not in ("group_mean", "leave_one_out", "length_weighted")
        and algo.scale in ("group_std", "leave_one_out_std", "group_mean"),
        "scale = {scale} is a statistic of the group, and baseline = {baseline} does not compare within it: "
        "set scale = none, token_whiten or another of the batch, or baseline = group_mean",
    ),
    Rule(
        lambda algo: algo.baseline in ("critic", "optimal_token") and algo.transform != "none",
        "baseline = {baseline} has an advantage for each token of the reward itself, which transform = "
        "{transform} replaces: set transform = none",
    ),
    Rule(
        lambda algo: algo.baseline == "optimal_token" and algo.needs_reference and algo.kl_in == "reward",
        "baseline = optimal_token is derived for a reward of the whole completion, and kl_in = reward "
        "gives one to each token: set kl_in = loss",
    ),
    Rule(
        lambda algo: algo.transform == "per_reward" and algo.scale not in ("group_std", "none"),
        "transform = per_reward has a scale of its own at the end; before it each reward is divided by its "
        "group's standard deviation or not: set scale = group_std, or none",
    ),
    Rule(
        lambda algo: algo.scale == "live_share" and algo.drops_equal_groups,
        "scale = live_share makes up for groups without a signal in the denominator, and zero_variance = "
        "drop takes them out of it: keep one, for GPG zero_variance = keep",
    ),
    Rule(
        lambda algo: algo.scale == "live_share" and algo.baseline not in GROUP_BASELINES,
        "scale = live_share counts the groups without a signal, which baseline = {baseline} does not know: "
        "set baseline = group_mean",
    ),
    Rule(
        lambda algo: algo.transform == "pass_k_analytic" and algo.scale in GROUP_SCALES,
        "transform = pass_k_analytic is normalised over the group already, and scale = {scale} would do it "
        "again: set scale = none",
    ),
    Rule(
        lambda algo: algo.transform in ("pass_k_max", "per_reward", "process")
        and algo.baseline not in GROUP_BASELINES,
        "transform = {transform} compares the completions of a group, and baseline = {baseline} does not: "
        "set baseline = group_mean",
    ),
    Rule(
        lambda algo: algo.transform == "distill" and algo.distill_coef == 0,
        "transform = distill with distill_coef = 0 adds nothing: set distill_coef, or transform = none",
    ),
    Rule(
        lambda algo: algo.lam_length_alpha is not None and algo.lam != 1,
        "lam_length_alpha takes the place of lam = {lam}: leave lam = 1, or set lam_length_alpha = none",
    ),
    # -- KL --
    Rule(
        lambda algo: algo.kl == "none" and algo.kl_beta > 0,
        "kl_beta = {kl_beta} without an estimator: set kl, k3 for GRPO's",
    ),
    Rule(
        lambda algo: algo.kl == "k1"
        and algo.needs_reference and algo.kl_in == "loss" and not algo.kl_importance,
        "kl = k1 in the loss has the gradient of log pi alone, whose mean is 0, so it holds nothing: set "
        "kl = k2 or k3, or kl_in = reward",
    ),
    Rule(
        lambda algo: algo.needs_reference and algo.kl_in == "reward" and algo.kl_importance,
        "kl_importance differentiates the ratio, and a reward has no gradient: set kl_in = loss",
    ),
    Rule(
        lambda algo: algo.needs_reference and algo.kl_in == "reward" and algo.kl == "k3_straight",
        "kl = k3_straight is k3 with another gradient, and a reward has none: set kl = k1 or k3",
    ),
    Rule(
        lambda algo: algo.needs_reference and algo.kl_in == "reward"
        and (algo.transform != "none" or algo.scale == "group_mean"),
        "kl_in = reward makes rewards of any sign and size, which transform = {transform} with scale = "
        "{scale} does not read: set kl_in = loss",
    ),
)  # fmt: skip


def _crossed(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high
