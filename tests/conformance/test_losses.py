"""The objective against golden vectors: closed forms checked with TRL's, verl's and OpenRLHF's own code."""

import golden
import numpy as np
import pytest
import torch
from grpo_rs import group_advantages
from grpo_rs.algo.kl import importance_weighted_T, kl_T
from grpo_rs.algo.objective import TokenBatch, policy_loss
from grpo_rs.learner.logprobs import head_logprobs
from pydantic import ValidationError
from vectors_of_losses import ESTIMATORS, TENSORS, algo_of, flat, token_batch


def cases(kind, least):
    """The vectors of a kind; `least` says how many there must be, lest a test pass for want of any."""
    found = golden.load(kind)
    assert len(found) >= least, kind
    return pytest.mark.parametrize("case", found, ids=golden.name)


def mean(name):
    return lambda metrics, rows: metrics[name].double().mean()


def per_completion(rows, x_T):
    return [x_T[rows == row].double() for row in range(int(rows.max()) + 1)]


METRICS = {
    "ratio_mean": mean("ratio"),
    "approx_kl_k1": mean("approx_kl"),
    "clip_frac": lambda metrics, rows: (metrics["clip_low"] | metrics["clip_high"]).double().mean(),
    "clip_low_frac": mean("clip_low"),
    "clip_high_frac": mean("clip_high"),
    "dual_clip_frac": mean("dual_clip"),
    "mask_frac": mean("outside"),
    "cov_clip_frac": mean("dropped"),
    "phi_mean": mean("phi"),
    "kl": mean("kl"),
    "corr_mean_weight": mean("correction_weight"),
    "corr_frac_out": mean("correction_outside"),
    "opsm_frac": mean("opsm"),
    "entropy_keep_frac": mean("entropy_kept"),
    "influence": lambda metrics, rows: metrics["influence"],
    "acceptance_rate": lambda metrics, rows: np.mean(
        [not x.any() for x in per_completion(rows, metrics["correction_outside"])]
    ),
    "sequence_kl": lambda metrics, rows: [x.mean() for x in per_completion(rows, metrics["correction_stat"])],
    "retained_tokens": lambda metrics, rows: [x.sum() for x in per_completion(rows, metrics["kept"])],
}


@cases("policy_loss", 55)
def test_loss_gradient_and_metrics(case):
    algo = algo_of(case["config"])
    batch = token_batch(algo, case["inputs"])
    out = policy_loss(algo, batch)
    out.loss.backward()
    close = golden.close(case)
    np.testing.assert_allclose(out.loss.item(), case["expected_loss"], **close)
    np.testing.assert_allclose(batch.logp_T.grad, flat(case["expected_grad_wrt_logprobs"]), **close)
    metrics = dict(out.metrics)
    if not algo.uses_ratio:
        # These vectors measure their distance to the old policy all the same.
        to_old = algo.model_copy(update={"gate": "importance"})
        metrics["approx_kl"] = policy_loss(to_old, batch).metrics["approx_kl"]
    if algo.gate == "gmpo":
        # These count ratios out of the clip range whatever the sign of the advantage.
        metrics["clip_high"] = metrics["ratio"] > np.exp(algo.clip_high)
        metrics["clip_low"] = metrics["ratio"] < np.exp(-algo.clip_low)
    for name, expected in (case.get("expected_metrics") or {}).items():
        if name == "influence":
            expected = flat(expected)
        np.testing.assert_allclose(METRICS[name](metrics, batch.row_T), expected, **close, err_msg=name)


def test_an_unknown_key_of_a_config_is_an_error():
    with pytest.raises(KeyError, match="not known"):
        algo_of({"gate": "ppo", "eps_lo": 0.2})
    with pytest.raises(TypeError):
        algo_of({"gate": "ppo", "kl": {"kind": "k3", "beta": 0.1, "weight": 2}})
    with pytest.raises(ValidationError):
        algo_of({"gate": "ppoo"})


@cases("peer_loss", 1)
def test_what_other_trainers_compute(case):
    """Value, norm and sum of the gradient that their own code gave in float64, to the digits kept."""
    inputs = case["inputs"]
    assert len(case["rows"]) >= 39
    for row in case["rows"]:
        algo = algo_of(row["config"])
        chosen = {"advantages": inputs["advantages"][row["advantages"]], "logprobs": inputs[row["logprobs"]]}
        batch = token_batch(algo, inputs | chosen)
        out = policy_loss(algo, batch)
        out.loss.backward()
        found = [out.loss.item(), batch.logp_T.grad.norm(), batch.logp_T.grad.sum()]
        expected = [row["loss"], row["grad_norm"], row["grad_sum"]]
        np.testing.assert_allclose(found, expected, **golden.close(case), err_msg=str(row))


@cases("kl", 6)
def test_kl_estimators(case):
    config, inputs = dict(case["config"]), case["inputs"]
    estimator, is_weight = config.pop("estimator"), config.pop("is_weight", False)
    assert not config
    logp_T = flat(inputs["logprobs"]).requires_grad_()
    out_T = kl_T(ESTIMATORS.get(estimator, estimator), logp_T, flat(inputs["ref_logprobs"]))
    if is_weight:
        out_T = importance_weighted_T(out_T, logp_T - flat(inputs["old_logprobs"]))
    out_T.sum().backward()
    expected = case["expected"]
    np.testing.assert_allclose(out_T.detach(), flat(expected["kl"]), **golden.close(case))
    np.testing.assert_allclose(logp_T.grad, flat(expected["grad_wrt_logprobs"]), **golden.close(case))


@cases("toy", 1)
def test_single_tokens_through_every_gate(case):
    for row in case["rows"]:
        algo = algo_of(row["config"])
        old_T = torch.tensor([row["old_prob"]], dtype=torch.float64).log()
        logp_T = (old_T + np.log(row["ratio"])).requires_grad_()
        one_T = torch.ones(1, dtype=torch.float64)
        batch = TokenBatch(
            logp_T, row["A"] * one_T, one_T, torch.tensor([0]), old_logp_T=old_T, rollout_logp_T=old_T
        )
        loss = policy_loss(algo, batch).loss
        loss.backward()
        np.testing.assert_allclose(loss.item(), row["loss"], rtol=1e-6, atol=1e-9, err_msg=str(row))
        np.testing.assert_allclose(logp_T.grad, [row["dloss_dlogp"]], rtol=1e-6, atol=1e-9, err_msg=str(row))


@cases("invariance", 1)
def test_micro_batches_add_up_to_the_batch(case):
    inputs = case["inputs"]
    if "logprobs" not in inputs:
        # The inputs are those of another vector, which the text names.
        named = [other for other in golden.load("policy_loss") if other["name"] in inputs["fixture"]]
        near = [other for other in named if other["path"].parent == case["path"].parent]
        inputs = max(near or named, key=lambda other: len(other["name"]))["inputs"]
    algo, expected = algo_of(case["config"]), case["expected"]
    whole = token_batch(algo, inputs)
    np.testing.assert_allclose(policy_loss(algo, whole).loss.item(), expected["full_batch"], rtol=1e-6)
    total = 0.0
    for rows in case["inputs"]["micro_batches"]:
        part_T = torch.isin(whole.row_T, torch.tensor(rows))
        part = TokenBatch(
            whole.logp_T[part_T],
            whole.advantage_T[part_T],
            whole.weight_T[part_T],
            whole.row_T[part_T],
            **{
                field: getattr(whole, field)[part_T]
                for field in TENSORS.values()
                if getattr(whole, field) is not None
            },
            group_N=whole.group_N,
        )
        total += policy_loss(algo, part).loss.item()
    np.testing.assert_allclose(total, expected["sum_over_microbatches_global_denominator"], rtol=1e-6)


# ---- From the logits and the hidden states -----------------------------------------------------------------


def logprobs_of_head(hidden_TD, weight_VD, target_T, temperature=1.0, **options):
    """Log-probabilities and entropies as the learner computes them, in more than one chunk."""
    head = torch.nn.Linear(*reversed(weight_VD.shape), bias=False, dtype=torch.float64)
    head.weight = weight_VD if isinstance(weight_VD, torch.nn.Parameter) else torch.nn.Parameter(weight_VD)
    return head_logprobs(hidden_TD, head, target_T, temperature=temperature, chunk_tokens=3, **options)


def logprobs_of_logits(logits_TV, target_T, temperature=1.0, **options):
    identity = torch.eye(logits_TV.shape[1], dtype=torch.float64)
    return logprobs_of_head(logits_TV, identity, target_T, temperature, **options)


@cases("logprob", 1)
def test_logprobs_and_entropies_of_logits(case):
    """With a mask of allowed tokens, and both gradients."""
    inputs, expected, close = case["inputs"], case["expected"], golden.close(case)
    logits_TV = torch.tensor(inputs["logits"], dtype=torch.float64).requires_grad_()
    logp_T, entropy_T = logprobs_of_logits(
        logits_TV,
        torch.tensor(inputs["targets"]),
        case["config"]["temperature"],
        entropy_gradient=True,
        keep_TV=torch.tensor(inputs["keep_mask"]).bool(),
    )
    np.testing.assert_allclose(logp_T.detach(), expected["logprobs"], **close)
    np.testing.assert_allclose(entropy_T.detach(), expected["entropy"], **close)
    (of_logp_TV,) = torch.autograd.grad(logp_T.sum(), logits_TV, retain_graph=True)
    (of_entropy_TV,) = torch.autograd.grad(entropy_T.sum(), logits_TV)
    np.testing.assert_allclose(of_logp_TV, expected["dlogprob_dlogits"], **close)
    np.testing.assert_allclose(of_entropy_TV, expected["dentropy_dlogits"], **close)


@cases("fused_linear", 4)
def test_from_hidden_states_to_the_gradient_of_the_head(case):
    """Temperature, log-softmax, loss, and back through the language-model head."""
    inputs, config = case["inputs"], case["config"]
    mask = torch.tensor(inputs["mask"]).bool()
    lengths = mask.sum(-1).tolist()
    ragged = {
        key: [row[:n] for row, n in zip(inputs[key], lengths, strict=True)]
        for key in ("old_logprobs", "rollout_logprobs", "ref_logprobs", "entropies")
        if inputs.get(key)
    }
    hidden = torch.tensor(inputs["hidden"], dtype=torch.float64).requires_grad_()
    weight_VD = torch.nn.Parameter(torch.tensor(inputs["lm_head"], dtype=torch.float64))
    target_T = torch.tensor(inputs["tokens"])[mask]
    logp_T, _ = logprobs_of_head(hidden[mask], weight_VD, target_T, config["temperature"])
    algo = algo_of(config)
    rest = {"lengths": lengths, "advantages": inputs["advantages"], "group": inputs.get("group")} | ragged
    out = policy_loss(algo, token_batch(algo, rest, logp_T))
    out.loss.backward()
    expected, close = case["expected"], golden.close(case)
    np.testing.assert_allclose(out.loss.item(), expected["loss"], **close)
    np.testing.assert_allclose(
        logp_T.detach(), torch.tensor(expected["logprobs"], dtype=torch.float64)[mask], **close
    )
    np.testing.assert_allclose(hidden.grad, expected["grad_hidden"], **close)
    np.testing.assert_allclose(weight_VD.grad, expected["grad_lm_head"], **close)


@cases("e2e", 1)
def test_end_to_end_on_a_tabular_policy(case):
    """Rewards to advantages to loss to the gradient of the logits, one step of descent, and the entropies."""
    inputs, expected, config, close = case["inputs"], case["expected"], case["config"], golden.close(case)
    lengths = inputs["lengths"]
    adv = dict(config["adv"])
    scale = {"grpo": "std", "center": "none"}[adv.pop("estimator")]
    group = inputs.get("group") or [0] * len(lengths)
    options = {{"eps": "epsilon"}.get(name, name): value for name, value in adv.items()}
    advantages = group_advantages(inputs["rewards"], group, scale=scale, **options)
    np.testing.assert_allclose(advantages.values, expected["advantages"], **close)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    target_T = torch.tensor(
        [token for row, n in zip(inputs["token_ids"], lengths, strict=True) for token in row[:n]]
    )

    def logprobs(name):
        rows = [row[:n] for row, n in zip(inputs[name], lengths, strict=True)]
        logits_TV = torch.tensor([logits for row in rows for logits in row], dtype=torch.float64)
        logits_TV.requires_grad_(name == "logits")
        return logits_TV, *logprobs_of_logits(logits_TV, target_T)

    def ragged(x_T):
        return [part.tolist() for part in x_T.detach().split(lengths)]

    logits_TV, logp_T, entropy_T = logprobs("logits")
    rest = {
        "lengths": lengths,
        "group": group,
        "advantages": advantages.values.tolist(),
        "old_logprobs": ragged(logprobs("old_logits")[1]),
        "ref_logprobs": ragged(logprobs("ref_logits")[1]),
    }
    algo = algo_of(config)
    batch = token_batch(algo, rest, logp_T)
    out = policy_loss(algo, batch)
    out.loss.backward()
    np.testing.assert_allclose(out.loss.item(), expected["loss"], **close)
    np.testing.assert_allclose(entropy_T, flat(expected["entropy"]), **close)
    for name, values in {
        "grad_logits": logits_TV.grad,
        "logits_after_sgd": logits_TV.detach() - config["lr"] * logits_TV.grad,
    }.items():
        np.testing.assert_allclose(values, torch.tensor(expected[name], dtype=torch.float64)[mask], **close)
    for name, value in expected["metrics"].items():
        np.testing.assert_allclose(METRICS[name](out.metrics, batch.row_T), value, **close, err_msg=name)
