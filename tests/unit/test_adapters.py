"""The calling conventions of TRL and verl. Neither is imported, here or there."""

import asyncio
import inspect
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import grpo_rs as g
import pytest
from grpo_rs.adapters import trl, verl


def call_as_trl_does(function, completions, **columns):
    """As `GRPOTrainer._calculate_rewards` of TRL 1.16: everything by keyword, columns among it."""
    count = len(completions)
    return function(
        prompts=["What is 2 + 3?"] * count,
        completions=completions,
        completion_ids=[[1, 2, 3]] * count,
        **columns,
        trainer_state=object(),
        log_extra=lambda *_: None,
        log_metric=lambda *_: None,
    )


def chat(text):
    return [{"role": "assistant", "content": text}]


def test_trl_plain_completions():
    reward = trl.math_reward()
    scores = call_as_trl_does(
        reward, ["\\boxed{5}", "\\boxed{6}", "no"], solution=["5", "5", "5"], level=[1, 2, 3]
    )
    assert scores == [1.0, 0.0, 0.0]
    assert all(type(score) is float for score in scores)  # TRL puts them in a tensor


def test_trl_conversational_completions():
    scores = call_as_trl_does(
        trl.math_reward(),
        [
            chat("#### 5"),
            [*chat("\\boxed{5}"), {"role": "tool", "content": "5"}, *chat("\\boxed{6}")],
            [
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "so "}, {"type": "text", "text": "5"}],
                }
            ],
            [{"role": "assistant", "content": None, "tool_calls": []}],
            [{"role": "assistant", "tool_calls": []}],
            [],
        ],
        solution=["5"] * 6,
    )
    assert scores == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]  # the last message counts; nothing raises


@pytest.mark.parametrize("gold", ["", None, math.nan, "a\nsolution without its answer", "1e999999999"])
def test_trl_none_where_the_gold_cannot_be_read(gold):
    """TRL leaves a reward of None out; 0 would teach the model that its answer was wrong."""
    scores = call_as_trl_does(trl.math_reward(), ["None", "nan", "5"], solution=[gold, gold, "5"])
    assert scores == [None, None, 1.0]


def test_trl_golds_of_other_types():
    scores = call_as_trl_does(trl.math_reward("answer"), ["5", "0.5", "6"], answer=[5, 0.5, 5])
    assert scores == [1.0, 1.0, 0.0]


def test_trl_names_the_missing_column():
    with pytest.raises(g.InputError, match=r"no column 'answer': .*math_reward\(gold_column=\.\.\.\)"):
        call_as_trl_does(trl.math_reward("answer"), ["5"], solution=["5"])


def test_trl_extract():
    reward = trl.math_reward(extract="boxed")
    assert call_as_trl_does(reward, ["the answer is 5", "\\boxed{5}"], solution=["5", "5"]) == [0.0, 1.0]


def test_trl_reward_has_a_name_and_is_called_at_once():
    """TRL logs `reward_func.__name__`, and awaits what is a coroutine function."""
    reward = trl.math_reward()
    assert reward.__name__ == "math_reward"
    assert not asyncio.iscoroutinefunction(reward)
    assert callable(reward)


def test_trl_reward_is_picklable():
    reward = pickle.loads(pickle.dumps(trl.math_reward("answer", extract="boxed")))
    assert reward.__name__ == "math_reward"
    assert call_as_trl_does(reward, ["\\boxed{5}", "5"], answer=["5", "5"]) == [1.0, 0.0]


def call_as_verl_does(solution, gold):
    """As `NaiveRewardLoopManager.run_single` of verl 0.9: by keyword, with more as time goes on."""
    return verl.compute_score(
        data_source="openai/gsm8k",
        solution_str=solution,
        ground_truth=gold,
        extra_info={"index": 0},
        reward_router_address=None,
    )


def test_verl():
    assert call_as_verl_does("#### 5", "5") == {"score": 1.0, "scorable": True, "outcome": "CORRECT"}
    assert call_as_verl_does("#### 6", "5") == {"score": 0.0, "scorable": True, "outcome": "WRONG_VALUE"}
    assert call_as_verl_does("#### 5", 5)["score"] == 1.0


@pytest.mark.parametrize("gold", ["", None])
def test_verl_marks_what_it_cannot_score(gold):
    """verl has no way to leave a sample out: the flag is what tells this 0 from a wrong answer."""
    assert call_as_verl_does("None", gold) == {"score": 0.0, "scorable": False, "outcome": "GOLD_EMPTY"}


def test_verl_from_many_threads():
    with ThreadPoolExecutor(8) as executor:
        scores = list(executor.map(lambda i: call_as_verl_does(f"#### {i % 3}", "1")["score"], range(300)))
    assert scores == [float(i % 3 == 1) for i in range(300)]


def test_verl_signature_is_positional_too():
    names = list(inspect.signature(verl.compute_score).parameters)
    assert names[:4] == ["data_source", "solution_str", "ground_truth", "extra_info"]
