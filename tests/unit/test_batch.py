"""Advantages, packing, and the rollout table."""

import math

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import GroupState, Rollouts, Tokens

# ---- advantages -----------------------------------------------------------------------------------------


def test_the_formula_by_hand():
    # Rewards 1, 0, 0: mean 1/3, sample variance ((2/3)^2 + 2 (1/3)^2) / 2 = 1/3.
    result = g.group_advantages([1.0, 0.0, 0.0], [4, 4, 4], epsilon=0.0)
    std = math.sqrt(1 / 3)
    np.testing.assert_allclose(result.values, [2 / 3 / std, -1 / 3 / std, -1 / 3 / std], rtol=1e-15)
    assert result.means.tolist() == [1 / 3]
    np.testing.assert_allclose(result.stds, [std], rtol=1e-15)
    population = g.group_advantages([1.0, 0.0, 0.0], [4, 4, 4], ddof=0, epsilon=0.0)
    np.testing.assert_allclose(population.stds, [math.sqrt(2 / 9)], rtol=1e-15)


def test_epsilon_is_added_to_the_standard_deviation():
    result = g.group_advantages([1.0, -1.0], [0, 0], ddof=0, epsilon=0.25)
    np.testing.assert_allclose(result.values, [0.8, -0.8], rtol=1e-15)


def test_scale_none_only_centres():
    result = g.group_advantages([3.0, 1.0, 2.0], [0, 0, 0], scale="none", epsilon=100.0)
    assert result.values.tolist() == [1.0, -1.0, 0.0]


def test_the_defaults_are_grpo_with_ddof_1_and_1e6():
    a = 0.5 / (math.sqrt(0.5) + 1e-6)
    np.testing.assert_allclose(g.group_advantages([1.0, 0.0], [0, 0]).values, [a, -a], rtol=1e-15)


def test_ragged_and_interleaved_groups():
    rewards = [1.0, 5.0, 0.0, 7.0, 1.0, 6.0, 2.0]
    ids = [10, -3, 10, -3, 10, -3, 99]
    result = g.group_advantages(rewards, ids, scale="none")
    np.testing.assert_allclose(result.values, [1 / 3, -1.0, -2 / 3, 1.0, 1 / 3, 0.0, 0.0], rtol=0, atol=1e-15)
    assert result.group_ids.tolist() == [10, -3, 99]  # in order of first appearance, any sign
    assert result.num_scored.tolist() == [3, 3, 1]
    assert result.means.tolist() == [2 / 3, 6.0, 2.0]
    assert result.states.tolist() == [GroupState.LIVE, GroupState.LIVE, GroupState.TOO_FEW]
    assert result.trainable.tolist() == [True] * 6 + [False]


@pytest.mark.parametrize("ids", [[2**63 - 1, -(2**63)], [0, -1]])
def test_any_int64_is_an_id(ids):
    result = g.group_advantages([1.0, 0.0, 0.0, 1.0], ids * 2, scale="none")
    assert result.values.tolist() == [0.5, -0.5, -0.5, 0.5]
    assert result.group_ids.tolist() == ids


@pytest.mark.parametrize("reward", [0.1, 1 / 3, 0.7, 123.456, 1e-300, -2.0])
@pytest.mark.parametrize("size", [2, 7, 8, 16])
def test_equal_rewards_have_advantage_zero_exactly(reward, size):
    """The mean of eight times 0.1 is not 0.1 in floating point: the noise must not become a gradient."""
    result = g.group_advantages([reward] * size, [0] * size, epsilon=0.0)
    assert result.values.tolist() == [0.0] * size
    assert result.stds.tolist() == [0.0]
    assert result.means.tolist() == [reward]
    assert result.states.tolist() == [GroupState.ZERO_VARIANCE]
    assert not result.trainable.any()


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_could_not_be_scored_is_left_out(missing):
    result = g.group_advantages([1.0, missing, 0.0, missing, 1.0, 1.0], [0, 0, 0, 1, 1, 1], scale="none")
    assert result.values.tolist() == [0.5, 0.0, -0.5, 0.0, 0.0, 0.0]
    assert result.trainable.tolist() == [True, False, True, False, False, False]
    assert result.num_scored.tolist() == [2, 2]
    assert result.means.tolist() == [0.5, 1.0]
    assert result.states.tolist() == [GroupState.LIVE, GroupState.ZERO_VARIANCE]


def test_a_group_without_a_scored_row():
    result = g.group_advantages([None, None, 3.0], [0, 0, 1])
    assert result.values.tolist() == [0.0, 0.0, 0.0]
    assert result.num_scored.tolist() == [0, 1]
    assert np.isnan(result.means).tolist() == [True, False]
    assert result.states.tolist() == [GroupState.TOO_FEW, GroupState.TOO_FEW]


def test_share_of_each_state():
    result = g.group_advantages([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 5.0], [0, 0, 1, 1, 2, 2, 3])
    assert [result.share(state) for state in GroupState] == [0.25, 0.5, 0.25]
    assert g.group_advantages([], []).share(GroupState.LIVE) == 0.0


def test_an_empty_step():
    result = g.group_advantages([], [])
    assert [len(getattr(result, name)) for name in ("values", "trainable", "group_ids", "states")] == [0] * 4
    assert result.values.dtype == np.float64


def test_arrays_of_other_types_and_strides_are_converted():
    rewards = np.array([1.0, 9.0, 0.0, 9.0], np.float32)[::2]
    ids = np.array([5, 5], np.int32)
    assert g.group_advantages(rewards, ids, scale="none").values.tolist() == [0.5, -0.5]
    missing = np.array([1.0, None, 0.0], object)
    assert g.group_advantages(missing, [0, 0, 0], scale="none").values.tolist() == [0.5, 0.0, -0.5]


def test_the_callers_arrays_are_not_written_to():
    rewards, ids = np.array([1.0, 0.0]), np.array([0, 0])
    rewards.flags.writeable = ids.flags.writeable = False
    assert g.group_advantages(rewards, ids).values[0] > 0


@pytest.mark.parametrize(
    ("rewards", "ids", "options", "message"),
    [
        ([1.0], [0, 0], {}, r"rewards has 1 rows, but there are 2 group ids: give one per row"),
        ([1.0, math.inf], [0, 0], {}, r"reward 1 is inf: rewards must be finite; use NaN \(or None\)"),
        ([-math.inf, 1.0], [0, 0], {}, r"reward 0 is -inf"),
        (
            [1.0],
            [0],
            {"scale": "batch"},
            r'scale is "batch": it must be "std", "none", "leave_one_out_std" or "mean"',
        ),
        ([1.0], [0], {"ddof": 2}, r"ddof is 2: use 1 \(sample standard deviation, as TRL and verl\) or 0"),
        ([1.0], [0], {"ddof": -1}, r"ddof is -1: use 1 .* or 0"),
        ([1.0], [0], {"epsilon": -1e-6}, r"epsilon is -0.000001: it must be finite and at least 0"),
        ([1.0], [0], {"epsilon": math.nan}, r"epsilon is NaN"),
        ([1.0, 0.0], [0.2, 0.7], {}, r"group_ids are float64: give whole numbers"),
        ([1.0, 0.0], ["a", "b"], {}, r"group_ids are <U1: give whole numbers"),
        ([[1.0, 0.0]], [0], {}, r"rewards have shape \(1, 2\): give one per row, in one dimension"),
        ([1.0], [[0]], {}, r"group_ids have shape \(1, 1\): give one per row, in one dimension"),
    ],
)
def test_mistakes_are_named_with_the_remedy(rewards, ids, options, message):
    with pytest.raises(g.InputError, match=message):
        g.group_advantages(rewards, ids, **options)


# ---- packing --------------------------------------------------------------------------------------------


def as_lists(bins):
    return [bin_.tolist() for bin_ in bins]


def test_rows_are_packed_longest_first_under_the_padded_budget():
    assert as_lists(g.pack_rows([3, 9, 4, 10], budget=20)) == [[3, 1], [2, 0]]
    # 3 rows of 7 are 21 tokens with padding, though 7 + 7 + 6 are 20.
    assert as_lists(g.pack_rows([7, 7, 6], budget=20)) == [[0, 1], [2]]
    assert as_lists(g.pack_rows([7, 7, 6], budget=21)) == [[0, 1, 2]]


def test_ties_keep_their_order_and_empty_rows_are_left_out():
    assert as_lists(g.pack_rows([2, 0, 2, 2, 0], budget=4)) == [[0, 2], [3]]


def test_nothing_to_pack():
    assert g.pack_rows([], budget=10) == []
    assert g.pack_rows([0, 0], budget=0) == []


@pytest.mark.parametrize(
    ("lengths", "budget", "message"),
    [
        ([5, 30], 20, "row 1 needs 30 tokens, over the budget of 20 tokens a micro-batch: raise the budget"),
        ([5, -1], 20, "row 1 has length -1: give at least 0"),
        ([5], -1, "budget is -1: give the tokens of a micro-batch"),
        ([1.5], 20, "lengths are float64: give whole numbers"),
    ],
)
def test_what_cannot_be_packed(lengths, budget, message):
    with pytest.raises(g.InputError, match=message):
        g.pack_rows(lengths, budget)


# ---- tokens and rollouts --------------------------------------------------------------------------------


def test_tokens_hold_ragged_rows():
    tokens = Tokens.from_rows([[1, 2, 3], [], np.array([4])])
    assert tokens.flat.tolist() == [1, 2, 3, 4]
    assert tokens.offsets.tolist() == [0, 3, 3, 4]
    assert tokens.lengths.tolist() == [3, 0, 1]
    assert (tokens.flat.dtype, tokens.offsets.dtype) == (np.int64, np.int64)
    assert [row.tolist() for row in tokens] == [[1, 2, 3], [], [4]]
    assert tokens[-1].tolist() == [4]
    for outside in (3, -4):
        with pytest.raises(IndexError):
            tokens[outside]


@pytest.mark.parametrize("rows", [[], [[]], [[], []]])
def test_tokens_without_tokens(rows):
    tokens = Tokens.from_rows(rows)
    assert len(tokens) == len(rows)
    assert tokens.flat.dtype == np.int64
    assert tokens.lengths.tolist() == [0] * len(rows)


def rollouts(**changes):
    fields = {
        "prompts": Tokens.from_rows([[7, 8], [9]]),
        "prompt_index": np.array([30, 10]),
        "completions": Tokens.from_rows([[1, 2], [3], [4, 5, 6]]),
        "group_ids": np.array([1, 0, 1]),
        "sampler_logprobs": np.arange(6, dtype=np.float32),
        "finished": np.array([True, False, True]),
    }
    return Rollouts(**(fields | changes))


def test_a_rollout_table():
    table = rollouts()
    assert len(table) == 3
    assert table.rewards is None
    assert table.outcomes is None
    assert table.components == {}
    assert rollouts().components is not table.components


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_ids": np.array([0, 1])}, "group_ids has 2 entries; 3 are needed"),
        ({"finished": np.zeros(4, bool)}, "finished has 4 entries; 3 are needed"),
        ({"prompt_index": np.array([1])}, "prompt_index has 1 entries; 2 are needed"),
        (
            {"sampler_logprobs": np.zeros(3, np.float32)},
            "sampler_logprobs has 3 entries; 6 are needed",
        ),
        ({"group_ids": np.array([0, 1, 2])}, "group_ids must be rows of prompts, 0 to 1"),
        ({"group_ids": np.array([0, -1, 1])}, "group_ids must be rows of prompts, 0 to 1"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(g.InputError, match=f"^{message}$"):
        rollouts(**changes)


def test_arrays_and_back():
    """What a checkpoint stores is the whole of what was sampled, and nothing that is not an array."""
    table = rollouts()
    arrays = table.arrays()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    again = Rollouts.from_arrays({name: array.copy() for name, array in arrays.items()})
    for name, array in again.arrays().items():
        assert array.dtype == arrays[name].dtype
        np.testing.assert_array_equal(array, arrays[name])
    assert [row.tolist() for row in again.prompts] == [[7, 8], [9]]
    assert [row.tolist() for row in again.completions] == [[1, 2], [3], [4, 5, 6]]
    assert again.prompt_index.tolist() == [30, 10]
    assert again.group_ids.tolist() == [1, 0, 1]
    assert again.sampler_logprobs.tolist() == [0, 1, 2, 3, 4, 5]
    assert again.finished.tolist() == [True, False, True]


def test_scores_are_not_stored():
    table = rollouts()
    table.rewards = np.ones(3)
    assert Rollouts.from_arrays(table.arrays()).rewards is None


def test_a_table_without_rows():
    none = Tokens.from_rows([])
    empty = np.zeros(0, np.int64)
    table = Rollouts(none, empty, none, empty, np.zeros(0, np.float32), np.zeros(0, bool))
    assert len(table) == 0
    assert len(Rollouts.from_arrays(table.arrays())) == 0
