"""Golden vectors of losses: their vocabulary in that of `Algo`, their lists in tensors."""

import numpy as np
import torch
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.objective import TokenBatch
from pydantic import TypeAdapter


def flat(rows):
    """The numbers of ragged rows end to end; a row without numbers may be null."""
    return torch.tensor([value for row in rows for value in row or ()], dtype=torch.float64)


# ---- config ------------------------------------------------------------------------------------------------

# Every knob of the objective at rest, so that no default has a say.
AT_REST = {
    "anchor": "old", "ratio": "token", "gate": "ppo", "clip_delta": None, "dual_clip": None,
    "clip_prob": None, "weight_min": None, "weight_max": None, "k2_anchor": 0.0, "correction": "none",
    "correction_level": "token", "correction_stat": "ratio", "correction_min": None, "correction_max": None,
    "correction_token_weight": False, "correction_against": "old", "opsm_delta": None, "entropy_top": None,
    "negative_token_share": 1.0, "overlong_filter": False, "fipo_decay": None, "aggregate": "token_mean",
    "masked_in_denominator": True, "kl": "none", "kl_beta": 0.0, "kl_in": "loss", "kl_importance": False,
    "entropy_bonus": 0.0, "nll_coef": 0.0,
}  # fmt: skip
SAME = {"dual_clip", "anchor", "entropy_top", "k2_anchor"}
RENAMED = {
    "eps_low": "clip_low", "eps_high": "clip_high", "eps_prob": "clip_prob", "w_min": "weight_min",
    "w_max": "weight_max", "delta_low": "prob_low", "delta_high": "prob_high", "form": "prob_form",
    "tau_pos": "sapo_tau_positive", "tau_neg": "sapo_tau_negative", "k_pos": "vespo_k_positive",
    "lambda_pos": "vespo_lambda_positive", "k_neg": "vespo_k_negative",
    "lambda_neg": "vespo_lambda_negative", "beta_dro": "dro_beta", "log_min": "kimi_log_min",
    "log_max": "kimi_log_max", "cov_lb": "cov_low", "cov_ub": "cov_high", "cov_ratio": "cov_share",
    "kl_coef": "cov_kl_coef", "const": "aggregate_length",
    "negative_token_fraction": "negative_token_share",
}  # fmt: skip
GATES = {"is": "importance", "mask_is": "band"}
AGGREGATES = {"seq_mean_token_sum_norm": "constant"}
ESTIMATORS = {"k3+": "k3_straight"}
# What says how the rest of a vector was made, and turns no knob of the loss.
NO_KNOB = {"advantage", "adv", "lr", "temperature"}


def algo_of(config):
    """A vector's `config` as an `Algo`. A key or a value that is not known is an error.

    The vectors combine knobs as no run should (a k1 penalty in the loss), so each value is checked, and
    what `Algo` thinks of them together is not asked.
    """
    knobs = dict(AT_REST)
    for key, value in config.items():
        # A null is a knob at rest.
        knobs |= {} if value is None else _translate(key, value, config)
    for knob, value in knobs.items():
        TypeAdapter(Algo.model_fields[knob].annotation).validate_python(value)
    return Algo().model_copy(update=knobs)


def _translate(key, value, config):
    if key in NO_KNOB:
        return {}
    if key in SAME:
        return {key: value}
    if key in RENAMED:
        return {RENAMED[key]: value}
    match key:
        case "ratio":
            if value != "none":
                return {"ratio": value}
            assert config["gate"] == "reinforce", config["gate"]
            return {}
        case "gate":
            return {"gate": GATES.get(value, value)}
        case "loss":
            assert value == "real", value
            return {"gate": "real"}
        case "tau":
            return (
                {"real_tau": value}
                if config.get("loss") == "real"
                else {"k2_anchor": _of_kimi(value, config)}
            )
        case "delta":
            if config["gate"] == "ipo":
                return {"prob_low": value, "prob_high": value}
            assert config["gate"] in ("ppo", "clip_cov"), config["gate"]
            return {"clip_delta": value}
        case "agg":
            return {"aggregate": AGGREGATES.get(value, value)}
        case "kl":
            return _kl(**value)
        case "fipo":
            return _fipo(**value)
        case "correction":
            return _correction(**value)
        case "trust":
            return _trust(**value)
        case "use_tis":
            assert config["gate"] == "vespo", config["gate"]
            return {"correction": "truncate", "correction_max": config["tis_max"]} if value else {}
        case "tis_max":
            assert "use_tis" in config
            return {}
    raise KeyError(f"a config key that is not known: {key} = {value}")


def _of_kimi(tau, config):
    assert config["gate"] == "kimi", config["gate"]
    return tau


def _kl(kind, beta, is_weight=False):
    return {"kl": ESTIMATORS.get(kind, kind), "kl_beta": beta, "kl_importance": is_weight}


def _fipo(decay, clip, safety):
    return {"fipo_decay": decay, "fipo_clip": clip, "fipo_safety": safety}


def _correction(opsm_delta=None, kind="none", level="token", min=None, max=None, gating=None, delta=None):
    knobs = {"opsm_delta": opsm_delta, "correction_level": level}
    if gating is not None:
        # Tokens that pass the gate have their own weight, and there is nothing to truncate it at.
        assert kind in ("truncate", "mask", "mask_token_weight")
        assert min is None and max is None
        return knobs | {"correction": "mask", "correction_stat": gating, "correction_max": delta}
    assert delta is None
    knobs |= {"correction_min": min, "correction_max": max}
    if kind == "mask_token_weight":
        return knobs | {"correction": "mask", "correction_token_weight": True}
    return knobs | {"correction": kind}


def _trust(level, gating, delta, against):
    return {
        "correction": "reject",
        "correction_level": level,
        "correction_stat": gating,
        "correction_max": delta,
        "correction_against": against,
    }


# ---- inputs ------------------------------------------------------------------------------------------------

TENSORS = {
    "old_logprobs": "old_logp_T",
    "rollout_logprobs": "rollout_logp_T",
    "ref_logprobs": "ref_logp_T",
    "entropies": "entropy_T",
}


def token_batch(algo, inputs, logp_T=None):
    """The inputs of a vector as a batch; `logp_T` in place of its log-probabilities."""
    lengths_N = np.array(inputs["lengths"])
    group_N = np.array(inputs.get("group") or [0] * len(lengths_N))
    row_N = torch.tensor(lengths_N)
    weight_N = token_weights_N(algo, lengths_N, group_N)
    optional = {field: flat(inputs[key]) for key, field in TENSORS.items() if inputs.get(key)}
    if inputs.get("failures"):
        optional["failed_N"] = torch.tensor(inputs["failures"]).bool()
    return TokenBatch(
        logp_T=flat(inputs["logprobs"]).requires_grad_() if logp_T is None else logp_T,
        advantage_T=torch.tensor(inputs["advantages"], dtype=torch.float64).repeat_interleave(row_N),
        weight_T=torch.tensor(weight_N).repeat_interleave(row_N),
        row_T=torch.arange(len(lengths_N)).repeat_interleave(row_N),
        group_N=torch.tensor(group_N),
        **optional,
    )
