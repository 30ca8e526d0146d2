"""The built-in sampler is the model, family by family, and its completions do not know of each other.

The references know none of the sampler's code: transformers' own `generate` on prompts padded on its side,
and the untouched model on one whole sequence at a time.
"""

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from grpo_rs.errors import InputError, ModelError
from grpo_rs.rollout import packed, torch_sampler
from grpo_rs.rollout import slots as slots_module
from grpo_rs.rollout.sampler import Finish, SamplingParams, completion_seeds, greedy_seeds
from grpo_rs.rollout.torch_sampler import TorchSampler
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
    "max_position_embeddings": 128,
    "initializer_range": 0.2,  # far from uniform logits, which hide mistakes
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention"]
FAMILIES = {
    "llama": (families.llama.LlamaConfig, {"tie_word_embeddings": True}),
    "smollm3": (families.smollm3.SmolLM3Config, {"no_rope_layers": [1, 0, 1]}),
    "qwen2": (families.qwen2.Qwen2Config, {}),
    "qwen3": (families.qwen3.Qwen3Config, {"head_dim": 16}),
    "mistral": (families.mistral.MistralConfig, {"sliding_window": 9, "head_dim": 8}),
    "gemma3": (
        families.gemma3.Gemma3TextConfig,
        {"head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 6, "layer_types": WINDOWS},
    ),
    "olmo2": (families.olmo2.Olmo2Config, {}),
    "granite": (families.granite.GraniteConfig, {"attention_multiplier": 0.3, "residual_multiplier": 0.7}),
    "gpt2": (families.gpt2.GPT2Config, {"scale_attn_by_inverse_layer_idx": True}),
    "gpt_neox": (families.gpt_neox.GPTNeoXConfig, {}),
}
# With transformers' own cache: softcap is done by the model's own code, Bloom's biases as well.
FALLBACKS = {
    "gemma2": (
        families.gemma2.Gemma2Config,
        {"head_dim": 16, "sliding_window": 6, "attn_logit_softcapping": 5.0, "layer_types": WINDOWS},
    ),
    # It seems to use the interface, and does not: found by comparing log-probabilities.
    "stablelm": (families.stablelm.StableLmConfig, {}),
    "bloom": (families.bloom.BloomConfig, {"n_layer": 3, "n_head": 4}),
}
PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], [19], [20, 21, 22, 23, 24, 25]]
NEW_TOKENS = 14


def build(name, **changes):
    config_class, own = (FAMILIES | FALLBACKS)[name]
    torch.manual_seed(len(name))
    config = config_class(**{**SHAPE, **own, **changes})
    config._attn_implementation = "eager" if name in ("gemma2", "bloom") else "sdpa"
    return AutoModelForCausalLM.from_config(config).eval()


def take(stream):
    return {(c.group, c.member): c for c in stream}


@torch.no_grad()
def own_logprobs(model, prompt, tokens, temperature=1.0):
    logits = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    return (logits / temperature).log_softmax(-1)


def generated(model, prompts, stops):
    """transformers' greedy continuation of each prompt, up to and with the first stop token."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = model.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS,
        eos_token_id=stops or None, pad_token_id=0, disable_compile=True,
    )  # fmt: skip
    rows = []
    for row in out[:, width:].tolist():
        ends = [i for i, token in enumerate(row) if token in stops]
        rows.append(row[: ends[0] + 1] if ends else row)
    return rows


@pytest.mark.parametrize("name", [*FAMILIES, *FALLBACKS])
@pytest.mark.parametrize("packs", [False, True])
def test_greedy_is_what_generate_gives(name, packs, monkeypatch):
    """Ragged prompts, fewer slots than prompts, stop tokens that some rows meet; log-probabilities too.

    With linear layers as they are, and rearranged, as those of large models are.
    """
    if packs:
        monkeypatch.setattr(packed, "SMALLEST", 1)
        monkeypatch.setattr(torch_sampler, "WORTHWHILE_STEPS", 1)
    model = build(name)
    free = generated(copy.deepcopy(model), PROMPTS, [])
    stops = sorted({free[0][4], free[1][9], free[3][2]})
    expected = generated(copy.deepcopy(model), PROMPTS, stops)
    sampler = TorchSampler(model, stops, slots=3)
    assert (sampler.fallback is None) == (name in FAMILIES), sampler.fallback
    assert model.config._attn_implementation.endswith("_slots") == (name in FAMILIES)
    params = SamplingParams(NEW_TOKENS, temperature=0.0)
    found = take(sampler.stream(PROMPTS, greedy_seeds(len(PROMPTS)), params))
    assert [found[g, 0].tokens.tolist() for g in range(len(PROMPTS))] == expected
    assert len({len(row) for row in expected}) > 1
    for (group, _), completion in found.items():
        tokens = completion.tokens.tolist()
        logp = own_logprobs(model, PROMPTS[group], tokens)[torch.arange(len(tokens)), tokens]
        np.testing.assert_allclose(completion.logprobs, logp, atol=1e-4)
        assert completion.finish is (Finish.STOP_TOKEN if tokens[-1] in stops else Finish.LENGTH)


@pytest.mark.parametrize("name", [*FAMILIES, *FALLBACKS])
@pytest.mark.parametrize("slots", [4, 7, None])
def test_groups_in_slots_have_the_models_logprobs(name, slots):
    """Groups that are cut by the number of slots, rows and lanes that move as others leave."""
    model = build(name)
    sampler = TorchSampler(model, [0, 1, 2, 3], slots=slots)
    seeds = completion_seeds(3, np.arange(4), 5)
    found = take(sampler.stream(PROMPTS, seeds, SamplingParams(NEW_TOKENS, temperature=0.8)))
    assert len(found) == 20
    assert len({len(c.tokens) for c in found.values()}) > 3
    for (group, _), completion in found.items():
        tokens = completion.tokens.tolist()
        logp = own_logprobs(model, PROMPTS[group], tokens, 0.8)[torch.arange(len(tokens)), tokens]
        np.testing.assert_allclose(completion.logprobs, logp, atol=1e-4)


@pytest.mark.parametrize("name", ["llama", "gemma3", "bloom"])
def test_a_completion_does_not_depend_on_its_company(name):
    model = build(name)
    seeds = completion_seeds(1, np.arange(4), 6)
    params = SamplingParams(NEW_TOKENS)
    together = take(TorchSampler(model, [0, 1, 2]).stream(PROMPTS, seeds, params))
    few = take(TorchSampler(model, [0, 1, 2], slots=2).stream(PROMPTS, seeds, params))
    one_by_one = TorchSampler(model, [0, 1, 2], slots=1)
    for (group, member), completion in together.items():
        seed = seeds[group : group + 1, member : member + 1]
        (alone,) = one_by_one.stream([PROMPTS[group]], seed, params)
        for other in (few[group, member], alone):
            assert other.tokens.tolist() == completion.tokens.tolist()
            np.testing.assert_allclose(other.logprobs, completion.logprobs, atol=1e-5)


def test_what_ended_is_given_away_before_the_rest_is_done():
    """Limits of 1, 3 and 14 tokens: the model has run no further than each needs when it is handed over."""
    model = build("llama")
    sampler = TorchSampler(model, [])
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    limits = np.array([[14, 3, 1]])
    seeds = completion_seeds(0, np.arange(1), 3)
    stream = sampler.stream_limited(PROMPTS[:1], seeds, SamplingParams(14), limits)
    order = [(c.member, len(c.tokens), len(calls)) for c in stream]
    assert order == [(2, 1, 1), (1, 3, 3), (0, 14, 14)]


def test_closing_ends_the_sampling():
    model = build("llama")
    model.train()
    model.lm_head.eval()  # one module of another mode than the rest
    sampler = TorchSampler(model, [])
    calls = []
    model.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    limits = np.array([[14, 3, 14]])
    stream = sampler.stream_limited(
        PROMPTS[:1], completion_seeds(0, np.arange(1), 3), SamplingParams(14), limits
    )
    next(stream)
    # Whoever takes a completion finds the model as it was, and may use it.
    assert model.training and model.model.training and not model.lm_head.training
    assert torch.is_grad_enabled()
    assert model(torch.tensor([[1, 2]])).logits.requires_grad
    del calls[-1]
    stream.close()
    assert len(calls) == 3 and not any(calls)
    assert model.training and not model.lm_head.training


def test_the_cache_is_bounded_and_prompts_are_read_once(monkeypatch):
    """As many slots as the bytes allow; every prompt token goes through the model once, whatever G is."""
    model = build("llama")
    sampler = TorchSampler(model, [0, 1])
    tokens = []
    model.register_forward_pre_hook(
        lambda _, __, kwargs: tokens.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    # 3 layers, 2 heads of 8 numbers, keys and values, float32.
    per_completion = 3 * 2 * 8 * 2 * 4 * (len(PROMPTS[1]) + NEW_TOKENS)
    monkeypatch.setattr(torch_sampler, "CACHE_BYTES", 5 * per_completion)
    seeds = completion_seeds(3, np.arange(4), 5)
    found = list(sampler.stream(PROMPTS, seeds, SamplingParams(NEW_TOKENS)))
    steps = [rows for rows, length in tokens if length == 1 and rows > 1]
    assert max(steps) == 5
    rest = sum(rows * length for rows, length in tokens) - sum(map(len, PROMPTS))
    assert rest == sum(len(c.tokens) - 1 for c in found)


def test_prompts_longer_than_a_chunk_and_of_all_magnitudes(monkeypatch):
    monkeypatch.setattr(slots_module, "PREFILL_TOKENS", 20)
    model = build("mistral")
    sampler = TorchSampler(model, [0, 1])
    random = np.random.default_rng(0)
    prompts = [random.integers(4, VOCABULARY, size).tolist() for size in (30, 2, 9, 8, 17, 1, 40, 3)]
    found = take(sampler.stream(prompts, completion_seeds(0, np.arange(8), 2), SamplingParams(6)))
    assert len(found) == 16
    for (group, _), completion in found.items():
        tokens = completion.tokens.tolist()
        logp = own_logprobs(model, prompts[group], tokens)[torch.arange(len(tokens)), tokens]
        np.testing.assert_allclose(completion.logprobs, logp, atol=1e-4)


@pytest.mark.parametrize("name", ["llama", "mistral", "bloom"])
def test_score_is_the_model_on_a_given_completion(name):
    model = build(name)
    sampler = TorchSampler(model, [0])
    completion = [0, 9, 0, 33, 5, 5, 60, 2, 1, 0, 7]
    expected = own_logprobs(model, PROMPTS[1], completion)[torch.arange(11), completion]
    found = sampler.score(PROMPTS[1], completion)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(sampler.score(PROMPTS[1], completion[:1]), expected[:1], atol=1e-4)
    assert sampler.score(PROMPTS[1], []).shape == (0,)


def test_the_weights_of_the_moment_are_used():
    """No copy that could be stale: an update between two calls, or between two completions, is seen."""
    model = build("llama")
    sampler = TorchSampler(model, [])
    before = sampler.score(PROMPTS[0], [4, 5])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.7)
    after = sampler.score(PROMPTS[0], [4, 5])
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, own_logprobs(model, PROMPTS[0], [4, 5])[[0, 1], [4, 5]], atol=1e-4)


def test_bfloat16_is_close_to_its_own_forward_pass():
    model = build("qwen3").to(torch.bfloat16)
    sampler = TorchSampler(model, [0, 1])
    assert sampler.fallback is None
    found = take(sampler.stream(PROMPTS, completion_seeds(3, np.arange(4), 5), SamplingParams(NEW_TOKENS)))
    gaps = []
    for (group, _), completion in found.items():
        tokens = completion.tokens.tolist()
        logp = own_logprobs(model.float(), PROMPTS[group], tokens)[torch.arange(len(tokens)), tokens]
        gaps.append(np.abs(completion.logprobs - logp.numpy()))
        model.to(torch.bfloat16)
    assert np.concatenate(gaps).mean() < 0.1


def test_a_model_without_a_cache_that_can_be_shared_is_refused():
    config = families.mamba.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, state_size=4, pad_token_id=0
    )
    sampler = TorchSampler(AutoModelForCausalLM.from_config(config), [1])
    assert "not plain attention" in sampler.fallback
    with pytest.raises(ModelError, match="MambaForCausalLM keeps no key-value cache"):
        next(sampler.stream(PROMPTS, greedy_seeds(4), SamplingParams(3)))


def test_positions_end_where_the_models_do():
    model = build("gpt2", max_position_embeddings=12)
    sampler = TorchSampler(model, [])
    (completion,) = sampler.stream([PROMPTS[3]], greedy_seeds(1), SamplingParams(30, temperature=0.0))
    assert len(completion.tokens) == 6 and completion.finish is Finish.LENGTH
    for prompts, message in (([[1], []], "prompt 1 is empty"), ([[1] * 12], "prompt 0 has 12 tokens")):
        with pytest.raises(InputError, match=message):
            sampler.stream(prompts, greedy_seeds(len(prompts)), SamplingParams(3))


def test_the_learners_attention_and_ours_live_in_one_model():
    """In either order, and again: each passes on what is not meant for it."""
    from grpo_rs.learner.attention import use_shared_prefix

    model = build("qwen2")
    expected = own_logprobs(model, PROMPTS[0], [4, 5])
    for _ in range(3):
        use_shared_prefix(model)
        sampler = TorchSampler(model, [])
        assert sampler.fallback is None
    torch.testing.assert_close(own_logprobs(model, PROMPTS[0], [4, 5]), expected)
    np.testing.assert_allclose(sampler.score(PROMPTS[0], [4, 5]), expected[[0, 1], [4, 5]], atol=1e-5)


class EagerGraph:
    """What a captured step does, without a GPU."""

    def __init__(self, forward, inputs, shape, logits):
        self.forward, self.inputs, self.shape, self.logits = forward, inputs, shape, logits

    def replay(self):
        self.logits.copy_(self.forward(self.inputs, self.shape))


def test_steps_rounded_up_for_capture_give_the_same(monkeypatch):
    """The CUDA path but for the capture itself: padded rows, lanes and members, masks, few shapes."""
    captured = []

    def capture(self, forward, packed, shape):
        captured.append(shape)
        logits = forward(packed, shape)
        return EagerGraph(forward, packed, shape, logits), packed, logits

    def with_graphs(self, *arguments, **named):
        plain(self, *arguments, **named)
        self._graphs = slots_module._Graphs(self._cache, self._device)

    model = build("gemma3")
    sampler = TorchSampler(model, [0, 1, 2], slots=7)
    seeds = completion_seeds(3, np.arange(4), 5)
    expected = take(sampler.stream(PROMPTS, seeds, SamplingParams(NEW_TOKENS)))
    plain = slots_module.SlotDecoder.__init__
    monkeypatch.setattr(slots_module._Graphs, "_capture", capture)
    monkeypatch.setattr(slots_module.SlotDecoder, "__init__", with_graphs)
    monkeypatch.setattr(slots_module, "OWN_BUCKET", 8)
    found = take(sampler.stream(PROMPTS, seeds, SamplingParams(NEW_TOKENS)))
    for key, completion in expected.items():
        assert found[key].tokens.tolist() == completion.tokens.tolist()
        np.testing.assert_allclose(found[key].logprobs, completion.logprobs, atol=1e-4)
    assert {shape.rows for shape in captured} <= {1, 2, 4, 7}
    assert {shape.own for shape in captured} <= {8, NEW_TOKENS - 1}
    assert len(captured) == len(set(captured))


def test_a_model_that_cannot_be_decoded_in_slots_has_no_bytes_for_a_token(monkeypatch):
    monkeypatch.setattr(slots_module, "_gap", lambda _: (1.0, 64))
    model = build("llama")
    assert slots_module.use_slots(model) == ("log-probabilities differ from the model's own by 1 nats", 0)
    assert model.config._attn_implementation == "sdpa"


def test_the_cache_goes_with_its_decoder(monkeypatch):
    """Without the garbage collector, which may come after the memory has run out."""

    class Captured:
        def replay(self):
            pass

    model = build("llama")
    TorchSampler(model, [])
    monkeypatch.setattr(
        slots_module._Graphs,
        "_capture",
        lambda _, forward, *inputs: (Captured(), inputs[0], forward(*inputs)),
    )
    gc.collect()
    gc.disable()
    try:
        with torch.no_grad():
            decoder = slots_module.SlotDecoder(model, lanes=1, prompt_tokens=4, slots=1, new_tokens=4)
            decoder._graphs = slots_module._Graphs(decoder._cache, model.device)
            decoder.enter(decoder.prefill([[5, 6, 7]]))
            decoder.step(np.array([8]))
        cache = weakref.ref(decoder._cache)
        del decoder
        assert cache() is None
    finally:
        gc.enable()


def test_products_in_a_narrow_type_are_float32_on_every_device():
    a, b = torch.randn(2, 3, 4).bfloat16(), torch.randn(2, 4, 5).bfloat16()
    torch.testing.assert_close(slots_module._product(a, b), a.float() @ b.float())


def test_another_implementation_set_meanwhile_does_not_hide_the_plan():
    model = build("llama")
    sampler = TorchSampler(model, [])
    before = sampler.score(PROMPTS[0], [4, 5, 6])
    model.set_attn_implementation("sdpa")
    np.testing.assert_array_equal(sampler.score(PROMPTS[0], [4, 5, 6]), before)
