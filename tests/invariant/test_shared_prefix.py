"""The packed, shared-prefix forward pass is the model, family by family.

The reference knows none of the learner's code: the untouched model with its eager attention, one completion
at a time and unpadded, its own logits, log_softmax over all of them.
"""

import gc
import weakref

import numpy as np
import pytest
import torch
from grpo_rs import Rollouts, Tokens
from grpo_rs.errors import InputError, ModelError
from grpo_rs.learner import activations, attention
from grpo_rs.learner.activations import Activations
from grpo_rs.learner.layout import micro_batches
from grpo_rs.learner.logprobs import completion_hidden_TD, completion_logprobs_T
from grpo_rs.learner.probe import probe_layout
from transformers import AutoModelForCausalLM
from transformers import models as families

VOCABULARY = 61
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,  # far from uniform logits, which hide mistakes
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
FAMILIES = {
    "llama": (families.llama.LlamaConfig, {"tie_word_embeddings": True}),
    "llama_mha_bias": (families.llama.LlamaConfig, {"num_key_value_heads": 4, "attention_bias": True}),
    "smollm3": (families.smollm3.SmolLM3Config, {"no_rope_layers": [1, 0, 1]}),
    "qwen2": (families.qwen2.Qwen2Config, {}),
    "qwen2_window": (
        families.qwen2.Qwen2Config,
        {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1},
    ),
    "qwen3": (families.qwen3.Qwen3Config, {"head_dim": 16}),
    "mistral": (families.mistral.MistralConfig, {"sliding_window": 9, "head_dim": 8}),
    "gemma3": (
        families.gemma3.Gemma3TextConfig,
        {
            "head_dim": 16,
            "query_pre_attn_scalar": 24,
            "sliding_window": 6,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "tie_word_embeddings": True,
        },
    ),
    "gemma3_softcap": (
        families.gemma3.Gemma3TextConfig,
        {"head_dim": 8, "final_logit_softcapping": 3.0, "sliding_window": 5, "attention_dropout": 0.0},
    ),
}
# Lengths of prompts, and of completions by group: ragged, single tokens, a group of one, a long prompt, and
# one group above the size up to which groups are batched under a mask.
PROMPTS = [5, 1, 12, 3, 90]
COMPLETIONS = [
    (0, 7),
    (2, 1),
    (0, 1),
    (1, 4),
    (2, 16),
    (3, 9),
    (0, 12),
    (1, 1),
    (4, 40),
    (4, 1),
    (2, 3),
    (4, 11),
]


def build(family, dtype, **changes):
    make, special = FAMILIES[family]
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(make(**SHAPE | special | changes), attn_implementation="sdpa")
    return model.to(dtype).eval()


def rollouts():
    random = np.random.default_rng(7)
    completions = Tokens.from_rows([random.integers(0, VOCABULARY, n) for _, n in COMPLETIONS])
    return Rollouts(
        prompts=Tokens.from_rows([random.integers(0, VOCABULARY, n) for n in PROMPTS]),
        prompt_index=np.arange(len(PROMPTS)),
        completions=completions,
        group_ids=np.array([group for group, _ in COMPLETIONS]),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(len(completions), bool),
    )


def coefficients():
    """An arbitrary weight for each token's log-probability, and so a scalar loss whose gradient is tested."""
    return torch.from_numpy(np.random.default_rng(5).normal(size=sum(n for _, n in COMPLETIONS)))


def reference(family, dtype, temperature=0.8):
    """Log-probabilities, loss and gradients by the model's own logits, one completion at a time."""
    model, table, weights = build(family, dtype), rollouts(), coefficients()
    model.set_attn_implementation("eager")
    logps, total = [], 0.0
    for row in range(len(table)):
        prompt, completion = table.prompts[table.group_ids[row]], table.completions[row]
        ids = torch.from_numpy(np.concatenate([prompt, completion]))
        logits = model(input_ids=ids[None], use_cache=False).logits[0]
        logits = logits.double() if dtype == torch.float64 else logits.float()
        steps = slice(len(prompt) - 1, len(ids) - 1)
        logp = (logits / temperature).log_softmax(-1)[steps].gather(-1, ids[len(prompt) :, None])[:, 0]
        begin, end = table.completions.offsets[row], table.completions.offsets[row + 1]
        loss = (logp * weights[begin:end].to(logp)).sum()
        loss.backward()
        logps.append(logp.detach())
        total += float(loss.detach())
    return torch.cat(logps), total, {name: p.grad for name, p in model.named_parameters()}


def packed(
    model, token_budget=10_000, chunk_tokens=1 << 20, temperature=0.8, layout="shared_prefix", lean=False
):
    table, weights = rollouts(), coefficients()
    model.zero_grad()
    logp_all, total = None, 0.0
    for batch in micro_batches(table, range(len(table)), token_budget=token_budget, layout=layout):
        logp_T, _ = completion_logprobs_T(
            model,
            batch,
            temperature=temperature,
            chunk_tokens=chunk_tokens,
            activations=Activations(recompute=lean),
        )
        loss = (logp_T * weights[batch.flat_T].to(logp_T)).sum()
        loss.backward()
        total += float(loss.detach())
        if logp_all is None:
            logp_all = torch.full((len(table.completions.flat),), torch.nan, dtype=logp_T.dtype)
        logp_all[batch.flat_T] = logp_T.detach()
    return logp_all, total, {name: p.grad for name, p in model.named_parameters()}


def assert_equal(found, expected, tolerance):
    logp, loss, gradients = found
    expected_logp, expected_loss, expected_gradients = expected
    torch.testing.assert_close(logp, expected_logp, rtol=tolerance, atol=tolerance)
    assert loss == pytest.approx(expected_loss, rel=tolerance, abs=tolerance)
    for name, gradient in expected_gradients.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(
            gradients[name],
            gradient,
            rtol=0,
            atol=tolerance * max(scale, 1.0),
            msg=lambda m, n=name: f"{n}: {m}",
        )


@pytest.fixture(params=["pieces", "batched"])
def small_groups(request, monkeypatch):
    """Both ways of the CPU: no group is small, or all are."""
    monkeypatch.setattr(attention, "SMALL_GROUP", 0 if request.param == "pieces" else 1 << 20)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("family", FAMILIES)
def test_float64_equals_the_plain_forward(family, wide_norms):
    assert_equal(packed(build(family, torch.float64)), reference(family, torch.float64), 1e-9)


@pytest.fixture
def wide_norms(monkeypatch):
    """Norms, rotations and softmax round to float32 in these models; here, on both sides, they do not."""
    to, softmax = torch.Tensor.to, torch.nn.functional.softmax

    def wide(self, *arguments, **keywords):
        if self.dtype == torch.float64 and (
            torch.float32 in arguments or keywords.get("dtype") == torch.float32
        ):
            return self
        return to(self, *arguments, **keywords)

    monkeypatch.setattr(torch.Tensor, "to", wide)
    monkeypatch.setattr(torch.Tensor, "float", lambda self: wide(self, torch.float32))
    monkeypatch.setattr(torch.nn.functional, "softmax", lambda x, dim, dtype=None: softmax(x, dim))


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_equals_the_plain_forward(family):
    assert_equal(packed(build(family, torch.float32)), reference(family, torch.float32), 1e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
@pytest.mark.parametrize("layout", ["shared_prefix", "padded"])
@pytest.mark.parametrize("cut", [{"token_budget": 1}, {"token_budget": 30}, {"chunk_tokens": 7}], ids=str)
def test_no_cut_changes_anything(family, layout, cut):
    assert_equal(
        packed(build(family, torch.float32), layout=layout, **cut), reference(family, torch.float32), 1e-5
    )


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3", "smollm3"])
@pytest.mark.usefixtures("forgotten_verdict")
def test_gradient_checkpointing_replays_the_packed_row(family):
    model = build(family, torch.float32)
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert_equal(packed(model.train()), reference(family, torch.float32), 1e-5)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_activations_computed_again_are_the_same_bits(family, dtype):
    kept, again = packed(build(family, dtype)), packed(build(family, dtype), lean=True)
    assert all(torch.equal(kept[2][name], gradient) for name, gradient in again[2].items())


def test_fewer_activations_are_kept():
    def kept(recompute):
        model = build("llama", torch.float32)
        (batch,) = micro_batches(rollouts(), range(12), token_budget=10_000, layout="shared_prefix")
        stored = []
        pack = activations.Activations._pack

        def count(self, saved):
            packed = pack(self, saved)
            stored.append(saved.numel() if isinstance(packed, torch.Tensor) else 0)
            return packed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(activations.Activations, "_pack", count)
            completion_hidden_TD(model, batch, activations=Activations(recompute=recompute))
        return sum(stored)

    assert kept(True) < 0.7 * kept(False)


def test_the_forward_pass_computes_nothing_again(monkeypatch):
    calls = []
    compute = activations._compute
    monkeypatch.setattr(activations, "_compute", lambda node: calls.append(node.name()) or compute(node))
    (batch,) = micro_batches(rollouts(), range(12), token_budget=10_000, layout="shared_prefix")
    hidden = completion_hidden_TD(
        build("llama", torch.float32), batch, activations=Activations(recompute=True)
    )
    assert not calls
    hidden.sum().backward()
    assert set(calls) == {"SiluBackward0", "MulBackward0"}


@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_a_pass_that_is_given_up_is_forgotten(stage):
    """Memory ran out: half the budget would not help if the first attempt stayed."""
    model = build("llama", torch.float32)
    (batch,) = micro_batches(rollouts(), range(12), token_budget=10_000, layout="shared_prefix")
    attempt = Activations(recompute=True)
    kept = weakref.ref(attempt)

    def exhausted(_module, _gradients):
        raise RuntimeError("out of memory")

    with model.model.layers[0].mlp.register_full_backward_pre_hook(exhausted):
        hidden = completion_hidden_TD(model, batch, activations=attempt)
        if stage == "backward":
            with pytest.raises(RuntimeError, match="out of memory"):
                hidden.sum().backward()
    del hidden, attempt
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("family", ["mistral", "gemma3"])
def test_the_one_mask_route_is_the_same(family, monkeypatch):
    """What other devices than the CPU fall back to."""
    monkeypatch.setattr(attention, "piecewise_attention", attention.masked_attention)
    assert_equal(packed(build(family, torch.float32)), reference(family, torch.float32), 1e-5)


@pytest.fixture
def forgotten_verdict():
    """Whether the kernels work is found out once; tests with others begin anew, and leave nothing behind."""
    attention.flash_works.cache_clear()
    yield
    attention.flash_works.cache_clear()


def missing(*_arguments, **_options):
    raise AttributeError("'_OpNamespace' 'aten' object has no attribute '_scaled_dot_product_flash'")


def other_arguments(query, key, value):
    pytest.fail("called")


def of_another_layout(query, key, value, *_arguments, **_options):
    return torch.zeros_like(query), torch.zeros(query.shape[1:3])


@pytest.mark.usefixtures("forgotten_verdict")
@pytest.mark.parametrize("name", ["_flash", "_flash_backward"])
@pytest.mark.parametrize("kernel", [missing, other_arguments, of_another_layout])
def test_without_the_flash_kernels_attention_takes_one_mask(monkeypatch, name, kernel):
    monkeypatch.setattr(attention, name, kernel)
    with pytest.warns(UserWarning, match="lacks the CPU's flash attention"):
        found = packed(build("llama", torch.float32))
    assert_equal(found, reference("llama", torch.float32), 1e-5)


@pytest.mark.usefixtures("forgotten_verdict")
def test_the_flash_kernels_of_this_torch_work():
    assert attention.flash_works()


@pytest.mark.parametrize("window", [None, 4])
def test_the_block_mask_of_flex_attention_shows_the_same_keys(window):
    """Flex attention itself runs on GPUs; its mask is checked here, key by key."""
    (batch,) = micro_batches(rollouts(), range(len(COMPLETIONS)), token_budget=10_000, layout="shared_prefix")
    length = batch.input_ids_BL.shape[1]
    sees = batch.plan.visible(window, torch.device("cpu"))
    place = torch.arange(length)
    assert torch.equal(sees(place[:, None], place), brute_force(batch, window))


def brute_force(batch, window):
    """Token by token: the same group, the prompt or one's own completion, not later, not too far back."""
    owner = {}
    for number, group in enumerate(batch.plan.groups):
        owner |= dict.fromkeys(range(group.begin, group.split), (number, None))
        for completion, (begin, end) in enumerate(group.completions()):
            owner |= dict.fromkeys(range(begin, end), (number, completion))
    position = batch.position_ids_BL[0].tolist()
    visible = torch.zeros(len(position), len(position), dtype=torch.bool)
    for q, (group, completion) in owner.items():
        for k, (other, part) in owner.items():
            distance = position[q] - position[k]
            near = distance >= 0 and (window is None or distance < window)
            visible[q, k] = group == other and part in (None, completion) and near
    return visible


def test_rows_are_packed_without_padding_and_prompts_once():
    table = rollouts()
    (batch,) = micro_batches(table, range(len(table)), token_budget=10_000, layout="shared_prefix")
    fed = sum(n - 1 for _, n in COMPLETIONS)
    assert batch.input_ids_BL.shape == (1, sum(PROMPTS) + fed)
    assert batch.padding_mask_BL is None


def test_a_group_over_the_budget_is_cut_evenly():
    completions = Tokens.from_rows([[1] * 11] * 8)
    table = Rollouts(
        prompts=Tokens.from_rows([[2] * 10]),
        prompt_index=np.zeros(1, np.int64),
        completions=completions,
        group_ids=np.zeros(8, np.int64),
        sampler_logprobs=np.zeros(88, np.float32),
        finished=np.ones(8, bool),
    )
    batches = micro_batches(table, range(8), token_budget=80, layout="shared_prefix")
    assert [batch.input_ids_BL.numel() for batch in batches] == [50, 50]


def test_an_empty_prompt_is_refused():
    table = Rollouts(
        prompts=Tokens.from_rows([[]]),
        prompt_index=np.zeros(1, np.int64),
        completions=Tokens.from_rows([[1, 2]]),
        group_ids=np.zeros(1, np.int64),
        sampler_logprobs=np.zeros(2, np.float32),
        finished=np.ones(1, bool),
    )
    with pytest.raises(InputError, match="prompt of group 0 is empty"):
        micro_batches(table, [0], token_budget=8, layout="shared_prefix")


@pytest.mark.parametrize("family", ["llama", "qwen2_window", "gemma3"])
def test_without_a_plan_the_model_is_what_it_was(family, tmp_path):
    """Sampling and evaluation of the model that learns: bit for bit, with padding, a cache and generation."""
    plain, used = build(family, torch.float32), build(family, torch.float32)
    packed(used)
    assert used.config._attn_implementation.startswith("sdpa")
    assert used.config._attn_implementation != "sdpa"
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, VOCABULARY, (3, 20)))
    mask = torch.ones_like(ids)
    mask[0, :6] = 0
    for arguments in ({}, {"attention_mask": mask}):
        assert torch.equal(used(input_ids=ids, **arguments).logits, plain(input_ids=ids, **arguments).logits)
    found, expected = (
        m.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False, pad_token_id=0)
        for m in (used, plain)
    )
    assert torch.equal(found, expected)
    used.save_pretrained(tmp_path)
    assert "shared_prefix" not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_bfloat16_is_as_near_to_the_float32_gradient_as_the_padded_forward(family):
    """Attention is done in float32 here, so only the order of sums differs; hence no more than a tenth."""
    weights = build(family, torch.bfloat16).state_dict()

    def error(layout):
        model = build(family, torch.bfloat16)
        _, _, gradients = packed(model, layout=layout)
        wide = build(family, torch.float32)
        wide.load_state_dict(weights)
        _, _, exact = packed(wide, layout="padded")
        difference = sum(float((gradients[n].float() - exact[n]).square().sum()) for n in exact)
        return (difference / sum(float(g.square().sum()) for g in exact.values())) ** 0.5

    shared, padded = error("shared_prefix"), error("padded")
    assert 1e-4 < padded < 0.5  # bfloat16 was really used, and is not noise
    assert shared <= 1.1 * padded


@pytest.mark.parametrize("feature", [{"softcap": 30.0}, {"s_aux": torch.zeros(4)}, {"dropout": 0.1}], ids=str)
def test_what_the_kernels_do_not_do_is_refused(feature):
    plan = attention.AttentionPlan((attention.PackedGroup(0, (2, 3)),))
    x = torch.zeros(1, 2, 3, 4)
    with pytest.raises(NotImplementedError, match=next(iter(feature))):
        attention.shared_prefix_attention(torch.nn.Module(), x, x, x, plan, **feature)


def test_a_model_that_cannot_take_plans_is_trained_padded_and_says_why():
    make = families.gemma2.Gemma2Config  # soft-capped scores: its own eager attention only
    model = AutoModelForCausalLM.from_config(make(**SHAPE | {"head_dim": 8}))
    probe = probe_layout(model, [1, 2, 3])
    assert probe.layout == "padded"
    assert "'eager'" in probe.reason
    with pytest.raises(ModelError, match="shared_prefix: its attention implementation is 'eager'"):
        probe_layout(model, [1, 2, 3], wanted="shared_prefix")


def test_a_window_that_only_a_mask_tells_of_is_refused():
    module = build("gemma3", torch.float32).model.layers[0].self_attn
    plan = attention.AttentionPlan((attention.PackedGroup(0, (2, 3)),))
    x = torch.zeros(1, 4, 3, 16)
    with pytest.raises(NotImplementedError, match="sliding window"):
        attention.shared_prefix_attention(module, x, x, x, plan)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_probe_prefers_the_packed_row(family):
    probe = probe_layout(build(family, torch.float32), [1, 2, 3, 4])
    assert (probe.layout, probe.reason) == ("shared_prefix", None)
