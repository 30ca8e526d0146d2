"""From knobs to advantages: what is asked for by name, and the pass-rate tracker."""

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs.advantages import StepRewards
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.algo.knobs import Algo


def rollouts(rewards=(1.0, 0.0, 1.0, 1.0), ids=(0, 0, 1, 1), lengths=(1, 2, 3, 2), **fields):
    table = {
        "prompts": g.Tokens.from_rows([[1]] * (max(ids) + 1)),
        "prompt_index": np.array([40, 7, 3][: max(ids) + 1]),
        "completions": g.Tokens.from_rows([[1] * length for length in lengths]),
        "group_ids": np.array(ids),
        "sampler_logprobs": np.full(sum(lengths), -0.5, np.float32),
        "finished": np.ones(len(ids), bool),
        "rewards": None if rewards is None else np.array(rewards, np.float64),
    }
    return g.Rollouts(**(table | fields))


def algo(**knobs):
    return Algo().model_copy(update={"scale": "none"} | knobs)


IN_REWARD = {"baseline": "leave_one_out", "kl": "k1", "kl_in": "reward", "kl_beta": 0.1}


@pytest.mark.parametrize(
    ("knobs", "given", "message"),
    [
        ({"baseline": "critic"}, {}, 'baseline = "critic" needs values'),
        ({"baseline": "greedy"}, {}, 'baseline = "greedy" needs greedy_rewards'),
        ({"baseline": "tracker"}, {}, 'baseline = "tracker" needs tracker'),
        ({"baseline": "optimal_token"}, {}, 'baseline = "optimal_token" needs square_sums'),
        ({"transform": "process"}, {}, 'transform = "process" needs step_rewards'),
        ({"transform": "distill"}, {}, 'transform = "distill" needs teacher_logprobs'),
        ({"transform": "per_reward"}, {}, "score with two reward functions or more"),
        ({"kl": "k1", "kl_in": "reward", "kl_beta": 0.1}, {}, 'kl_in = "reward" needs ref_logprobs'),
        ({"transform": "pkpo", "pass_k": 3}, {}, "pass_k is 3, but the largest group has 2"),
        ({"transform": "pass_k_analytic", "pass_k": 4}, {}, "lower pass_k or sample more"),
        ({"baseline": "none", "scale": "group_std"}, {}, 'scale = "group_std" needs a baseline of the group'),
        ({"baseline": "greedy"}, {"greedy_rewards": [1.0]}, "1 entries for 2 prompts: give one per prompt"),
        ({"baseline": "critic"}, {"values": np.zeros(3)}, "values has 3 entries, but 8 are needed"),
        ({}, {"mask": np.ones(3, bool)}, "mask has 3 entries for 8 tokens"),
        ({"transform": "distill"}, {"teacher_logprobs": np.zeros(3)}, "3 entries for 8 tokens"),
        ({"transform": "distill"}, {"teacher_logprobs": np.full(8, -np.inf)}, "teacher_logprobs of 8 tokens"),
        (
            {"transform": "distill"},
            {"teacher_logprobs": np.zeros(8), "old_logprobs": np.full(8, np.nan)},
            "old_logprobs of 8 tokens is infinite or not a number",
        ),
        (IN_REWARD, {"ref_logprobs": np.full(8, np.nan)}, "ref_logprobs of 8 tokens is infinite or not"),
        (IN_REWARD, {"ref_logprobs": np.zeros(7)}, "ref_logprobs has 7 entries for 8 tokens"),
        (IN_REWARD, {"ref_logprobs": np.zeros(7), "old_logprobs": np.zeros(7)}, "7 entries for 8 tokens"),
        ({}, {"mask": np.ones(8, int)}, "mask are int64: give booleans"),
        (
            {"transform": "process"},
            {"step_rewards": StepRewards.from_rows([[1.0], [1.0], [], []], [[1], [1], [], []])},
            "step 0 ends at token 1 of a completion of 1",
        ),
    ],
)
def test_what_is_missing_is_named(knobs, given, message):
    with pytest.raises(g.InputError, match=message):
        compute_advantages(algo(**knobs), rollouts(), **given)


def test_unscored_rollouts_are_an_error_but_for_distillation():
    with pytest.raises(g.InputError, match=r"needs rollouts\.rewards"):
        compute_advantages(algo(), rollouts(rewards=None))
    table = rollouts(rewards=None)
    teacher = np.linspace(-1.0, -0.1, 8)
    distil = {"transform": "distill", "distill_coef": 2.0}
    with pytest.raises(g.InputError, match=r"needs rollouts\.rewards"):  # and not without the outcome
        compute_advantages(algo(**distil), table, teacher_logprobs=teacher)
    result = compute_advantages(algo(**distil, outcome_coef=0.0), table, teacher_logprobs=teacher)
    np.testing.assert_allclose(result.token_values, 2.0 * (teacher + 0.5))
    assert result.trainable.all()
    np.testing.assert_allclose(result.values[0], result.token_values[0])
    np.testing.assert_allclose(result.values[1], result.token_values[1:3].mean())


def test_every_knob_of_a_divisor_reaches_it():
    """Twice an epsilon far above the spread halves what is divided by it; ddof makes the spread another."""
    given = {"square_sums": np.linspace(0.1, 0.5, 8), "old_logprobs": np.full(8, -0.7)}
    table = rollouts()

    def values(**knobs):
        return compute_advantages(algo(**knobs), table, **given).values

    def at(epsilon, **knobs):
        return values(std_epsilon=epsilon, **knobs)

    for knobs in ({"scale": "group_std"}, {"scale": "group_mean"}, {"scale": "batch_advantage_std"}):
        np.testing.assert_allclose(at(1e9, **knobs), 2 * at(2e9, **knobs), rtol=1e-6)
    assert not np.allclose(at(0.0, baseline="optimal_token"), at(1.0, baseline="optimal_token"))
    centred = values(scale="token_whiten", std_epsilon=0.0, std_ddof=0)
    np.testing.assert_allclose(
        centred, values(scale="token_whiten", std_epsilon=0.0) * np.sqrt(3 / 2), rtol=1e-12
    )


def test_masked_tokens_of_rewarded_steps_have_no_advantage():
    steps = StepRewards.from_rows([[1.0], [0.0, 0.5], [1.0], [0.0]], [[0], [0, 1], [2], [1]])
    mask = np.array([True, True, False, True, True, False, True, True])
    given = {"step_rewards": steps, "mask": mask}
    found = compute_advantages(algo(transform="process"), rollouts(), **given)
    free = compute_advantages(algo(transform="process"), rollouts(), step_rewards=steps)
    np.testing.assert_array_equal(found.token_values, np.where(mask, free.token_values, 0.0))
    assert found.values[1] == free.token_values[1]


def test_a_prompt_whose_reward_is_unknown_is_not_shaped_either():
    """A completion without a score has no token reward, not even the KL's."""
    knobs = algo(baseline="none", gamma=0.5, kl="k1", kl_in="reward", kl_beta=0.1)
    table = rollouts(rewards=[1.0, np.nan, 0.0, 1.0])
    result = compute_advantages(knobs, table, ref_logprobs=np.full(8, -1.0))
    assert result.trainable.tolist() == [True, False, True, True]
    assert result.token_values[1:3].tolist() == [0.0, 0.0]
    # k1 is 0.5 everywhere: one token, 1 - 0.05.
    assert result.token_values[0] == pytest.approx(0.95)


def test_reward_weights_go_by_name():
    components = {"one": np.array([1.0, 0.0, 1.0, 0.0]), "other": np.array([0.0, 1.0, 0.0, 0.0])}
    table = rollouts(components=components, lengths=(1, 1, 1, 1))
    knobs = algo(transform="per_reward", per_reward_final="sequence", std_epsilon=0.0)
    found = compute_advantages(knobs, table, reward_weights={"other": 3.0}).values
    raw = np.array([0.5 - 1.5, -0.5 + 1.5, 0.5, -0.5])
    np.testing.assert_allclose(found, raw / raw.std(ddof=1))
    with pytest.raises(g.InputError, match="reward_weights has 'third'; the rewards are one, other"):
        compute_advantages(knobs, table, reward_weights={"third": 1.0})


def test_the_critic_learns_plain_returns_under_a_length_adaptive_lambda():
    table, values = rollouts(), np.linspace(0.0, 0.7, 8)
    plain = compute_advantages(algo(baseline="critic", lam=0.5), table, values=values)
    np.testing.assert_allclose(plain.token_returns, plain.token_values + values)
    adaptive = compute_advantages(algo(baseline="critic", lam_length_alpha=0.6), table, values=values)
    # Undiscounted, without a KL: every token's return is the reward.
    np.testing.assert_allclose(adaptive.token_returns, np.repeat(table.rewards, [1, 2, 3, 2]))
    whitened = compute_advantages(
        algo(baseline="critic", lam=0.5, scale="token_whiten"), table, values=values
    )
    np.testing.assert_allclose(whitened.token_returns, plain.token_returns)
    assert whitened.token_values.mean() == pytest.approx(0.0, abs=1e-12)
    assert whitened.token_values.var(ddof=1) == pytest.approx(1.0, rel=1e-4)


def test_masked_tokens_and_unscored_rows_have_no_part_in_whitening():
    table, values = rollouts(rewards=[1.0, np.nan, 0.0, 1.0]), np.linspace(0.0, 0.7, 8)
    mask = np.array([True, True, True, True, False, True, True, True])
    used = mask & np.array([True, False, False, True, True, True, True, True])
    knobs = {"baseline": "critic", "scale": "token_whiten", "std_epsilon": 0.0}
    result = compute_advantages(algo(**knobs), table, values=values, mask=mask)
    assert result.token_values[used].mean() == pytest.approx(0.0, abs=1e-12)
    assert result.token_values[used].var(ddof=1) == pytest.approx(1.0)
    assert result.token_values[~used].tolist() == [0.0] * 3
    assert result.token_returns[~used].tolist() == [0.0] * 3
    np.testing.assert_allclose(result.token_returns[used], [1.0, 0.0, 0.0, 1.0, 1.0])
    # A row's value is the mean of the tokens that count.
    np.testing.assert_allclose(result.values[2], result.token_values[[3, 5]].mean())


def test_dropped_groups_are_out_of_the_batchs_statistics_and_kept_ones_in():
    # One live group (+-0.5) and one of equal rewards.
    drop = compute_advantages(
        algo(scale="batch_advantage_std", std_epsilon=0.0, zero_variance="drop"), rollouts()
    )
    np.testing.assert_allclose(drop.values, [0.5 / np.sqrt(0.5), -0.5 / np.sqrt(0.5), 0, 0])
    keep = compute_advantages(
        algo(scale="batch_advantage_std", std_epsilon=0.0, zero_variance="keep"), rollouts()
    )
    np.testing.assert_allclose(keep.values, np.array([0.5, -0.5, 0, 0]) / np.std([0.5, -0.5, 0, 0], ddof=1))
    share = compute_advantages(algo(scale="live_share", zero_variance="drop"), rollouts())
    assert share.values.tolist() == [1.0, -1.0, 0.0, 0.0]


# ---- the tracker -------------------------------------------------------------------------------------------


def test_the_tracker_is_read_before_it_learns():
    tracker = PassRateTracker(rho_min=0.5, rho_max=0.5)
    table = rollouts(rewards=[1.0, np.nan, 0.0, 0.5])
    knobs = algo(baseline="tracker")
    first = compute_advantages(knobs, table, tracker=tracker)
    assert first.values.tolist() == [0.5, 0.0, -0.5, 0.0]  # never seen: 1/2
    assert first.trainable.tolist() == [True, False, True, True]
    assert tracker.state_dict()["prompts"].tolist() == []
    tracker.update(table.prompt_index[table.group_ids], table.rewards)
    # From 1 and 1 pseudo-counts, half of which is kept.
    assert tracker.pass_rate([40, 7, 99]).tolist() == [0.75, 1.0 / 3.0, 0.5]
    state = tracker.state_dict()
    assert state["prompts"].tolist() == [7, 40]
    assert state["alpha"].tolist() == [1.0, 1.5]

    resumed = PassRateTracker(rho_min=0.5, rho_max=0.5)
    resumed.load_state_dict(state)
    for each in (tracker, resumed):
        each.update([7], [1.0], [0.0])
    assert resumed == tracker


def test_a_prompt_may_start_from_samples_drawn_beforehand():
    tracker = PassRateTracker(rho_min=0.875)
    tracker.start(3, successes=3, samples=7)
    assert (tracker.alpha[3], tracker.beta[3]) == (3.5, 4.5)
    assert tracker.kept_share([0.0, 0.06 * 0.1, 10.0]).tolist() == [0.96, pytest.approx(2**-0.1), 0.875]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [1.5]), "needs rewards from 0 to 1"),
        (([1], [-0.5]), "needs rewards from 0 to 1"),
        (([1, 2], [1.0]), "2 prompts, 1 rewards and 2 drifts"),
        (([1], [1.0], [0.1, 0.2]), "1 prompts, 1 rewards and 2 drifts"),
    ],
)
def test_the_tracker_names_mistakes(arguments, message):
    with pytest.raises(g.InputError, match=message):
        PassRateTracker().update(*arguments)
