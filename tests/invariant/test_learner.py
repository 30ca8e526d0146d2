"""The update is the formula, however the step is cut, packed or padded.

The reference below knows none of the learner's code: one completion at a time, through the model's own
logits, with the sums of DeepSeekMath's equation 3 written out.
"""

import numpy as np
import pytest
import torch
from grpo_rs import Rollouts, Tokens, group_advantages
from grpo_rs.learner.layout import micro_batches
from grpo_rs.learner.learner import Learner, Objective
from grpo_rs.testing import tiny_model

PROMPTS = [[3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13, 3], [4, 4, 4]]
LENGTHS = [5, 2, 7, 1, 3, 4, 6, 2, 2, 3, 1]
GROUPS = [0, 2, 0, 1, 2, 0, 1, 2, 1, 3, 3]  # ragged and interleaved
REWARDS = [1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.0, np.nan, 0.25, 0.1, 0.1]  # group 3 is dead


def rollouts(order=range(len(LENGTHS))):
    random = np.random.default_rng(0)
    rows = [random.integers(1, 15, length) for length in LENGTHS]
    completions = Tokens.from_rows([rows[i] for i in order])
    return Rollouts(
        prompts=Tokens.from_rows(PROMPTS),
        prompt_index=np.arange(len(PROMPTS)),
        completions=completions,
        group_ids=np.array([GROUPS[i] for i in order]),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(len(completions), bool),
    )


def advantages(order=range(len(LENGTHS))):
    return group_advantages([REWARDS[i] for i in order], [GROUPS[i] for i in order])


def model(seed=1):
    # Wide initial weights: an untrained model of 0.02 gives nearly uniform logits, which hide mistakes.
    return tiny_model(seed, hidden_size=32, num_layers=2, num_heads=2).double()


def gradients(objective, *, order=range(len(LENGTHS)), reference=None, **arguments):
    policy = model()
    learner = Learner(policy, objective, max_grad_norm=0.0, **arguments)
    if reference is not None:
        learner.freeze_reference(reference)
    metrics = learner.update(rollouts(order), advantages(order), lr=0.0)
    return metrics, {name: p.grad.clone() for name, p in policy.named_parameters()}


def reference_gradients(aggregate, *, kl_beta=0.0, temperature=1.0, frozen=None):
    """Equation 3 written out, with the on-policy ratio 1."""
    policy, table, adv = model(), rollouts(), advantages()
    live = [i for i in range(len(table)) if GROUPS[i] != 3 and not np.isnan(REWARDS[i])]
    total = sum(LENGTHS[i] for i in live)
    objective = torch.zeros((), dtype=torch.float64)

    def logprobs(network, i):
        prompt, completion = PROMPTS[GROUPS[i]], table.completions[i].tolist()
        logits = network(torch.tensor([prompt + completion])).logits[0] / temperature
        steps = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        return torch.stack(
            [torch.log_softmax(logits[s], -1)[t] for s, t in zip(steps, completion, strict=True)]
        )

    for i in live:
        logp = logprobs(policy, i)
        terms = torch.exp(logp - logp.detach()) * float(adv.values[i])
        if kl_beta:
            gap = logprobs(frozen, i).detach() - logp
            terms = terms - kl_beta * (torch.exp(gap) - gap - 1)
        weight = 1 / total if aggregate == "token_mean" else 1 / (len(live) * LENGTHS[i])
        objective = objective + weight * terms.sum()
    (-objective).backward()
    return -objective.item(), {name: p.grad.clone() for name, p in policy.named_parameters()}


def assert_same(found, expected):
    # The weights are float64, but Llama's norms and rotations round to float32 inside.
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=5e-8, msg=lambda m: f"{name}: {m}")


@pytest.mark.parametrize("aggregate", ["token_mean", "seq_mean_token_mean"])
@pytest.mark.parametrize("layout", ["shared_prefix", "padded"])
def test_the_gradient_is_the_formula(aggregate, layout):
    loss, expected = reference_gradients(aggregate)
    metrics, found = gradients(Objective(aggregate=aggregate), layout=layout)
    assert metrics["train/loss"] == pytest.approx(loss, rel=1e-6)
    assert_same(found, expected)


def test_kl_and_temperature():
    frozen = model(seed=2)
    objective = Objective(kl_beta=0.3, temperature=0.7)
    loss, expected = reference_gradients("token_mean", kl_beta=0.3, temperature=0.7, frozen=frozen)
    metrics, found = gradients(objective, reference=frozen)
    assert metrics["train/loss"] == pytest.approx(loss, rel=1e-6)
    assert metrics["train/kl"] > 0
    assert_same(found, expected)


@pytest.mark.parametrize(
    "cut",
    [
        {"token_budget": 1},  # every completion alone
        {"token_budget": 12},
        {"token_budget": 25, "layout": "padded"},
        {"logprob_chunk_tokens": 1},
        {"logprob_chunk_tokens": 7, "token_budget": 20},
        {"gradient_checkpointing": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("aggregate", ["token_mean", "seq_mean_token_mean"])
def test_no_cut_changes_the_gradient(aggregate, cut):
    objective = Objective(aggregate=aggregate, kl_beta=0.1)
    frozen = model(seed=2)
    whole, expected = gradients(objective, reference=frozen, token_budget=10_000)
    parts, found = gradients(objective, reference=frozen, **cut)
    assert parts["train/loss"] == pytest.approx(whole["train/loss"], rel=1e-6)
    assert parts["train/entropy"] == pytest.approx(whole["train/entropy"], rel=1e-6)
    assert_same(found, expected)


def test_budgets_really_cut():
    batches = micro_batches(rollouts(), range(8), token_budget=12, layout="shared_prefix")
    assert len(batches) > 3
    assert all(batch.input_ids_BL.numel() <= 12 for batch in batches)


def test_the_order_of_rows_does_not_matter():
    _, expected = gradients(Objective())
    _, found = gradients(Objective(), order=[10, 3, 5, 0, 8, 2, 9, 7, 1, 6, 4])
    assert_same(found, expected)


def test_later_epochs_use_the_policy_that_sampled():
    """Two epochs with a ratio clipped to nothing after the first: the second gradient must vanish."""
    policy = model()
    learner = Learner(policy, Objective(epochs=2, clip_low=0.0, clip_high=0.0), max_grad_norm=0.0)
    metrics = learner.update(rollouts(), advantages(), lr=1e-3)
    assert metrics["train/ratio"] != 1.0
    assert metrics["train/clip_low"] + metrics["train/clip_high"] > 0.5
    # What is not clipped moved the wrong way; it may still be corrected.
    one = Learner(model(), Objective(epochs=1), max_grad_norm=0.0)
    assert metrics["train/grad_norm"] < one.update(rollouts(), advantages(), lr=0.0)["train/grad_norm"]


def test_a_step_without_a_signal_changes_nothing():
    policy = model()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    learner = Learner(policy, Objective())
    dead = group_advantages([0.3] * len(LENGTHS), GROUPS)
    metrics = learner.update(rollouts(), dead, lr=1.0)
    assert metrics == {"train/rows": 0, "train/tokens": 0}
    assert all(torch.equal(before[name], value) for name, value in policy.state_dict().items())


def test_dead_groups_leave_the_denominator_too():
    """Adding a group without a signal to a step must not shrink the others' gradient."""
    _, with_dead = gradients(Objective(kl_beta=0.0))
    keep = [i for i in range(len(LENGTHS)) if GROUPS[i] != 3]
    _, without = gradients(Objective(kl_beta=0.0), order=keep)
    assert_same(with_dead, without)


def test_a_gradient_that_is_not_finite_stops_and_leaves_the_weights():
    from grpo_rs.errors import ModelError

    policy = model()
    learner = Learner(policy, Objective())
    before = policy.model.norm.weight.detach().clone()
    broken = advantages()
    broken.values[0] = np.inf
    with pytest.raises(ModelError, match="not finite"):
        learner.update(rollouts(), broken, lr=1.0)
    assert torch.equal(before, policy.model.norm.weight)
