"""Laws of the group functions, against exact rational arithmetic."""

import math
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import grpo_rs as g
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

# Sixty-fourths: what floats hold exactly, so that the reference has no rounding of its own.
rewards = st.one_of(st.none(), st.just(math.nan), st.integers(-6400, 6400).map(lambda n: n / 64))
common = st.sampled_from([0.0, 1.0, None, 0.1])
rows = st.lists(st.tuples(st.one_of(rewards, common), st.integers(-2, 3)), max_size=30)
options = st.fixed_dictionaries(
    {
        "scale": st.sampled_from(["std", "none"]),
        "ddof": st.sampled_from([0, 1]),
        "epsilon": st.sampled_from([0.0, 1e-9, 1e-6, 1e-4, 0.5]),
    }
)


def scored(reward):
    return reward is not None and not math.isnan(reward)


def reference(rows, scale, ddof, epsilon):
    """The formula, in exact rationals until the square root."""
    groups = defaultdict(list)
    for reward, group in rows:
        groups[group] += [Fraction(reward)] if scored(reward) else []
    values = []
    for reward, group in rows:
        members = groups[group]
        if not scored(reward) or len(set(members)) < 2:
            values.append(0.0)
            continue
        mean = sum(members) / len(members)
        variance = sum((r - mean) ** 2 for r in members) / (len(members) - ddof)
        divisor = math.sqrt(variance) + epsilon if scale == "std" else 1.0
        values.append(float(Fraction(reward) - mean) / divisor)
    return values, groups


def split(rows):
    return [reward for reward, _ in rows], [group for _, group in rows]


@given(rows, options)
def test_advantages_are_the_formulas(rows, options):
    expected, groups = reference(rows, **options)
    result = g.group_advantages(*split(rows), **options)
    np.testing.assert_allclose(result.values, expected, rtol=1e-9, atol=1e-12)
    assert result.group_ids.tolist() == list(groups)
    assert result.num_scored.tolist() == [len(members) for members in groups.values()]
    for i, members in enumerate(groups.values()):
        distinct = len(set(members))
        state = g.GroupState.LIVE if distinct > 1 else g.GroupState(2 - (len(members) > 1))
        assert result.states[i] == state
        if members:
            assert result.means[i] == pytest.approx(float(sum(members) / len(members)), rel=1e-12, abs=1e-12)
            assert (result.stds[i] == 0.0) == (distinct == 1)
        else:
            assert np.isnan(result.means[i])
            assert np.isnan(result.stds[i])
    live = {group for group, members in groups.items() if len(set(members)) > 1}
    assert result.trainable.tolist() == [scored(reward) and group in live for reward, group in rows]


@given(rows, options)
def test_advantages_of_a_group_sum_to_zero(rows, options):
    result = g.group_advantages(*split(rows), **options)
    for group in result.group_ids:
        values = result.values[np.array([other for _, other in rows]) == group]
        assert abs(values.sum()) <= 1e-9 * (1 + np.abs(values).sum())


ids = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6, unique=True)


@given(rows, options, ids, st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order_under_any_ids(rows, options, ids, random):
    order = random.sample(range(len(rows)), len(rows))
    names = dict(zip(range(-2, 4), ids, strict=True))
    straight = g.group_advantages(*split(rows), **options)
    shuffled = g.group_advantages([rows[i][0] for i in order], [names[rows[i][1]] for i in order], **options)
    np.testing.assert_allclose(shuffled.values, straight.values[order], rtol=1e-12, atol=1e-12)
    assert shuffled.trainable.tolist() == straight.trainable[order].tolist()


@given(rows, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-64, 64))
def test_a_scaled_and_shifted_reward_teaches_the_same(rows, factor, shift):
    """With epsilon 0: A(a r + b) = A(r) for a > 0."""
    moved = [(None if reward is None else factor * reward + shift, group) for reward, group in rows]
    first = g.group_advantages(*split(rows), epsilon=0.0)
    second = g.group_advantages(*split(moved), epsilon=0.0)
    np.testing.assert_allclose(second.values, first.values, rtol=1e-7, atol=1e-9)


@given(rows, st.integers(-2, 3))
def test_a_group_does_not_see_the_others(rows, group):
    alone = [row for row in rows if row[1] == group]
    among = g.group_advantages(*split(rows)).values[[other == group for _, other in rows]]
    assert among.tolist() == g.group_advantages(*split(alone)).values.tolist()


# ---- packing --------------------------------------------------------------------------------------------

lengths = st.lists(st.integers(0, 50), max_size=40)


@given(lengths, st.integers(50, 400))
def test_every_row_with_tokens_is_packed_once_within_the_budget(lengths, budget):
    bins = [bin_.tolist() for bin_ in g.pack_rows(lengths, budget)]
    packed = [row for bin_ in bins for row in bin_]
    assert sorted(packed) == [row for row, length in enumerate(lengths) if length]
    for bin_ in bins:
        assert len(bin_) * max(lengths[row] for row in bin_) <= budget
    # Longest first throughout, and rows of one length in their order.
    assert packed == sorted(packed, key=lambda row: (-lengths[row], row))


@given(lengths, st.integers(50, 400))
def test_no_bin_ends_before_it_must(lengths, budget):
    bins = g.pack_rows(np.array(lengths, np.int64), budget)
    for bin_, after in pairwise(bins):
        assert (len(bin_) + 1) * lengths[bin_[0]] > budget or not len(after)


@given(lengths, st.integers(0, 49))
def test_a_row_over_the_budget_is_an_error(lengths, budget):
    if any(length > budget for length in lengths):
        first = next(row for row, length in enumerate(lengths) if length > budget)
        with pytest.raises(g.InputError, match=f"^row {first} needs {lengths[first]} tokens"):
            g.pack_rows(lengths, budget)
    else:
        g.pack_rows(lengths, budget)


# ---- tokens ---------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 2**31), max_size=6), max_size=8))
def test_tokens_are_their_rows(rows):
    tokens = g.Tokens.from_rows(rows)
    assert [row.tolist() for row in tokens] == rows
    assert tokens.lengths.tolist() == [len(row) for row in rows]
    assert len(tokens) == len(rows)
