"""Evaluation: what is counted, what the estimates are, how two evaluations are compared and stored."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from grpo_rs.errors import DataError, InputError
from grpo_rs.math import MathPolicy
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import MathReward
from grpo_rs.rollout.sampler import Completion, Finish, SamplingParams
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.statistics import wilson_interval
from grpo_rs.testing import tiny_model, tiny_tokenizer
from grpo_rs.train.data import Problem
from grpo_rs.train.evaluate import evaluate
from grpo_rs.train.models import Policy
from grpo_rs.train.results import Answer, Estimate, Evaluation, ProblemResult, compare

TOKENIZER = tiny_tokenizer("0123456789+= ./?")
POLICY = Policy(None, TOKENIZER, [1], None)
GREEDY = SamplingParams(8, temperature=0.0)
DRAWN = SamplingParams(8, temperature=1.0)


def problem(question, gold):
    return Problem(question, TOKENIZER.encode(question), gold, None, {}, question)


class Scripted:
    """Says what it is told to, last completion first; without an end where the text has none."""

    version = 0

    def __init__(self, *replies):
        self.replies = list(replies)
        self.calls = []

    def stream(self, prompts, seeds, params):
        self.calls.append((len(prompts), seeds.tolist()))
        rows = [(group, member) for group in range(len(prompts)) for member in range(seeds.shape[1])]
        texts = [self.replies.pop(0) for _ in rows]
        for (group, member), text in reversed(list(zip(rows, texts, strict=True))):
            tokens = TOKENIZER.encode(text.removesuffix("<cut>"))
            cut = text.endswith("<cut>")
            tokens = np.array(tokens if cut else [*tokens, 1])
            finish = Finish.LENGTH if cut else Finish.STOP_TOKEN
            yield Completion(group, member, tokens, np.zeros(len(tokens), np.float32), finish)


def judged(replies, problems, *, samples=1, params=None, batch_size=100, seed=0, extract="last_number"):
    return evaluate(
        POLICY,
        Scripted(*replies),
        problems,
        params=params or (GREEDY if samples == 1 else DRAWN),
        samples=samples,
        batch_size=batch_size,
        verifier=MathReward(extract),
        seed=seed,
    )


# ---- What is counted -----------------------------------------------------------------------------------


def test_greedy_accuracy_counts_scorable_problems_only():
    problems = [problem("1+1=", "2"), problem("2+2=", "4"), problem("?", ""), problem("3+3=", "6")]
    found = judged(["2", "5", "7", "= = <cut>"], problems)
    assert found.accuracy == pytest.approx(1 / 3)
    assert (found.count, found.samples, found.ks()) == (3, 1, [])
    assert [result.question for result in found.not_scorable] == ["?"]
    assert [result.answers[0].outcome.name for result in found.results] == [
        "CORRECT",
        "WRONG_VALUE",
        "GOLD_EMPTY",
        "NO_ANSWER",
    ]
    assert [result.answers[0].answer for result in found.results] == ["2", "5", None, None]
    assert found.tokens == 2 + 2 + 2 + 4 and found.tokens_mean == 2.5
    assert found.truncated == 0.25
    assert found.examples == [("1+1=", "2", True), ("2+2=", "5", False), ("?", "7", False)]
    low, high = wilson_interval(1, 3)
    assert (found.average.low, found.average.high) == (pytest.approx(low), pytest.approx(high))


def test_nothing_scorable_has_no_accuracy():
    found = judged(["2"], [problem("?", "")])
    assert math.isnan(found.accuracy) and found.count == 0
    assert str(found.average) == "not scorable"


def test_equal_answers_are_one_vote_and_no_answer_is_none():
    replies = ["1/2", "0.5", "3", "=", "2.0", "0.50", "2", "= 3"]
    found = judged(replies, [problem("?", "2"), problem("??", "5")], samples=4)
    assert [[a.vote for a in result.answers] for result in found.results] == [[1, 1, 2, -1], [1, 2, 1, 3]]
    found = judged(replies, [problem("?", "0.5"), problem("??", "5")], samples=4)
    assert [answer.vote for answer in found.results[0].answers] == [0, 0, 1, -1]


def test_what_votes_together_is_the_verifiers_own_policy():
    replies = ["1/2", "0.5"]
    loose = judged(replies, [problem("?", "9")], samples=2)
    assert [answer.vote for answer in loose.results[0].answers] == [1, 1]
    strict = evaluate(
        POLICY,
        Scripted(*replies),
        [problem("?", "9")],
        params=DRAWN,
        samples=2,
        batch_size=9,
        verifier=MathReward("whole", policy=MathPolicy.string_match()),
        seed=0,
    )
    assert [answer.vote for answer in strict.results[0].answers] == [1, 2]


def test_batches_hold_so_many_completions_and_seeds_do_not_depend_on_them():
    problems = [problem(f"{i}+1=", "3") for i in range(5)]
    one, many = Scripted(*"1" * 20), Scripted(*"1" * 20)
    for sampler, size in ((one, 8), (many, 100)):
        evaluate(
            POLICY, sampler, problems, params=DRAWN, samples=4, batch_size=size, verifier=MathReward(), seed=3
        )
    assert [count for count, _ in one.calls] == [2, 2, 1]
    assert [count for count, _ in many.calls] == [5]
    assert [row for _, seeds in one.calls for row in seeds] == many.calls[0][1]
    flat = [seed for row in many.calls[0][1] for seed in row]
    assert len(set(flat)) == len(flat)


def test_several_greedy_completions_are_refused():
    with pytest.raises(InputError, match="3 times the same completion: set a temperature"):
        judged(["1"] * 3, [problem("?", "1")], samples=3, params=GREEDY)


def test_a_real_sampler_gives_the_same_whatever_the_batch():
    tokenizer = tiny_tokenizer()
    policy = Policy(tiny_model(2, hidden_size=32, num_heads=2), tokenizer, [1], None)
    sampler = TorchSampler(policy.model, [1])
    problems = [
        Problem(text, tokenizer.encode(text), str(i), None, {}, text)
        for i, text in enumerate(["1+1=", "22+3=", "7=", "123+4="])
    ]

    def texts(samples, params, batch_size, seed=5):
        found = evaluate(
            policy,
            sampler,
            problems,
            params=params,
            samples=samples,
            batch_size=batch_size,
            verifier=MathReward("last_number"),
            seed=seed,
        )
        return [[answer.text for answer in result.answers] for result in found.results]

    assert texts(3, DRAWN, 3) == texts(3, DRAWN, 100)
    assert texts(1, GREEDY, 1) == texts(1, GREEDY, 100)
    assert texts(3, DRAWN, 100) != texts(3, DRAWN, 100, seed=6)


# ---- Estimates -----------------------------------------------------------------------------------------


def result(votes, *, question="?", gold="1", scorable=True):
    """A problem whose answers have these votes; 0 is right."""
    outcomes = {0: MathOutcome.CORRECT, -1: MathOutcome.NO_ANSWER}
    broken = MathOutcome.GOLD_EMPTY
    return ProblemResult(
        question,
        question,
        gold,
        tuple(
            Answer(
                f"{vote}",
                None if vote < 0 else f"{vote}",
                outcomes.get(vote, MathOutcome.WRONG_VALUE) if scorable else broken,
                vote,
                2,
                Finish.STOP_TOKEN,
            )
            for vote in votes
        ),
    )


def majority(votes):
    """The share of the right answer among those with most votes."""
    counts = Counter(vote for vote in votes if vote >= 0)
    most = max(counts.values(), default=0)
    best = [vote for vote, count in counts.items() if count == most]
    return (0 in best) / len(best) if best else 0.0


@pytest.mark.parametrize(
    "votes",
    [
        [0, 0, 1, 2, -1, -1, 1],
        [-1, -1, -1, 0],
        [0, 0, 0],
        [1, 1, 2, -1],
        [-1, -1],
        [0, 1, 2, 3, 4, 5],
        [0, 0, 1, 1, 1, -1, 2, 2],
    ],
)
def test_pass_and_majority_are_means_over_all_subsets(votes):
    one = result(votes)
    for k in range(1, len(votes) + 1):
        subsets = list(itertools.combinations(votes, k))
        assert one.pass_at(k) == pytest.approx(np.mean([0 in subset for subset in subsets]))
        assert one.maj_at(k) == pytest.approx(np.mean([majority(subset) for subset in subsets]))


def test_estimates_of_several_samples():
    found = Evaluation([result([0, 0, 1, 1]), result([1, 1, 1, -1]), result([0, 0, 0, 1], scorable=False)])
    assert found.ks() == [2, 4]
    assert list(found.estimates()) == ["accuracy", "pass_at_2", "maj_at_2", "pass_at_4", "maj_at_4"]
    assert found.accuracy == 0.25
    assert found.pass_at(2).value == pytest.approx((5 / 6 + 0) / 2)
    assert found.maj_at(4).value == pytest.approx(0.25)
    metrics = found.metrics()
    assert metrics["eval/pass_at_2"] == found.pass_at(2).value
    assert metrics["eval/low"] < metrics["eval/accuracy"] < metrics["eval/high"]
    assert found.summary()["not_scorable"] == 1
    with pytest.raises(InputError, match="k is 5"):
        found.pass_at(5)


def test_the_interval_of_shares_of_one_completion_is_wilsons():
    for right, trials in ((0, 9), (9, 9), (3, 9), (40, 300)):
        found = Estimate.of([1.0] * right + [0.0] * (trials - right))
        assert (found.low, found.high) == pytest.approx(wilson_interval(right, trials))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Problems of many difficulties, four completions each; also where nearly all are solved."""
    random = np.random.default_rng(0)
    for a, b in ((2, 3), (8, 0.4)):
        held = 0
        for _ in range(400):
            difficulty = random.beta(a, b, 60)
            found = Estimate.of(random.binomial(4, difficulty) / 4, samples=4)
            held += found.low <= a / (a + b) <= found.high
        assert 0.92 <= held / 400 <= 0.985


def test_the_standard_error_and_the_interval_agree_with_a_bootstrap_over_problems():
    random = np.random.default_rng(1)
    values = random.binomial(8, random.beta(2, 2, 200)) / 8
    found = Estimate.of(values, samples=8)
    means = random.choice(values, (4000, 200)).mean(1)
    assert found.se == pytest.approx(means.std(), rel=0.05)
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.005)
    assert found.high == pytest.approx(high, abs=0.005)


def test_problems_that_all_agree_are_no_certainty():
    assert Estimate.of([1.0] * 10).low < 0.8
    assert Estimate.of([0.5] * 10, samples=4).high > 0.6
    assert math.isnan(Estimate.of([1.0]).se)


# ---- Comparison ----------------------------------------------------------------------------------------


def pairs(won, lost, both=0, neither=0):
    """Two evaluations of one completion a problem, by how the pairs ended."""
    kinds = [(1, 0)] * won + [(0, 1)] * lost + [(0, 0)] * both + [(1, 1)] * neither
    before = [result([one], question=f"q{i}") for i, (one, _) in enumerate(kinds)]
    after = [result([other], question=f"q{i}") for i, (_, other) in enumerate(kinds)]
    return Evaluation(before), Evaluation(after)


@pytest.mark.parametrize(("won", "lost"), [(9, 1), (6, 2), (5, 5), (1, 0), (8, 0)])
def test_the_p_value_is_that_of_mcnemars_exact_test(won, lost):
    n, most = won + lost, max(won, lost)
    tail = sum(math.comb(n, i) for i in range(most, n + 1)) / 2**n
    found = compare(*pairs(won, lost, both=5, neither=3))
    assert found.p_value == pytest.approx(min(1.0, 2 * tail), abs=0.015)
    assert (found.won, found.lost, found.problems) == (won, lost, n + 8)
    assert found.told_apart == (min(1.0, 2 * tail) < 0.05)


def test_a_difference_that_shows():
    before, after = pairs(340, 4, both=163, neither=5)
    found = compare(before, after)
    assert str(found) == "32.6 % -> 98.2 % (+65.6 points [61.1, 69.6], 512 problems)"
    assert found.verdict("A", "B") == "B is better than A (p < 0.001)"
    back = compare(after, before)
    assert (back.difference, back.p_value) == (-found.difference, found.p_value)
    assert back.verdict("A", "B") == "A is better than B (p < 0.001)"


def test_no_difference_is_no_certainty():
    found = compare(*pairs(0, 0, both=10, neither=10))
    assert (found.difference, found.p_value, found.se) == (0, 1, 0)
    assert found.low < 0 < found.high
    assert found.verdict("A", "B") == "these problems cannot tell A and B apart (p = 1.000)"


def test_the_interval_of_a_difference_holds_the_truth():
    random = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        before, after = random.random((2, 60)) < np.array([[0.5], [0.9]])
        evaluations = [
            Evaluation([result([int(not right)], question=f"{i}") for i, right in enumerate(side)])
            for side in (before, after)
        ]
        found = compare(*evaluations)
        held += found.low <= 0.4 <= found.high
    assert 0.92 <= held / 400 <= 0.985


def test_problems_are_matched_by_question_and_gold_whatever_their_order():
    before = Evaluation([result([0], question="a"), result([1], question="b"), result([1], question="b")])
    after = Evaluation([result([1], question="b"), result([0], question="b"), result([0], question="a")])
    found = compare(before, after)
    assert (found.won, found.lost, found.problems) == (1, 0, 3)


def test_only_what_both_can_score_is_compared():
    before = Evaluation([result([0], question="a"), result([0], question="b", scorable=False)])
    after = Evaluation([result([1], question="a"), result([0], question="b")])
    assert (compare(before, after).problems, compare(before, after).lost) == (1, 1)
    with pytest.raises(InputError, match="no problem is scorable in both"):
        compare(Evaluation(before.results[1:]), Evaluation(after.results[1:]))


@pytest.mark.parametrize(
    "other",
    [
        [result([0], question="a")],
        [result([0], question="a"), result([0], question="c")],
        [result([0], question="a"), result([0], question="b", gold="2")],
    ],
)
def test_other_problems_are_refused(other):
    before = Evaluation([result([0], question="a"), result([0], question="b")])
    with pytest.raises(InputError, match="not of the same problems: 1 of 2 are in the first alone"):
        compare(before, Evaluation(other))


# ---- Files ---------------------------------------------------------------------------------------------


def test_results_are_read_as_they_were_written(tmp_path):
    found = judged(
        ["2", "5", "7", "= \u00e9\u2028\x85\r<cut>", "1", "1"],
        [problem("1\u2028+\x851=", "2"), problem("?", ""), problem("3+3=", "1")],
        samples=2,
    )
    path = tmp_path / "results.jsonl"
    found.write(path)
    assert Evaluation.read(path) == found
    assert path.read_text().count("\n") == 3
    assert '"score": null' in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no results"),
        ('{"question": 1}\n', "line 1 is no result of an evaluation"),
        ("{\n", "line 1 is no result"),
        ('{"question": "a", "prompt": "a", "gold": "1", "answers": []}\n', "line 1 is no result"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        Evaluation.read(path)
    with pytest.raises(DataError, match="cannot read results"):
        Evaluation.read(tmp_path / "missing.jsonl")
