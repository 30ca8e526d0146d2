"""Evaluation statistics against golden vectors: a name that the reader does not know is an error."""

import itertools
import math
import re

import golden
import numpy as np
import pytest
from grpo_rs import InputError
from grpo_rs.statistics import accuracy, maj_at_k, paired_difference, pass_at_k, wilson_interval
from hypothesis import given
from hypothesis import strategies as st

CASES = golden.load("eval")
assert CASES


@pytest.mark.parametrize("case", CASES, ids=golden.name)
def test_evaluation(case):
    inputs = case["inputs"]
    assert set(inputs) <= {"n_c_k", "correct", "maj_counts", "maj_k", "wilson_x", "wilson_n"}
    for name, expected in case["expected"].items():
        np.testing.assert_allclose(computed(name, inputs), expected, err_msg=name, rtol=1e-6, atol=1e-9)


def computed(name, inputs):
    match name:
        case "pass_at_k":
            return [pass_at_k(*row) for row in inputs["n_c_k"]]
        case "avg_at_k":
            return accuracy(inputs["correct"]).avg_at_k
        case "se_problem_population":
            return accuracy(inputs["correct"]).se_population
        case "se_fixed_problems_sampling_only":
            return accuracy(inputs["correct"]).se_sampling
        case "se_cluster_robust":
            return accuracy(inputs["correct"]).se_clustered
        case "wilson95":
            return wilson_interval(inputs["wilson_x"], inputs["wilson_n"])
    k = re.fullmatch(r"maj_at_(\d+)_unbiased", name)
    assert int(k[1]) == inputs["maj_k"]
    return maj_at_k(inputs["maj_counts"], inputs["maj_k"])


# ---- brute force -------------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.data())
def test_pass_at_k_counts_subsets(samples, data):
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    marks = [1] * correct + [0] * (samples - correct)
    subsets = list(itertools.combinations(marks, k))
    expected = sum(max(subset) for subset in subsets) / len(subsets)
    assert pass_at_k(samples, correct, k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_k_of_many_samples():
    exact = 1 - math.comb(9000, 500) / math.comb(10_000, 500)
    assert pass_at_k(10_000, 1000, 500) == pytest.approx(exact, rel=1e-12)
    assert pass_at_k(10_000, 1, 1) == pytest.approx(1e-4, rel=1e-9)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(sum), st.data())
def test_maj_at_k_counts_subsets(counts, data):
    k = data.draw(st.integers(1, min(sum(counts), 6)))
    answers = [answer for answer, count in enumerate(counts) for _ in range(count)]
    won, subsets = 0.0, list(itertools.combinations(answers, k))
    for subset in subsets:
        votes = [subset.count(answer) for answer in range(len(counts))]
        if votes[0] == max(votes):
            won += 1 / votes.count(max(votes))
    assert maj_at_k(counts, k) == pytest.approx(won / len(subsets), abs=1e-12)


def test_every_answer_is_the_majority_with_one_probability():
    counts = [5, 4, 4, 2, 1]
    total = sum(maj_at_k(counts, 7, correct=answer) for answer in range(len(counts)))
    assert total == pytest.approx(1.0)
    assert maj_at_k(counts, 7, correct=-1) == 0.0
    assert maj_at_k(counts, 1) == pytest.approx(5 / 16)


def test_accuracy_of_problems_with_different_numbers_of_samples():
    result = accuracy([[1, 0], [1, 1, 1, 0], [0, 0]])
    assert result.avg_at_k == pytest.approx((0.5 + 0.75) / 3)
    # Variance of a mean of n scores: p (1 - p) / (n - 1).
    assert result.se_sampling == pytest.approx(math.sqrt(0.25 / 1 + 0.75 * 0.25 / 3) / 3)
    single = accuracy([[1], [0]])
    assert math.isnan(single.se_sampling)
    assert single.se_population == pytest.approx(0.5)
    assert math.isnan(accuracy([[1, 0]]).se_population)


def test_paired_difference():
    mean, error = paired_difference([1.0, 0.5, 0.0], [0.5, 0.5, 0.25])
    assert mean == pytest.approx(0.25 / 3)
    assert error == pytest.approx(np.std([0.5, 0.0, -0.25], ddof=1) / math.sqrt(3))


def test_wilson_at_the_ends_stays_between_0_and_1():
    low, high = wilson_interval(0, 10)
    assert low == pytest.approx(0.0, abs=1e-15)
    assert 0.2 < high < 0.35
    assert wilson_interval(10, 10)[0] == pytest.approx(1 - high)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pass_at_k(5, 2, 6), "k is 6: with 5 samples of a problem it must be between 1 and 5"),
        (lambda: pass_at_k(5, 2, 0), "k is 0"),
        (lambda: pass_at_k(5, 6, 1), "6 of 5 are correct"),
        (lambda: maj_at_k([2, 1], 4), "k is 4: with 3 samples"),
        (lambda: maj_at_k([2, 1], 1, correct=2), "correct is 2"),
        (lambda: maj_at_k([2, -1], 1), "counts are"),
        (lambda: accuracy([]), "no problem"),
        (lambda: accuracy([[1.0], []]), "a problem without samples"),
        (lambda: paired_difference([1.0], [1.0]), "two or more"),
        (lambda: wilson_interval(3, 2), "3 of 2"),
        (lambda: wilson_interval(0, 0), "at least one trial"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
