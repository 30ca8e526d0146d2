"""`MathPolicy`, `MathGold` and `MathVerdict`: what they take, refuse and show."""

import copy
import dataclasses
import gc
import math
import pickle
import resource
import typing

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import _core
from grpo_rs.adapters.trl import math_reward
from grpo_rs.rewards import Completions, MathReward

FIELDS = [field.name for field in dataclasses.fields(g.MathPolicy)]
NAMED = {
    name: typing.get_args(hint)
    for name, hint in typing.get_type_hints(g.MathPolicy).items()
    if typing.get_origin(hint) is typing.Literal
}
FLAGS = [name for name, hint in typing.get_type_hints(g.MathPolicy).items() if hint is bool]


# ---- the policy is Rust's -------------------------------------------------------------------------------


def test_fields_and_presets_are_rusts():
    presets = _core.math_policies()
    assert presets.keys() == {"default", "math_verify", "string_match"}
    assert [list(fields) for fields in presets.values()] == [FIELDS] * 3
    assert dataclasses.asdict(g.MathPolicy()) == presets["default"]
    assert dataclasses.asdict(g.MathPolicy.math_verify()) == presets["math_verify"]
    assert dataclasses.asdict(g.MathPolicy.string_match()) == presets["string_match"]
    assert len({g.MathPolicy(), g.MathPolicy.math_verify(), g.MathPolicy.string_match()}) == 3
    assert set(FIELDS) == {"rounding", *NAMED, *FLAGS}


@pytest.mark.parametrize("name", NAMED)
def test_the_settings_that_python_names_are_those_that_rust_knows(name):
    for setting in NAMED[name]:
        assert getattr(g.MathPolicy(**{name: setting}), name) == setting
    with pytest.raises(g.InputError) as caught:
        g.MathPolicy(**{name: "other"})
    assert str(caught.value) == f"{name} is 'other': it must be one of {', '.join(NAMED[name])}"


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [1, "yes", None])
def test_flags_are_true_or_false(name, value):
    with pytest.raises(g.InputError) as caught:
        g.MathPolicy(**{name: value})
    assert str(caught.value) == f"{name} is {value!r}: it must be True or False"


@pytest.mark.parametrize("value", [0, -1, 256, 4.0, "4", True])
def test_rounding_is_a_number_of_digits(value):
    with pytest.raises(g.InputError) as caught:
        g.MathPolicy(rounding=value)
    expected = f"rounding is {value!r}: it must be a number of significant digits from 1 to 255, or None"
    assert str(caught.value) == expected


def test_an_unknown_switch_is_refused():
    with pytest.raises(TypeError, match="tolerance"):
        g.MathPolicy(tolerance=1e-6)


def test_a_policy_is_frozen_and_replaceable():
    policy = g.MathPolicy()
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.units = "drop"
    assert dataclasses.replace(policy, units="drop") == g.MathPolicy(units="drop") != policy
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_only_a_policy_is_taken_for_one():
    for wrong in ("math_verify", None, {}):
        with pytest.raises(TypeError, match="expected a MathPolicy"):
            g.verify_math(["5"], ["5"], policy=wrong)


def test_a_policy_changes_verdicts_and_explanations_alike():
    strict = g.MathPolicy(percent="value")
    assert g.verify_math(["50%"], ["50"]).scores.tolist() == [1.0]
    verdicts = g.verify_math(["50%"], ["50"], policy=strict)
    assert verdicts.scores.tolist() == [0.0]
    assert "not 50" in verdicts.explain(0)
    assert MathReward(policy=strict)(Completions(texts=["50%"], golds=["50"])).tolist() == [0.0]
    assert math_reward(policy=strict)(["50%"], solution=["50"]) == [0.0]
    assert g.unreadable_golds(["50%", ""], policy=strict).keys() == {1}


# ---- a gold ---------------------------------------------------------------------------------------------


def test_a_gold_is_read_once_and_used_like_its_text():
    gold = g.MathGold(r"\frac12")
    assert (gold.text, gold.normal_form, gold.problem, gold.policy) == (
        r"\frac12",
        "1/2",
        None,
        g.MathPolicy(),
    )
    predictions = [r"\boxed{0.5}", "It is 2", "I don't know"]
    as_gold, as_text = g.verify_math(predictions, [gold] * 3), g.verify_math(predictions, [gold.text] * 3)
    assert as_gold.outcomes.tolist() == as_text.outcomes.tolist()
    assert as_gold.spans.tolist() == as_text.spans.tolist()
    assert as_gold.explanations() == as_text.explanations()
    assert [gold.verify(p) for p in predictions] == list(as_text)


def test_golds_and_texts_can_be_mixed():
    golds = [g.MathGold("5"), "5", g.MathGold("6"), "6"]
    verdicts = g.verify_math(["5"] * 4, golds)
    assert verdicts.scores.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert "not 6" in verdicts.explain(2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", g.MathOutcome.GOLD_EMPTY),
        ("no\nmark", g.MathOutcome.GOLD_UNREADABLE),
        ("1e999999", g.MathOutcome.GOLD_OVER_BUDGET),
    ],
)
def test_a_gold_that_cannot_be_read_says_why(text, problem):
    gold = g.MathGold(text)
    assert gold.problem is problem
    assert gold.normal_form is None
    assert math.isnan(gold.verify("5").score)
    assert gold.verify("5").outcome is problem


def test_a_gold_keeps_its_policy():
    policy = g.MathPolicy(percent="value")
    gold = g.MathGold("50", policy=policy)
    assert gold.verify("50%").score == 0.0
    assert g.verify_math(["50%"], [gold], policy=policy).scores.tolist() == [0.0]
    with pytest.raises(
        g.InputError, match=r"^gold 1 was compiled under another policy .* policy=gold\.policy"
    ):
        g.verify_math(["50%", "50%"], ["50", gold])


def test_where_a_gold_looks_for_the_answer():
    assert g.MathGold("5").verify(r"5 or \boxed{6}").score == 0.0
    assert g.MathGold("5").verify(r"\boxed{6} and then 5", extract="last_number").score == 1.0
    with pytest.raises(g.InputError, match="extract is"):
        g.MathGold("5").verify("5", extract="box")


def test_a_gold_is_immutable_copied_and_pickled():
    gold = g.MathGold("1/2", policy=g.MathPolicy(units="require"))
    with pytest.raises(AttributeError):
        gold.text = "1/3"
    for twin in (pickle.loads(pickle.dumps(gold)), copy.copy(gold), copy.deepcopy(gold)):
        assert (twin.text, twin.policy, twin.normal_form) == (gold.text, gold.policy, "1/2")
    assert repr(gold) == f"MathGold('1/2', policy={gold.policy!r})"


def test_a_gold_takes_a_text_and_a_policy():
    with pytest.raises(TypeError, match="expected a str, not int"):
        g.MathGold(5)
    with pytest.raises(TypeError, match="expected a MathPolicy"):
        g.MathGold("5", policy="default")


def test_memory_stays_flat_over_many_distinct_golds():
    def judge(start):
        golds = [f"{i}.{'7' * 200}" for i in range(start, start + 2000)]
        assert g.verify_math(golds, golds).scores.all()

    judge(0)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for start in range(2000, 102_000, 2000):
        judge(start)
    # 100,000 golds of 200 bytes would be 20 MB as texts alone.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12_000


# ---- one verdict ----------------------------------------------------------------------------------------


def test_a_verdict_of_a_batch():
    verdicts = g.verify_math([r"so \boxed{0.50}", "I don't know", "5"], ["1/2", "1/2", ""])
    right, none, unscorable = verdicts
    assert (right.score, right.outcome, right.span) == (1.0, g.MathOutcome.CORRECT, (10, 14))
    assert (right.answer, right.normal_forms) == ("0.50", ("0.50", "1/2"))
    assert right.explain() == verdicts.explain(0)
    assert (none.score, none.span, none.answer, none.normal_forms) == (0.0, None, None, (None, "1/2"))
    assert math.isnan(unscorable.score)
    assert unscorable.normal_forms == (None, None)
    assert verdicts[-1].outcome is g.MathOutcome.GOLD_EMPTY
    assert verdicts.explanations() == [verdicts.explain(i) for i in range(3)]
    with pytest.raises(IndexError):
        verdicts[3]


def test_the_answer_is_cut_out_of_any_text():
    verdicts = g.verify_math(np.array(["Über \\boxed{5 \\text{ Äpfel}} \ud800", "\ud83d #### 5"]), ["5", "5"])
    assert [verdict.answer for verdict in verdicts] == ["5 \\text{ Äpfel}", "5"]
