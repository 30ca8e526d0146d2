"""Weights handed to a sampler with a copy of its own, and the canary that watches it."""

import numpy as np
import pytest
import torch
from grpo_rs.errors import ModelError
from grpo_rs.rollout.canary import (
    NOTICEABLE,
    TOLERANCE,
    Canary,
    SyncError,
    canary_tokens,
    check_sync,
    forward_logprobs,
)
from grpo_rs.rollout.sampler import SamplingParams, completion_seeds
from grpo_rs.rollout.sync import SyncedSampler, WeightCopy
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.testing import tiny_model, tiny_tokenizer
from grpo_rs.train.config import ModelConfig
from grpo_rs.train.models import load_policy

TEXT = [3, 13, 4, 14, 7] * 8


class CachedSampler(TorchSampler):
    """The sampler, with a score that reads one token at a time through a cache."""

    @torch.no_grad()
    def score(self, prompt, completion):
        found = []
        output = self.model(input_ids=torch.tensor([prompt]), use_cache=True)
        for token in completion:
            found.append(float(output.logits[0, -1].float().log_softmax(-1)[token]))
            output = self.model(
                input_ids=torch.tensor([[token]]), past_key_values=output.past_key_values, use_cache=True
            )
        return np.array(found, np.float32)


def adapted(seed=0):
    pytest.importorskip("peft")
    return load_policy(ModelConfig(path="tiny", device="cpu", lora_rank=4), seed=seed).model


def update(model, lr, seed=0):
    """One step of AdamW on random tokens."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 16, (4, 24), generator=generator)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def synced(policy, dtype=None, copy=None):
    copy = copy or WeightCopy(policy, dtype)
    return SyncedSampler(
        CachedSampler(copy.model, [1]), copy.transfer, Canary(TEXT, TOLERANCE[dtype or torch.float32])
    )


@pytest.mark.parametrize("make", [tiny_model, adapted])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_copy_follows_the_policy(make, dtype):
    policy = make()
    copy = WeightCopy(policy, dtype)
    sampler = synced(policy, dtype, copy)
    for version in range(3):
        sampler.sync(policy, version)
        assert sampler.version == sampler.inner.version == version
        for name, theirs in policy.named_parameters():
            mine = copy.model.get_parameter(name)
            # Adapters are as exact as the policy's.
            assert mine.dtype is (torch.float32 if "lora_" in name else dtype)
            assert torch.equal(mine, theirs.to(mine.dtype))
            assert mine.data_ptr() != theirs.data_ptr() and not mine.requires_grad
        update(policy, 1e-3, version)


def test_float32_adapters_of_a_bfloat16_policy_stay_float32():
    pytest.importorskip("peft")
    config = ModelConfig(path="tiny", device="cpu", lora_rank=4, dtype="bfloat16")
    policy = load_policy(config, seed=0).model
    copy = WeightCopy(policy, torch.bfloat16)
    update(policy, 1e-3)
    copy.transfer(policy, 1)
    adapters = {name: p for name, p in policy.named_parameters() if "lora_" in name}
    assert adapters
    for name, theirs in adapters.items():
        mine = copy.model.get_parameter(name)
        assert mine.dtype is theirs.dtype is torch.float32 and torch.equal(mine, theirs)
    assert copy.model.dtype is torch.bfloat16


def test_tied_weights_stay_tied_and_buffers_keep_their_type():
    policy = tiny_model()
    copy = WeightCopy(policy, torch.bfloat16).model
    assert copy.lm_head.weight is copy.model.embed_tokens.weight
    assert copy.model.rotary_emb.inv_freq.dtype is torch.float32
    assert copy.model.rotary_emb.inv_freq.data_ptr() != policy.model.rotary_emb.inv_freq.data_ptr()
    assert policy.dtype is torch.float32


def test_a_sampler_of_the_copy_draws_what_one_of_the_policy_draws():
    policy = tiny_model()
    sampler = synced(policy)
    update(policy, 1e-2)
    sampler.sync(policy, 1)
    prompts, seeds = [[3, 4], [5]], completion_seeds(0, np.arange(2), 3)
    ours = list(sampler.stream(prompts, seeds, SamplingParams(8)))
    theirs = list(TorchSampler(policy, [1]).stream(prompts, seeds, SamplingParams(8)))
    for one, other in zip(ours, theirs, strict=True):
        assert one.tokens.tolist() == other.tokens.tolist() and one.version == 1


class ForgetsOne(WeightCopy):
    forgotten = "model.layers.1.post_attention_layernorm.weight"

    def _copy(self, policy):
        kept = self.model.get_parameter(self.forgotten).clone()
        super()._copy(policy)
        self.model.get_parameter(self.forgotten).copy_(kept)


class ForgetsAdapters(WeightCopy):
    def _copy(self, policy):
        kept = {n: p.clone() for n, p in self.model.named_parameters() if "lora_" in n}
        super()._copy(policy)
        for name, tensor in kept.items():
            self.model.get_parameter(name).copy_(tensor)


class AppliesAdaptersTwice(WeightCopy):
    def _copy(self, policy):
        super()._copy(policy)
        for module in self.model.modules():
            if hasattr(module, "get_delta_weight"):
                module.base_layer.weight += module.get_delta_weight("default").to(module.base_layer.weight)


class Unverified(WeightCopy):
    """Leaves everything to the canary."""

    def differences(self, policy):
        return []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("make", "wrong", "named"),
    [
        (tiny_model, ForgetsOne, ForgetsOne.forgotten),
        (adapted, ForgetsAdapters, "lora_"),
        (adapted, AppliesAdaptersTwice, "base_layer.weight"),
    ],
)
def test_a_wrong_hand_over_is_found_after_one_small_step(make, wrong, named, dtype):
    policy = make()
    sampler = synced(policy, dtype, wrong(policy, dtype))
    sampler.sync(policy, 0)  # adapters are zero, and every copy is new: nothing to see yet
    update(policy, 1e-5 if dtype is torch.float32 else 1e-2)
    with pytest.raises(SyncError, match=named):
        sampler.sync(policy, 1)


@pytest.mark.parametrize(
    ("make", "wrong"), [(tiny_model, ForgetsOne), (adapted, ForgetsAdapters), (adapted, AppliesAdaptersTwice)]
)
def test_the_canary_alone_finds_a_wrong_hand_over(make, wrong):
    policy = make()
    sampler = synced(policy, copy=type("Wrong", (wrong, Unverified), {})(policy))
    sampler.sync(policy, 0)
    update(policy, 1e-2)
    with pytest.raises(SyncError, match="Likely causes: some weights|still has the weights of step 0"):
        sampler.sync(policy, 1)


def test_adapters_that_never_arrive_are_found_far_below_the_tolerance():
    # As in a run whose learning rate is small: the difference stays within what bfloat16 explains.
    policy = adapted()
    copy = type("Stale", (ForgetsAdapters, Unverified), {})(policy, torch.bfloat16)
    sampler = synced(policy, torch.bfloat16, copy)
    sampler.sync(policy, 0)
    logprobs = forward_logprobs(policy)
    before = logprobs(TEXT[:10], TEXT[10:])
    with pytest.raises(SyncError, match="still has the weights of step 0"):
        for version in range(1, 30):
            update(policy, 3e-5, version)
            moved = np.abs(logprobs(TEXT[:10], TEXT[10:]) - before)
            sampler.sync(policy, version)
    assert NOTICEABLE < moved.max() < 20 * NOTICEABLE
    assert moved.mean() < 0.01 * TOLERANCE[torch.bfloat16]


def test_a_sampler_that_follows_passes_with_steps_of_every_size():
    policy = adapted()
    sampler = synced(policy, torch.bfloat16)
    version = 0
    for lr in (0.0, 1e-7, 1e-6, 3e-5, 1e-3):
        for _ in range(4):
            sampler.sync(policy, version)
            version += 1
            update(policy, lr, version)
    assert sampler.gap.mean < TOLERANCE[torch.bfloat16]


def test_no_update_between_hand_overs_is_no_fault():
    policy = tiny_model()
    sampler = synced(policy)
    for version in range(3):
        sampler.sync(policy, version)
    assert sampler.gap.max < 1e-5


def test_a_temperature_on_one_side_is_found():
    class Cold(CachedSampler):
        def score(self, prompt, completion):
            self.model.lm_head.register_forward_hook(lambda _, __, out: out / 0.9)
            return super().score(prompt, completion)

    policy = tiny_model()
    with pytest.raises(SyncError, match="temperature"):
        check_sync(
            Cold(WeightCopy(policy).model, [1]),
            forward_logprobs(policy),
            TEXT,
            tolerance=TOLERANCE[torch.float32],
        )


def test_log_probabilities_that_are_no_numbers_are_found():
    policy = tiny_model()
    copy = WeightCopy(policy)
    with torch.no_grad():
        copy.model.model.norm.weight[0] = float("nan")
    with pytest.raises(SyncError, match="nan"):
        check_sync(CachedSampler(copy.model, [1]), forward_logprobs(policy), TEXT, tolerance=0.1)


def test_a_policy_that_became_another_is_refused():
    policy = tiny_model()
    copy = WeightCopy(policy)
    with pytest.raises(SyncError, match="not those of the policy"):
        copy.transfer(adapted(), 1)


def test_no_hand_over_while_completions_stream():
    policy = tiny_model()
    sampler = synced(policy)
    stream = sampler.stream([[3, 4]], completion_seeds(0, np.arange(1), 4), SamplingParams(8))
    next(stream)
    with pytest.raises(SyncError, match="exhaust or close the stream"):
        sampler.sync(policy, 1)
    stream.close()
    sampler.sync(policy, 1)


def test_the_trainer_is_left_as_it_was():
    policy = adapted().train()
    before = {name: p.clone() for name, p in policy.named_parameters()}
    sampler = synced(policy, torch.bfloat16)
    sampler.sync(policy, 0)
    assert policy.training
    assert all(torch.equal(before[name], p) for name, p in policy.named_parameters())
    assert any(p.requires_grad for p in policy.parameters())


def test_the_text_of_the_canary():
    tokens = canary_tokens(tiny_tokenizer())
    assert 16 < len(tokens) <= 24
    with pytest.raises(ModelError, match="fewer than 2 tokens"):
        Canary([3], 0.1)
