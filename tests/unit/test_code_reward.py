"""`CodeReward` and its adapters: which program runs on which tests, and what if a row has neither."""

import asyncio
import inspect
import json
import math
import pickle

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import CodeOutcome, CodeRunner
from grpo_rs.adapters import trl, verl
from grpo_rs.rewards import CodeReward, Completions, WeightedSum

pytestmark = pytest.mark.usefixtures("fake_core")

TWO = '[{"stdin": "1", "stdout": "1"}, {"stdin": "2", "stdout": "2"}]'
ASSERT = "assert f(1) == 2"
UNITTEST = {"unittest": "import unittest"}


def reply(program):
    return f"Like this:\n```python\n{program}\n```\n"


def batch(*pairs, column="tests"):
    texts = [text for text, _ in pairs]
    return Completions(texts, golds=[""] * len(texts), rows=[{"id": 1, column: tests} for _, tests in pairs])


def submitted(reward):
    return [entry for made in reward.runner._pool.batches for entry in made.submitted]


def test_the_share_of_tests_passed():
    reward = CodeReward()
    scores = reward(
        batch(
            (reply("PASSED WRONG_OUTPUT"), TWO),
            (reply("PASSED"), ASSERT),
            ("I do not know.", TWO),
            (reply("RUNTIME_ERROR"), g.stdio_tests([("", "1")])),
        )
    )
    np.testing.assert_array_equal(scores, [0.5, 1.0, 0.0, 0.0])
    assert scores.dtype == np.float64


def test_all_or_nothing():
    pairs = [(reply(p), TWO) for p in ("PASSED WRONG_OUTPUT", "PASSED", "PASSED NOT_RUN")]
    np.testing.assert_array_equal(CodeReward(mode="all")(batch(*pairs)), [0.0, 1.0, math.nan])


def test_what_cannot_be_scored_says_why():
    reward = CodeReward()
    completions = batch((reply("BOOM"), TWO), (reply("PASSED"), "assert ("), (reply("PASSED"), None))
    assert np.isnan(reward(completions)).all()
    host, syntax, missing = reward.results(completions)
    assert host.note == "the sandbox did not answer"
    assert syntax.outcome is missing.outcome is CodeOutcome.TESTS_INVALID
    assert "the tests" in syntax.note and syntax.note == syntax.cases[0].message
    assert missing.note.startswith("a NoneType holds no tests")
    # Not even a completion without a program is scored by tests that say nothing.
    assert math.isnan(reward(batch(("no program", "assert (")))[0])


def test_no_program_is_wrong_and_says_so():
    (result,) = CodeReward().results(batch(("no program", TWO)))
    assert (result.outcome, result.score, result.passed, result.note) == (
        CodeOutcome.NO_PROGRAM,
        0.0,
        False,
        "",
    )
    assert result.cases[0].message == "the completion holds no program"


def test_equal_work_is_done_once():
    reward = CodeReward()
    same = [(reply("PASSED WRONG_OUTPUT"), json.loads(TWO)) for _ in range(4)]
    scores = reward(batch(*same, (reply("PASSED"), TWO), (reply("PASSED WRONG_OUTPUT"), ASSERT)))
    assert scores.tolist() == [0.5] * 4 + [1.0, 1.0]
    assert len(submitted(reward)) == 3


def test_the_program_follows_its_prompt():
    """As in HumanEval: a whole function may use the prompt's imports, and a body alone continues it."""
    prompt = 'from typing import List\n\ndef f(x: List[int]) -> int:\n    """Adds."""\n'
    tests = {
        "asserts": "def check(candidate):\n    assert candidate([1]) == 2",
        "entry_point": "f",
        "prompt": prompt,
    }
    whole, body = "def f(x: List[int]):\n    return 2", "    return 2\n"
    reward = CodeReward()
    texts = [reply(whole), body, f"\n{body}", reply(body), reply("f = max"), reply("g = 1"), "Sorry", ""]
    scores = reward(batch(*((text, tests) for text in texts)))
    assert [source.removesuffix("\n") for _, source, *_ in submitted(reward)] == [
        f"from typing import List\n\n{whole}",
        f"{prompt}    return 2",
        f"{prompt}\n    return 2",
        f"{prompt}    return 2\n",
        f"{prompt}f = max",
        "g = 1",
    ]
    # The prompt's bare head is a function that returns None: it must not be what an empty reply is judged by.
    assert scores.tolist()[-2:] == [0.0, 0.0]


def test_tests_that_a_program_could_forge_are_refused_unless_asked_for():
    completions = batch((reply("PASSED"), UNITTEST))
    reward = CodeReward()
    with pytest.raises(g.InputError, match="integrity 'in_process', below min_integrity='split'"):
        reward(completions)
    assert submitted(reward) == []
    assert CodeReward(min_integrity="in_process")(completions).tolist() == [1.0]
    with pytest.raises(g.InputError, match="integrity 'split', below min_integrity='outside'"):
        CodeReward(min_integrity="outside")(
            batch((reply("PASSED"), "for i in range(2):\n    assert f(i) == f(0)"))
        )


def test_rows_without_the_column():
    with pytest.raises(
        g.InputError, match=r"no column 'checks'; it has 'id', 'tests': .*CodeReward\(tests_column"
    ):
        CodeReward(tests_column="checks")(batch((reply("PASSED"), TWO)))
    assert CodeReward(tests_column="checks")(batch((reply("PASSED"), TWO), column="checks")).tolist() == [1.0]
    known = Completions([reply("PASSED")] * 2, ["", ""], rows=[{"test_list": [ASSERT]}, {"code": "x"}])
    found, missing = CodeReward(tests_column=None).results(known)
    assert found.passed
    assert "has no tests of a known form; it has 'code'" in missing.note
    with pytest.raises(g.InputError, match="1 completions but 0 rows"):
        CodeReward()(Completions(["x"], [""]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "some"}, "mode 'some': give one of fraction, all"),
        ({"min_integrity": "high"}, "min_integrity 'high': give one of outside, split, in_process"),
        ({"language": "cobol"}, "language 'cobol': give one of python"),
    ],
)
def test_arguments_that_mean_nothing(arguments, message):
    with pytest.raises(g.InputError, match=message):
        CodeReward(**arguments)


def test_a_runner_of_ones_own_stays_open():
    runner = CodeRunner()
    with CodeReward(runner) as reward:
        assert reward(batch((reply("PASSED"), TWO))).tolist() == [1.0]
    assert runner.run(["PASSED"], [g.stdio_tests([("", "")])]).passed.all()
    with CodeReward() as reward:
        pass
    with pytest.raises(g.InputError, match="the runner is closed"):
        reward(batch((reply("PASSED"), TWO)))


def test_in_a_weighted_sum():
    total = WeightedSum({"code": CodeReward()}, {"code": 2.0})(batch((reply("PASSED WRONG_OUTPUT"), TWO)))
    assert total.total.tolist() == [1.0]


# ---- TRL ------------------------------------------------------------------------------------------------


def call_as_trl_does(function, completions, **columns):
    """As `GRPOTrainer._calculate_rewards` of TRL 1.16: everything by keyword, columns among it."""
    count = len(completions)
    return function(
        prompts=["Write f."] * count,
        completions=completions,
        completion_ids=[[1, 2, 3]] * count,
        **columns,
        trainer_state=object(),
        log_extra=lambda *_: None,
        log_metric=lambda *_: None,
    )


def test_trl():
    scores = call_as_trl_does(
        trl.code_reward(),
        [
            reply("PASSED"),
            [{"role": "assistant", "content": reply("PASSED WRONG_OUTPUT")}],
            "no program",
            reply("BOOM"),
            reply("PASSED"),
        ],
        tests=[ASSERT, TWO, ASSERT, TWO, None],
        level=[1, 2, 3, 4, 5],
    )
    assert scores == [1.0, 0.5, 0.0, None, None]
    assert all(score is None or type(score) is float for score in scores)


def test_trl_options():
    reward = trl.code_reward("checks", mode="all", min_integrity="in_process", runner=CodeRunner(workers=1))
    assert call_as_trl_does(reward, [reply("PASSED WRONG_OUTPUT")] * 2, checks=[TWO, UNITTEST]) == [0.0, 1.0]
    known = trl.code_reward(None)
    assert call_as_trl_does(known, [reply("PASSED")] * 2, test_list=[[ASSERT], None]) == [1.0, None]
    with pytest.raises(g.InputError, match=r"no column 'checks': .*code_reward\(tests_column=\.\.\.\)"):
        call_as_trl_does(reward, ["x"], tests=[TWO])


def test_trl_reward_has_a_name_and_is_picklable():
    reward = pickle.loads(pickle.dumps(trl.code_reward(mode="all")))
    assert reward.__name__ == "code_reward"
    assert not asyncio.iscoroutinefunction(reward)
    assert call_as_trl_does(reward, [reply("PASSED")], tests=[TWO]) == [1.0]


# ---- verl -----------------------------------------------------------------------------------------------


@pytest.fixture
def verl_score():
    verl._code_reward.cache_clear()
    yield lambda solution, tests: verl.compute_code_score(
        data_source="mbpp",
        solution_str=solution,
        ground_truth=tests,
        extra_info={"index": 0},
        reward_router_address=None,
    )
    verl._code_reward.cache_clear()


def test_verl(verl_score, fake_core):
    assert verl_score(reply("PASSED"), ASSERT) == {"score": 1.0, "scorable": True, "outcome": "PASSED"}
    assert verl_score(reply("PASSED CPU_EXCEEDED"), TWO) == {
        "score": 0.5,
        "scorable": True,
        "outcome": "CPU_EXCEEDED",
    }
    assert len(fake_core.made) == 1  # all calls share their workers


@pytest.mark.parametrize("tests", ["", None, "assert ("])
def test_verl_marks_what_it_cannot_score(tests, verl_score):
    """verl has no way to leave a sample out: the flag is what tells this 0 from a wrong program."""
    expected = {"score": 0.0, "scorable": False, "outcome": "TESTS_INVALID"}
    assert verl_score(reply("PASSED"), tests) == expected


def test_verl_signature_is_positional_too():
    names = list(inspect.signature(verl.compute_code_score).parameters)
    assert names[:4] == ["data_source", "solution_str", "ground_truth", "extra_info"]
