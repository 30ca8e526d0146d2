"""The vLLM back ends against a stand-in with vLLM 0.33's interface; see `fake_vllm`."""

import importlib.util
import sys
import threading
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from grpo_rs.errors import InputError, ModelError
from grpo_rs.rollout.canary import TOLERANCE, Canary, SyncError, forward_logprobs
from grpo_rs.rollout.sampler import Finish, SamplingParams, completion_seeds, greedy_seeds
from grpo_rs.rollout.sync import SyncedSampler
from grpo_rs.rollout.vllm_engine import VllmSampler, finish_of, sampling_fields, start_engine
from grpo_rs.rollout.vllm_server import VllmServerSampler
from grpo_rs.testing import tiny_tokenizer
from grpo_rs.train.config import ModelConfig
from grpo_rs.train.models import load_policy

_spec = importlib.util.spec_from_file_location("fake_vllm", Path(__file__).parent / "fake_vllm.py")
fake_vllm = importlib.util.module_from_spec(_spec)
sys.modules["fake_vllm"] = fake_vllm  # its dataclasses look themselves up
_spec.loader.exec_module(fake_vllm)

PROMPTS = [[3, 4, 5], [6, 13, 7, 14]]
TEXT = [3, 13, 4, 14, 7] * 6


def load(lora_rank=0):
    if lora_rank:
        pytest.importorskip("peft")
    return load_policy(ModelConfig(path="tiny", device="cpu", lora_rank=lora_rank), seed=0)


@pytest.fixture(params=["engine", "server"])
def kind(request, monkeypatch):
    if request.param == "engine":
        fake_vllm.install(monkeypatch)
    return request.param


@pytest.fixture
def made(kind):
    """policy, sampler, and the engine or server behind it; adapters or whole weights."""
    servers = []

    def make(lora_rank=0, **arguments):
        policy = load(lora_rank)
        theirs = deepcopy(policy.model)
        if kind == "engine":
            behind = fake_vllm.Engine(theirs, tiny_tokenizer())
            sampler = VllmSampler(behind, [1], save_adapters=policy.save if lora_rank else None, **arguments)
        else:
            behind = fake_vllm.Server(theirs, tiny_tokenizer())
            servers.append(behind)
            sampler = VllmServerSampler(
                behind.url, [1], save=policy.save, adapters=bool(lora_rank), pauses=(0.0, 0.0), **arguments
            )
        return policy, sampler, behind

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def seeds(group_size, seed=0):
    return completion_seeds(seed, np.arange(len(PROMPTS)), group_size)


def by_place(rows):
    return {(row.group, row.member): row for row in rows}


def test_completions_with_their_logprobs(made):
    policy, sampler, _ = made()
    sampler.version = 5
    rows = by_place(sampler.stream(PROMPTS, seeds(4), SamplingParams(8, 0.7)))
    assert sorted(rows) == [(g, m) for g in range(2) for m in range(4)]
    for row in rows.values():
        prompt = PROMPTS[row.group]
        ids = torch.tensor([prompt + row.tokens.tolist()])
        with torch.no_grad():
            logp = (policy.model(ids).logits[0, len(prompt) - 1 : -1] / 0.7).log_softmax(-1)
        expected = logp.gather(-1, ids[0, len(prompt) :, None])[:, 0]
        np.testing.assert_allclose(row.logprobs, expected.numpy(), atol=1e-4)
        assert row.finish is (Finish.STOP_TOKEN if row.tokens[-1] == 1 else Finish.LENGTH)
        assert row.version == 5 and row.log_mass is None


def test_a_seed_each(made):
    _, sampler, _ = made()
    params = SamplingParams(8)
    one, again = (by_place(sampler.stream(PROMPTS, seeds(4), params)) for _ in range(2))
    few = by_place(sampler.stream(PROMPTS, seeds(2), params))
    assert all(one[place].tokens.tolist() == again[place].tokens.tolist() for place in one)
    assert all(one[place].tokens.tolist() == few[place].tokens.tolist() for place in few)
    assert len({tuple(row.tokens) for row in one.values()}) > 4


def test_greedy_is_at_temperature_one(made):
    policy, sampler, _ = made()
    for row in sampler.stream(PROMPTS, greedy_seeds(2), SamplingParams(8, 0.0)):
        expected = forward_logprobs(policy.model)(PROMPTS[row.group], row.tokens)
        np.testing.assert_allclose(row.logprobs, expected, atol=1e-4)


def test_limits_leave_an_unknown_mass(made):
    _, sampler, _ = made()
    rows = list(sampler.stream(PROMPTS, seeds(2), SamplingParams(4, top_k=1)))
    for row in rows:
        np.testing.assert_allclose(row.logprobs, 0, atol=1e-6)
        assert np.isnan(row.log_mass).all()


def test_stop_texts(made):
    _, sampler, _ = made()
    rows = list(sampler.stream(PROMPTS, seeds(16), SamplingParams(12, stop=("4", "9"))))
    stopped = [row for row in rows if row.finish is Finish.STOP_STRING]
    assert stopped
    decode = tiny_tokenizer().decode
    for row in rows:
        text = [decode([token]) for token in row.tokens]
        assert (text[-1] in ("4", "9")) is (row.finish is Finish.STOP_STRING)
        assert not {"4", "9"} & set(text[:-1])


def test_score_is_the_forward_pass(made):
    policy, sampler, _ = made()
    np.testing.assert_allclose(
        sampler.score(TEXT[:5], TEXT[5:]), forward_logprobs(policy.model)(TEXT[:5], TEXT[5:]), atol=1e-4
    )


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_weights_arrive_and_the_canary_sees_them(made, lora_rank):
    policy, sampler, behind = made(lora_rank)
    synced = SyncedSampler(sampler, sampler.transfer, Canary(TEXT, TOLERANCE[torch.float32]))
    for version in range(3):
        synced.sync(policy.model, version)
        assert sampler.version == version and synced.gap.max < 1e-4
        change(policy.model, 0.02)
    # Never handed over: what was changed last.
    with pytest.raises(SyncError):
        synced.canary.check(sampler, forward_logprobs(policy.model))
    if lora_rank:
        assert len(behind.adapters if hasattr(behind, "adapters") else behind.loaded) == 1


def change(model, size):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(
                    size * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
                )


def test_a_hand_over_that_does_nothing_is_found(made, monkeypatch):
    policy, sampler, _ = made(4)
    synced = SyncedSampler(sampler, sampler.transfer, Canary(TEXT, TOLERANCE[torch.bfloat16]))
    synced.sync(policy.model, 0)
    monkeypatch.setattr(fake_vllm, "load_adapters", lambda *_: None)
    change(policy.model, 2e-3)
    with pytest.raises(SyncError, match="still has the weights of step 0"):
        synced.sync(policy.model, 1)


def test_closing_the_stream_ends_the_rest(made, kind):
    _, sampler, behind = made()
    stream = sampler.stream(PROMPTS, seeds(8), SamplingParams(12))
    next(stream)
    stream.close()
    if kind == "engine":
        assert not behind.running and behind.asleep
    else:
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("grpo_rs-vllm")]
    assert len(list(sampler.stream(PROMPTS, seeds(2), SamplingParams(4)))) == 4


def test_a_prompt_that_does_not_fit(made):
    _, sampler, _ = made()
    with pytest.raises(InputError, match="refused"):
        list(sampler.stream([[3] * 300], greedy_seeds(1), SamplingParams(4)))


@pytest.mark.parametrize("temperature", [0.001, 2.5])
def test_temperatures_that_vllm_would_change(temperature):
    with pytest.raises(InputError, match="rollout.temperature"):
        sampling_fields(SamplingParams(4, temperature), [1], 0)


def test_largest_seed_fits():
    assert sampling_fields(SamplingParams(4), [1], 2**64 - 1)["seed"] == 2**63 - 1


def test_an_aborted_completion_is_no_completion():
    with pytest.raises(ModelError, match="abort"):
        finish_of("abort", None)


def test_vllm_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="vllm_server"):
        start_engine("folder", dtype="bfloat16")


# ---- The server alone --------------------------------------------------------------------------------


@pytest.fixture
def server():
    policy = load()
    behind = fake_vllm.Server(deepcopy(policy.model), tiny_tokenizer())
    yield policy, behind
    behind.shutdown()
    behind.server_close()


def sampler_of(policy, behind, **arguments):
    return VllmServerSampler(
        behind.url, [1], save=policy.save, adapters=False, pauses=(0.0, 0.0), **arguments
    )


def test_no_server():
    with pytest.raises(ModelError, match="no vLLM server answers at http://127.0.0.1:9/v1/models"):
        VllmServerSampler("127.0.0.1:9", [1], save=lambda _: None, adapters=False, pauses=(0.0,))


def test_a_busy_server_is_asked_again(server):
    policy, behind = server
    sampler = sampler_of(policy, behind)
    behind.failures = [503, 429]
    assert len(list(sampler.stream([[3]], greedy_seeds(1), SamplingParams(3)))) == 1
    behind.failures = [503] * 3
    with pytest.raises(ModelError, match="status 503"):
        sampler.score([3], [4])


def test_closing_the_stream_asks_for_nothing_more(server):
    """Requests that rest between two attempts are not tried again, and the stream ends at once."""
    policy, behind = server
    sampler = sampler_of(policy, behind)
    sampler.pauses = (60.0, 60.0)
    behind.failures = [503] * 7
    stream = sampler.stream(PROMPTS, seeds(4), SamplingParams(3))
    next(stream)
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 10
    asked = len(behind.seen)
    assert len(list(sampler.stream([[3]], greedy_seeds(1), SamplingParams(3)))) == 1
    assert len(behind.seen) == asked + 1


def test_a_failing_server_is_not(server):
    policy, behind = server
    sampler = sampler_of(policy, behind)
    behind.failures = [500]
    with pytest.raises(ModelError, match="status 500"):
        sampler.score([3], [4])
    assert not behind.failures


def test_a_server_without_the_routes_says_which_option(server, monkeypatch):
    policy, behind = server
    sampler = sampler_of(policy, behind)
    behind.failures = [404]
    with pytest.raises(ModelError, match="VLLM_SERVER_DEV_MODE=1"):
        sampler.transfer(policy.model, 1)


def test_a_server_that_started_anew_is_found(server):
    policy, behind = server
    sampler = sampler_of(policy, behind)
    sampler.transfer(policy.model, 3)
    behind.version = "default"
    with pytest.raises(ModelError, match="started anew"):
        list(sampler.stream([[3]], greedy_seeds(1), SamplingParams(3)))


def test_raw_logprobs_are_refused(server):
    policy, behind = server
    behind.processed = False
    with pytest.raises(ModelError, match="--logprobs-mode processed_logprobs"):
        sampler_of(policy, behind)


def test_a_server_that_hangs(server, monkeypatch):
    policy, behind = server
    sampler = sampler_of(policy, behind, timeout_s=0.2)
    with behind.lock, pytest.raises(ModelError, match="no answer within 0.2 s"):
        sampler.score([3], [4])


def test_folders_are_removed(server, tmp_path):
    policy, behind = server
    sampler = sampler_of(policy, behind, folder=tmp_path)
    for version in range(3):
        sampler.transfer(policy.model, version)
        assert len(list(tmp_path.iterdir())) == 1
    del sampler
    assert not list(tmp_path.iterdir())
