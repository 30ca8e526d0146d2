"""What an update says of its distance to the sampler, and of padding: against plain arithmetic."""

import numpy as np
import pytest
from grpo_rs.advantages import group_advantages
from grpo_rs.algo.knobs import Algo
from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.learner.learner import Learner
from grpo_rs.testing import tiny_model

LENGTHS = [3, 1, 4, 2, 2, 5]
PROMPTS = [[3, 4, 5], [6, 7, 8, 9, 10]]


def updated(layout, **algo):
    """Metrics of an update on two groups of three, and the learner's distance to the sampler before it."""
    random = np.random.default_rng(0)
    learner = Learner(tiny_model(1, hidden_size=32, num_heads=2), Algo(**algo), layout=layout)
    table = Rollouts(
        prompts=Tokens.from_rows(PROMPTS),
        prompt_index=np.arange(2),
        completions=Tokens.from_rows([random.integers(3, 13, n) for n in LENGTHS]),
        group_ids=np.array([0, 0, 0, 1, 1, 1]),
        sampler_logprobs=np.zeros(sum(LENGTHS), np.float32),
        finished=np.ones(6, bool),
        rewards=np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
    )
    noise = random.normal(0, 0.3, sum(LENGTHS))
    table.sampler_logprobs = (learner.logprobs(table) - noise).astype(np.float32)
    before = learner.logprobs(table) - table.sampler_logprobs
    advantages = group_advantages(table.rewards, table.group_ids)
    return learner.update(table, advantages, lr=1e-2), before, table


@pytest.mark.parametrize("algo", [{"preset": "default"}, {"preset": "grpo", "kl_beta": 0.0, "epochs": 2}])
def test_the_sampler_is_compared_with_the_learner_before_the_update(algo):
    metrics, d, table = updated("shared_prefix", **algo)
    weights, sums = np.exp(d), np.array([part.sum() for part in np.split(d, table.completions.offsets[1:-1])])
    expected = {
        "train/sampler_gap": np.abs(d).mean(),
        "train/sampler_gap_max": np.abs(d).max(),
        "train/sampler_kl": -d.mean(),
        "train/sampler_k3": (np.exp(d) - d - 1).mean(),
        "train/sampler_ess_token": weights.sum() ** 2 / (len(d) * (weights**2).sum()),
        "train/sampler_ess_sequence": np.exp(sums).sum() ** 2 / (len(sums) * (np.exp(sums) ** 2).sum()),
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_padding_is_counted():
    metrics, _, _ = updated("padded")
    fed = [len(PROMPTS[row // 3]) + length - 1 for row, length in enumerate(LENGTHS)]
    assert metrics["train/padding_tokens"] == metrics["train/forward_tokens"] - sum(fed) > 0
    metrics, _, _ = updated("shared_prefix")
    assert metrics["train/padding_tokens"] == 0
    assert metrics["train/forward_tokens"] == sum(map(len, PROMPTS)) + sum(LENGTHS) - 6
