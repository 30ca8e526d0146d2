"""Mistakes of public trainers in their advantages: here each has another end.

Numbers said to be a trainer's own are those that its code gives for the same rewards.
"""

import itertools

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs.advantages import group_advantages
from grpo_rs.algo.advantages import compute_advantages
from grpo_rs.algo.knobs import Algo

# Two prompts with three completions each.
REWARDS = [1.0, 0.0, 0.5, 0.0, 0.0, 1.0]
PAIR = [0, 0, 0, 1, 1, 1]


def test_a_group_of_one_has_advantage_0_and_not_its_raw_reward():
    """verl and SkyRL take mean 0 and standard deviation 1 there: every advantage is 0 or more."""
    for scale in ("std", "none", "leave_one_out_std"):
        for baseline in ("mean", "leave_one_out"):
            result = group_advantages(REWARDS, range(6), baseline=baseline, scale=scale)
            assert result.values.tolist() == [0.0] * 6
            assert not result.trainable.any()
            assert result.share(g.GroupState.TOO_FEW) == 1.0


def test_a_group_left_with_one_score_is_a_group_of_one():
    result = group_advantages([1.0, None, None, 0.0, 0.0, 1.0], PAIR, zero_variance="keep")
    assert result.values[:3].tolist() == [0.0] * 3
    assert not result.trainable[:3].any()
    assert result.trainable[3:].all()


def test_groups_of_unequal_sizes_are_normalised_each_by_itself():
    """slime takes the whole batch for one group as soon as a size differs."""
    rewards, ids = [1.0, 0.0, 0.5, 10.0, 11.0], [0, 0, 0, 1, 1]
    result = group_advantages(rewards, ids, epsilon=0.0)
    half = 0.5 / np.sqrt(0.5)
    np.testing.assert_allclose(result.values, [1.0, -1.0, 0.0, -half, half], atol=1e-15)
    batch = (np.array(rewards) - np.mean(rewards)) / np.std(rewards, ddof=1)
    assert np.abs(result.values - batch).max() > 0.5


def test_a_lone_success_stands_out_by_its_whole_distance():
    """NeMo-RL's leave-one-out scale leaves the success undivided (1.0), and divides the failures."""
    rewards = [1.0] + [0.0] * 15
    usual = group_advantages(rewards, [0] * 16, epsilon=0.0)
    np.testing.assert_allclose(usual.values[:2], [3.75, -0.25])
    leave_out = {"baseline": "leave_one_out", "scale": "leave_one_out_std"}
    nemo = group_advantages(rewards, [0] * 16, epsilon=0.0, **leave_out)
    np.testing.assert_allclose(nemo.values[:2], [1.0, -0.258199], atol=1e-6)
    # Its own numbers of two groups of three, and of pairs, whose standard deviation it takes for 0.
    six = group_advantages(REWARDS, PAIR, **leave_out)
    np.testing.assert_allclose(six.values, [2.121314, -2.121314, 0.0, -0.707106, -0.707106, 1.0], atol=2e-6)
    pair = group_advantages([1.0, 0.0], [0, 0], **leave_out)
    assert pair.values.tolist() == [1.0, -1.0]


def test_two_rows_of_the_data_with_one_prompt_are_two_groups():
    """NeMo-RL groups by the prompt's text, and merges them."""
    rewards = [1.0, 0.0, 1.0, 1.0]
    prompt = [5, 6, 7]
    rollouts = g.Rollouts(
        prompts=g.Tokens.from_rows([prompt, prompt]),
        prompt_index=np.array([3, 9]),
        completions=g.Tokens.from_rows([[1]] * 4),
        group_ids=np.array([0, 0, 1, 1]),
        sampler_logprobs=np.zeros(4, np.float32),
        finished=np.ones(4, bool),
        rewards=np.array(rewards),
    )
    algo = Algo().model_copy(update={"baseline": "group_mean", "scale": "none"})
    result = compute_advantages(algo, rollouts)
    assert result.values.tolist() == [0.5, -0.5, 0.0, 0.0]
    merged = group_advantages(rewards, [0] * 4, scale="none")
    assert merged.values.tolist() == [0.25, -0.75, 0.25, 0.25]


@pytest.mark.parametrize(
    ("rewards", "ratio"),
    [([1.0, 0.0, 0.0, 1.0], 1.0), ([0.500, 0.501, 0.502, 0.503], 1.08)],
    ids=["0/1 rewards", "dense rewards"],
)
def test_epsilon_matters_where_rewards_lie_close(rewards, ratio):
    """1e-4 (TRL) and 1e-6 (verl) agree on 0 and 1, and are 8 % apart at a spread of 1e-3."""
    small = group_advantages(rewards, [0] * 4, epsilon=1e-6).values
    large = group_advantages(rewards, [0] * 4, epsilon=1e-4).values
    np.testing.assert_allclose(small / large, ratio, rtol=5e-3)


@pytest.mark.parametrize("epsilon", [0.0, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7])
def test_a_reward_that_all_earn_pushes_nobody(value, epsilon):
    """In float32 the mean of eight times 0.1 is not 0.1, and OpenRLHF's 1e-9 makes that -0.83."""
    rewards = np.full(16, value, np.float32)
    for scale in ("std", "leave_one_out_std", "none", "mean"):
        result = group_advantages(rewards, [0] * 16, scale=scale, epsilon=epsilon)
        assert result.values.tolist() == [0.0] * 16
        assert result.share(g.GroupState.ZERO_VARIANCE) == 1.0


def test_the_hazard_is_real():
    """The same in float32 with a plain sum: what the exact test of equality avoids."""
    worst = 0.0
    for value, size in itertools.product([0.1, 0.3, 0.7], range(2, 33)):
        rewards = np.full(size, value, np.float32)
        mean = np.cumsum(rewards, dtype=np.float32)[-1] / np.float32(size)
        spread = np.sqrt(np.sum((rewards - mean) ** 2, dtype=np.float32) / np.float32(size - 1))
        worst = max(worst, float(np.abs((rewards - mean) / (spread + np.float32(1e-9))).max()))
    assert worst > 0.5


def test_ddof_is_a_choice_and_the_default_is_that_of_most():
    """GRPO-Zero and open-instruct divide by the population's, all others by the sample's."""
    for size in (4, 8, 16):
        rewards = [1.0] + [0.0] * (size - 1)
        sample = group_advantages(rewards, [0] * size, epsilon=0.0).values
        population = group_advantages(rewards, [0] * size, ddof=0, epsilon=0.0).values
        np.testing.assert_allclose(population / sample, np.sqrt(size / (size - 1)))
    assert Algo.model_fields["std_ddof"].default == 1


def test_the_trainers_own_numbers_on_one_batch():
    """Two groups of three, from the code of TRL, verl and OpenRLHF."""
    close = {"atol": 2e-6}
    table = {
        ("mean", "std", 1e-4): [0.999800, -0.999800, 0, -0.577250, -0.577250, 1.154501],
        ("mean", "std", 1e-6): [0.999998, -0.999998, 0, -0.577349, -0.577349, 1.154699],
        ("mean", "std", 1e-9): [1, -1, 0, -0.577350, -0.577350, 1.154701],
        ("mean", "none", 0.0): [0.5, -0.5, 0, -0.333333, -0.333333, 0.666667],
        ("leave_one_out", "none", 0.0): [0.75, -0.75, 0, -0.5, -0.5, 1],
    }
    for (baseline, scale, epsilon), expected in table.items():
        result = group_advantages(REWARDS, PAIR, baseline=baseline, scale=scale, epsilon=epsilon)
        np.testing.assert_allclose(result.values, expected, **close)
    lengths = [5, 3, 1, 4, 2, 5]
    opo = group_advantages(REWARDS, PAIR, baseline="length_weighted", scale="none", lengths=lengths)
    np.testing.assert_allclose(
        opo.values, [0.388889, -0.611111, -0.111111, -0.454545, -0.454545, 0.545455], **close
    )

    rollouts = g.Rollouts(
        prompts=g.Tokens.from_rows([[1], [2]]),
        prompt_index=np.arange(2),
        completions=g.Tokens.from_rows([[1] * length for length in lengths]),
        group_ids=np.array(PAIR),
        sampler_logprobs=np.zeros(sum(lengths), np.float32),
        finished=np.ones(6, bool),
        rewards=np.array(REWARDS),
    )

    def values(**knobs):
        knobs = {"zero_variance": "keep", "scale": "none"} | knobs
        return compute_advantages(Algo().model_copy(update=knobs), rollouts).values

    np.testing.assert_allclose(
        values(scale="batch_reward_std", std_epsilon=1e-4),
        [1.016888, -1.016888, 0, -0.677926, -0.677926, 1.355851],
        **close,
    )
    np.testing.assert_allclose(
        values(scale="token_whiten", std_epsilon=1e-8),
        [0.777659, -1.251016, -0.236679, -0.912904, -0.912904, 1.115771],
        **close,
    )
    np.testing.assert_allclose(
        values(transform="pass_k_max", scale="group_std", std_epsilon=1e-6),
        [0.999998, 0, 0, 0, 0, 1.732048],
        **close,
    )
