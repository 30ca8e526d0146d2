"""The reward functions and their sum."""

import math

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs.rewards import Completions, FormatReward, MathReward, WeightedSum
from grpo_rs.rewards.combine import load_reward


def completions(texts, gold="5"):
    return Completions(texts=texts, golds=[gold] * len(texts))


def constant(*scores):
    return lambda batch: list(scores)


# ---- maths ----------------------------------------------------------------------------------------------


def test_math_reward_is_1_0_or_nan():
    batch = Completions(texts=["\\boxed{5}", "\\boxed{6}", "\\boxed{5}"], golds=["5", "5", ""])
    scores = MathReward()(batch)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, [1.0, 0.0, math.nan])
    verdicts = MathReward().verdicts(batch)
    assert [verdicts.outcome(i).name for i in range(3)] == ["CORRECT", "WRONG_VALUE", "GOLD_EMPTY"]


def test_math_reward_looks_where_it_is_told():
    batch = completions(["the answer is 5", "\\boxed{5}"])
    assert MathReward()(batch).tolist() == [1.0, 1.0]
    assert MathReward("boxed")(batch).tolist() == [0.0, 1.0]


# ---- format ---------------------------------------------------------------------------------------------

FITS = {
    "boxed": [
        "\\boxed{5}",
        "so $\\boxed{\\frac{1}{2}}$.",
        "\\fbox{5}",
        "\\fboxsep1pt \\fbox{5}",
        "<think>\\boxed{1}</think>\\boxed{5}",
    ],
    "hash": ["#### 5", "9 * 2 = 18\n#### 18", "a</think>\n#### 5", "##### Work\n2 + 3\n#### 5"],
    "answer_tag": ["<answer>5</answer>", "so <answer> \\frac12 </answer>."],
    "think_answer": [
        "<think>2 + 3</think><answer>5</answer>",
        " \n<think>\n2 + 3\n</think>\n\n<answer> \\frac12 </answer>\n",
        "<think>2 < 3 > 1, \\boxed{1}</think><answer>\\boxed{5}</answer>",
    ],
}
HACKS = {
    "boxed": [
        "5",
        "",
        "\\boxed{}",
        "\\boxed{ }",
        "\\boxed 5",
        "\\boxed{5} or \\boxed{6}",
        "\\boxed{5} \\boxed{}",
        "\\boxed 6 \\boxed{5}",
        "\\boxed{\\boxed{5}}",
        "\\fbox{5} \\boxed{6}",
        "<think>\\boxed{5}</think>",
        "<think>\\boxed{5}",
        "</think><think>\\boxed{5}",
        "\\boxedanswer{5}",
        "#### 5",
    ],
    "hash": [
        "5",
        "####",
        "####   \n",
        "####\n5",  # the answer stands on the same line
        "#### 5\n#### 6",
        "#### 5 #### 6",
        "##### 5",
        "### 5",
        "it is #### 5",
        "#####\nit is #### 5",
        "#### Step 2\nand so on",
        "<think>\n#### 5\n</think>",
        "\\boxed{5}",
    ],
    "answer_tag": [
        "5",
        "<answer></answer>",
        "<answer> \n </answer>",
        "<answer>5",
        "5</answer>",
        "</answer><answer>5",  # closes before it opens
        "<answer>5</answer><answer>6</answer>",
        "<answer>5</answer><answer>",
        "<answer>5</answer></answer>",
        "<answer><answer>5</answer></answer>",
        "<think><answer>5</answer></think>",
        "<think><answer>5</answer>",
    ],
    "think_answer": [
        "",
        "5",
        "<answer>5</answer>",
        "2 + 3</think><answer>5</answer>",
        "<think>2 + 3</think> 5",
        "<think>2 + 3</think><answer>5",
        "<think>2 + 3<answer>5</answer>",
        "<think></think><answer>5</answer>",
        "<think> \n </think><answer>5</answer>",
        "<think>2 + 3</think><answer> </answer>",
        "<think>2 + 3</think><answer></answer>",
        "So <think>2 + 3</think><answer>5</answer>",
        "<think>2 + 3</think> so <answer>5</answer>",
        "<think>2 + 3</think><answer>5</answer>.",
        "<answer>5</answer><think>2 + 3</think>",
        "<think>2 + <answer>3</answer></think>",
        "<think>2 + 3<answer>5</think></answer>",
        "</think>2 + 3<think><answer>5</answer>",
        "<think><think>2 + 3</think></think><answer>5</answer>",
        "<think>2</think><think>3</think><answer>5</answer>",
        "<think>2 + 3</think><answer>5</answer><answer>6</answer>",
        "<think><answer>4</answer>2 + 3</think><answer>5</answer>",
    ],
}


@pytest.mark.parametrize("style", FITS)
def test_one_answer_in_the_style_asked_for_earns_1(style):
    texts = FITS[style]
    assert FormatReward(style)(completions(texts)).tolist() == [1.0] * len(texts)


@pytest.mark.parametrize("style", HACKS)
def test_everything_else_earns_0(style):
    texts = HACKS[style]
    scores = FormatReward(style)(completions(texts))
    assert [text for text, score in zip(texts, scores, strict=True) if score != 0.0] == []


def test_a_prompt_may_have_opened_the_reasoning():
    texts = ["2 + 3</think> <answer>5</answer>", "<think>2 + 3</think> <answer>5</answer>"]
    for prompt, scores in (("Think! <think>\n", [1.0, 0.0]), ("In <think> tags: 2 + 3", [0.0, 1.0])):
        batch = Completions(texts, ["5"] * 2, prompts=[prompt] * 2)
        assert FormatReward("think_answer")(batch).tolist() == scores
    # The verifier reads both: what stands before </think> is reasoning either way.
    assert MathReward("answer_tag")(completions(texts)).tolist() == [1.0, 1.0]
    assert MathReward("answer_tag")(completions(["<think><answer>5</answer></think>", "5"])).tolist() == [
        0,
        0,
    ]


@pytest.mark.parametrize("repeated", ["<think>", "</think>", "<answer>", " ", "<think>a</think><answer>"])
def test_the_format_of_a_long_completion_is_judged_in_linear_time(repeated):
    """A pattern that tries every start against every end would not come back."""
    text = "<think>a" + repeated * 100_000 + "</think><answer>5</answer>x"
    assert FormatReward("think_answer")(completions([text])).tolist() == [0.0]


def test_the_format_does_not_look_at_the_gold():
    assert FormatReward("boxed")(completions(["\\boxed{5}"], gold="")).tolist() == [1.0]


def test_an_empty_batch():
    for reward in (MathReward(), FormatReward("boxed")):
        scores = reward(Completions(texts=[], golds=[]))
        assert (scores.shape, scores.dtype) == ((0,), np.float64)


# ---- the sum --------------------------------------------------------------------------------------------


def test_the_weighted_sum_and_its_parts():
    total = WeightedSum(
        {"math": MathReward(), "format": FormatReward("boxed")}, {"math": 1.0, "format": 0.25}
    )
    scored = total(completions(["\\boxed{5}", "5", "\\boxed{6}", "no"]))
    assert scored.total.tolist() == [1.25, 1.0, 0.25, 0.0]
    assert scored.parts["math"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert scored.parts["format"].tolist() == [1.0, 0.0, 1.0, 0.0]


def test_weights_may_be_negative():
    total = WeightedSum({"a": constant(1.0, 2.0)}, {"a": -0.5})
    assert total(completions(["", ""])).total.tolist() == [-0.5, -1.0]


def test_a_missing_part_leaves_no_total():
    """A sum with a part missing would be compared with complete ones, in its own group."""
    total = WeightedSum(
        {"a": constant(1.0, None, math.nan, 1.0), "b": constant(0, 1, 2, 3)}, {"a": 1, "b": 1}
    )
    scored = total(completions([""] * 4))
    np.testing.assert_array_equal(scored.total, [1.0, math.nan, math.nan, 4.0])
    np.testing.assert_array_equal(scored.parts["a"], [1.0, math.nan, math.nan, 1.0])
    np.testing.assert_array_equal(scored.parts["b"], [0.0, 1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("rewards", "weights", "message"),
    [
        ({}, {}, "at least one"),
        ({"a": constant()}, {"b": 1.0}, r"rewards \['a'\] and weights \['b'\] must have the same names"),
        ({"a": constant()}, {"a": 1.0, "b": 1.0}, r"weights \['a', 'b'\] must have the same names"),
        ({"a": constant()}, {"a": math.nan}, "the weight of reward 'a' is nan: it must be finite"),
        ({"a": constant()}, {"a": math.inf}, "the weight of reward 'a' is inf"),
    ],
)
def test_weights_that_do_not_fit(rewards, weights, message):
    with pytest.raises(g.InputError, match=message):
        WeightedSum(rewards, weights)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], "reward 'a' returned 1 scores for 2 completions: it must return one each, None where"),
        ([1.0, 2.0, 3.0], "reward 'a' returned 3 scores for 2"),
        ([[1.0, 2.0], [3.0, 4.0]], "reward 'a' returned 4 scores for 2"),
        ([[1.0], [2.0]], "it must return one each"),
        ([1.0, math.inf], "reward 'a' returned an infinite score: use None for what it cannot tell"),
    ],
)
def test_a_reward_that_misbehaves_is_named(scores, message):
    with pytest.raises(g.InputError, match=message):
        WeightedSum({"a": constant(*scores)}, {"a": 1.0})(completions(["", ""]))


def test_a_reward_sees_the_whole_batch():
    seen = []

    def spy(batch):
        seen.append(batch)
        return [len(text) for text in batch.texts]

    batch = Completions(texts=["a", "bb"], golds=["1", "2"], prompts=["p", "q"], rows=[{"x": 1}, {"x": 2}])
    assert WeightedSum({"spy": spy}, {"spy": 1.0})(batch).total.tolist() == [1.0, 2.0]
    assert len(seen) == 1
    assert seen[0] is batch


# ---- by name --------------------------------------------------------------------------------------------


def test_load_reward_imports_by_name():
    assert load_reward("grpo_rs.rewards:MathReward") is MathReward


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("my_rewards", "reward 'my_rewards': write it as \"module:function\""),
        (":f", 'write it as "module:function"'),
        ("no_such_module:f", "cannot be imported: No module named 'no_such_module'"),
        ("grpo_rs.rewards:no_such", "cannot be imported: .*no_such"),
        ("grpo_rs:__version__", "is a str, not a function"),
    ],
)
def test_a_reward_that_cannot_be_loaded(path, message):
    with pytest.raises(g.InputError, match=message):
        load_reward(path)
