"""`Algo`: presets, what is refused and why, what an objective needs, how it describes itself."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from grpo_rs.algo.aliases import ALIASES, ELSEWHERE, TRL, VERL, from_trl, from_verl
from grpo_rs.algo.knobs import FAMILIES, OFF, OPTIONAL, RULES, USES, Algo
from grpo_rs.algo.presets import PRESETS, preset, preset_knobs
from grpo_rs.errors import ConfigError
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]

# ---- Presets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_valid_and_survives_a_round_trip(name):
    algo = preset(name)
    assert algo == Algo(preset=name)
    assert algo.changes() == {}
    assert Algo(**algo.model_dump()) == algo
    assert Algo(**json.loads(algo.model_dump_json())) == algo
    assert PRESETS[name].summary.endswith(".")
    assert PRESETS[name].paper


def test_knobs_of_presets_are_knobs():
    for name, entry in PRESETS.items():
        assert entry.knobs.keys() <= Algo.model_fields.keys(), name
        assert "preset" not in entry.knobs


def test_two_presets_are_not_the_same_by_mistake():
    twins = {
        frozenset({"cispo", "minimax_m1"}),  # a name for the report
        frozenset({"glm5", "icepop"}),
    }
    seen = {}
    for name in PRESETS:
        seen.setdefault(str(preset(name).model_dump(exclude={"preset"})), set()).add(name)
    assert {frozenset(names) for names in seen.values() if len(names) > 1} == twins


def test_without_anything_it_is_the_default_preset():
    assert Algo() == preset("default")
    assert Algo().gate == "cispo"


def test_a_knob_overrides_and_the_rest_is_the_presets():
    algo = Algo(preset="dapo", clip_high=0.3)
    assert (algo.clip_low, algo.clip_high, algo.aggregate) == (0.2, 0.3, "token_mean")
    assert algo.changes() == {"clip_high": 0.28}
    assert preset("dapo", clip_high=0.3) == algo


def test_every_knob_given_as_a_command_line_does():
    given = preset("dapo").model_dump() | {"entropy_top": 0.2}
    assert Algo(**given).changes() == {"entropy_top": None}


@pytest.mark.parametrize(
    ("name", "hint"), [("dapoo", "dapo"), ("GSPO-token", "gspo_token"), ("Dr. GRPO", "dr_grpo")]
)
def test_unknown_preset_names_the_near_ones(name, hint):
    with pytest.raises(ConfigError, match=f"no preset is called.*{hint}"):
        preset(name)
    with pytest.raises(ConfigError):
        preset_knobs(name)
    with pytest.raises(ValidationError, match=hint):
        Algo(preset=name)


def test_unknown_knob_is_refused():
    with pytest.raises(ConfigError, match="clip_hihg"):
        preset("dapo", clip_hihg=0.3)


def test_none_may_be_written_as_a_word():
    assert Algo(preset="scalerl", weight_max="none").weight_max is None
    assert {"weight_max", "value_bounds", "aggregate_length"} <= OPTIONAL
    assert Algo(preset="dapo", kl="none").kl == "none"


def test_recipes_are_keys_of_the_configuration():
    pytest.importorskip("torch")
    from grpo_rs.train.config import Config

    sections = {name: getattr(Config(), name) for name in Config.model_fields}
    for entry in PRESETS.values():
        for key, value in entry.recipe.items():
            section, _, field = key.partition(".")
            assert field in type(sections[section]).model_fields, key
            type(sections[section])(**{field: value})


# ---- Refusals ----------------------------------------------------------------------------------------------

CRITIC = {"preset": "ppo"}
REFUSED = [
    ({"preset": "gspo", "transform": "distill"}, "sequence_token"),
    ({"preset": "gspo", "baseline": "critic", "scale": "none"}, "sequence_token"),
    ({"preset": "gmpo", "transform": "process"}, "gate of tokens"),
    ({"preset": "gpg", "ratio": "sequence"}, "leave ratio = token"),
    ({"preset": "dapo", "ratio": "sequence", "fipo_decay": 32.0}, "single tokens"),
    ({"preset": "dapo", "anchor": "self", "epochs": 2}, "off-policy"),
    ({"preset": "dapo", "anchor": "self", "minibatches": 4}, "anchor = old"),
    ({"preset": "dapo", "anchor": "self", "k2_anchor": 0.1}, "log-ratio is 0"),
    ({"preset": "real", "anchor": "self"}, "anchor = old"),
    ({"preset": "dapo", "dual_clip": 1.1}, "above 1 \\+ clip_high"),
    ({"preset": "dapo", "clip_delta": 1.2}, "above 1 \\+ clip_high"),
    ({"preset": "cispo", "weight_min": 6.0}, "exchange"),
    ({"preset": "kimi_k25", "kimi_log_min": 1.0}, "exchange"),
    ({"preset": "clip_cov", "cov_low": 6.0}, "exchange"),
    ({"preset": "tis", "correction_min": 3.0}, "exchange"),
    ({**CRITIC, "value_bounds": (1.0, 0.0)}, "lower bound comes first"),
    ({"preset": "scalerl", "correction": "truncate"}, "twice"),
    ({"preset": "default", "correction": "mask"}, "twice"),
    ({"preset": "tis", "correction_against": "current"}, "test of trust"),
    ({"preset": "dapo", "correction": "reject", "correction_max": None}, "rejects nothing"),
    ({"preset": "geo_mask", "correction_stat": "tv"}, "mean of ratios"),
    ({"preset": "openrlhf_token_tv", "correction_min": 0.01}, "distance"),
    ({"preset": "tis", "correction_token_weight": True}, "sequence or geometric"),
    ({"preset": "seq_tis", "correction_token_weight": True}, "needs correction = mask"),
    ({"preset": "tis", "correction_stat": "tv"}, "cuts the ratio at its bounds"),
    ({"preset": "vespo", "correction": "mask", "correction_level": "sequence"}, "token by token"),
    ({"preset": "real", "correction": "mask"}, "whole completions"),
    ({"preset": "real", "entropy_top": 0.2}, "whole completions"),
    ({"preset": "gmpo", "aggregate": "token_mean"}, "one loss for a completion"),
    ({**CRITIC, "scale": "group_std"}, "token_whiten"),
    ({**CRITIC, "transform": "pass_k_max"}, "transform = none"),
    ({"preset": "spo", "scale": "group_std"}, "does not compare within it"),
    ({"preset": "otb", "kl": "k1", "kl_beta": 0.01, "kl_in": "reward"}, "kl_in = loss"),
    ({"preset": "gdpo", "scale": "batch_whiten"}, "scale = group_std, or none"),
    ({"preset": "gpg", "zero_variance": "drop"}, "zero_variance = keep"),
    ({"preset": "remax", "scale": "live_share"}, "group_mean"),
    ({"preset": "passk", "scale": "group_std"}, "do it again"),
    ({"preset": "gdpo", "baseline": "none", "scale": "none"}, "group_mean"),
    ({"preset": "opd", "distill_coef": 0.0}, "adds nothing"),
    ({"preset": "vapo", "lam": 0.95}, "lam_length_alpha"),
    ({"preset": "dapo", "kl_beta": 0.01}, "without an estimator"),
    ({"preset": "grpo", "kl": "k1"}, "mean is 0"),
    ({"preset": "grpo", "kl_in": "reward", "kl_importance": True}, "no gradient"),
    ({"preset": "grpo", "kl_in": "reward", "kl": "k3_straight"}, "k1 or k3"),
    ({"preset": "maxrl", "kl": "k1", "kl_beta": 0.01, "kl_in": "reward"}, "kl_in = loss"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("knobs", "why"), REFUSED, ids=lambda value: value if isinstance(value, str) else None
)
def test_combination_without_sense_is_refused(knobs, why):
    with pytest.raises(ConfigError, match=why):
        Algo.checked(**knobs)


def test_every_rule_is_broken_by_one_of_them():
    """The first rule that a refused combination breaks; together they are all rules."""
    broken = set()
    for knobs, _ in REFUSED:
        bare = Algo.model_construct(**{**Algo(preset=knobs["preset"]).model_dump(), **knobs})
        found = [index for index, rule in enumerate(RULES) if rule.broken(bare)]
        broken.update(found[:1])
    assert broken == set(range(len(RULES)))


def test_reasons_are_sentences_without_holes():
    for rule in RULES:
        text = rule.why.format(**Algo().model_dump())
        assert "{" not in text
        assert len(text) > 40


@pytest.mark.parametrize(
    "knobs",
    [
        {"preset": "rloo", "epochs": 2},  # off-policy REINFORCE: a note, not an error
        {"preset": "flash_reinforce"},  # rejection is no weight
        {"preset": "grpo", "kl": "k1", "kl_importance": True},  # r k1 has the right gradient
        {"preset": "gspo_token", "transform": "distill"},
        {"preset": "ppo", "kl": "k1", "kl_beta": 0.001, "kl_in": "reward"},
        {"preset": "rloo", "kl_beta": 0.0},
        {"preset": "maxrl", "std_epsilon": 1e-6},  # added to the mean that it divides by
        {"preset": "tis", "correction": "none"},
    ],
)
def test_what_has_sense_is_accepted(knobs):
    Algo.checked(**knobs)


# ---- Knobs that do not act ---------------------------------------------------------------------------------

IDLE = [
    ("dapo", {"sapo_tau_positive": 2.0}, "gate = sapo"),
    ("dapo", {"weight_max": 3.0}, "gate = cispo or band"),
    ("cispo", {"clip_high": 0.5}, "gate = ppo"),
    ("bpco", {"clip_high": 0.5}, "without clip_prob"),
    ("dapo", {"correction_max": 3.0}, "correction = truncate or mask or reject"),
    ("dapo", {"aggregate_length": 100}, "aggregate = constant"),
    ("dapo", {"pass_k": 8}, "transform = pass_k_analytic or pkpo"),
    ("dapo", {"critic_lr": 1e-4}, "baseline = critic"),
    ("dapo", {"lam": 0.95}, "baseline = critic"),
    ("dapo", {"kl": "k2"}, "kl_beta > 0"),
    ("dapo", {"reference_every": 10}, "kl_beta > 0"),
    ("dapo", {"fipo_clip": 0.1}, "fipo_decay"),
    ("dr_grpo", {"std_epsilon": 1e-4}, "a scale with a divisor"),
    ("maxrl", {"std_ddof": 0}, "a scale with a standard deviation"),
    ("otb", {"std_ddof": 0}, "a scale with a standard deviation"),
    ("dapo", {"masked_in_denominator": False}, "a mask"),
    ("real", {"aggregate": "token_mean"}, "mean over groups"),
]


@pytest.mark.parametrize(("name", "knobs", "by"), IDLE)
def test_a_knob_that_does_not_act_is_refused_with_what_uses_it(name, knobs, by):
    with pytest.raises(ConfigError, match=rf"{next(iter(knobs))} = .* has no effect: only .*{by}"):
        preset(name, **knobs)


def test_idle_values_of_the_preset_pass():
    """A command line gives every knob, and the preset's own idle ones are no mistake."""
    assert preset("scalerl", gate="ppo").weight_max == 5.0
    assert preset("dapo", weight_max=5.0).weight_max == 5.0
    assert preset("scalerl", gate="ppo", weight_max=None).weight_max is None


def test_use_and_rest_are_about_knobs():
    names = set(Algo.model_fields)
    assert USES.keys() <= names
    assert OFF.keys() <= names
    assert {knob for use in USES.values() for knob in use.looks_at} <= names


# ---- What an objective needs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "needs"),
    [
        ({"preset": "dapo"}, {"old"}),
        ({"preset": "default"}, {"rollout"}),
        ({"preset": "grpo"}, {"old", "reference"}),
        ({"preset": "trl"}, {"old", "rollout"}),  # an estimator is named, and its weight is 0
        ({"preset": "trl", "kl_beta": 0.04}, {"old", "rollout", "reference"}),
        ({"preset": "rloo"}, {"reference", "whole_groups_not"}),
        ({"preset": "gpg"}, set()),
        ({"preset": "tis", "anchor": "self"}, {"rollout"}),
        ({"preset": "flash_reinforce"}, {"rollout"}),
        ({"preset": "a3po"}, {"rollout"}),
        ({"preset": "grpo_v32"}, {"old", "rollout", "reference"}),
        ({"preset": "top_entropy"}, {"old", "entropy", "whole_step"}),
        ({"preset": "dapo", "entropy_bonus": 0.01}, {"old", "entropy"}),
        ({"preset": "clip_cov"}, {"old", "whole_step"}),
        ({"preset": "kl_cov"}, {"old", "whole_step"}),
        ({"preset": "icepop", "masked_in_denominator": False}, {"old", "rollout", "whole_step"}),
        ({"preset": "real"}, {"old", "whole_groups"}),
        ({"preset": "ppo"}, {"old", "critic"}),
    ],
)
def test_needs(knobs, needs):
    algo = Algo(**knobs)
    found = {
        name
        for name in ("old", "rollout", "reference", "entropy", "whole_step", "whole_groups", "critic")
        if getattr(algo, f"needs_{name}")
    }
    assert found == needs - {"whole_groups_not"}


def test_token_advantages():
    varying = {name for name in PRESETS if preset(name).token_advantages}
    assert varying == {
        "ppo", "vapo", "bpco", "sao", "sao_coding", "grpo_process", "otb", "reinforce_pp", "opd", "mopd",
        "verl", "openrlhf",
    }  # fmt: skip
    assert not preset("reinforce_pp", kl_beta=0.0).token_advantages
    assert preset("reinforce_pp", kl_beta=0.0, gamma=0.9).token_advantages
    assert preset("remax", gamma=0.9).token_advantages


def test_equal_groups_leave_only_where_they_say_nothing():
    assert preset("dapo").drops_equal_groups
    assert not preset("grpo").drops_equal_groups
    assert not preset("ppo", zero_variance="drop").drops_equal_groups


# ---- What it says ------------------------------------------------------------------------------------------


def test_describe_prints_what_acts():
    text = "\n".join(preset("dapo", clip_high=0.3, entropy_top=0.2).describe())
    assert text.startswith("objective: dapo with clip_high = 0.3 (not 0.28), entropy_top = 0.2 (not none)")
    assert "gate = ppo, clip_low = 0.2, clip_high = 0.3" in text
    assert "aggregate = token_mean" in text
    for silent in ("sapo", "weight_max", "correction", "kl", "critic", "vespo"):
        assert silent not in text, silent


@pytest.mark.parametrize("name", PRESETS)
def test_describe_names_what_makes_a_preset(name):
    lines = preset(name).describe()
    assert lines[0] == f"objective: {name}"
    text = "\n".join(lines)
    for knob, value in PRESETS[name].knobs.items():
        use = USES.get(knob)
        acts = use is None or use.acts(preset(name))
        rests = value in OFF[knob] if knob in OFF else value is None or value is False
        assert (f"{knob} = " in text) == (acts and not rests), knob


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"preset": "dapo"}, "clip does not act"),
        ({"preset": "gpg", "epochs": 2}, "off-policy"),
        ({"preset": "r1", "clip_high": 10.0}, "above 11"),
        ({"preset": "tinker_is"}, "token_sum"),
        ({"preset": "grpo"}, "gradient of kl = k3"),
        ({"preset": "dapo", "k2_anchor": 0.1}, "log-ratio to the old policy is 0"),
        ({"preset": "remax"}, "greedy completion"),
        ({"preset": "spo"}, "come back"),
        ({"preset": "grpo_process"}, "rewards of steps"),
        ({"preset": "opd"}, "teacher"),
        ({"preset": "passk"}, "0 and 1"),
        ({"preset": "maxrl"}, "not negative"),
        ({"preset": "dapo", "std_epsilon": 0.01}, "vary little"),
    ],
)
def test_notes(knobs, word):
    assert any(word in note for note in Algo(**knobs).notes())


def test_the_default_has_no_notes():
    assert Algo().notes() == []
    assert not any("clip" in note for note in preset("dapo", epochs=2).notes())


def test_families_hold_every_knob_once():
    names = [name for family in FAMILIES.values() for name in family]
    assert sorted([*names, "preset"]) == sorted(Algo.model_fields)


def test_the_guide_names_every_knob():
    text = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
    missing = [name for name in Algo.model_fields if f"`{name}`" not in text]
    assert not missing


# ---- Names of other trainers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "knobs"),
    [
        ({"epsilon": 0.1}, {"clip_low": 0.1, "clip_high": 0.1}),
        ({"epsilon": 0.1, "epsilon_high": None}, {"clip_low": 0.1, "clip_high": 0.1}),
        ({"epsilon": 0.1, "epsilon_high": 0.3}, {"clip_low": 0.1, "clip_high": 0.3}),
        ({"loss_type": "dr_grpo", "scale_rewards": False}, {"aggregate": "constant", "scale": "none"}),
        ({"scale_rewards": "none"}, {"scale": "none"}),
        ({"scale_rewards": "batch"}, {"scale": "batch_reward_std"}),
        ({"beta": 0.04}, {"kl": "k3", "kl_beta": 0.04, "kl_importance": True}),
        ({"beta": 0.04, "use_bias_correction_kl": False}, {"kl_beta": 0.04, "kl_importance": False}),
        ({"num_iterations": 3}, {"epochs": 3}),
        ({"top_entropy_quantile": 0.2}, {"entropy_top": 0.2}),
        ({"top_entropy_quantile": 1.0}, {"entropy_top": None}),
        ({"multi_objective_aggregation": "normalize_then_sum"},
         {"transform": "per_reward", "per_reward_final": "sequence"}),
        ({"beta": 0.1, "sync_ref_model": True, "ref_model_mixup_alpha": 1, "ref_model_sync_steps": 64},
         {"reference_every": 64}),
        ({"vllm_importance_sampling_correction": False}, {"correction": "none"}),
        ({"vllm_importance_sampling_cap": 2.0}, {"correction_max": 2.0}),
        ({"vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_min": 0.1},
         {"correction": "truncate", "correction_level": "token", "correction_min": 0.1,
          "correction_max": 3.0}),
        ({"loss_type": "luspo", "importance_sampling_level": "sequence"},
         {"aggregate": "seq_mean_token_sum", "ratio": "sequence"}),
        ({"loss_type": "cispo", "epsilon_high": 5.0, "epsilon": 0.2}, {"gate": "cispo", "weight_max": 5.0}),
        ({"loss_type": "cispo", "epsilon": 0.2, "weight_max": 4.0}, {"gate": "cispo", "weight_max": 4.0}),
        ({"loss_type": "sapo", "epsilon": 0.2, "epsilon_high": None}, {"gate": "sapo"}),
    ],
)  # fmt: skip
def test_options_of_trl(options, knobs):
    algo = from_trl(**options)
    assert {name: getattr(algo, name) for name in knobs} == knobs


@pytest.mark.parametrize(
    ("options", "knobs"),
    [
        ({}, {"baseline": "critic", "dual_clip": 3.0, "value_clip": 0.5, "minibatches": 4}),
        ({"algorithm.adv_estimator": "grpo", "actor.clip_ratio_high": 0.28},
         {"baseline": "group_mean", "scale": "group_std", "clip_low": 0.2, "clip_high": 0.28}),
        ({"adv_estimator": "grpo", "norm_adv_by_std_in_grpo": False}, {"scale": "none"}),
        ({"adv_estimator": "rloo"}, {"baseline": "leave_one_out", "scale": "none"}),
        ({"adv_estimator": "reinforce_plus_plus"}, {"baseline": "none", "scale": "token_whiten"}),
        ({"adv_estimator": "grpo", "use_kl_loss": True, "kl_loss_coef": 0.01, "kl_loss_type": "k3+"},
         {"kl": "k3_straight", "kl_beta": 0.01, "kl_in": "loss"}),
        ({"use_kl_in_reward": True}, {"kl": "k1", "kl_beta": 0.001, "kl_in": "reward"}),
        ({"use_kl_loss": False, "use_kl_in_reward": False}, {"kl_beta": 0.0}),
        ({"adv_estimator": "grpo", "loss_mode": "gspo", "clip_ratio_low": 3e-4, "clip_ratio_high": 4e-4},
         {"ratio": "sequence_token", "clip_low": 3e-4, "clip_high": 4e-4, "dual_clip": None}),
        ({"adv_estimator": "grpo", "loss_mode": "cispo"},
         {"weight_min": 0.8, "weight_max": 1.2}),
        ({"adv_estimator": "grpo", "loss_mode": "dppo_kl", "clip_ratio_low": 0.05, "clip_ratio_c": 20.0},
         {"gate": "dppo_kl", "prob_low": 0.05, "prob_high": 0.2, "weight_max": 20.0}),
        ({"adv_estimator": "grpo", "loss_mode": "clip-cov", "clip_cov_ratio": 1e-3},
         {"gate": "clip_cov", "cov_share": 1e-3}),
        ({"adv_estimator": "grpo", "loss_mode": "kl_cov"}, {"cov_kl_coef": 0.1}),
        ({"adv_estimator": "grpo", "loss_agg_mode": "seq-mean-token-sum-norm", "loss_scale_factor": 512},
         {"aggregate": "constant", "aggregate_length": 512}),
        ({"adv_estimator": "grpo", "rollout_is": "token", "rollout_is_threshold": "0.5_5.0"},
         {"correction": "mask", "correction_min": 0.5, "correction_max": 5.0}),
        ({"adv_estimator": "grpo", "rollout_is": "sequence"},
         {"correction": "truncate", "correction_level": "sequence", "correction_max": 2.0}),
        ({"adv_estimator": "grpo", "bypass_mode": True}, {"anchor": "rollout"}),
        ({"adv_estimator": "grpo", "bypass_mode": True, "loss_type": "reinforce", "rollout_is": "token"},
         {"anchor": "rollout", "gate": "cispo", "weight_min": None, "weight_max": 2.0}),
        ({"adv_estimator": "grpo", "bypass_mode": True, "loss_type": "reinforce"}, {"gate": "reinforce"}),
        ({"ppo_epochs": 2, "cliprange_value": 0.2, "critic_warmup": 5},
         {"epochs": 2, "value_clip": 0.2, "critic_warmup_steps": 5}),
    ],
)  # fmt: skip
def test_options_of_verl(options, knobs):
    algo = from_verl(**options)
    assert {name: getattr(algo, name) for name in knobs} == pytest.approx(knobs) or {
        name: getattr(algo, name) for name in knobs
    } == knobs


@pytest.mark.parametrize(
    ("read", "options", "why"),
    [
        (from_trl, {"num_generations": 8}, "rollout.group_size"),
        (from_trl, {"use_adaptive_entropy": True}, "no equivalent"),
        (from_trl, {"sync_ref_model": True}, "moving average"),
        (from_trl, {"loss_type": "ppo"}, "known are grpo"),
        (from_trl, {"loss_type": "sapo", "epsilon": 0.1}, "does not clip"),
        (from_trl, {"loss_type": "cispo", "epsilon_high": None}, "give"),
        (from_trl, {"loss_type": "vespo"}, "token_truncate"),
        (from_trl, {"scale_rewards": ["group"]}, "does not take"),
        (from_verl, {"adv_estimator": "grpo", "loss_mode": "cispo", "clip_ratio_high": "a"}, "does not take"),
        (from_trl, {"epsilon_high": 0.3, "clip_high": 0.28}, "give one of them"),
        (from_trl, {"beta": 0.1, "kl_beta": 0.2}, "give one of them"),
        (from_verl, {"adv_estimator": "gpg"}, "live_share"),
        (from_verl, {"adv_estimator": "grpo", "loss_mode": "bypass_mode"}, "bypass_mode = true"),
        (from_verl, {"kl_loss_coef": 0.01}, "without use_kl_loss"),
        (from_verl, {"use_kl_loss": True, "kl_loss_type": "k1+"}, "use mse"),
        (from_verl, {"use_kl_loss": True, "kl_loss_type": "full"}, "known are"),
        (from_verl, {"use_kl_loss": True, "use_kl_in_reward": True}, "give one of them"),
        (from_verl, {"adv_estimator": "grpo", "rollout_rs": "seq_mean_k3", "rollout_rs_threshold": 0.01},
         "no equivalent"),
        (from_verl, {"adv_estimator": "grpo", "rollout_is": "token", "rollout_rs": "token_k1",
                     "rollout_rs_threshold": 2.0}, "one correction"),
        (from_verl, {"rollout_is_threshold": 2.0}, "without rollout_is"),
        (from_verl, {"adv_estimator": "grpo", "rollout_is": "token", "rollout_is_threshold": "a_b"},
         "positive"),
        (from_verl, {"rollout_is_batch_normalize": True}, "no equivalent"),
        (from_verl, {"ppo_mini_batch_size": 256}, "minibatches"),
        (preset, {"name": "bnpo", "epsilon": 0.1, "clip_ratio_low": 0.2}, "epsilon says 0.1"),
    ],
)  # fmt: skip
def test_options_without_an_equivalent_are_refused_with_the_reason(read, options, why):
    with pytest.raises(ConfigError, match=re.escape(why)):
        read(**options)


def test_names_of_others_stand_among_the_knobs():
    algo = Algo(preset="dapo", beta=0.01, clip_ratio_high=0.3, masked_in_denominator=True)
    assert (algo.kl, algo.kl_beta, algo.clip_high) == ("k3", 0.01, 0.3)
    # The same value twice is no contradiction.
    assert Algo(preset="dapo", epsilon_high=0.3, clip_high=0.3, clip_ratio_high=0.3).clip_high == 0.3


def test_values_of_a_command_line_are_texts():
    algo = Algo(preset="bnpo", beta="0.04", scale_rewards="False", num_iterations="2", epsilon_high="none")
    assert (algo.kl_beta, algo.scale, algo.epochs, algo.clip_high) == (0.04, "none", 2, 0.2)


def test_no_alias_is_a_knob():
    assert not ALIASES & Algo.model_fields.keys()
    assert TRL.keys() | VERL.keys() | ELSEWHERE.keys() == ALIASES
    assert not TRL.keys() & VERL.keys()


# ---- Recipes -----------------------------------------------------------------------------------------------

RECIPES = sorted((ROOT / "configs" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_a_configuration_and_says_what_its_preset_does(path):
    pytest.importorskip("torch")
    from grpo_rs.train.config import Config

    values = tomllib.loads(path.read_text(encoding="utf-8"))
    entry = PRESETS[values["algo"]["preset"]]
    assert Algo.checked(**values["algo"]).changes().keys() <= {"minibatches"}
    for name, section in values.items():
        if name != "algo":
            type(getattr(Config(), name))(**section)
    for key, value in entry.recipe.items():
        section, _, field = key.partition(".")
        assert values.get(section, {}).get(field, value) == value, key


def test_there_are_recipes():
    assert {"deepseekmath", "r1_zero", "dapo", "dr_grpo", "gspo", "scalerl", "ppo"} == {
        p.stem for p in RECIPES
    }
