"""transformers' continuous batching behind the `Sampler` protocol, run for real."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from grpo_rs.errors import InputError, ModelError
from grpo_rs.learner.attention import use_shared_prefix
from grpo_rs.rollout.canary import forward_logprobs
from grpo_rs.rollout.sampler import Finish, SamplingParams, completion_seeds, gather, greedy_seeds
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.rollout.transformers_cb import ContinuousBatchingSampler
from grpo_rs.testing import tiny_model, tiny_tokenizer
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.loop import train

PROMPTS = [[3, 4, 5], [6, 13, 7, 14], [8]]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def sampler(model):
    return ContinuousBatchingSampler(model, [1], decode=tiny_tokenizer().decode)


def seeds(group_size, seed=0, groups=len(PROMPTS)):
    return completion_seeds(seed, np.arange(groups), group_size)


def test_greedy_equals_generate(model, sampler):
    rows = {row.group: row for row in sampler.stream(PROMPTS, greedy_seeds(3), SamplingParams(12, 0.0))}
    for group, prompt in enumerate(PROMPTS):
        expected = model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=1, pad_token_id=0
        )[0, len(prompt) :]
        assert rows[group].tokens.tolist() == expected.tolist()
        np.testing.assert_allclose(
            rows[group].logprobs, forward_logprobs(model)(prompt, rows[group].tokens), atol=1e-5
        )


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_of_the_distribution_drawn_from(model, sampler, temperature):
    for row in sampler.stream(PROMPTS, seeds(4), SamplingParams(10, temperature)):
        prompt = PROMPTS[row.group]
        ids = torch.tensor([prompt + row.tokens.tolist()])
        with torch.no_grad():
            logp = (model(ids).logits[0, len(prompt) - 1 : -1] / temperature).log_softmax(-1)
        expected = logp.gather(-1, ids[0, len(prompt) :, None])[:, 0]
        np.testing.assert_allclose(row.logprobs, expected.numpy(), atol=1e-5)
        assert row.log_mass is None


def test_every_completion_comes_once_with_its_end(sampler):
    sampler.version = 7
    rows = list(sampler.stream(PROMPTS, seeds(8), SamplingParams(6)))
    sampler.version = 0
    table = gather(PROMPTS, np.arange(3), rows)
    assert table.group_ids.tolist() == np.repeat(np.arange(3), 8).tolist()
    assert Counter((row.group, row.member) for row in rows) == {(g, m): 1 for g in range(3) for m in range(8)}
    assert {row.version for row in rows} == {7}
    for row in rows:
        if row.finish is Finish.STOP_TOKEN:
            assert row.tokens[-1] == 1 and 1 not in row.tokens[:-1]
        else:
            assert row.finish is Finish.LENGTH and len(row.tokens) == 6 and 1 not in row.tokens


def test_first_tokens_follow_the_model(model, sampler):
    # A group whose members shared their first token would still have right log-probabilities.
    draws = [row.tokens[0] for row in sampler.stream(PROMPTS[:1], seeds(2000, groups=1), SamplingParams(1))]
    with torch.no_grad():
        expected = model(torch.tensor(PROMPTS[:1])).logits[0, -1].softmax(-1).double().numpy()
    found = np.bincount(draws, minlength=len(expected)) / len(draws)
    # Five standard deviations of each share.
    assert (np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / len(draws)) + 1e-9).all()


def test_limits_are_obeyed_and_what_they_left_is_unknown(model, sampler):
    params = SamplingParams(5, top_k=6, top_p=0.8, min_p=0.3)
    for row in sampler.stream(PROMPTS, seeds(6), params):
        prompt = PROMPTS[row.group]
        ids = torch.tensor([prompt + row.tokens.tolist()])
        with torch.no_grad():
            logp_TV = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1).double().numpy()
        for logp_V, token, logprob in zip(logp_TV, row.tokens, row.logprobs, strict=True):
            kept = limited(np.exp(logp_V), params)
            assert kept[token]
            np.testing.assert_allclose(logprob, logp_V[token] - np.log(np.exp(logp_V)[kept].sum()), atol=1e-4)
        assert np.isnan(row.log_mass).all()


def limited(p_V, params):
    """The tokens that top-k, top-p and min-p leave, each of what the one before left."""
    order = np.argsort(-p_V)[: params.top_k]
    share = p_V[order] / p_V[order].sum()
    order = order[: np.searchsorted(share.cumsum(), params.top_p) + 1]
    order = order[p_V[order] >= params.min_p * p_V[order[0]]]
    kept = np.zeros(len(p_V), bool)
    kept[order] = True
    return kept


def test_seeds_decide_and_the_trainers_random_state_stays(sampler):
    before = torch.get_rng_state()
    one, again, other = (
        {
            (r.group, r.member): r.tokens.tolist()
            for r in sampler.stream(PROMPTS, seeds(4, s), SamplingParams(8))
        }
        for s in (1, 1, 2)
    )
    assert one == again != other
    assert torch.equal(before, torch.get_rng_state())


def test_a_stop_text_cuts_what_comes_after(sampler):
    plain = {(r.group, r.member): r for r in sampler.stream(PROMPTS, seeds(8), SamplingParams(12))}
    cut = {
        (r.group, r.member): r for r in sampler.stream(PROMPTS, seeds(8), SamplingParams(12, stop=("4", "9")))
    }
    kinds = set()
    for key, row in cut.items():
        whole = plain[key]
        characters = [sampler.decode([token]) for token in whole.tokens]
        found = [i for i, c in enumerate(characters) if c in ("4", "9")]
        if found:
            assert row.finish is Finish.STOP_STRING
            assert row.tokens.tolist() == whole.tokens[: found[0] + 1].tolist()
            assert len(row.logprobs) == found[0] + 1
        else:
            assert row.finish is whole.finish and row.tokens.tolist() == whole.tokens.tolist()
        kinds.add(row.finish)
    assert Finish.STOP_STRING in kinds and len(kinds) > 1


def test_the_model_can_be_used_while_completions_stream(model, sampler):
    # Unguarded, this leaves the model without its causal mask for good.
    ids = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 10]])
    alone = model(ids).logits
    for row in sampler.stream(PROMPTS, seeds(8), SamplingParams(20)):
        assert torch.equal(model(ids).logits, alone)
        np.testing.assert_allclose(
            row.logprobs, forward_logprobs(model)(PROMPTS[row.group], row.tokens), atol=1e-5
        )
    assert torch.equal(model(ids).logits, alone)


def test_more_completions_than_slots(model):
    few = ContinuousBatchingSampler(model, [1], slots=2)
    assert len(list(few.stream(PROMPTS, seeds(4), SamplingParams(5)))) == 12


def test_closing_the_stream_gives_the_model_back(model, sampler):
    model.train()
    stream = sampler.stream(PROMPTS, seeds(4), SamplingParams(12))
    next(stream)
    stream.close()
    assert model.training and model.config._attn_implementation == "sdpa"
    assert len(list(sampler.stream(PROMPTS, seeds(2), SamplingParams(3)))) == 6


def test_new_weights_are_used_at_once(sampler, model):
    params, prompt = SamplingParams(8, 0.0), [list(range(3, 15)) * 8]
    [before] = sampler.stream(prompt, greedy_seeds(1), params)
    weight = model.model.embed_tokens.weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(-1)
    [after] = sampler.stream(prompt, greedy_seeds(1), params)
    np.testing.assert_allclose(after.logprobs, forward_logprobs(model)(prompt[0], after.tokens), atol=1e-5)
    assert not np.array_equal(after.tokens, before.tokens)
    with torch.no_grad():
        weight.copy_(kept)


def test_bad_input_is_refused(model, sampler):
    with pytest.raises(InputError, match="prompt 1 is empty"):
        list(sampler.stream([[3], []], greedy_seeds(2), SamplingParams(3)))
    with pytest.raises(InputError, match="do not fit into the model's 256"):
        list(sampler.stream([[3] * 250], greedy_seeds(1), SamplingParams(7)))
    with pytest.raises(ModelError, match="decodes tokens"):
        list(
            ContinuousBatchingSampler(model, [1]).stream(
                [[3]], greedy_seeds(1), SamplingParams(3, stop=("a",))
            )
        )


def test_no_prompts_give_no_completions(sampler):
    assert not list(sampler.stream([], seeds(2, groups=0), SamplingParams(3)))


def test_attention_of_ours_is_put_aside_and_comes_back():
    """Before the first completion, and where the caller's forward pass names it again."""
    model = tiny_model()
    TorchSampler(model, [1])
    use_shared_prefix(model)
    sampler = ContinuousBatchingSampler(model, [1], slots=2)
    for _ in sampler.stream(PROMPTS, seeds(4), SamplingParams(5)):
        use_shared_prefix(model)
    assert model.config._attn_implementation == "sdpa_slots_shared_prefix"


def test_a_run_of_two_steps(tmp_path):
    """The learner names its attention in the model that is sampled from."""
    problems = [{"question": f"{a}+{b}=", "gold": str(a + b)} for a in range(6) for b in range(6)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    sections = {
        "rollout": {"engine": "transformers_cb", "prompts_per_step": 2, "group_size": 2, "max_new_tokens": 4},
        "warmup": {"max_steps": 0},
        "data": {
            "train": str(tmp_path / "problems.jsonl"),
            "prompt_column": "question",
            "gold_column": "gold",
            "held_out": 4,
        },
        "run": {"steps": 2, "threads": 1, "out": str(tmp_path / "run")},
    }
    outcome = train(config_from_dict(sections))
    assert len((outcome.path / "metrics.jsonl").read_text().splitlines()) == 2
