"""Traps of public trainers that concern the loss, its denominators and the meaning of an option.

Those of the advantages' statistics are in the tests of the advantages. The table of numbers was made by
running the other trainers' own code on CPU in float64, on the inputs below.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.aliases import from_trl, from_verl
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.objective import TokenBatch, policy_loss
from grpo_rs.algo.presets import PRESETS, preset
from grpo_rs.errors import ConfigError

LENGTHS_N = np.array([5, 3, 1, 4, 2, 5])
GROUP_N = np.array([0, 0, 0, 1, 1, 1])
REWARDS_N = np.array([1.0, 0.0, 0.5, 0.0, 0.0, 1.0])
LIMIT = 8
ROW, STEP = np.mgrid[:6, :5]
MASK = LENGTHS_N[:, None] > STEP
K = ROW * 5 + STEP + 1
OLD = -1 + 0.6 * np.sin(1.7 * K)
NEW = OLD + 0.45 * np.sin(2.3 * K)
REF = OLD + 0.2 * np.sin(0.9 * K)
SAMPLER = OLD + 0.15 * np.sin(3.1 * K)
FAR = NEW.copy()
FAR[1, 0] = OLD[1, 0] + 1.5  # a ratio of 4.48 where the advantage is negative


def advantages(algo):
    rewards = REWARDS_N.reshape(2, 3)
    centred = rewards - rewards.mean(1, keepdims=True)
    if algo.scale == "group_std":
        centred = centred / (rewards.std(1, ddof=algo.std_ddof, keepdims=True) + algo.std_epsilon)
    return centred.ravel()


def batch_of(algo, new=NEW):
    def flat(x):
        return torch.tensor(x[MASK])

    lengths_N = torch.tensor(LENGTHS_N)
    kept_N = None if algo.masked_in_denominator else kept(algo, new)
    weight_N = torch.tensor(token_weights_N(algo, LENGTHS_N, GROUP_N, limit=LIMIT, kept_N=kept_N))
    return TokenBatch(
        logp_T=flat(new).requires_grad_(),
        advantage_T=torch.tensor(advantages(algo)).repeat_interleave(lengths_N),
        weight_T=weight_N.repeat_interleave(lengths_N),
        row_T=torch.arange(6).repeat_interleave(lengths_N),
        old_logp_T=flat(OLD),
        rollout_logp_T=flat(SAMPLER),
        ref_logp_T=flat(REF),
        group_N=torch.tensor(GROUP_N),
    )


def kept(algo, new):
    """Tokens of each completion that no mask drops, from a pass with the denominators of all tokens."""
    algo = algo.model_copy(update={"masked_in_denominator": True})
    batch = batch_of(algo, new)
    kept_T = policy_loss(algo, batch).metrics["kept"]
    return np.bincount(batch.row_T[kept_T], minlength=6)


def loss_and_grad(algo, batch):
    result = policy_loss(algo, batch)
    [grad_T] = torch.autograd.grad(result.loss, batch.logp_T)
    return result.loss.detach(), grad_T


# ---- Numbers of other trainers -----------------------------------------------------------------------------

NO_VLLM = {"vllm_importance_sampling_correction": False}


def trl(**options):
    return from_trl(**NO_VLLM, **options)


def verl(**options):
    return from_verl(adv_estimator="grpo", **options)


def openrlhf(**knobs):
    # The table's advantages have verl's epsilon.
    return preset("openrlhf_group_norm", **{"kl_beta": 0.0, "std_epsilon": 1e-6, **knobs})


def skyrl(**knobs):
    return preset("skyrl", kl_beta=0.0, **knobs)


# Name, objective, loss, norm of the gradient, its sum, log-probabilities.
NUMBERS = [
    ("trl grpo", trl(loss_type="grpo"), 0.03180687, 0.15189479, 0.08100419, NEW),
    ("trl bnpo", trl(loss_type="bnpo"), -0.17269358, 0.16730471, -0.05271757, NEW),
    ("trl dr_grpo", trl(loss_type="dr_grpo"), -0.07195566, 0.06971030, -0.02196565, NEW),
    ("trl dapo", trl(loss_type="dapo"), -0.17269358, 0.16730471, -0.05271757, NEW),
    ("trl cispo .2", trl(loss_type="cispo", epsilon_high=0.2), 0.02873050, 0.04081723, -0.04308601, NEW),
    ("trl cispo 5", trl(loss_type="cispo", epsilon_high=5.0), 0.11995230, 0.21580844, -0.21594694, NEW),
    ("trl sapo", trl(loss_type="sapo"), -0.03612465, 0.17341965, -0.00395283, NEW),
    ("trl vespo", trl(loss_type="vespo"), 0.27101829, 0.22300634, -0.33865328, NEW),
    ("trl clip-higher", trl(epsilon_high=0.28), -0.18530998, 0.16730471, -0.05271757, NEW),
    ("trl delta", trl(delta=1.5), -0.17582634, 0.14186420, -0.17412911, NEW),
    ("trl gspo", trl(loss_type="grpo", importance_sampling_level="sequence"),
     -0.00102169, 0.16466455, -0.00102169, NEW),
    ("trl luspo", trl(loss_type="luspo", importance_sampling_level="sequence"),
     -0.68712375, 0.65687291, -0.68712375, NEW),
    ("trl beta", trl(loss_type="grpo", beta=0.04), 0.03382911, 0.15313253, 0.08279352, NEW),
    ("trl beta, no bias correction", trl(loss_type="grpo", beta=0.04, use_bias_correction_kl=False),
     0.03395419, 0.15257178, 0.07742170, NEW),
    ("trl token_truncate", from_trl(vllm_importance_sampling_mode="token_truncate"),
     -0.18449927, 0.17153022, -0.05798653, NEW),
    ("trl default", from_trl(), -0.20098017, 0.17790441, -0.07269716, NEW),
    ("trl opsm", trl(off_policy_mask_threshold=0.1), -0.22924138, 0.16392511, -0.08617536, NEW),
    ("verl", verl(), -0.17272534, 0.16733570, -0.05272558, NEW),
    ("verl token-sum", verl(loss_agg_mode="token-sum"), -3.45450687, 3.34671407, -1.05451167, NEW),
    ("verl seq-mean-token-sum", verl(loss_agg_mode="seq-mean-token-sum"),
     -0.57575115, 0.55778568, -0.17575195, NEW),
    ("verl seq-mean-token-mean", verl(loss_agg_mode="seq-mean-token-mean"),
     0.03181277, 0.15192324, 0.08102065, NEW),
    ("verl norm", verl(loss_agg_mode="seq-mean-token-sum-norm", loss_scale_factor=5),
     -0.11515023, 0.11155714, -0.03515039, NEW),
    ("verl dual clip", verl(), -0.09917925, 0.14884920, -0.12917919, FAR),
    ("verl gspo, seq mean", verl(loss_mode="gspo", loss_agg_mode="seq-mean-token-mean"),
     -0.00102165, 0.16469518, -0.00102165, NEW),
    ("verl gspo, its default", verl(loss_mode="gspo"), -0.20617486, 0.19709830, -0.20617486, NEW),
    ("verl cispo", verl(loss_mode="cispo"), 0.13754885, 0.20044989, -0.22064609, NEW),
    ("verl geo_mean", verl(loss_mode="geo_mean"), 0.02809283, 0.14382638, 0.03117997, NEW),
    ("verl sapo", verl(loss_mode="sapo"), -0.03613110, 0.17345190, -0.00395340, NEW),
    ("verl gpg", verl(loss_mode="gpg"), 0.14367880, 0.20412377, -0.21546965, NEW),
    ("verl tis", verl(rollout_is="token", rollout_is_threshold=1.1),
     -0.17709483, 0.16949560, -0.05369166, NEW),
    ("verl icepop", verl(rollout_is="token", rollout_is_threshold="0.9_1.1"),
     -0.01125657, 0.12953176, 0.08192541, NEW),
    ("verl sequence tis", verl(rollout_is="sequence", rollout_is_threshold=1.1),
     -0.18860037, 0.17504409, -0.06354291, NEW),
    ("verl sequence mask", verl(rollout_is="sequence", rollout_is_threshold="0.8_1.2"),
     -0.20101648, 0.17793717, -0.07270835, NEW),
    ("verl rejects tokens", verl(rollout_rs="token_k1", rollout_rs_threshold="0.9_1.05"),
     -0.07020774, 0.24102275, 0.07741589, NEW),
    ("verl rejects tokens, one bound", verl(rollout_rs="token_k1", rollout_rs_threshold=1.08),
     -0.18064847, 0.26780305, 0.08601766, NEW),
    ("verl rejects by the mean", verl(rollout_rs="seq_mean_k1", rollout_rs_threshold="0.97_1.02"),
     -0.18181615, 0.17614285, -0.05550061, NEW),
    ("verl rejects by the sum", verl(rollout_rs="seq_sum_k1", rollout_rs_threshold="0.9_1.2"),
     0.12253448, 0.18044197, 0.19015828, NEW),
    ("verl rejects, seq-mean",
     verl(rollout_rs="seq_mean_k1", rollout_rs_threshold="0.97_1.02", loss_agg_mode="seq-mean-token-mean"),
     0.03817532, 0.18230789, 0.09722478, NEW),
    ("verl dppo_tv", verl(loss_mode="dppo_tv", clip_ratio_low=0.05, clip_ratio_high=0.08, clip_ratio_c=1.3),
     0.19559806, 0.16623593, -0.20308338, NEW),
    ("verl dppo_kl", verl(loss_mode="dppo_kl", clip_ratio_low=0.01, clip_ratio_high=0.02, clip_ratio_c=20.0),
     0.12248924, 0.17616743, -0.13597411, NEW),
    ("verl dro", verl(loss_mode="dro", dro_beta=0.05), 0.14589706, 0.20426076, -0.21747953, NEW),
    ("verl kl_cov", verl(loss_mode="kl_cov", kl_cov_ratio=0.2, ppo_kl_coef=0.5),
     -0.18694484, 0.20346759, -0.26598652, NEW),
    ("verl clip_cov", verl(loss_mode="clip_cov", clip_cov_ratio=1.0, clip_cov_lb=0.2),
     -0.06198295, 0.13542685, 0.05801681, NEW),
    ("verl gspo, clipped", verl(loss_mode="gspo", loss_agg_mode="seq-mean-token-mean", clip_ratio_low=0.05,
                                clip_ratio_high=0.06),
     0.00775398, 0.14684165, -0.17507329, NEW),
    ("verl cispo, bounds", verl(loss_mode="cispo", clip_ratio_low=0.3, clip_ratio_high=0.28),
     0.12815039, 0.20217672, -0.21617876, NEW),
    ("openrlhf, no dual clip", openrlhf(), -0.02509494, 0.26901622, 0.09490482, FAR),
    ("openrlhf dual clip", openrlhf(dual_clip=3.0), -0.09917925, 0.14884920, -0.12917919, FAR),
    ("openrlhf is clip", openrlhf(correction="truncate", correction_min=0.9, correction_max=1.1),
     -0.17931630, 0.17004579, -0.05611215, NEW),
    ("openrlhf is mask", openrlhf(correction="mask", correction_min=0.9, correction_max=1.1),
     -0.01125657, 0.12953176, 0.08192541, NEW),
    ("openrlhf seq mask",
     openrlhf(correction="mask", correction_level="geometric", correction_token_weight=True,
              correction_min=0.95, correction_max=1.05),
     -0.18453296, 0.17156197, -0.05799538, NEW),
    ("openrlhf seq binary kl",
     preset("openrlhf_seq_kl", std_epsilon=1e-6, clip_high=0.2, correction_max=0.004),
     -0.01912248, 0.12858406, 0.07880896, NEW),
    ("openrlhf token tv", preset("openrlhf_token_tv", std_epsilon=1e-6, clip_high=0.2, correction_max=0.03),
     0.00957039, 0.12953176, 0.08192541, NEW),
    ("prime-rl", preset("prime_rl"), -0.09118883, 0.11677398, -0.09136967, NEW),
    ("skyrl", skyrl(), -0.17272534, 0.16733570, -0.05272558, NEW),
    ("skyrl constant", skyrl(aggregate="constant"), -0.07196889, 0.06972321, -0.02196899, NEW),
    ("skyrl prompt mean", skyrl(aggregate="prompt_mean"), -0.17344563, 0.17049535, -0.04011256, NEW),
    ("areal, no mask", preset("areal", std_epsilon=1e-6, correction="none"),
     -0.20626917, 0.19593848, -0.12544027, NEW),
]  # fmt: skip


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row[0])
def test_numbers_of_other_trainers(row):
    _, algo, loss, norm, total, new = row
    got, grad_T = loss_and_grad(algo, batch_of(algo, new))
    assert np.allclose([got, grad_T.norm(), grad_T.sum()], [loss, norm, total], rtol=0, atol=1.5e-8)


# ---- 5: four meanings of CISPO's bound ---------------------------------------------------------------------


def on_policy_scale(algo):
    """The gradient of a token on the sampler's own policy, as a multiple of -weight * A."""
    batch = batch_of(algo, OLD)
    batch = replace(batch, rollout_logp_T=batch.old_logp_T)
    _, grad_T = loss_and_grad(algo, batch)
    return grad_T / (-batch.weight_T * batch.advantage_T)


def test_cispo_of_trl_without_a_bound_is_refused():
    with pytest.raises(ConfigError, match=r"scales every gradient by 0\.2"):
        from_trl(loss_type="cispo")
    with pytest.raises(ConfigError, match="scale every gradient by 0.1"):
        Algo.checked(preset="cispo", epsilon=0.1)


def test_cispo_below_one_scales_every_gradient_and_says_so():
    algo = from_trl(loss_type="cispo", epsilon_high=0.2)
    torch.testing.assert_close(on_policy_scale(algo)[0].item(), 0.2)
    assert any("1 + x would be 1.2" in note for note in algo.notes())
    assert not any("1 + x" in note for note in preset("cispo").notes())


@pytest.mark.parametrize("name", [name for name in PRESETS if preset(name).gate == "cispo"])
def test_no_preset_scales_gradients_on_policy(name):
    scale_T = on_policy_scale(preset(name, **({"transform": "none"} if name == "mopd" else {})))
    alive_T = scale_T.isfinite()
    torch.testing.assert_close(scale_T[alive_T], torch.ones_like(scale_T[alive_T]))


def test_the_bound_is_absolute_for_trl_and_one_plus_for_verl():
    assert from_trl(loss_type="cispo", epsilon_high=1.28).weight_max == 1.28
    assert from_trl(loss_type="cispo", epsilon_high=1.28).weight_min is None
    assert verl(loss_mode="cispo", clip_ratio_high=0.28).weight_max == pytest.approx(1.28)
    assert verl(loss_mode="cispo", clip_ratio_low=0.3).weight_min == pytest.approx(0.7)


# ---- 6: denominators of the exact optimiser window ---------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["token_mean", "seq_mean_token_mean", "prompt_mean", "constant"])
def test_denominators_are_those_of_the_step_itself(aggregate):
    """Two steps of one generation batch with 20 and 4 tokens: each is divided by its own count, not by 12."""
    algo = Algo(preset="bnpo", aggregate=aggregate)
    long_N, short_N = np.array([10, 10]), np.array([2, 2])
    group_N = np.array([0, 0])
    sums = [
        (token_weights_N(algo, lengths_N, group_N, limit=10) * lengths_N).sum()
        for lengths_N in (long_N, short_N)
    ]
    assert sums == pytest.approx([1.0, 0.2 if aggregate == "constant" else 1.0])


@pytest.mark.parametrize("cut", [(3,), (1, 2, 5), (2, 4)])
@pytest.mark.parametrize("name", ["dapo", "grpo", "scalerl", "dr_grpo", "gspo", "trl"])
def test_the_loss_does_not_depend_on_micro_batches(name, cut):
    algo = preset(name)
    whole = batch_of(algo)
    loss, grad_T = loss_and_grad(algo, whole)
    parts = []
    for first, last in zip((0, *cut), (*cut, 6), strict=True):
        inside_T = (whole.row_T >= first) & (whole.row_T < last)
        fields = {
            key: value[inside_T]
            for key, value in vars(whole).items()
            if key.endswith("_T") and value is not None
        }
        fields["row_T"] = fields["row_T"] - first
        part = TokenBatch(**fields, group_N=whole.group_N[first:last])
        parts.append(policy_loss(algo, part).loss)
    torch.testing.assert_close(sum(parts).detach(), loss)
    torch.testing.assert_close(torch.autograd.grad(sum(parts), whole.logp_T)[0], grad_T)


# ---- 7 and 12: epsilon and degrees of freedom are the trainer's --------------------------------------------


def test_epsilon_and_ddof_are_those_of_each_trainer():
    expected = {
        "trl": 1e-4, "verl_grpo": 1e-6, "skyrl": 1e-6, "nemo_rl": 1e-6, "slime": 1e-6, "areal": 1e-5,
        "openrlhf_group_norm": 1e-9,
    }  # fmt: skip
    assert {name: preset(name).std_epsilon for name in expected} == expected
    assert {preset(name).std_ddof for name in expected} == {1}
    dense = preset("trl"), preset("verl_grpo")
    rewards = np.array([0.0, 1e-3, 2e-3])
    scaled = [1e-3 / (rewards.std(ddof=1) + algo.std_epsilon) for algo in dense]
    assert scaled[1] / scaled[0] == pytest.approx(1.1, abs=0.01)


# ---- 8 and 10: masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dapo", "grpo", "cispo", "gspo", "vespo", "trl", "sapo", "prime_rl"])
def test_what_carries_no_weight_does_not_enter(name):
    """A token mean that forgets its mask is right only while what is masked happens to be 0."""
    algo = preset(name)
    whole = batch_of(algo)
    loss, grad_T = loss_and_grad(algo, whole)
    # A seventh completion without weight, made of what padding may hold.
    junk = torch.tensor([-torch.inf, torch.nan, 1e30, 0.0], dtype=torch.float64)
    fields = {
        key: torch.cat([value, junk if value.dtype.is_floating_point else torch.full((4,), 6)])
        for key, value in vars(whole).items()
        if key.endswith("_T") and value is not None
    }
    fields["weight_T"][-4:] = 0.0
    fields["logp_T"] = fields["logp_T"].detach().requires_grad_()
    padded = TokenBatch(**fields, group_N=torch.tensor([*GROUP_N, 1]))
    padded_loss, padded_grad_T = loss_and_grad(algo, padded)
    torch.testing.assert_close(padded_loss, loss)
    torch.testing.assert_close(padded_grad_T[:-4], grad_T)
    assert (padded_grad_T[-4:] == 0).all()


@pytest.mark.parametrize(
    "aggregate", ["token_mean", "seq_mean_token_mean", "seq_mean_token_sum", "prompt_mean"]
)
def test_an_empty_completion_makes_no_nan(aggregate):
    algo = Algo(preset="bnpo", aggregate=aggregate)
    weight_N = token_weights_N(algo, np.array([2, 0, 3]), np.array([0, 0, 1]))
    assert np.isfinite(weight_N).all()
    assert weight_N[1] == 0
    lengths_N = torch.tensor([2, 0, 3])
    logp_T = torch.linspace(-1, -2, 5, dtype=torch.float64).requires_grad_()
    batch = TokenBatch(
        logp_T=logp_T,
        advantage_T=torch.ones(5, dtype=torch.float64),
        weight_T=torch.tensor(weight_N).repeat_interleave(lengths_N),
        row_T=torch.arange(3).repeat_interleave(lengths_N),
        old_logp_T=logp_T.detach() - 0.1,
        group_N=torch.tensor([0, 0, 1]),
    )
    result = policy_loss(algo, batch)
    assert result.loss.isfinite()
    assert all(metric.double().isfinite().all() for metric in result.metrics.values())


# ---- 9: a sequence mask and a truncation are two things ----------------------------------------------------


def corrected(**knobs):
    algo = Algo(preset="bnpo", **knobs)
    return policy_loss(algo, batch_of(algo)).metrics


def test_a_truncated_weight_is_clamped_and_a_masked_one_is_dropped():
    raw_T = torch.tensor(np.exp(OLD - SAMPLER)[MASK])
    cut_T = corrected(correction="truncate", correction_max=1.05)["correction_weight"]
    torch.testing.assert_close(cut_T, raw_T.clamp(max=1.05))
    masked = corrected(correction="mask", correction_max=1.05)
    torch.testing.assert_close(masked["kept"], raw_T <= 1.05)
    assert 0 < int(masked["kept"].sum()) < len(raw_T)


def test_the_ratio_of_a_completion_is_a_product_and_the_geometric_mean_is_another():
    """What one trainer calls a sequence ratio another calls the product, and they differ by the length."""
    log_N = np.array([(OLD - SAMPLER)[row, :length].sum() for row, length in enumerate(LENGTHS_N)])
    product_T = corrected(correction="mask", correction_level="sequence", correction_max=100.0)
    mean_T = corrected(correction="mask", correction_level="geometric", correction_max=100.0)
    torch.testing.assert_close(product_T["correction_stat"], torch.tensor(np.exp(log_N).repeat(LENGTHS_N)))
    torch.testing.assert_close(
        mean_T["correction_stat"], torch.tensor(np.exp(log_N / LENGTHS_N).repeat(LENGTHS_N))
    )
    assert from_trl(vllm_importance_sampling_mode="sequence_mask").correction_level == "sequence"


def test_verls_rejection_bounds_are_on_the_inverse_ratio():
    algo = verl(rollout_rs="token_k1", rollout_rs_threshold="0.5_4.0")
    assert (algo.correction_min, algo.correction_max) == (0.25, 2.0)
    assert (algo.correction, algo.masked_in_denominator) == ("reject", False)


# ---- Beside the list: the KL stays what it is --------------------------------------------------------------


def test_the_correction_does_not_multiply_the_kl():
    """Every completion dropped by the correction: the KL is all that is left, and it is whole."""
    kl = {"kl": "k3", "kl_beta": 0.1}
    algo = Algo(preset="bnpo", correction="mask", correction_max=1e-6, **kl)
    dropped, dropped_grad_T = loss_and_grad(algo, batch_of(algo))
    alone = Algo(preset="bnpo", **kl)
    blank = replace(batch_of(alone), advantage_T=torch.zeros(int(LENGTHS_N.sum()), dtype=torch.float64))
    loss, grad_T = loss_and_grad(alone, blank)
    assert loss > 0
    torch.testing.assert_close(dropped, loss)
    torch.testing.assert_close(dropped_grad_T, grad_T)


def test_masked_tokens_stay_in_the_denominator_unless_asked():
    knobs = {"correction": "reject", "correction_max": 1.0}
    kept = Algo(preset="bnpo", **knobs)
    assert not kept.needs_whole_step
    left = Algo(preset="bnpo", masked_in_denominator=False, **knobs)
    assert left.needs_whole_step
    kept_N = np.array([1, 0, 1, 2, 2, 3])
    stay = token_weights_N(kept, LENGTHS_N, GROUP_N)
    leave = token_weights_N(left, LENGTHS_N, GROUP_N, kept_N=kept_N)
    assert stay[0] == pytest.approx(1 / 20)
    assert leave[0] == pytest.approx(1 / 9)


def test_clip_ratio_alone_sets_both_sides():
    """The trainer it comes from looks at it only where the two others are null."""
    algo = verl(clip_ratio=0.3)
    assert (algo.clip_low, algo.clip_high) == (0.3, 0.3)
    algo = verl(clip_ratio=0.3, clip_ratio_high=0.28)
    assert (algo.clip_low, algo.clip_high) == (0.3, 0.28)
