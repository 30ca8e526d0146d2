"""AdamW with master weights, clipping and decay, against torch's own and against sums written out."""

import copy

import pytest
import torch
from grpo_rs.learner.optimizer import PolicyOptimizer
from torch import nn

STEPS, LR = 30, 1e-3


def network(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Linear(16, 4)).to(dtype)


def inputs():
    torch.manual_seed(1)
    return torch.randn(STEPS, 32, 8), torch.randn(STEPS, 32, 4)


def fit(model, optimizer, step=None):
    for x, y in zip(*inputs(), strict=True):
        optimizer.zero_grad()
        dtype = next(model.parameters()).dtype
        (model(x.to(dtype)) - y.to(dtype)).square().mean().backward()
        optimizer.step(LR, norm=optimizer.grad_norm()) if step is None else step()
    return torch.cat([p.detach().double().flatten() for p in model.parameters()])


def test_without_masters_it_is_torchs_adamw():
    model, other = network(), network()
    adamw = torch.optim.AdamW(other.parameters(), lr=LR, weight_decay=0.1, betas=(0.9, 0.95))
    optimizer = PolicyOptimizer(model, weight_decay=0.1, decay_on="all", betas=(0.9, 0.95), max_grad_norm=0.0)
    expected = fit(other, adamw, adamw.step)
    torch.testing.assert_close(fit(model, optimizer), expected, rtol=1e-5, atol=1e-7)


def test_clipping_is_torchs():
    model, other = network(), network()
    adamw = torch.optim.AdamW(other.parameters(), lr=LR, weight_decay=0.0)

    def step():
        torch.nn.utils.clip_grad_norm_(other.parameters(), 0.05)
        adamw.step()

    expected = fit(other, adamw, step)
    torch.testing.assert_close(fit(model, PolicyOptimizer(model, max_grad_norm=0.05)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("decay_on", "decays"), [("matrices", {0, 4}), ("all", {0, 1, 2, 3, 4, 5})])
def test_norms_and_biases_decay_only_if_asked(dtype, decay_on, decays):
    model = network(dtype)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(1.0)
    optimizer = PolicyOptimizer(model, weight_decay=0.5, decay_on=decay_on)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step(0.5, norm=0.0)
    found = {index for index, p in enumerate(model.parameters()) if bool((p == 0.75).all())}
    assert found == decays


def test_master_weights_follow_float32_closer():
    exact = fit(full := network(), PolicyOptimizer(full))
    gaps = {}
    for master in ("float32", "none"):
        model = network(torch.bfloat16)
        gaps[master] = (fit(model, PolicyOptimizer(model, master_weights=master)) - exact).norm().item()
    assert gaps["float32"] < 0.8 * gaps["none"]


def test_steps_below_the_last_bit_add_up_in_master_weights():
    moved = {}
    for master in ("float32", "none"):
        model = nn.Linear(4, 4, bias=False, dtype=torch.bfloat16)
        nn.init.ones_(model.weight)
        optimizer = PolicyOptimizer(model, master_weights=master, max_grad_norm=0.0)
        for _ in range(100):
            model.weight.grad = torch.ones_like(model.weight)
            optimizer.step(1e-4, norm=4.0)  # AdamW moves by about lr: a fortieth of the last bit
        moved[master] = 1.0 - model.weight.detach().float().mean().item()
    assert moved["none"] == 0.0
    assert moved["float32"] == pytest.approx(0.01, rel=0.25)


def test_blocks_of_masters_are_one_step(monkeypatch):
    whole = fit(model := network(torch.bfloat16), PolicyOptimizer(model, weight_decay=0.1))
    monkeypatch.setattr("grpo_rs.learner.optimizer.BLOCK", 20)
    parts = fit(model := network(torch.bfloat16), PolicyOptimizer(model, weight_decay=0.1))
    assert torch.equal(whole, parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_state_that_is_taken_up_goes_on_exactly(dtype):
    model = network(dtype)
    optimizer = PolicyOptimizer(model)
    fit(model, optimizer)
    other = network(dtype)
    other.load_state_dict(model.state_dict())
    resumed = PolicyOptimizer(other)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # as from a file
    assert torch.equal(fit(model, optimizer), fit(other, resumed))


def test_frozen_parameters_are_left_alone():
    model = network()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    optimizer = PolicyOptimizer(model)
    assert len(optimizer.parameters) == 4
    fit(model, optimizer)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_the_norm_tells_of_what_is_not_finite(value):
    model = network(torch.bfloat16)
    optimizer = PolicyOptimizer(model)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    numbers = sum(p.numel() for p in model.parameters())
    assert optimizer.grad_norm() == pytest.approx(numbers**0.5, rel=1e-6)
    model[2].bias.grad[1] = value
    assert not torch.isfinite(torch.tensor(optimizer.grad_norm()))
