"""Sampling: the tokens and log-probabilities are those of the model, lengths those of the sampler."""

import numpy as np
import pytest
import torch
from grpo_rs.errors import InputError
from grpo_rs.rollout.sampler import Finish, SamplingParams, completion_seeds, gather
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.testing import tiny_model

PROMPTS = [[3, 4, 5], [6, 7, 8, 9, 10, 11], [12]]
END = 1


def sampler(stop=(END,)):
    return TorchSampler(tiny_model(3, hidden_size=32, num_heads=2), list(stop))


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


def test_the_padding_token_may_be_drawn():
    """pad == eos, or pad inside a completion: lengths come from the sampler, not from token values."""
    back_end = sampler(stop=[7])
    back_end.model.config.pad_token_id = 7
    out = draw(64, SamplingParams(20), back_end=back_end)
    lengths = out.completions.lengths
    for row in range(len(out)):
        assert (out.completions[row] == 7).sum() == out.finished[row]
        assert lengths[row] == 20 or out.completions[row][-1] == 7
    assert (out.completions.flat == 0).any()  # what padding usually is


def test_several_tokens_end_a_completion():
    out = draw(64, SamplingParams(20), back_end=sampler(stop=[1, 5, 9, 10_000]))
    last = {int(out.completions[row][-1]) for row in range(len(out)) if out.finished[row]}
    assert last == {1, 5, 9}
    assert not np.isin(
        np.concatenate([out.completions[row][:-1] for row in range(len(out))]), [1, 5, 9]
    ).any()


def test_stop_strings_end_a_completion_with_the_token_that_completes_one():
    """Every token is two letters, so a text of three may begin and end in the middle of one."""
    pieces = [f"{'abcd'[token // 4]}{'abcd'[token % 4]}" for token in range(16)]

    def decode(tokens):
        return "".join(pieces[token] for token in tokens)

    back_end = TorchSampler(tiny_model(3, hidden_size=32, num_heads=2), [END], decode=decode)
    stop = ("abc", "dd")
    found = list(
        back_end.stream(PROMPTS, completion_seeds(0, np.arange(3), 64), SamplingParams(20, stop=stop))
    )
    for completion in found:
        text, before = decode(completion.tokens), decode(completion.tokens[:-1])
        assert not any(word in before for word in stop)
        if completion.finish is Finish.STOP_STRING:
            assert any(word in text for word in stop)
        else:
            assert (completion.finish is Finish.STOP_TOKEN) == (completion.tokens[-1] == END)
            assert completion.finish is Finish.STOP_TOKEN or not any(word in text for word in stop)
    assert {completion.finish for completion in found} >= {Finish.STOP_STRING, Finish.STOP_TOKEN}
    with pytest.raises(InputError, match="decode"):
        sampler().stream(PROMPTS, completion_seeds(0, np.arange(3), 1), SamplingParams(2, stop=("a",)))


def test_limits_take_probability_away_and_say_how_much():
    """log-probability + log mass is the model's own; every token is among the most probable."""
    back_end = sampler()
    params = SamplingParams(8, 0.9, top_k=6, top_p=0.8, min_p=0.05)
    out = draw(8, params, back_end=back_end)
    assert out.log_mass is not None and (out.log_mass < 0).all()
    for row in range(len(out)):
        completion = out.completions[row].tolist()
        expected = logprobs(back_end.model, PROMPTS[out.group_ids[row]], completion, 0.9)
        begin, end = out.completions.offsets[row : row + 2]
        np.testing.assert_allclose(out.policy_logprobs[begin:end], expected, atol=2e-5)


def test_slots_are_at_least_one():
    with pytest.raises(InputError, match="slots is 0"):
        TorchSampler(tiny_model(3), [END], slots=0)


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
