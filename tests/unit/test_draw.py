"""Drawing and stop strings, against references that sort, sum and search in the plainest way."""

import numpy as np
import pytest
import torch
from grpo_rs.errors import ModelError
from grpo_rs.rollout import draw as draw_module
from grpo_rs.rollout.draw import draw, logprob
from grpo_rs.rollout.sampler import SamplingParams, completion_seeds
from grpo_rs.rollout.stop import StopStrings
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.testing import tiny_model

LIMITS = [
    {},
    {"top_k": 5},
    {"top_k": 1000},
    {"top_p": 0.7},
    {"top_p": 0.001},
    {"min_p": 0.1},
    {"top_k": 7, "top_p": 0.8},
    {"top_p": 0.9, "min_p": 0.2},
    {"top_k": 12, "top_p": 0.95, "min_p": 0.02},
]


def logits(rows, vocabulary, seed=0, scale=2.5):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, vocabulary)) * scale).float()


def limited(logits_V, params):
    """The distribution that may be drawn from, and the probability that it had: float64, token by token."""
    z = logits_V.double().numpy() / params.temperature
    full = np.exp(z - z.max())
    full /= full.sum()
    ranked = sorted(range(len(full)), key=lambda token: -full[token])
    if params.top_k:
        ranked = ranked[: params.top_k]
    if params.top_p < 1:
        total, reached, kept = full[ranked].sum(), 0.0, []
        for token in ranked:
            if reached >= params.top_p * total:
                break
            kept.append(token)
            reached += full[token]
        ranked = kept
    ranked = [token for token in ranked if full[token] >= params.min_p * full[ranked[0]]]
    mass = full[ranked].sum()
    out = np.zeros_like(full)
    out[ranked] = full[ranked] / mass
    return out, mass


@pytest.mark.parametrize("vocabulary", [29, 1500, 2048])
@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_token_is_where_the_cumulative_distribution_passes_the_number(vocabulary, limits, temperature):
    """Every token of the support is met, with its probability and the mass; no other token is."""
    params = SamplingParams(1, temperature, **limits)
    (row,) = logits(1, vocabulary)
    expected, mass = limited(row, params)
    cdf = expected.cumsum()
    # The middle of every token's interval, so that rounding cannot decide.
    support = np.flatnonzero(expected > 1e-7)
    middles = torch.from_numpy(cdf[support] - expected[support] / 2)
    tokens, logp, log_mass = draw(row.expand(len(support), -1), params, middles)
    np.testing.assert_array_equal(tokens, support)
    np.testing.assert_allclose(logp, np.log(expected[support]), atol=2e-5)
    assert logp.double().exp().sum() == pytest.approx(expected[support].sum(), abs=1e-5)
    if limits:
        np.testing.assert_allclose(log_mass, np.log(mass), atol=1e-5)
        plain = torch.log_softmax(row / temperature, -1)[tokens]
        np.testing.assert_allclose(logp + log_mass, plain, atol=2e-5)
    else:
        assert log_mass is None


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_the_ends_of_the_interval_fall_on_tokens_that_may_be_drawn(limits):
    params = SamplingParams(1, **limits)
    rows = logits(64, 3000, seed=3, scale=6.0)
    for number in (0.0, 1 - 2**-53):
        tokens, logp, _ = draw(rows, params, torch.full((64,), number, dtype=torch.float64))
        assert torch.isfinite(logp).all()
        for row, token in zip(rows, tokens.tolist(), strict=True):
            assert limited(row, params)[0][token] > 0


def test_top_p_beyond_the_candidates_sorts_the_whole_vocabulary(monkeypatch):
    """A flat distribution: the share lies beyond the tokens that are looked at first."""
    monkeypatch.setattr(draw_module, "CANDIDATES", 10)
    params = SamplingParams(1, top_p=0.9)
    rows = logits(3, 500, scale=0.1)
    _, _, log_mass = draw(rows, params, torch.zeros(3, dtype=torch.float64))
    for row, found in zip(rows, log_mass, strict=True):
        assert float(found) == pytest.approx(np.log(limited(row, params)[1]), abs=1e-5)


def test_rows_do_not_depend_on_each_other():
    params = SamplingParams(1, top_p=0.8)
    rows, numbers = logits(8, 5000), torch.linspace(0.05, 0.95, 8, dtype=torch.float64)
    together = draw(rows, params, numbers)
    for i in range(8):
        for whole, alone in zip(together, draw(rows[i : i + 1], params, numbers[i : i + 1]), strict=True):
            torch.testing.assert_close(whole[i : i + 1], alone)


def test_greedy_has_the_models_own_logprobs():
    rows = logits(5, 700)
    tokens, logp, log_mass = draw(rows, SamplingParams(1, temperature=0.0, top_k=3), None)
    np.testing.assert_array_equal(tokens, rows.argmax(-1))
    torch.testing.assert_close(logp, rows.log_softmax(-1).max(-1).values)
    torch.testing.assert_close(logprob(rows, tokens), logp)
    assert log_mass is None


def test_ties_with_the_last_token_are_kept():
    row = torch.tensor([[2.0, 1.0, 1.0, 1.0, 0.0]])
    for params in (SamplingParams(1, top_k=2), SamplingParams(1, top_p=0.6)):
        _, _, log_mass = draw(row, params, torch.zeros(1, dtype=torch.float64))
        assert float(log_mass) == pytest.approx(float(row.softmax(-1)[0, :4].sum().log()), abs=1e-6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("limits", [*LIMITS, {"temperature": 0.0}], ids=str)
@pytest.mark.parametrize("vocabulary", [40, 3001])
def test_logits_that_are_not_finite_give_some_token_without_a_probability(vocabulary, limits, wrong):
    rows = logits(3, vocabulary)
    rows[1, 7] = wrong
    rows[2] = wrong
    tokens, logp, _ = draw(rows, SamplingParams(1, **limits), torch.full((3,), 0.999, dtype=torch.float64))
    assert ((tokens >= 0) & (tokens < vocabulary)).all()
    assert torch.isfinite(logp).tolist() == [True, False, False]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_whose_logits_are_not_finite_is_refused(temperature):
    model = tiny_model()
    sampler = TorchSampler(model, [1])
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="logits are not finite.*rollout.dtype.*optim.lr"):
        list(sampler.stream([[3, 4]], completion_seeds(0, np.arange(1), 2), SamplingParams(4, temperature)))


# ---- Stop strings ------------------------------------------------------------------------------------------

PIECES = ["", "a", "b", "ab", "</", "answer", ">", "x</ans", "wer>", " ", "é"]


def decode(tokens):
    """Bytes 100 and above are parts of characters, as in byte-level vocabularies."""
    data = b"".join(PIECES[t].encode() if t < 100 else bytes([t]) for t in tokens)
    return data.decode(errors="replace")


def first_end(texts, tokens):
    """The least number of tokens whose whole text holds one of the texts."""
    for count in range(1, len(tokens) + 1):
        if any(text in decode(tokens[:count]) for text in texts):
            return count
    return None


@pytest.mark.parametrize(
    ("texts", "tokens", "end"),
    [
        (["</answer>"], [1, 4, 5, 6, 1], 4),  # spread over tokens
        (["</answer>"], [1, 7, 8, 1], 3),  # begins in the middle of one
        (["</answer>", "b"], [1, 3, 7, 8], 2),  # ends in the middle of one, the other text first
        (["é"], [1, 0xC3, 0xA9, 1], 3),  # a character of two tokens
        (["answer>"], [5] + [0] * 60 + [6, 1], 62),  # tokens without text in between
        (["zz"], [1, 2, 3], None),
    ],
)
def test_a_stop_text_is_met_at_the_token_that_completes_it(texts, tokens, end):
    assert first_end(texts, tokens) == end
    stop = StopStrings(texts, decode)
    found = [count for count in range(1, len(tokens) + 1) if stop.ended(np.array(tokens[:count]))]
    assert (found or [None])[0] == end


def test_stop_texts_by_chance_agree_with_the_whole_text():
    random = np.random.default_rng(0)
    texts = ["</answer>", "bab", "x</", "a a"]
    stop = StopStrings(texts, decode)
    met = 0
    for _ in range(300):
        tokens = random.integers(0, len(PIECES), 30).tolist()
        end = first_end(texts, tokens)
        found = next((n for n in range(1, 31) if stop.ended(np.array(tokens[:n]))), None)
        assert found == end
        met += end is not None
    assert 100 < met < 300


def test_only_the_tail_is_decoded():
    lengths = []

    def counting(tokens):
        lengths.append(len(tokens))
        return decode(tokens)

    stop = StopStrings(["</answer>"], counting)
    stop.ended(np.ones(10_000, np.int64))
    assert max(lengths) < 40
