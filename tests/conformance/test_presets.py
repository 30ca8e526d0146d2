"""A preset by its name gives the loss and the gradient of its golden vector.

The vectors use thresholds at which both branches of a gate occur, so a preset is read with those.
"""

import golden
import pytest
import torch
from golden import close
from grpo_rs.algo.objective import policy_loss
from grpo_rs.algo.presets import ALGORITHMS, PRESETS, preset
from vectors_of_losses import algo_of, flat, token_batch

# The vector of each preset, and what it sets apart from the preset.
VECTORS = {
    "grpo": ("grpo_deepseekmath", {}),
    "grpo_iterative": ("grpo_deepseekmath", {}),
    "r1_zero": ("grpo_deepseekmath", {"kl_beta": 0.04}),
    "r1": ("grpo_r1_eps10", {}),
    "grpo_v32": ("grpo_v32_unbiased_kl_opsm", {"kl_beta": 0.04}),
    "ppo": ("dual_clip_ppo", {}),
    "rloo": ("rloo_sequence_sum", {}),
    "remax": ("rloo_sequence_sum", {}),
    "opo": ("rloo_sequence_sum", {}),
    "gpg": ("gpg_reinforce", {}),
    "dr_grpo": ("dr_grpo_const", {"aggregate_length": 8}),
    "bnpo": ("bnpo_two_groups", {}),
    "dapo": ("dapo_clip_higher_token_mean", {}),
    "dapo_paper": ("prompt_mean_dapo_paper", {}),
    "gspo": ("gspo", {"clip_low": 0.05, "clip_high": 0.06}),
    "gspo_token": ("gspo_token", {"clip_low": 0.05, "clip_high": 0.06}),
    "luspo": ("luspo", {"clip_low": 0.05, "clip_high": 0.06}),
    "gmpo": ("gmpo", {}),
    "cispo": ("cispo_trl_cap", {"weight_max": 1.28}),
    "minimax_m1": ("cispo_trl_cap", {"weight_max": 1.28}),
    "scalerl": ("scalerl", {"weight_max": 1.5}),
    "default": ("scalerl", {"weight_max": 1.5}),
    "aipo": ("aipo_llamarl", {}),
    "sapo": ("sapo", {}),
    "vespo": ("vespo", {}),
    "dppo_tv": (
        "dppo_tv_verl",
        {"anchor": "old", "prob_low": 0.08, "prob_high": 0.08, "aggregate": "token_mean"},
    ),
    "dppo_kl": (
        "dppo_kl_verl",
        {"anchor": "old", "prob_low": 0.02, "prob_high": 0.02, "aggregate": "token_mean"},
    ),
    "bpco": ("bpco_dppo_surrogate", {"clip_prob": 0.1}),
    "sao": ("sao_dis_mask", {}),
    "flash_reinforce": ("flash_reinforce", {"correction_max": 0.08}),
    "glm5": ("dapo_icepop", {"correction_max": 2.0, "aggregate": "token_mean"}),
    "icepop": ("dapo_icepop", {"correction_max": 2.0, "aggregate": "token_mean"}),
    "tis": ("dapo_token_tis2", {}),
    "seq_tis": ("dapo_seq_tis", {"correction_max": 1.5}),
    "seq_mis": ("dapo_seq_mis", {"correction_max": 1.5}),
    "geo_mask": ("dapo_geo_mask_token_weight", {"correction_min": 0.95, "correction_max": 1.12}),
    "prime_rl": ("prime_rl_default", {}),
    "prime_rl_ipo": ("prime_rl_ipo", {}),
    "kimi_k25": ("kimi_k25_autograd", {"k2_anchor": 0.05}),
    "tinker_is": ("tinker_is_sum", {}),
    "tinker_ppo": ("tinker_ppo_sum", {}),
    "two_sided": ("two_sided_delta3", {"clip_delta": 3.0}),
    "top_entropy": ("dapo_top_entropy_20", {}),
    "clip_cov": ("clip_cov", {"cov_low": 0.3, "cov_share": 0.5}),
    "kl_cov": ("kl_cov", {"cov_share": 0.2}),
    "fipo": ("fipo", {"clip_delta": 3.0}),
    "real": ("real", {}),
    "dro": ("dro_tinker", {"anchor": "old"}),
    "slime_tis": ("slime_tis", {"clip_high": 0.28}),
    "slime": ("grpo_noKL", {}),
    "verl": ("dual_clip_ppo", {}),
    "verl_grpo": ("dual_clip_ppo", {}),
    "areal": ("areal_decoupled_mask", {
        "clip_low": 0.2, "clip_high": 0.28, "correction_min": 0.5, "correction_max": 2.0, "dual_clip": 10.0,
    }),
    "openrlhf_seq_kl": ("openrlhf_seq_binary_kl_gate", {"correction_max": 0.02}),
    "openrlhf_token_tv": ("openrlhf_token_tv_gate", {"correction_max": 0.05}),
    "trl": ("dapo_seq_mis", {"clip_high": 0.28, "correction_max": 1.5}),
}  # fmt: skip
# Presets whose loss is another preset's: their own part is in the advantages, or in a setting.
SAME_LOSS = {
    "grpo_process": "grpo", "vapo": "dapo", "reinforce_pp": "bnpo", "reinforce_pp_baseline": "bnpo",
    "otb": "bnpo", "lite_ppo": "bnpo", "sao_coding": "sao", "spo": "dapo", "olmo3": "tis",
    "magistral": "dapo", "tinker_cispo": "cispo", "maxrl": "dapo", "passk_max": "dapo", "passk": "dapo",
    "pkpo": "dapo", "gdpo": "dapo",
    "a3po": "bnpo", "opd": "tinker_is", "mopd": "cispo", "intellect2": "two_sided", "openrlhf": "bnpo",
    "openrlhf_group_norm": "bnpo", "skyrl": "bnpo", "nemo_rl": "bnpo", "open_instruct": "tis",
}  # fmt: skip
CASES = {case["path"].stem.removeprefix("loss_"): case for case in golden.load("policy_loss")}


def test_every_preset_has_a_vector_or_shares_a_loss_that_has():
    assert VECTORS.keys() | SAME_LOSS.keys() == PRESETS.keys()
    assert not VECTORS.keys() & SAME_LOSS.keys()
    assert set(SAME_LOSS.values()) <= VECTORS.keys()
    for name, model in SAME_LOSS.items():
        assert preset(name).gate == preset(model).gate, name


@pytest.mark.parametrize("name", VECTORS)
def test_preset_gives_its_vector(name):
    vector, apart = VECTORS[name]
    case = CASES[vector]
    algo = preset(name, **apart)
    batch = token_batch(algo, case["inputs"])
    loss = policy_loss(algo, batch).loss
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(case["expected_loss"]).double(), **close(case))
    torch.testing.assert_close(batch.logp_T.grad, flat(case["expected_grad_wrt_logprobs"]), **close(case))


def test_the_vector_can_tell_presets_apart():
    """No two presets with different vectors would pass with each other's."""
    seen = {}
    for name in VECTORS:
        case = CASES[VECTORS[name][0]]
        seen.setdefault(round(case["expected_loss"], 9), set()).add(case["path"].stem)
    # GSPO and GSPO-token are equal by theory, and a mask that hits nothing more than another is equal too.
    assert sum(len(stems) > 1 for stems in seen.values()) <= 3
    assert len(ALGORITHMS) > 60
    assert algo_of(CASES["gspo"]["config"]).ratio == "sequence"
