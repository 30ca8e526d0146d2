"""The objective against golden vectors: closed forms checked with TRL's, verl's and OpenRLHF's own code."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from grpo_rs import group_advantages
from grpo_rs.algo.kl import k3_T
from grpo_rs.algo.losses import grpo_loss, token_weights_N
from grpo_rs.learner.logprobs import _chunk_logprobs

GOLDEN = Path(__file__).parent / "golden"
CLOSE = {"rtol": 1e-6, "atol": 1e-9}


def load(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def flat(rows):
    return torch.tensor([value for row in rows for value in row], dtype=torch.float64)


def per_token(values, lengths):
    return torch.tensor(np.repeat(values, lengths), dtype=torch.float64)


def settings(config):
    kl = config.get("kl")
    return {
        "clip_low": config["eps_low"],
        "clip_high": config["eps_high"],
        "kl_beta": kl["beta"] if kl else 0.0,
    }


@pytest.mark.parametrize(
    "name",
    [
        "loss_grpo_deepseekmath",
        "loss_grpo_noKL",
        "loss_grpo_r1_eps10",
        "loss_dapo_clip_higher_token_mean",
    ],
)
def test_loss_gradient_and_clip_shares(name):
    golden = load(name)
    inputs, config = golden["inputs"], golden["config"]
    lengths = np.array(inputs["lengths"])
    logp_T = flat(inputs["logprobs"]).requires_grad_()
    out = grpo_loss(
        logp_T,
        flat(inputs["old_logprobs"]),
        per_token(inputs["advantages"], lengths),
        per_token(token_weights_N(lengths, config["agg"]), lengths),
        ref_logp_T=flat(inputs["ref_logprobs"]) if config.get("kl") else None,
        **settings(config),
    )
    out.loss.backward()
    np.testing.assert_allclose(out.loss.item(), golden["expected_loss"], **CLOSE)
    np.testing.assert_allclose(logp_T.grad, flat(golden["expected_grad_wrt_logprobs"]), **CLOSE)
    expected = golden["expected_metrics"]
    np.testing.assert_allclose(out.ratio_T.mean(), expected["ratio_mean"], **CLOSE)
    np.testing.assert_allclose(out.clipped_low_T.double().mean(), expected["clip_low_frac"], **CLOSE)
    np.testing.assert_allclose(out.clipped_high_T.double().mean(), expected["clip_high_frac"], **CLOSE)
    if config.get("kl"):
        np.testing.assert_allclose(out.kl_T.mean(), expected["kl"], **CLOSE)


def test_k3():
    golden = load("kl_k3")
    logp_T = flat(golden["inputs"]["logprobs"]).requires_grad_()
    kl_T = k3_T(logp_T, flat(golden["inputs"]["ref_logprobs"]))
    kl_T.sum().backward()
    np.testing.assert_allclose(kl_T.detach(), flat(golden["expected"]["kl"]), **CLOSE)
    np.testing.assert_allclose(logp_T.grad, flat(golden["expected"]["grad_wrt_logprobs"]), **CLOSE)


@pytest.mark.parametrize("name", ["fused_linear_grpo_seqmean_k3", "fused_linear_dapo_k3"])
def test_from_hidden_states_to_the_gradient_of_the_head(name):
    """Temperature, log-softmax, loss, and back through the language-model head."""
    golden = load(name)
    inputs, config = golden["inputs"], golden["config"]
    mask = torch.tensor(inputs["mask"]).bool()
    lengths = mask.sum(-1).numpy()
    hidden = torch.tensor(inputs["hidden"], dtype=torch.float64).requires_grad_()
    head = torch.nn.Linear(hidden.shape[-1], len(inputs["lm_head"]), bias=False, dtype=torch.float64)
    head.weight = torch.nn.Parameter(torch.tensor(inputs["lm_head"], dtype=torch.float64))
    logp_T, _ = _chunk_logprobs(
        head, hidden[mask], torch.tensor(inputs["tokens"])[mask], config["temperature"]
    )
    out = grpo_loss(
        logp_T,
        torch.tensor(inputs["old_logprobs"], dtype=torch.float64)[mask],
        per_token(inputs["advantages"], lengths),
        per_token(token_weights_N(lengths, config["agg"]), lengths),
        ref_logp_T=torch.tensor(inputs["ref_logprobs"], dtype=torch.float64)[mask],
        **settings(config),
    )
    out.loss.backward()
    expected = golden["expected"]
    np.testing.assert_allclose(out.loss.item(), expected["loss"], **CLOSE)
    np.testing.assert_allclose(logp_T.detach(), torch.tensor(expected["logprobs"])[mask], rtol=1e-5)
    np.testing.assert_allclose(hidden.grad, expected["grad_hidden"], **CLOSE)
    np.testing.assert_allclose(head.weight.grad, expected["grad_lm_head"], **CLOSE)


def test_end_to_end_on_a_tabular_policy():
    """Rewards to advantages to loss to the gradient of the logits, and the entropies."""
    golden = load("e2e_tabular_softmax_dapo_k3")
    inputs, expected, config = golden["inputs"], golden["expected"], golden["config"]
    lengths = np.array(inputs["lengths"])
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    advantages = group_advantages(inputs["rewards"], [0] * len(lengths), epsilon=config["adv"]["eps"])
    np.testing.assert_allclose(advantages.values, expected["advantages"], **CLOSE)

    def logprobs(name):
        logits = torch.tensor(inputs[name], dtype=torch.float64)[mask]
        logits.requires_grad_(name == "logits")
        tokens = torch.tensor(
            [t[:n] + [0] * (max(lengths) - n) for t, n in zip(inputs["token_ids"], lengths, strict=True)]
        )
        return logits, *_chunk_logprobs(torch.nn.Identity(), logits, tokens[mask], 1.0)

    logits, logp_T, entropy_T = logprobs("logits")
    out = grpo_loss(
        logp_T,
        logprobs("old_logits")[1],
        per_token(advantages.values, lengths),
        per_token(token_weights_N(lengths, config["agg"]), lengths),
        ref_logp_T=logprobs("ref_logits")[1],
        **settings(config),
    )
    out.loss.backward()
    np.testing.assert_allclose(out.loss.item(), expected["loss"], **CLOSE)
    np.testing.assert_allclose(entropy_T, flat(expected["entropy"]), **CLOSE)
    np.testing.assert_allclose(logits.grad, torch.tensor(expected["grad_logits"])[mask], rtol=1e-5, atol=1e-8)
