"""From a configuration to a sampler."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from grpo_rs.errors import ConfigError, ModelError
from grpo_rs.rollout.sampler import SamplingParams, completion_seeds
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.rollout.transformers_cb import ContinuousBatchingSampler
from grpo_rs.train import samplers
from grpo_rs.train.config import ModelConfig
from grpo_rs.train.models import load_policy
from grpo_rs.train.samplers import make_sampler


@pytest.fixture
def policy():
    return load_policy(ModelConfig(path="tiny", device="cpu"), seed=0)


def config(lora_rank=0, **rollout):
    """The sections and keys that a sampler is made from, with their defaults."""
    params = SamplingParams(4, top_k=rollout.pop("top_k", 0))
    keys = {"engine": "torch", "dtype": "auto", "slots": 0, "ahead": 0, "server_url": None, **rollout}
    return SimpleNamespace(
        rollout=SimpleNamespace(params=lambda: params, **keys),
        model=SimpleNamespace(path="folder", lora_rank=lora_rank),
    )


class Torch(TorchSampler):
    """The built-in sampler without its options, scoring as transformers' back end does."""

    def __init__(self, model, stop_tokens, **_):
        super().__init__(model, stop_tokens)

    score = ContinuousBatchingSampler.score


@pytest.fixture(params=["torch", "transformers_cb"])
def engine(request, monkeypatch):
    monkeypatch.setattr(samplers, "TorchSampler", Torch)
    return request.param


@pytest.mark.parametrize(
    ("settings", "dtype"),
    [
        ({}, None),
        ({"dtype": "float32"}, None),
        ({"dtype": "bfloat16"}, torch.bfloat16),
        ({"ahead": 1}, torch.float32),
    ],
)
def test_a_copy_only_where_one_is_needed(policy, engine, settings, dtype):
    sampler = make_sampler(config(engine=engine, **settings), policy)
    sampled = sampler.inner.model
    if dtype is None:
        assert sampled is policy.model and sampler.canary is None
    else:
        assert sampled is not policy.model and sampled.dtype is dtype and sampler.canary is not None
    sampler.sync(policy.model, 4)
    rows = list(sampler.stream([[3, 4]], completion_seeds(0, np.arange(1), 2), SamplingParams(4)))
    assert {row.version for row in rows} == {4} and len(rows) == 2
    assert sampler.score([3, 4], [5, 6]).shape == (2,)


@pytest.mark.parametrize("engine", ["transformers_cb", "vllm", "vllm_server"])
def test_limits_without_their_mass_are_refused(policy, engine):
    with pytest.raises(ConfigError, match="rollout.top_k"):
        make_sampler(config(engine=engine, top_k=5, server_url="http://127.0.0.1:9"), policy)


def test_vllm_needs_its_package(policy, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="needs the package vllm"):
        make_sampler(config(engine="vllm"), policy)
