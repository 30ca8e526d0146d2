"""Option names of TRL's `GRPOConfig` (1.16) and of verl's configuration (0.9.1), read as knobs.

They may stand among the knobs of `Algo` and of the section [algo], or be given whole:

    from_trl(loss_type="dr_grpo", scale_rewards=False, beta=0.04)
    from_verl(adv_estimator="grpo", clip_ratio_high=0.28, use_kl_loss=True)

which start from that trainer's defaults. A name means what it means there: TRL's `epsilon_high` is the bound
of the ratio itself for CISPO and 1 + epsilon_high for the others, verl's `clip_ratio_high` is always
1 + clip_ratio_high. Two names with different values for the same knob are refused, and so is an option that
the objective has no knob for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from grpo_rs.algo.presets import preset_knobs
from grpo_rs.errors import ConfigError

if TYPE_CHECKING:
    from grpo_rs.algo.knobs import Algo

Options = Mapping[str, Any]


def from_trl(**options: Any) -> Algo:
    """The objective that TRL's `GRPOConfig(**options)` names, defaults included.

    Args:
        options: fields of `GRPOConfig` that concern the objective, or knobs of `Algo`.

    Raises:
        ConfigError: an option without an equivalent, two that contradict each other, a combination without
            sense.
    """
    from grpo_rs.algo.knobs import Algo

    return Algo.checked(**{"preset": "trl", **options})


def from_verl(**options: Any) -> Algo:
    """The objective that verl's options name, defaults included.

    Args:
        options: keys of verl's sections actor, algorithm and critic, with or without the path before them
            (`"algorithm.adv_estimator"`), or knobs of `Algo`.

    Raises:
        ConfigError: an option without an equivalent, two that contradict each other, a combination without
            sense.
    """
    from grpo_rs.algo.knobs import Algo

    flat = {name.rpartition(".")[2]: value for name, value in options.items()}
    return Algo.checked(**{"preset": "verl", **flat})


def is_alias(name: str) -> bool:
    """Whether TRL or verl has an option of this name that says something about the objective."""
    return name in ALIASES


def translate(values: Options, known: frozenset[str]) -> dict[str, Any]:
    """Knobs in place of the option names of TRL and verl.

    Args:
        values: knobs and options.
        known: names of the knobs.

    Returns:
        Knobs alone; a name that nobody knows is left in.

    Raises:
        ConfigError: an option has no equivalent, or two names give one knob different values.
    """
    options = {name: _read(value) for name, value in values.items() if name not in known and is_alias(name)}
    if not options:
        return dict(values)
    own = {name: value for name, value in values.items() if name not in options}
    for name in options:
        if name in ELSEWHERE:
            raise ConfigError(f"{name} is not part of the objective: {ELSEWHERE[name]}")
    context = {**preset_knobs(own.get("preset", "default")), **own}
    knobs: dict[str, Any] = {}
    said_by: dict[str, str] = dict.fromkeys(own, "")
    for style in (TRL, VERL):
        present = {name: value for name, value in options.items() if name in style}
        # Options that choose the gate come first: the meaning of clip options depends on it.
        for name in sorted(present, key=lambda name: name not in CHOICES):
            for knob, value in _one(style[name], name, _Reading(context, own, options)).items():
                former = own[knob] if knob in own else knobs.get(knob, value)
                if former != value and (knob in own or knob in knobs):
                    other = said_by[knob] or knob
                    raise ConfigError(
                        f"{name} = {present[name]!r} means {knob} = {value!r}, and {other} says {former!r}: "
                        "give one of them"
                    )
                knobs[knob] = value
                said_by.setdefault(knob, name)
                context[knob] = value
    return {**own, **knobs}


def _one(translation: Translation, name: str, reading: _Reading) -> Options:
    value = reading.options[name]
    try:
        return translation(value, reading)
    except TypeError:
        raise ConfigError(f"{name} = {value!r} is of a kind that it does not take") from None


def _read(value: Any) -> Any:
    """A value of the command line, which is a text, as the number or switch that it spells."""
    if not isinstance(value, str):
        return value
    words = {"true": True, "false": False, "none": None, "null": None}
    if value.lower() in words:
        # "none" is a setting of scale_rewards, and there as good as False.
        return words[value.lower()]
    try:
        return float(value) if any(mark in value for mark in ".eE") else int(value)
    except ValueError:
        return value


class _Reading:
    """What a translation may look at.

    Attributes:
        knobs: so far, those of the preset included.
        given: knobs that stand beside the options.
        options: all of them.
    """

    def __init__(self, knobs: Options, given: Options, options: Options) -> None:
        self.gate: str = knobs.get("gate", "ppo")
        self.kl: str = knobs.get("kl", "none")
        self.knobs, self.given, self.options = knobs, given, options


Translation = Callable[[Any, _Reading], Options]


def _knob(name: str) -> Translation:
    """An option that is a knob under another name."""
    return lambda value, _: {name: value}


def _read_elsewhere(value: Any, reading: _Reading) -> Options:
    """An option that another one looks at, and that does nothing without it."""
    return {}


def _choice(option: str, table: Mapping[Any, Options]) -> Translation:
    """An option with a list of values."""

    def read(value: Any, _: _Reading) -> Options:
        if value not in table:
            raise ConfigError(f"{option} = {value!r} is not known; known are {', '.join(map(str, table))}")
        return table[value]

    return read


def _refused(option: str, harmless: tuple[Any, ...], why: str) -> Translation:
    """An option without an equivalent, unless its value says that it does nothing."""

    def read(value: Any, _: _Reading) -> Options:
        if value in harmless:
            return {}
        raise ConfigError(f"{option} = {value!r} has no equivalent: {why}")

    return read


# ---- TRL ---------------------------------------------------------------------------------------------------

CLIPPING = ("ppo", "clip_cov", "gmpo")
EPSILON = 0.2


def _epsilon(value: float, reading: _Reading) -> Options:
    high = reading.options.get("epsilon_high")
    if reading.gate == "cispo":
        if high is None and "weight_max" not in reading.given:
            raise ConfigError(
                f"epsilon = {value!r} with CISPO would bound the ratio itself in TRL and scale every "
                f"gradient by {value!r}: give epsilon_high (5 is usual), or weight_max"
            )
        return {}
    if reading.gate not in CLIPPING:
        if value == EPSILON:  # its default, as in a configuration that is given whole
            return {}
        raise ConfigError(f"epsilon = {value!r} has no effect: gate = {reading.gate} does not clip")
    return {"clip_low": value} if high is not None else {"clip_low": value, "clip_high": value}


def _epsilon_high(value: float | None, reading: _Reading) -> Options:
    if value is None:
        if reading.gate == "cispo":
            raise ConfigError(
                "epsilon_high = None with CISPO would bound the ratio at epsilon in TRL and scale every "
                "gradient by it: give a number (5 is usual), or weight_max"
            )
        low = reading.options.get("epsilon", reading.knobs.get("clip_low", EPSILON))
        return {"clip_high": low} if reading.gate in CLIPPING else {}
    if reading.gate == "cispo":
        return {"weight_max": value}
    if reading.gate not in CLIPPING:
        raise ConfigError(f"epsilon_high = {value!r} has no effect: gate = {reading.gate} does not clip")
    return {"clip_high": value}


def _beta(value: float, reading: _Reading) -> Options:
    if value and reading.kl == "none":
        return {"kl": "k3", "kl_beta": value}
    return {"kl_beta": value}


def _vllm_correction(value: bool, reading: _Reading) -> Options:
    if not value:
        return {"correction": "none"}
    if (
        reading.knobs.get("correction", "none") == "none"
        and "vllm_importance_sampling_mode" not in reading.options
    ):
        return VLLM_MODES["sequence_mask"] | {"correction_max": 3.0}
    return {}


def _vllm_mode(value: str, reading: _Reading) -> Options:
    if reading.options.get("vllm_importance_sampling_correction") is False:
        return {}
    if value not in VLLM_MODES:
        raise ConfigError(
            f"vllm_importance_sampling_mode = {value!r} is not known; known are {', '.join(VLLM_MODES)}"
        )
    return VLLM_MODES[value]


def _vllm_cap(value: float | None, reading: _Reading) -> Options:
    """The former name of clip_max; None is the default and says nothing."""
    return {} if value is None else _vllm_bound("correction_max")(value, reading)


def _vllm_bound(knob: str) -> Translation:
    def read(value: float | None, reading: _Reading) -> Options:
        if reading.options.get("vllm_importance_sampling_correction") is False:
            return {}
        return {knob: value}

    return read


def _sync_ref_model(value: bool, reading: _Reading) -> Options:
    if not value:
        return {"reference_every": 0}
    mixture = reading.options.get("ref_model_mixup_alpha", 0.6)
    if mixture != 1:
        raise ConfigError(
            f"sync_ref_model with ref_model_mixup_alpha = {mixture!r} is a moving average, which has no "
            "equivalent: with ref_model_mixup_alpha = 1 the reference is replaced (reference_every)"
        )
    return {"reference_every": reading.options.get("ref_model_sync_steps", 512)}


def _top_entropy(value: float, _: _Reading) -> Options:
    return {"entropy_top": None if value == 1 else value}


VLLM_MODES: dict[str, dict[str, Any]] = {
    "token_truncate": {"correction": "truncate", "correction_level": "token"},
    "token_mask": {"correction": "mask", "correction_level": "token"},
    "sequence_truncate": {"correction": "truncate", "correction_level": "sequence"},
    "sequence_mask": {"correction": "mask", "correction_level": "sequence"},
}
LOSS_TYPES: dict[Any, Options] = {
    "grpo": {"gate": "ppo", "aggregate": "seq_mean_token_mean"},
    "bnpo": {"gate": "ppo", "aggregate": "token_mean"},
    "dapo": {"gate": "ppo", "aggregate": "token_mean"},
    "dr_grpo": {"gate": "ppo", "aggregate": "constant"},
    "luspo": {"gate": "ppo", "aggregate": "seq_mean_token_sum"},
    "cispo": {"gate": "cispo", "aggregate": "token_mean", "weight_min": None},
    "sapo": {"gate": "sapo", "aggregate": "seq_mean_token_mean"},
    "vespo": {"gate": "vespo", "aggregate": "token_mean"},
}


def _loss_type(value: str, reading: _Reading) -> Options:
    if value in ("ppo_clip", "reinforce"):
        return {}  # an option of verl's with the same name, read by bypass_mode
    chosen = _choice("loss_type", LOSS_TYPES)(value, reading)
    if value == "cispo" and reading.options.get("epsilon_high") is None and "weight_max" not in reading.knobs:
        raise ConfigError(
            "loss_type = 'cispo' without epsilon_high bounds the ratio at epsilon = 0.2 in TRL, which "
            "scales every gradient by 0.2: give epsilon_high (5 is usual), or weight_max"
        )
    return chosen


TRL: dict[str, Translation] = {
    "loss_type": _loss_type,
    "scale_rewards": _choice(
        "scale_rewards",
        {
            "group": {"baseline": "group_mean", "scale": "group_std"},
            True: {"baseline": "group_mean", "scale": "group_std"},
            "batch": {"baseline": "group_mean", "scale": "batch_reward_std"},
            None: {"baseline": "group_mean", "scale": "none"},
            False: {"baseline": "group_mean", "scale": "none"},
        },
    ),
    "multi_objective_aggregation": _choice(
        "multi_objective_aggregation",
        {
            "sum_then_normalize": {"transform": "none"},
            "normalize_then_sum": {"transform": "per_reward", "per_reward_final": "sequence"},
        },
    ),
    "importance_sampling_level": _choice(
        "importance_sampling_level", {"token": {"ratio": "token"}, "sequence": {"ratio": "sequence"}}
    ),
    "epsilon": _epsilon,
    "epsilon_high": _epsilon_high,
    "delta": _knob("clip_delta"),
    "beta": _beta,
    "use_bias_correction_kl": _knob("kl_importance"),
    "sync_ref_model": _sync_ref_model,
    "ref_model_mixup_alpha": _read_elsewhere,  # by sync_ref_model
    "ref_model_sync_steps": _read_elsewhere,
    "num_iterations": _knob("epochs"),
    "top_entropy_quantile": _top_entropy,
    "mask_truncated_completions": _knob("overlong_filter"),
    "entropy_coef": _knob("entropy_bonus"),
    "off_policy_mask_threshold": _knob("opsm_delta"),
    "sapo_temperature_pos": _knob("sapo_tau_positive"),
    "sapo_temperature_neg": _knob("sapo_tau_negative"),
    "vespo_k_pos": _knob("vespo_k_positive"),
    "vespo_lambda_pos": _knob("vespo_lambda_positive"),
    "vespo_k_neg": _knob("vespo_k_negative"),
    "vespo_lambda_neg": _knob("vespo_lambda_negative"),
    "vllm_importance_sampling_correction": _vllm_correction,
    "vllm_importance_sampling_mode": _vllm_mode,
    "vllm_importance_sampling_clip_max": _vllm_bound("correction_max"),
    "vllm_importance_sampling_cap": _vllm_cap,
    "vllm_importance_sampling_clip_min": _vllm_bound("correction_min"),
    "use_adaptive_entropy": _refused(
        "use_adaptive_entropy", (False,), "the weight of the entropy is constant here; set entropy_bonus"
    ),
    # Parts of the adaptive weight.
    "entropy_coef_min": _read_elsewhere,
    "entropy_coef_max": _read_elsewhere,
    "entropy_coef_delta": _read_elsewhere,
    "entropy_target": _read_elsewhere,
}

# ---- verl --------------------------------------------------------------------------------------------------

ESTIMATORS: dict[Any, dict[str, Any]] = {
    "gae": {"baseline": "critic", "scale": "token_whiten", "std_epsilon": 1e-8},
    "grpo": {"baseline": "group_mean", "scale": "group_std", "std_epsilon": 1e-6},
    "grpo_vectorized": {"baseline": "group_mean", "scale": "group_std", "std_epsilon": 1e-6},
    "grpo_passk": {
        "baseline": "group_mean", "scale": "group_std", "std_epsilon": 1e-6, "transform": "pass_k_max",
    },
    "rloo": {"baseline": "leave_one_out", "scale": "none"},
    "rloo_vectorized": {"baseline": "leave_one_out", "scale": "none"},
    "opo": {"baseline": "length_weighted", "scale": "none"},
    "remax": {"baseline": "greedy", "scale": "none"},
    "reinforce_plus_plus": {"baseline": "none", "scale": "token_whiten", "std_epsilon": 1e-8},
    "reinforce_plus_plus_baseline": {"baseline": "group_mean", "scale": "token_whiten", "std_epsilon": 1e-8},
    "optimal_token_baseline": {"baseline": "optimal_token", "scale": "none", "std_epsilon": 1e-8},
    "gdpo": {
        "baseline": "group_mean", "scale": "group_std", "std_epsilon": 1e-6, "transform": "per_reward",
        "per_reward_final": "token",
    },
}  # fmt: skip
LOSS_MODES: dict[Any, Options] = {
    "vanilla": {"gate": "ppo", "ratio": "token"},
    "gspo": {"gate": "ppo", "ratio": "sequence_token", "dual_clip": None},
    "cispo": {"gate": "cispo", "ratio": "token"},
    "sapo": {"gate": "sapo", "aggregate": "seq_mean_token_mean"},
    "gpg": {"gate": "reinforce"},
    "clip_cov": {"gate": "clip_cov"},
    "kl_cov": {"gate": "kl_cov"},
    "geo_mean": {"gate": "gmpo", "aggregate": "seq_mean_token_mean"},
    "dro": {"gate": "dro"},
    "dppo_tv": {"gate": "dppo_tv", "prob_form": "logp"},
    "dppo_kl": {"gate": "dppo_kl", "prob_form": "logp"},
}
KL_TYPES: dict[Any, str] = {
    "kl": "k1",
    "k1": "k1",
    "abs": "abs",
    "mse": "k2",
    "k2": "k2",
    "mse+": "k2",
    "k2+": "k2",
    "low_var_kl": "k3",
    "k3": "k3",
    "low_var_kl+": "k3_straight",
    "k3+": "k3_straight",
}


def _estimator(value: str, reading: _Reading) -> Options:
    if value == "gpg":
        raise ConfigError(
            "adv_estimator = 'gpg' multiplies by batch / count of rewards that are not 0, which has no "
            "equivalent: the paper's factor is scale = live_share (preset gpg)"
        )
    knobs = dict(_choice("adv_estimator", ESTIMATORS)(value, reading))
    if reading.options.get("norm_adv_by_std_in_grpo") is False and knobs["scale"] == "group_std":
        if value == "gdpo":
            return knobs
        knobs["scale"] = "none"
        del knobs["std_epsilon"]
    return knobs


def _norm_by_std(value: bool, reading: _Reading) -> Options:
    if "adv_estimator" in reading.options:
        return {}  # read there
    return {"scale": "group_std" if value else "none"}


def _clip_ratio(value: float, reading: _Reading) -> Options:
    # verl 0.9.1 itself looks at clip_ratio only where clip_ratio_low and clip_ratio_high are null.
    sides = {"clip_ratio_low": _clip_low, "clip_ratio_high": _clip_high}
    missing = [read for side, read in sides.items() if reading.options.get(side) is None]
    return {knob: bound for read in missing for knob, bound in read(value, reading).items()}


def _clip_side(knob: str, prob: str, weight: str, sign: int) -> Translation:
    def read(value: float | None, reading: _Reading) -> Options:
        if value is None:
            return {}  # clip_ratio stands for it
        if reading.gate == "cispo":
            return {weight: 1 + sign * value}
        if reading.gate in ("dppo_tv", "dppo_kl"):
            return {prob: value}
        if reading.gate in CLIPPING:
            return {knob: value}
        return {}  # verl's other losses do not clip

    return read


_clip_low = _clip_side("clip_low", "prob_low", "weight_min", -1)
_clip_high = _clip_side("clip_high", "prob_high", "weight_max", 1)


def _clip_c(value: float, reading: _Reading) -> Options:
    if reading.gate in ("dppo_tv", "dppo_kl"):
        return {"weight_max": value}
    plain = reading.gate == "ppo" and reading.options.get("loss_mode", "vanilla") == "vanilla"
    return {"dual_clip": value} if plain else {}


def _loss_mode(value: str, reading: _Reading) -> Options:
    if value == "bypass_mode":
        raise ConfigError(
            "loss_mode = 'bypass_mode': give bypass_mode = true and rollout_correction's loss_type"
        )
    knobs = dict(_choice("loss_mode", LOSS_MODES)(value.replace("-", "_"), reading))
    if value == "vanilla":
        return knobs
    # verl's defaults of options that mean something else under this loss.
    low = reading.options.get("clip_ratio_low", reading.options.get("clip_ratio", 0.2))
    high = reading.options.get("clip_ratio_high", reading.options.get("clip_ratio", 0.2))
    bounds: dict[str, dict[str, Any]] = {
        "cispo": {"weight_min": 1 - low, "weight_max": 1 + high},
        "dppo_tv": {
            "prob_low": low,
            "prob_high": high,
            "weight_max": reading.options.get("clip_ratio_c", 3.0),
        },
        "dppo_kl": {
            "prob_low": low,
            "prob_high": high,
            "weight_max": reading.options.get("clip_ratio_c", 3.0),
        },
        "kl_cov": {"cov_kl_coef": reading.options.get("ppo_kl_coef", 0.1)},
    }
    return knobs | bounds.get(value.replace("-", "_"), {})


def _agg_mode(value: str, reading: _Reading) -> Options:
    if reading.gate in ("sapo", "gmpo"):
        return {}  # verl does not look at it
    table: dict[Any, Options] = {
        "token-mean": {"aggregate": "token_mean"},
        "token-sum": {"aggregate": "token_sum"},
        "seq-mean-token-sum": {"aggregate": "seq_mean_token_sum"},
        "seq-mean-token-mean": {"aggregate": "seq_mean_token_mean"},
        "seq-mean-token-sum-norm": {"aggregate": "constant"},
    }
    return _choice("loss_agg_mode", table)(value, reading)


def _kl_kind(option: str, value: str) -> str:
    if value not in KL_TYPES:
        why = (
            "its gradient is k2's: use mse"
            if str(value).endswith("+")
            else f"known are {', '.join(KL_TYPES)}"
        )
        raise ConfigError(f"{option} = {value!r} has no equivalent: {why}")
    return KL_TYPES[value]


def _use_kl(place: str, kind: str, weight: str, standard: str) -> Translation:
    def read(value: bool, reading: _Reading) -> Options:
        if not value:
            other = reading.options.get("use_kl_in_reward" if place == "loss" else "use_kl_loss")
            return {} if other else {"kl_beta": 0.0}
        return {
            "kl": _kl_kind(kind, reading.options.get(kind, standard)),
            "kl_beta": reading.options.get(weight, 0.001),
            "kl_in": place,
        }

    return read


def _part_of_kl(option: str, switch: str) -> Translation:
    def read(value: Any, reading: _Reading) -> Options:
        if switch not in reading.options:
            raise ConfigError(f"{option} = {value!r} has no effect without {switch} = true")
        return {}  # read by the switch

    return read


def _rollout_is(value: str | None, reading: _Reading) -> Options:
    if value is None:
        return {} if reading.options.get("rollout_rs") is not None else {"correction": "none"}
    if value not in ("token", "sequence"):
        raise ConfigError(f"rollout_is = {value!r} is not known; known are token, sequence and null")
    if reading.options.get("rollout_rs") is not None:
        raise ConfigError(
            "rollout_is and rollout_rs together have no equivalent: there is one correction; give one"
        )
    least, most = _bounds("rollout_is_threshold", reading.options.get("rollout_is_threshold", 2.0))
    if reading.options.get("bypass_mode"):
        if reading.options.get("loss_type", "ppo_clip") == "ppo_clip":
            return {}  # verl leaves the weight out there: the ratio has it
        if value == "sequence":
            raise ConfigError(
                "rollout_is = 'sequence' with bypass_mode has no equivalent: use rollout_is = 'token'"
            )
        gate = "cispo" if least is None else "band"
        return {"gate": gate, "weight_min": least, "weight_max": most, "dual_clip": None}
    kind = "truncate" if least is None else "mask"
    return {
        "correction": kind, "correction_level": value, "correction_min": least, "correction_max": most,
    }  # fmt: skip


def _rollout_rs(value: str | None, reading: _Reading) -> Options:
    levels = {"token_k1": "token", "seq_sum_k1": "sequence", "seq_mean_k1": "geometric"}
    if value is None:
        return {}
    if value not in levels:
        raise ConfigError(
            f"rollout_rs = {value!r} has no equivalent: use {', '.join(levels)}, or correction = reject with "
            "correction_stat"
        )
    least, most = _bounds("rollout_rs_threshold", reading.options.get("rollout_rs_threshold"))
    # verl bounds pi_sampler / pi_trainer, the inverse of the ratio here; one number stands for 1 / x to x.
    return {
        "correction": "reject",
        "correction_level": levels[value],
        "correction_stat": "ratio",
        "correction_min": 1 / most,
        "correction_max": most if least is None else 1 / least,
        "correction_against": "current" if reading.options.get("bypass_mode") else "old",
        "masked_in_denominator": False,
    }


def _bounds(option: str, value: Any) -> tuple[float | None, float]:
    """Two bounds as in "0.5_5.0", or one number for the upper one."""
    try:
        numbers = [float(part) for part in str(value).split("_")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers) <= 0:
        raise ConfigError(f'{option} = {value!r}: give a positive number, or two as in "0.5_5.0"')
    return (None if len(numbers) == 1 else numbers[0]), numbers[-1]


def _bypass(value: bool, reading: _Reading) -> Options:
    """The sampler's log-probabilities in the place of the old ones."""
    if not value:
        return {}
    if reading.options.get("loss_type") == "reinforce" and reading.options.get("rollout_is") is None:
        return {"anchor": "rollout", "gate": "reinforce"}
    return {"anchor": "rollout"}


def _threshold(option: str, switch: str) -> Translation:
    def read(value: Any, reading: _Reading) -> Options:
        if value is not None and switch not in reading.options:
            raise ConfigError(f"{option} = {value!r} has no effect without {switch}")
        return {}

    return read


VERL: dict[str, Translation] = {
    "adv_estimator": _estimator,
    "norm_adv_by_std_in_grpo": _norm_by_std,
    "loss_mode": _loss_mode,
    "loss_agg_mode": _agg_mode,
    "loss_scale_factor": _knob("aggregate_length"),
    "clip_ratio": _clip_ratio,
    "clip_ratio_low": _clip_low,
    "clip_ratio_high": _clip_high,
    "clip_ratio_c": _clip_c,
    "use_kl_loss": _use_kl("loss", "kl_loss_type", "kl_loss_coef", "low_var_kl"),
    "kl_loss_coef": _part_of_kl("kl_loss_coef", "use_kl_loss"),
    "kl_loss_type": _part_of_kl("kl_loss_type", "use_kl_loss"),
    "use_kl_in_reward": _use_kl("reward", "kl_penalty", "kl_coef", "kl"),
    "kl_penalty": _part_of_kl("kl_penalty", "use_kl_in_reward"),
    "kl_coef": _part_of_kl("kl_coef", "use_kl_in_reward"),
    "entropy_coeff": _knob("entropy_bonus"),
    "ppo_epochs": _knob("epochs"),
    "cliprange_value": _knob("value_clip"),
    "critic_warmup": _knob("critic_warmup_steps"),
    "tau_pos": _knob("sapo_tau_positive"),
    "tau_neg": _knob("sapo_tau_negative"),
    "clip_cov_ratio": _knob("cov_share"),
    "clip_cov_lb": _knob("cov_low"),
    "clip_cov_ub": _knob("cov_high"),
    "kl_cov_ratio": _knob("cov_share"),
    "ppo_kl_coef": _knob("cov_kl_coef"),
    "rollout_is": _rollout_is,
    "rollout_is_threshold": _threshold("rollout_is_threshold", "rollout_is"),
    "rollout_rs": _rollout_rs,
    "rollout_rs_threshold": _threshold("rollout_rs_threshold", "rollout_rs"),
    "bypass_mode": _bypass,
    "rollout_is_batch_normalize": _refused(
        "rollout_is_batch_normalize", (False,), "weights are not divided by their mean here"
    ),
}

# Options that choose what others mean; they are read first.
CHOICES = ("loss_type", "loss_mode", "bypass_mode", "adv_estimator")
# Options of those trainers that are set in another section.
ELSEWHERE: dict[str, str] = {
    "num_generations": "set rollout.group_size",
    "max_completion_length": "set rollout.max_new_tokens",
    "learning_rate": "set optim.lr",
    "max_grad_norm": "set optim.max_grad_norm",
    "reward_weights": "set the weights in [rewards]",
    "steps_per_generation": "set algo.minibatches to steps_per_generation / gradient_accumulation_steps",
    "gradient_accumulation_steps": "a step is cut by learner.token_budget",
    "ppo_mini_batch_size": "set algo.minibatches to train_batch_size / ppo_mini_batch_size",
    "train_batch_size": "set rollout.prompts_per_step",
    "gdpo_reward_weights": "set the weights in [rewards]",
    "use_vllm": "the sampler is chosen in [rollout]",
}
ALIASES = frozenset([*TRL, *VERL, *ELSEWHERE])
