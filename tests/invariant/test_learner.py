"""The update is the formula, however the step is cut, packed or padded.

Two references know none of the learner's code. `reference_gradients` is DeepSeekMath's equation 3 written
out, one completion at a time through the model's own logits. `Plain` takes the same optimiser steps as the
learner with all completions at once, and no micro-batches, windows or passes of any kind.
"""

import copy

import numpy as np
import pytest
import torch
from grpo_rs import Advantages, Rollouts, Tokens, group_advantages
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.objective import TokenBatch, policy_loss
from grpo_rs.algo.presets import PRESETS as EVERY_PRESET
from grpo_rs.algo.presets import preset
from grpo_rs.errors import ModelError
from grpo_rs.learner import learner as learner_module
from grpo_rs.learner import logprobs
from grpo_rs.learner.layout import micro_batches
from grpo_rs.learner.learner import Learner, optimiser_windows
from grpo_rs.learner.nonfinite import NonFiniteError
from grpo_rs.testing import tiny_model

PROMPTS = [[3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13, 3], [4, 4, 4]]
LENGTHS = [5, 2, 7, 1, 3, 4, 6, 2, 2, 3, 1]
GROUPS = [0, 2, 0, 1, 2, 0, 1, 2, 1, 3, 3]  # ragged and interleaved
REWARDS = [1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.0, np.nan, 0.25, 0.1, 0.1]  # group 3 is dead
LIVE = [i for i in range(len(LENGTHS)) if GROUPS[i] != 3 and not np.isnan(REWARDS[i])]
ORDER = range(len(LENGTHS))
SHUFFLED = [10, 3, 5, 0, 8, 2, 9, 7, 1, 6, 4]
# AdamW divides by the root of its second moment: with so large an epsilon, rounding stays rounding.
EPSILON = 1e-2
PRESETS = {
    "grpo": preset("grpo", kl_beta=0.2),
    "dapo": preset("dapo"),
    "gspo": preset("gspo", clip_low=0.05, clip_high=0.06),
    "scalerl": preset("scalerl", weight_max=1.02),
    "cispo_icepop": preset("cispo", correction="mask", correction_min=0.9, correction_max=1.1),
    "icepop_renormalised": preset(
        "icepop", correction_min=0.9, correction_max=1.1, masked_in_denominator=False
    ),
    "top_entropy": preset("top_entropy", entropy_top=0.5),
    "real": preset("real"),
    "grpo_v32": preset("grpo_v32", kl_beta=0.2, opsm_delta=0.02),
    "entropy_bonus": preset("dapo", entropy_bonus=0.1),
    "dr_grpo": preset("dr_grpo"),
}


def rollouts(order=ORDER):
    random = np.random.default_rng(0)
    rows = [random.integers(1, 15, length) for length in LENGTHS]
    # Near the policy's own, about -2.7 nats: ratios to the sampler lie on both sides of every bound.
    sampled = [random.normal(-2.7, 0.3, length).astype(np.float32) for length in LENGTHS]
    completions = Tokens.from_rows([rows[i] for i in order])
    return Rollouts(
        prompts=Tokens.from_rows(PROMPTS),
        prompt_index=np.arange(len(PROMPTS)),
        completions=completions,
        group_ids=np.array([GROUPS[i] for i in order]),
        sampler_logprobs=np.concatenate([sampled[i] for i in order]),
        finished=np.ones(len(completions), bool),
        rewards=np.array([REWARDS[i] for i in order]),
    )


def advantages(order=ORDER):
    return group_advantages([REWARDS[i] for i in order], [GROUPS[i] for i in order])


def model(seed=1):
    # Wide initial weights: an untrained model of 0.02 gives nearly uniform logits, which hide mistakes.
    return tiny_model(seed, hidden_size=32, num_layers=2, num_heads=2).double()


def gradients(algo, *, order=ORDER, reference=None, lr=0.0, **arguments):
    policy = model()
    options = {"max_grad_norm": 0.0, "epsilon": EPSILON, "completion_limit": 8} | arguments
    learner = Learner(policy, algo, **options)
    if reference is not None:
        learner.freeze_reference(reference)
    metrics = learner.update(rollouts(order), advantages(order), lr=lr)
    return metrics, {name: p.grad.clone() for name, p in policy.named_parameters()}


def plain_logprobs(network, table, row, temperature=1.0):
    """One completion through the model's own logits: log-probabilities and entropies."""
    prompt = table.prompts[table.group_ids[row]].tolist()
    completion = table.completions[row].tolist()
    logits = network(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1] / temperature
    logp = logits.log_softmax(-1)
    chosen = logp[torch.arange(len(completion)), torch.tensor(completion)]
    return chosen, -(logp.exp() * logp).sum(-1)


def reference_gradients(aggregate, *, kl_beta=0.0, temperature=1.0, frozen=None):
    """Equation 3 written out, with the on-policy ratio 1."""
    policy, table, adv = model(), rollouts(), advantages()
    total = sum(LENGTHS[i] for i in LIVE)
    objective = torch.zeros((), dtype=torch.float64)
    for i in LIVE:
        logp, _ = plain_logprobs(policy, table, i, temperature)
        terms = torch.exp(logp - logp.detach()) * float(adv.values[i])
        if kl_beta:
            gap = plain_logprobs(frozen, table, i, temperature)[0].detach() - logp
            terms = terms - kl_beta * (torch.exp(gap) - gap - 1)
        weight = 1 / total if aggregate == "token_mean" else 1 / (len(LIVE) * LENGTHS[i])
        objective = objective + weight * terms.sum()
    (-objective).backward()
    return -objective.item(), {name: p.grad.clone() for name, p in policy.named_parameters()}


class Plain:
    """The update with all completions of an optimiser step at once."""

    def __init__(self, algo, *, reference, lr, temperature=1.0):
        self.algo, self.reference, self.lr, self.temperature = algo, reference, lr, temperature
        self.policy = model()
        self.adamw = torch.optim.AdamW(self.policy.parameters(), lr=lr, eps=EPSILON, weight_decay=0.0)

    def tokens(self, network, rows):
        pairs = [plain_logprobs(network, rollouts(), row, self.temperature) for row in rows]
        return (torch.cat(part) for part in zip(*pairs, strict=True))

    def update(self):
        """Takes the steps; returns the last one's loss and gradient."""
        table, adv = rollouts(), advantages()
        groups = [g for g in dict.fromkeys(GROUPS) if any(GROUPS[i] == g for i in LIVE)]
        parts = [set(part.tolist()) for part in np.array_split(groups, self.algo.minibatches)]
        windows = [[i for i in LIVE if GROUPS[i] in part] for part in parts]
        with torch.no_grad():
            old = {i: plain_logprobs(self.policy, table, i, self.temperature)[0] for i in LIVE}
        for _ in range(self.algo.epochs):
            for rows in windows:
                loss = self.loss(table, adv, rows, old)
                self.adamw.zero_grad()
                loss.backward()
                self.adamw.step()
        return loss.item(), {name: p.grad.clone() for name, p in self.policy.named_parameters()}

    def loss(self, table, adv, rows, old):
        logp, entropy = self.tokens(self.policy, rows)
        reference = None
        if self.reference is not None:
            reference = next(iter(self.tokens(self.reference, rows))).detach()
        lengths = np.array([LENGTHS[i] for i in rows])
        repeated = torch.from_numpy(np.repeat(np.arange(len(rows)), lengths))
        groups = np.array([GROUPS[i] for i in rows])
        sampled = [table.sampler_logprobs[slice(*table.completions.offsets[i : i + 2])] for i in rows]

        def loss_with(kept):
            weights = token_weights_N(self.algo, lengths, groups, limit=8, kept_N=kept)
            return policy_loss(
                self.algo,
                TokenBatch(
                    logp_T=logp,
                    advantage_T=torch.from_numpy(adv.values[rows])[repeated],
                    weight_T=torch.from_numpy(weights)[repeated],
                    row_T=repeated,
                    old_logp_T=torch.cat([old[i] for i in rows]),
                    rollout_logp_T=torch.from_numpy(np.concatenate(sampled)).double(),
                    ref_logp_T=reference,
                    entropy_T=entropy,
                    group_N=torch.from_numpy(groups),
                    failed_N=torch.tensor([REWARDS[i] <= 0 for i in rows]),
                    truncated_N=torch.zeros(len(rows), dtype=torch.bool),
                ),
            )

        result = loss_with(lengths)
        if not self.algo.masked_in_denominator:
            kept = np.bincount(repeated, result.metrics["kept"], minlength=len(rows)).astype(np.int64)
            assert kept.sum() < lengths.sum()
            result = loss_with(kept)
        return result.loss


def assert_same(found, expected):
    # The weights are float64, but Llama's norms and rotations round to float32 inside.
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=5e-8, msg=lambda m: f"{name}: {m}")


# ---- The formula ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["token_mean", "seq_mean_token_mean"])
@pytest.mark.parametrize("layout", ["shared_prefix", "padded"])
def test_the_gradient_is_the_formula(aggregate, layout):
    loss, expected = reference_gradients(aggregate)
    metrics, found = gradients(preset("dapo", aggregate=aggregate), layout=layout)
    assert metrics["train/loss"] == pytest.approx(loss, rel=1e-6)
    assert_same(found, expected)


def test_kl_and_temperature():
    frozen = model(seed=2)
    loss, expected = reference_gradients("token_mean", kl_beta=0.3, temperature=0.7, frozen=frozen)
    algo = preset("dapo", kl="k3", kl_beta=0.3)
    metrics, found = gradients(algo, reference=frozen, temperature=0.7)
    assert metrics["train/loss"] == pytest.approx(loss, rel=1e-6)
    assert metrics["train/kl"] > 0
    assert_same(found, expected)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "steps", [{"epochs": 2}, {"minibatches": 2}, {"epochs": 2, "minibatches": 2}], ids=str
)
def test_several_optimiser_steps_are_those_of_the_plain_update(name, steps):
    """The gradient of the last step, when ratios are no longer 1; cut into micro-batches of a few tokens."""
    algo = preset(PRESETS[name].preset, **changes(PRESETS[name]) | steps)
    frozen = model(seed=2) if algo.needs_reference else None
    loss, expected = Plain(algo, reference=frozen, lr=0.05).update()
    metrics, found = gradients(algo, reference=frozen, lr=0.05, token_budget=12)
    assert metrics["train/optimiser_steps"] == algo.minibatches
    if "train/ratio" in metrics and name != "icepop_renormalised":  # which drops those of its last window
        assert metrics["train/ratio"] != pytest.approx(1.0, abs=1e-4)
    if algo.minibatches == 1:
        assert metrics["train/loss"] == pytest.approx(loss, rel=1e-5)
    assert_same(found, expected)


def changes(algo):
    return {name: getattr(algo, name) for name in algo.changes()}


# ---- Invariance ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        {"token_budget": 1},  # every completion alone
        {"token_budget": 12},
        {"token_budget": 25, "layout": "padded"},
        {"logprob_chunk_tokens": 1},
        {"logprob_chunk_tokens": 7, "token_budget": 20},
        {"gradient_checkpointing": True},
        {"order": SHUFFLED},
        {"order": SHUFFLED, "token_budget": 12, "layout": "padded"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", PRESETS)
def test_no_cut_changes_the_gradient(name, cut):
    algo = PRESETS[name]
    frozen = model(seed=2) if algo.needs_reference else None
    whole, expected = gradients(algo, reference=frozen, token_budget=10_000)
    parts, found = gradients(algo, reference=frozen, **cut)
    assert whole.keys() == parts.keys()
    for metric, value in whole.items():
        if metric not in ("train/micro_batches", "train/forward_tokens", "train/padding_tokens"):
            assert parts[metric] == pytest.approx(value, rel=1e-5, abs=1e-9), metric
    assert_same(found, expected)
    assert any(gradient.abs().max() > 1e-4 for gradient in expected.values())


def test_budgets_really_cut():
    batches = micro_batches(rollouts(), range(8), token_budget=12, layout="shared_prefix")
    assert len(batches) > 3
    assert all(batch.input_ids_BL.numel() <= 12 for batch in batches)


def test_windows_hold_whole_groups_in_even_shares():
    rows = np.arange(len(GROUPS))
    for minibatches in range(1, 7):
        windows = optimiser_windows(np.array(GROUPS), rows, minibatches)
        assert len(windows) == min(minibatches, 4)
        assert sorted(np.concatenate(windows)) == list(rows)
        found = [set(np.array(GROUPS)[window]) for window in windows]
        assert sum(len(groups) for groups in found) == 4
        assert max(map(len, found)) - min(map(len, found)) <= 1


def test_every_minibatch_has_denominators_of_its_own():
    """Two minibatches of one group each are the two updates on those groups alone, one after the other."""
    algo = preset("dapo", minibatches=2)
    keep = [i for i in ORDER if GROUPS[i] in (0, 1)]
    _, found = gradients(algo, order=keep, lr=0.0)
    _, alone = gradients(preset("dapo"), order=[i for i in keep if GROUPS[i] == 1], lr=0.0)
    assert_same(found, alone)


# ---- Log-probabilities -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_square_sums_are_those_of_the_models_own_logits(temperature):
    learner = Learner(model(), preset("otb"), temperature=temperature, logprob_chunk_tokens=3)
    logp, squares = learner.square_sums(rollouts())
    table, offset = rollouts(), 0
    for row in range(len(table)):
        prompt, completion = table.prompts[table.group_ids[row]].tolist(), table.completions[row].tolist()
        with torch.no_grad():
            logits = learner.model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        p = (logits / temperature).softmax(-1)
        tokens = slice(offset, offset + len(completion))
        np.testing.assert_allclose(squares[tokens], p.square().sum(-1), rtol=1e-9)
        chosen = p[torch.arange(len(completion)), torch.tensor(completion)].log()
        np.testing.assert_allclose(logp[tokens], chosen, rtol=1e-9)
        offset = tokens.stop
    np.testing.assert_allclose(logp, learner.logprobs(table), rtol=1e-12)


# ---- Gradients of the head in the forward pass -------------------------------------------------------------

LOCAL = [n for n in EVERY_PRESET if preset(n).token_local and not preset(n).needs_entropy_gradient]


def counted_products(monkeypatch):
    calls, inner = [], logprobs._product
    monkeypatch.setattr(logprobs, "_product", lambda *operands: calls.append(1) or inner(*operands))
    return calls


@pytest.mark.parametrize("name", EVERY_PRESET)
def test_gradients_at_once_are_those_of_the_backward_pass(monkeypatch, name):
    """Chunks of three tokens cut completions; later steps have ratios beside 1, so bounds and masks act."""
    algo = preset(name, epochs=2)
    options = {"reference": model(seed=2) if algo.needs_reference else None, "lr": 0.05}
    options |= {"logprob_chunk_tokens": 3, "token_budget": 24}
    calls = counted_products(monkeypatch)
    metrics, found = gradients(algo, **options)
    at_once = len(calls)
    calls.clear()
    monkeypatch.setattr(learner_module, "completion_logprobs_T", without_guess())
    expected_metrics, expected = gradients(algo, **options)
    assert_same(found, expected)
    assert metrics == pytest.approx(expected_metrics, rel=1e-9, abs=1e-12, nan_ok=True)
    # What is told after a first pass, or by the tokens alone, needs no second product.
    told = name in LOCAL or algo.needs_whole_step or algo.needs_whole_groups
    assert (at_once < len(calls)) == told


def without_guess():
    inner = learner_module.completion_logprobs_T
    return lambda *arguments, **options: inner(*arguments, **options | {"coefficients": None})


@pytest.mark.parametrize("name", LOCAL)
def test_a_local_objective_is_told_without_its_other_tokens(monkeypatch, name):
    """Were a guess wrong, the head would be computed again."""
    algo = preset(name, epochs=2)
    backward = []
    apply = logprobs._HeadLogprobs.backward

    def counted(*arguments):
        before = len(calls)
        found = apply(*arguments)
        backward.append(len(calls) - before)
        return found

    calls = counted_products(monkeypatch)
    monkeypatch.setattr(logprobs._HeadLogprobs, "backward", staticmethod(counted))
    reference = model(seed=2) if algo.needs_reference else None
    gradients(algo, reference=reference, lr=0.05, logprob_chunk_tokens=3, token_budget=24)
    assert backward and not any(backward)


# ---- What is left out --------------------------------------------------------------------------------------


def forwards(monkeypatch):
    """Counts the tokens of forward passes, with and without gradients."""
    counted = {"grad": 0, "no_grad": 0}
    inner = learner_module.completion_logprobs_T

    def counting(network, batch, **arguments):
        counted["grad" if torch.is_grad_enabled() else "no_grad"] += len(batch.target_T)
        return inner(network, batch, **arguments)

    monkeypatch.setattr(learner_module, "completion_logprobs_T", counting)
    return counted


ALL = sum(LENGTHS[i] for i in LIVE)
# Row 5 has the mean reward of its group: an advantage of 0, and no gradient unless there is a KL term.
SILENT = LENGTHS[5]
ACTING = ALL - SILENT


@pytest.mark.parametrize(
    ("algo", "grad", "no_grad"),
    [
        (preset("dapo"), ACTING, 0),
        pytest.param(preset("dapo", anchor="self"), ACTING, 0, id="self"),
        (preset("scalerl", minibatches=2, epochs=2), 2 * ACTING, 0),  # the sampler is the anchor
        (preset("dapo", epochs=3), 3 * ACTING, 0),
        (preset("dapo", kl="k3", kl_beta=0.1, epochs=3), 3 * ALL, ALL),  # the reference, once
        (preset("top_entropy"), ALL, 0),  # it fits into one micro-batch
    ],
    ids=lambda value: value.preset if hasattr(value, "preset") else str(value),
)
def test_forward_passes_are_those_that_are_needed(monkeypatch, algo, grad, no_grad):
    counted = forwards(monkeypatch)
    gradients(algo, reference=model(seed=2) if algo.needs_reference else None)
    assert counted == {"grad": grad, "no_grad": no_grad}


def test_old_log_probabilities_are_computed_for_later_windows_only(monkeypatch):
    counted = forwards(monkeypatch)
    gradients(preset("dapo", minibatches=3, epochs=2))
    first = sum(LENGTHS[i] for i in LIVE if GROUPS[i] == 0) - SILENT
    assert counted == {"grad": 2 * ACTING, "no_grad": ACTING - first}


@pytest.mark.parametrize("name", ["dapo", "grpo"])
def test_dead_groups_never_reach_the_forward_pass(monkeypatch, name):
    """Dropped from the denominators ("dapo") or kept in them ("grpo"), they cost nothing."""
    counted = forwards(monkeypatch)
    algo = preset(name, **({"kl_beta": 0.0} if name == "grpo" else {}))
    table, adv = rollouts(), advantages()
    if algo.zero_variance == "keep":
        adv = Advantages(**vars(adv) | {"trainable": ~np.isnan(table.rewards)})
    policy = model()
    Learner(policy, algo, max_grad_norm=0.0).update(table, adv, lr=0.0)
    assert counted == {"grad": ACTING, "no_grad": 0}
    _, expected = reference_gradients("token_mean" if name == "dapo" else "seq_mean_token_mean")
    # Two rows without a signal more in the denominator.
    share = 1.0 if name == "dapo" else len(LIVE) / (len(LIVE) + 2)
    assert_same(
        {n: p.grad for n, p in policy.named_parameters()}, {n: g * share for n, g in expected.items()}
    )


def test_a_kept_group_is_still_held_to_the_reference(monkeypatch):
    counted = forwards(monkeypatch)
    table, adv = rollouts(), advantages()
    adv = Advantages(**vars(adv) | {"trainable": ~np.isnan(table.rewards)})
    learner = Learner(model(), preset("grpo"))
    learner.freeze_reference(model(seed=2))
    learner.update(table, adv, lr=0.0)
    assert counted["grad"] == ALL + 4


def test_a_step_without_a_signal_changes_nothing():
    policy = model()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    learner = Learner(policy, preset("dapo"))
    dead = group_advantages([0.3] * len(LENGTHS), GROUPS)
    metrics = learner.update(rollouts(), dead, lr=1.0)
    assert metrics == {"train/rows": 0, "train/tokens": 0}
    assert all(torch.equal(before[name], value) for name, value in policy.state_dict().items())


def test_dead_groups_leave_the_denominator_too():
    """Adding a group without a signal to a step must not shrink the others' gradient."""
    _, with_dead = gradients(preset("dapo"))
    _, without = gradients(preset("dapo"), order=[i for i in ORDER if GROUPS[i] != 3])
    assert_same(with_dead, without)


def test_completions_cut_off_at_the_limit_are_left_out():
    table = rollouts()
    table.finished[0] = False
    learner = Learner(policy := model(), preset("dapo", overlong_filter=True), max_grad_norm=0.0)
    metrics = learner.update(table, advantages(), lr=0.0)
    assert metrics["train/tokens"] == ACTING - LENGTHS[0]
    adv = advantages()
    adv.values[0] = 0.0
    other = Learner(expected := model(), preset("dapo"), max_grad_norm=0.0)
    other.update(rollouts(), adv, lr=0.0)
    assert_same(
        {n: p.grad for n, p in policy.named_parameters()},
        {n: p.grad for n, p in expected.named_parameters()},
    )


def test_advantages_of_tokens():
    """A token's own advantage takes the place of its completion's."""
    table, adv = rollouts(), advantages()
    flat = np.repeat(adv.values, LENGTHS)
    by_token = copy.copy(adv)
    object.__setattr__(by_token, "token_values", 3.0 * flat)
    found, whole = model(), model()
    Learner(found, preset("dapo"), max_grad_norm=0.0).update(table, by_token, lr=0.0)
    Learner(whole, preset("dapo"), max_grad_norm=0.0).update(table, adv, lr=0.0)
    assert_same(
        {n: p.grad for n, p in found.named_parameters()},
        {n: 3.0 * p.grad for n, p in whole.named_parameters()},
    )


# ---- Log-probabilities -----------------------------------------------------------------------------------


def test_log_probabilities_of_chosen_rows():
    table, frozen = rollouts(), model(seed=2)
    learner = Learner(model(), preset("grpo"), temperature=0.8, token_budget=12)
    learner.freeze_reference(frozen)
    for network, found in (
        (learner.model, learner.logprobs(table, [0, 4])),
        (frozen, learner.reference_logprobs(table, [0, 4])),
    ):
        for row in ORDER:
            part = found[slice(*table.completions.offsets[row : row + 2])]
            if row in (0, 4):
                expected, _ = plain_logprobs(network, table, row, 0.8)
                np.testing.assert_allclose(part, expected.detach(), atol=1e-6)
            else:
                assert np.isnan(part).all()


def test_what_the_caller_knows_is_not_computed_again(monkeypatch):
    algo = preset("grpo", epochs=2, minibatches=2)
    frozen = model(seed=2)
    _, expected = gradients(algo, reference=frozen, lr=0.05)
    learner = Learner(policy := model(), algo, max_grad_norm=0.0, epsilon=EPSILON, completion_limit=8)
    learner.freeze_reference(frozen)
    old, reference = learner.logprobs(rollouts()), learner.reference_logprobs(rollouts())
    counted = forwards(monkeypatch)
    learner.update(rollouts(), advantages(), lr=0.05, old_logp=old, reference_logp=reference)
    assert counted["no_grad"] == 0
    assert_same({n: p.grad for n, p in policy.named_parameters()}, expected)


def test_what_the_caller_knows_is_left_as_it_is():
    known = np.zeros(sum(LENGTHS))
    Learner(model(), preset("dapo")).update(rollouts(), advantages(), lr=0.0, old_logp=known)
    assert not known.any()


def test_a_kl_term_needs_a_reference():
    with pytest.raises(ModelError, match="freeze_reference"):
        gradients(preset("grpo"))
    learner = Learner(model(), preset("grpo"))
    with pytest.raises(ModelError, match="not a model like the policy"):
        learner.freeze_reference(tiny_model(0, hidden_size=16, num_heads=2))


def test_the_reference_stays_where_it_was_frozen():
    learner = Learner(model(), preset("grpo"))
    learner.freeze_reference()
    before = learner.reference_logprobs(rollouts())
    learner.update(rollouts(), advantages(), lr=0.05)
    assert np.array_equal(learner.reference_logprobs(rollouts()), before)
    assert np.abs(learner.logprobs(rollouts()) - before).max() > 1e-3
    learner.freeze_reference()
    assert np.array_equal(learner.reference_logprobs(rollouts()), learner.logprobs(rollouts()))


# ---- Numbers that are not finite ---------------------------------------------------------------------------


def test_an_advantage_that_is_not_finite_stops_and_leaves_the_weights():
    policy = model()
    learner = Learner(policy, preset("dapo"))
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    broken = advantages()
    broken.values[4] = np.nan  # a row of group 2
    with pytest.raises(NonFiniteError, match="advantage is not finite") as caught:
        learner.update(rollouts(), broken, lr=1.0)
    assert caught.value.facts["group"] == 2
    assert caught.value.facts["rows"] == [1, 4]
    assert np.isnan(caught.value.arrays["advantage"]).sum() == LENGTHS[4]
    assert all(torch.equal(before[name], p) for name, p in policy.named_parameters())
    assert all(p.grad is None for p in policy.parameters())


def test_a_gradient_that_is_not_finite_names_its_group_and_parameter():
    """The loss is finite; the backward pass of one token is not."""
    policy = model()
    learner = Learner(policy, preset("dapo"))
    before = policy.model.norm.weight.detach().clone()
    token = rollouts().completions[2][0]  # of group 0

    def spoil(_module, arguments, output):
        if output.requires_grad:
            hit = (arguments[0] == int(token)).any(-1, keepdim=True).any()
            output.register_hook(lambda grad: grad * (torch.nan if hit else 1.0))

    policy.get_input_embeddings().register_forward_hook(spoil)
    with pytest.raises(NonFiniteError, match="the gradient of model") as caught:
        learner.update(rollouts(), advantages(), lr=1.0)
    assert int(token) in caught.value.arrays["completion_tokens"]
    assert "model.embed_tokens.weight" in caught.value.facts["parameters"]
    assert torch.equal(before, policy.model.norm.weight)


def test_weights_that_are_not_finite_are_told_by_the_first_number():
    policy = model()
    with torch.no_grad():
        policy.model.norm.weight[0] = torch.inf
    with pytest.raises(NonFiniteError, match="^log-probability is not finite"):
        Learner(policy, preset("dapo")).update(rollouts(), advantages(), lr=1.0)


def test_the_group_that_is_named_is_the_one_that_is_broken():
    """A step ends in the middle: what was not yet computed of other groups is not what broke."""
    table = rollouts(SHUFFLED)
    for row in np.flatnonzero(table.group_ids == 0):
        table.sampler_logprobs[slice(*table.completions.offsets[row : row + 2])] = -np.inf
    learner = Learner(model(), preset("icepop"), token_budget=9)
    live = np.array([i for i, row in enumerate(SHUFFLED) if row in LIVE])
    first = learner.plan(table, live)[0].row_T.numpy()
    assert (
        set(table.group_ids[first]) == {0} != {table.group_ids[live[0]]}
    )  # the first pass, not the first row
    with pytest.raises(NonFiniteError, match="sampler log-probability") as caught:
        learner.update(table, advantages(SHUFFLED), lr=1.0)
    assert caught.value.facts["group"] == 0
    assert caught.value.facts["not_finite"] == ["sampler log-probability"]


def test_the_diagnosis_fits_into_the_token_budget(monkeypatch):
    broken, sizes = advantages(), []
    broken.values[4] = np.nan
    learner = Learner(model(), preset("dapo"), token_budget=16)
    inner = learner_module.completion_logprobs_T

    def counted(network, batch, **arguments):
        sizes.append((torch.is_grad_enabled(), batch.input_ids_BL.numel()))
        return inner(network, batch, **arguments)

    monkeypatch.setattr(learner_module, "completion_logprobs_T", counted)
    forward = len(learner.plan(rollouts(), np.array(LIVE)))
    with pytest.raises(NonFiniteError):
        learner.update(rollouts(), broken, lr=1.0)
    assert len(sizes) > forward and max(size for _, size in sizes) <= 16
    # A group's numbers are looked at without a gradient; what is differentiated is one micro-batch at a time.
    assert not sizes[forward][0]


# ---- Memory runs out ---------------------------------------------------------------------------------------

CPU_ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(CPU_ALLOCATOR), MemoryError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("name", ["dapo", "top_entropy", "grpo"])
def test_running_out_of_memory_loses_nothing(monkeypatch, name, error):
    """The step is done again with half the budget: bit for bit as if that had been the budget."""
    algo = preset(PRESETS[name].preset, **changes(PRESETS[name]) | {"epochs": 2})
    frozen = model(seed=2) if algo.needs_reference else None
    expected_metrics, expected = gradients(algo, reference=frozen, lr=0.05, token_budget=16)
    inner = learner_module.completion_logprobs_T

    def exhausted(network, batch, **arguments):
        if batch.input_ids_BL.numel() > 16:
            raise error
        return inner(network, batch, **arguments)

    monkeypatch.setattr(learner_module, "completion_logprobs_T", exhausted)
    metrics, found = gradients(algo, reference=frozen, lr=0.05, token_budget=64)
    assert metrics == expected_metrics
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def test_running_out_of_memory_half_way_forgets_half_a_gradient(monkeypatch):
    _, expected = gradients(preset("dapo"), token_budget=12)
    inner, calls = learner_module.completion_logprobs_T, []

    def fails_once(network, batch, **arguments):
        calls.append(batch)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(network, batch, **arguments)

    monkeypatch.setattr(learner_module, "completion_logprobs_T", fails_once)
    _, found = gradients(preset("dapo"), token_budget=24)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def test_a_completion_that_does_not_fit_alone_says_what_helps(monkeypatch):
    def exhausted(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(learner_module, "completion_logprobs_T", exhausted)
    with pytest.raises(ModelError, match="learner.gradient_checkpointing"):
        gradients(preset("dapo"))


def test_the_moments_are_there_before_the_first_forward_pass(monkeypatch):
    """So that an optimiser that does not fit is found out before the weights move."""
    learner = Learner(model(), preset("dapo"))
    inner, seen = learner_module.completion_logprobs_T, []

    def looking(*arguments, **options):
        seen.append([learner.optimizer.adamw.state[p]["exp_avg"].shape for p in learner.optimizer.parameters])
        return inner(*arguments, **options)

    monkeypatch.setattr(learner_module, "completion_logprobs_T", looking)
    learner.update(rollouts(), advantages(), lr=0.1)
    assert seen[0] == [p.shape for p in learner.optimizer.parameters]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_moments_made_beforehand_are_adamws_own(dtype):
    """The same weights after two steps as by an optimiser that makes them itself; and the same state."""
    found = []
    for beforehand in (True, False):
        learner = Learner(model().to(dtype), preset("dapo"), weight_decay=0.1)
        if beforehand:
            learner.optimizer.allocate()
        else:
            learner.optimizer.allocate = lambda: None
        for _ in range(2):
            learner.update(rollouts(), advantages(), lr=0.1)
        found.append((learner.model.state_dict(), learner.optimizer.state_dict()))
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_no_room_for_the_moments_is_said(monkeypatch):
    def exhausted():
        raise RuntimeError(CPU_ALLOCATOR)

    learner = Learner(model(), preset("dapo"))
    monkeypatch.setattr(learner.optimizer, "allocate", exhausted)
    with pytest.raises(ModelError, match="memory ran out"):
        learner.update(rollouts(), advantages(), lr=0.1)


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(learner_module, "completion_logprobs_T", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        gradients(preset("dapo"))
