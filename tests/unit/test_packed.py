"""Linear layers with rearranged weights: the same products, never of old weights, and gone outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grpo_rs.rollout import packed
from grpo_rs.rollout.packed import PackedLinears
from grpo_rs.rollout.sampler import SamplingParams
from grpo_rs.rollout.torch_sampler import TorchSampler
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

DTYPES = (torch.float32, torch.bfloat16)
works = {dtype: packed.works(dtype) for dtype in DTYPES}
pytestmark = pytest.mark.skipif(not works[torch.float32], reason="an x86 processor with oneDNN is needed")


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, attention_bias=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    return model


def sample(model: LlamaForCausalLM, new_tokens: int = 24) -> list[tuple[int, int, list[int], np.ndarray]]:
    sampler = TorchSampler(model, [])
    seeds = np.arange(6, dtype=np.uint64).reshape(2, 3)
    params = SamplingParams(new_tokens, temperature=1.0)
    found = sampler.stream([[5, 6, 7], [8, 9, 10, 11]], seeds, params)
    return sorted(((c.group, c.member, c.tokens.tolist(), c.logprobs) for c in found), key=lambda c: c[:2])


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if works[dtype]])
@pytest.mark.parametrize("rows", [(1,), (7,), (1, 40), (5, 1)])
def test_products_are_those_of_float64(
    model: LlamaForCausalLM, dtype: torch.dtype, rows: tuple[int, ...]
) -> None:
    layers = [module for module in model.to(dtype).modules() if type(module) is nn.Linear]
    with torch.no_grad(), PackedLinears(model):
        assert sum("forward" in vars(layer) for layer in layers) > len(layers) / 2
        for layer in layers:
            input = torch.randn(*rows, layer.in_features, dtype=dtype)
            exact = input.double() @ layer.weight.double().mT
            exact += 0.0 if layer.bias is None else layer.bias.double()
            gap = (layer(input).double() - exact).abs().max() / exact.abs().max()
            assert gap < 16 * torch.finfo(dtype).eps  # sums of up to 512


def test_small_layers_and_other_types_are_left_alone(model: LlamaForCausalLM) -> None:
    class Own(nn.Linear):
        pass

    hooked = model.model.layers[0].mlp.up_proj
    hooked.forward = lambda input: input  # as libraries do that move weights about
    model.model.layers[0].mlp.down_proj = Own(512, 256)
    model.model.layers[0].mlp.gate_proj = nn.Linear(256, 512, dtype=torch.float64)
    model.model.layers[0].self_attn.k_proj = nn.Linear(256, 128)  # 2 ** 15 elements
    before = hooked.forward
    with PackedLinears(model):
        assert hooked.forward is before
        for layer in (model.model.layers[0].mlp.down_proj, model.model.layers[0].mlp.gate_proj):
            assert "forward" not in vars(layer)
        assert "forward" not in vars(model.model.layers[0].self_attn.k_proj)
        assert "forward" in vars(model.model.layers[1].mlp.down_proj)


def test_other_tensors_and_inputs_are_left_alone(model: LlamaForCausalLM) -> None:
    with torch.inference_mode():
        model.lm_head = nn.Linear(256, 512)
    with torch.no_grad(), PackedLinears(model):
        assert "forward" not in vars(model.lm_head)
        layer = model.model.layers[0].mlp.up_proj
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rows = torch.randn(3, 256).bfloat16()
            expected = nn.functional.linear(rows, layer.weight)
            assert torch.equal(layer(rows), expected)
            assert expected.dtype == torch.bfloat16


def test_without_memory_for_copies_layers_stay_as_they_are(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sample(model)
    made = []
    real = packed._pack

    def runs_out(weight: torch.Tensor) -> torch.Tensor:
        if len(made) == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        made.append(weight)
        return real(weight)

    monkeypatch.setattr(packed, "_pack", runs_out)
    found = sample(model)
    assert len(made) == 3
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    assert not any("forward" in vars(module) for module in model.modules())


def test_weights_changed_outside_are_seen(model: LlamaForCausalLM) -> None:
    layer = model.lm_head
    rows = torch.randn(3, 256)
    linears = PackedLinears(model)
    with torch.no_grad():
        with linears:
            first = layer(rows)
        layer.weight *= 2
        with linears:
            assert torch.allclose(layer(rows), 2 * first)
        layer.weight = nn.Parameter(layer.weight / 4)
        with linears:
            assert torch.allclose(layer(rows), first / 2)


def test_training_while_a_stream_rests(model: LlamaForCausalLM) -> None:
    """Between two completions the model has gradients, and the later tokens come from the new weights."""
    sampler = TorchSampler(model, [])
    seeds = np.arange(2, dtype=np.uint64).reshape(1, 2)
    stream = sampler.stream_limited(
        [[5, 6, 7]], seeds, SamplingParams(40, temperature=0.0), np.array([[2, 40]])
    )
    next(stream)
    assert not any("forward" in vars(module) for module in model.modules())
    model(input_ids=torch.tensor([[1, 2, 3]])).logits.logsumexp(-1).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[77] = 0.0
    (rest,) = stream
    # All logits are 0 now, so each token is as probable as any other.
    assert rest.logprobs[3:] == pytest.approx(-np.log(512), abs=1e-5)


def test_nothing_stays_behind_when_sampling_fails(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fails(*_: object, **__: object) -> None:
        seen.append("forward" in vars(model.lm_head))
        raise ValueError("no")

    monkeypatch.setattr("grpo_rs.rollout.torch_sampler.draw", fails)
    with pytest.raises(ValueError, match="no"):
        sample(model)
    assert seen == [True]
    assert not any("forward" in vars(module) for module in model.modules())


def test_sampling_is_the_same_without(model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = packed._product
    monkeypatch.setattr(packed, "_product", lambda *args: calls.append(1) or real(*args))
    found = sample(model)
    assert calls
    monkeypatch.setattr(packed, "SMALLEST", 1 << 40)
    calls.clear()
    expected = sample(model)
    assert not calls
    for (*mine, logp), (*theirs, expected_logp) in zip(found, expected, strict=True):
        assert mine == theirs
        np.testing.assert_allclose(logp, expected_logp, atol=1e-5)


def test_short_completions_do_not_pay_for_it(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(packed, "_pack", calls.append)
    sample(model, packed.WORTHWHILE_STEPS - 1)
    assert not calls


@pytest.mark.parametrize("what", ["_pack", "_product"])
def test_operators_that_fail_or_err_are_not_used(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def missing(*_: object) -> None:
        raise AttributeError("no such operator")

    real = getattr(packed, what)
    for replacement in (missing, lambda *args: real(*args) * 1.001):
        monkeypatch.setattr(packed, what, replacement)
        assert not packed.works.__wrapped__(torch.float32)
