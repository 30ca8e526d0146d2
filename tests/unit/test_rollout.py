"""Sampling: the tokens and log-probabilities are those of the model, lengths those of the sampler."""

import numpy as np
import pytest
import torch
from grpo_rs.rollout.sampler import SamplingParams, completion_seeds, gather
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.testing import tiny_model

PROMPTS = [[3, 4, 5], [6, 7, 8, 9, 10, 11], [12]]
END = 1


def sampler(stop=(END,)):
    return TorchSampler(tiny_model(3, hidden_size=32, num_heads=2), list(stop), pad_token=0)


def draw(group_size, params, *, seed=0, prompts=PROMPTS, back_end=None):
    back_end = back_end or sampler()
    index = np.arange(len(prompts))
    seeds = completion_seeds(seed, index, group_size)
    return gather(prompts, index, back_end.stream(prompts, seeds, params))


def logprobs(model, prompt, completion, temperature):
    """One sequence at a time, without a cache: the plain way."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *completion]])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits / temperature, -1)[torch.arange(len(completion)), completion]


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_are_the_models_own(temperature):
    """Prompts of different lengths, rows that leave early: the cache, mask and positions must agree."""
    back_end = sampler()
    out = draw(4, SamplingParams(12, temperature), back_end=back_end)
    assert len(set(out.completions.lengths.tolist())) > 2
    for row in range(len(out)):
        completion = out.completions[row].tolist()
        expected = logprobs(back_end.model, PROMPTS[out.group_ids[row]], completion, temperature)
        begin, end = out.completions.offsets[row : row + 2]
        np.testing.assert_allclose(out.sampler_logprobs[begin:end], expected, atol=2e-5)


def test_greedy_takes_the_most_probable_token():
    back_end = sampler(stop=[])
    out = draw(1, SamplingParams(8, temperature=0.0), back_end=back_end)
    for row, prompt in enumerate(PROMPTS):
        sequence = list(prompt)
        for token in out.completions[row]:
            with torch.no_grad():
                assert token == back_end.model(torch.tensor([sequence])).logits[0, -1].argmax()
            sequence.append(int(token))
    assert not out.finished.any()
    assert out.completions.lengths.tolist() == [8, 8, 8]


def test_lengths_end_with_the_stop_token_that_is_kept():
    out = draw(64, SamplingParams(20))
    for row in range(len(out)):
        completion = out.completions[row].tolist()
        assert (completion[-1] == END) == out.finished[row]
        assert END not in completion[:-1]
        assert len(completion) == 20 or out.finished[row]


def test_a_stop_token_that_is_also_the_padding_counts_once():
    """pad == eos: the length comes from the sampler, so the true end is neither lost nor doubled."""
    back_end = TorchSampler(tiny_model(3, hidden_size=32, num_heads=2), [END], pad_token=END)
    out = draw(16, SamplingParams(20), back_end=back_end)
    reference = draw(16, SamplingParams(20))
    np.testing.assert_array_equal(out.completions.flat, reference.completions.flat)


def test_the_seeds_decide_everything():
    params = SamplingParams(10)
    torch.manual_seed(1)
    first = draw(4, params, seed=5)
    torch.manual_seed(2)
    np.testing.assert_array_equal(first.completions.flat, draw(4, params, seed=5).completions.flat)
    assert first.completions.flat.tolist() != draw(4, params, seed=6).completions.flat.tolist()


def test_draws_follow_the_distribution():
    """20,000 first tokens against the model's probabilities: a chi-squared statistic within bounds."""
    back_end = sampler(stop=[])
    out = draw(20_000, SamplingParams(1, 0.8), prompts=PROMPTS[:1], back_end=back_end)
    with torch.no_grad():
        logits = back_end.model(torch.tensor([PROMPTS[0]])).logits[0, -1]
    expected = torch.softmax(logits / 0.8, -1).double().numpy() * 20_000
    counts = np.bincount(out.completions.flat, minlength=len(expected))
    statistic = ((counts - expected) ** 2 / expected).sum()
    # 15 degrees of freedom; 37.7 is the 0.999 quantile (any table of chi-squared).
    assert statistic < 37.7


def test_training_mode_is_restored():
    back_end = sampler()
    back_end.model.train()
    draw(1, SamplingParams(2), back_end=back_end)
    assert back_end.model.training
