"""Rewards while sampling goes on: what they give, and what becomes of those that fail or hang."""

import asyncio
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs.math import MathVerdicts, verify_math
from grpo_rs.rewards import (
    CodeReward,
    Completions,
    FormatReward,
    MathReward,
    RewardPool,
    RewardReport,
    RewardUse,
    StreamingScorer,
    WeightedSum,
    calls,
    stream,
)

PATIENCE_S = 60.0


def pool(verifier=None, *, weights=None, deadline_s=None, paths=None, **rewards):
    total = WeightedSum(rewards, weights or dict.fromkeys(rewards, 1.0))
    return RewardPool(total, verifier, deadline_s=deadline_s, paths=paths)


def lengths(completions):
    return [len(text) for text in completions.texts]


def score(pool, texts, gold="5"):
    return pool.score(Completions(texts, [gold] * len(texts)))


def until(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


# ---- what comes out -------------------------------------------------------------------------------------

TEXTS = [
    "\\boxed{5}",
    "5",
    "so 6",
    "",
    "\\boxed{6} \\boxed{5}",
    "\\boxed{é 5}",
    "10/2",
    "\\boxed{\\frac{1}{2}}",
]
GOLDS = ["5", "5", "5", "5", "5", "5", "", "0.5"]


def test_the_same_as_scoring_all_at_once_whatever_the_order():
    chance = np.random.default_rng(0)
    texts, golds = TEXTS * 20, GOLDS * 20
    keys = chance.permutation(10 * len(texts))[: len(texts)]
    order = np.argsort(keys)
    math_, rewards = MathReward(), {"format": FormatReward("boxed"), "length": lengths}
    total = WeightedSum({"math": math_, **rewards}, {"math": 1.0, "format": 0.1, "length": -0.3})
    batch = Completions([texts[i] for i in order], [golds[i] for i in order])
    expected, verdicts = total(batch), math_.verdicts(batch)
    with RewardPool(total, math_, deadline_s=None) as shared:
        for pause in (1, 7, 1000):
            with StreamingScorer(shared) as scorer:
                for place, (key, text, gold) in enumerate(zip(keys.tolist(), texts, golds, strict=True)):
                    scorer.submit(key, text, gold, f"prompt {key}", {"key": key})
                    if place % pause == 0:
                        time.sleep(0.001)
                step = scorer.finish()
            assert step.keys.tolist() == sorted(keys.tolist())
            assert step.completions.texts == batch.texts
            assert [row["key"] for row in step.completions.rows] == step.keys.tolist()
            assert step.completions.prompts[0] == f"prompt {min(keys)}"
            np.testing.assert_array_equal(step.scored.total, expected.total)
            assert list(step.scored.parts) == ["math", "format", "length"]
            for name, part in expected.parts.items():
                np.testing.assert_array_equal(step.scored.parts[name], part)
            np.testing.assert_array_equal(step.verdicts.outcomes, verdicts.outcomes)
            np.testing.assert_array_equal(step.verdicts.spans, verdicts.spans)
            assert step.verdicts.explanations() == verdicts.explanations()
            assert [verdict.answer for verdict in step.verdicts] == [verdict.answer for verdict in verdicts]


def test_scores_come_in_before_the_step_is_finished():
    threads = set()

    def spy(completions):
        threads.add(threading.get_ident())
        return lengths(completions)

    with pool(MathReward(), length=spy) as shared, StreamingScorer(shared) as scorer:
        assert scorer.done() == []
        scorer.submit(3, "abc", "5")
        found = []
        until(lambda: found.extend(scorer.done()) or found)
        assert found == [3]
        assert scorer.result(3).total.tolist() == [3.0]
        assert scorer.result(3).parts["length"].tolist() == [3.0]
        scorer.submit(1, "a", "5")
        assert scorer.finish().scored.total.tolist() == [1.0, 3.0]
        assert scorer.done() == [1]
    assert threading.get_ident() not in threads


def test_one_slow_reward_does_not_hold_up_another():
    release = threading.Event()

    def slow(completions):
        assert release.wait(PATIENCE_S)
        return lengths(completions)

    fast_called = threading.Event()

    def fast(completions):
        fast_called.set()
        return lengths(completions)

    with pool(slow=slow, fast=fast) as shared, StreamingScorer(shared) as scorer:
        scorer.submit(0, "abc", "5")
        assert fast_called.wait(PATIENCE_S)
        assert scorer.done() == []
        with pytest.raises(g.InputError, match="completion 0 has not been scored yet"):
            scorer.result(0)
        release.set()
        assert scorer.finish().scored.total.tolist() == [6.0]


def test_the_verifier_is_heard_without_a_weight_and_called_once_with_one():
    class Counting(MathReward):
        seen = 0

        def verdicts(self, completions):
            self.seen += len(completions)
            return super().verdicts(completions)

    for rewards in ({"length": lengths}, {"math": Counting()}):
        verifier = rewards.get("math", Counting())
        with pool(verifier, **rewards) as shared:
            step = score(shared, ["5", "6"])
        assert verifier.seen == 2
        assert list(step.scored.parts) == list(rewards)
        assert [verdict.outcome.name for verdict in step.verdicts] == ["CORRECT", "WRONG_VALUE"]
        assert set(step.report.rewards) == (
            rewards.keys() | {"verifier"} if "length" in rewards else {"math"}
        )


def test_a_reward_of_the_whole_batch_is_called_once_in_order():
    seen = []

    def ranks(completions):
        seen.append(list(completions.texts))
        return np.argsort(np.argsort(completions.texts))

    ranks.whole_batch = True
    with pool(ranks=ranks, deadline_s=50.0) as shared, StreamingScorer(shared) as scorer:
        for key, text in ((2, "b"), (0, "c"), (1, "a")):
            scorer.submit(key, text, "5")
        time.sleep(0.05)
        assert scorer.done() == [] and seen == []
        assert scorer.finish().scored.total.tolist() == [2.0, 0.0, 1.0]
    assert seen == [["c", "a", "b"]]


def test_none_is_not_scorable_and_no_failure():
    with pool(a=lambda completions: [None] * len(completions)) as shared:
        step = score(shared, ["", ""])
    assert np.isnan(step.scored.total).all()
    assert step.report.rewards["a"].failed == 0
    assert step.report.sentences() == []


def test_a_step_without_completions():
    with pool(MathReward(), a=lengths) as shared:
        step = score(shared, [])
    assert len(step.scored.total) == len(step.verdicts) == len(step.keys) == 0


def test_two_steps_at_a_time_share_a_pool():
    with (
        pool(MathReward(), a=lengths) as shared,
        StreamingScorer(shared) as one,
        StreamingScorer(shared) as two,
    ):
        for key in range(50):
            one.submit(key, "x" * key, "5")
            two.submit(key, "y" * (key + 1), "5")
        assert two.finish().scored.total.tolist() == list(range(1, 51))
        assert one.finish().scored.total.tolist() == list(range(50))


def test_programs_run_while_others_are_sampled(fake_core):
    texts = ["```python\nPASSED\n```", "```python\nWRONG_OUTPUT\n```", "none", "```python\nPASSED LATE\n```"]
    rows = [{"tests": g.stdio_tests([("1", "1")])}] * 4
    with CodeReward() as reward, pool(code=reward) as shared, StreamingScorer(shared) as scorer:
        scorer.submit(0, texts[0], "", "", rows[0])
        until(scorer.done)
        assert len(fake_core.made[0].batches) == 1
        for key in (1, 2, 3):
            scorer.submit(key, texts[key], "", "", rows[key])
        assert scorer.finish().scored.total.tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda scorer: scorer.submit(0, "", ""), "completion 0 was submitted before"),
        (lambda scorer: scorer.result(7), "completion 7 has not been scored yet"),
        (lambda scorer: (scorer.finish(), scorer.submit(1, "", "")), "the step's scores are finished"),
    ],
)
def test_a_scorer_used_wrongly(wrong, message):
    with pool(a=lengths) as shared, StreamingScorer(shared) as scorer:
        scorer.submit(0, "", "5")
        with pytest.raises(g.InputError, match=message):
            wrong(scorer)


def test_a_pool_that_cannot_be():
    for deadline_s in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(g.InputError, match="deadline_s is .*: give seconds above 0, or None"):
            pool(a=lengths, deadline_s=deadline_s)
    with pytest.raises(g.InputError, match=r"paths of \['b'\]: the rewards are \['a'\]"):
        pool(a=lengths, paths={"b": "m:f"})


# ---- functions that fail --------------------------------------------------------------------------------


def refuses_b(completions):
    if "b" in completions.texts:
        raise ValueError("no b, please\nsecond line")
    return lengths(completions)


async def refuses_b_async(completions):
    await asyncio.sleep(0)
    return refuses_b(completions)


@pytest.mark.parametrize("reward", [refuses_b, refuses_b_async])
@pytest.mark.parametrize("deadline_s", [None, 50.0])
def test_only_the_completions_that_it_raises_on_are_left_out(reward, deadline_s):
    texts = ["a", "b", "cc", "b", "ddd"] * 5
    with pool(MathReward(), picky=reward, deadline_s=deadline_s) as shared:
        step = score(shared, texts)
    np.testing.assert_array_equal(step.scored.total, [1, math.nan, 2, math.nan, 3] * 5)
    use = step.report.rewards["picky"]
    assert (use.completions, use.failed, use.timed_out) == (25, 10, 0)
    assert use.example.endswith(": ValueError: no b, please")
    assert texts[int(use.example.split()[1].rstrip(":"))] == "b"
    [sentence] = step.report.sentences()
    assert "reward 'picky' raised on 10 of 25 completions, which are left out. The first: compl" in sentence


@pytest.mark.parametrize("reward", [refuses_b, refuses_b_async])
def test_a_function_that_raises_on_all_stops_the_step(reward):
    with pool(MathReward(), picky=reward) as shared, pytest.raises(g.InputError) as caught:
        score(shared, ["b", "b"])
    message = str(caught.value)
    assert "reward 'picky' failed on every completion of the step, 2 in all. The first: completion" in message
    assert message.endswith("ValueError: no b, please\nsecond line")
    assert 'raise ValueError("no b, please' in message


def test_a_function_of_the_whole_batch_that_raises_stops_the_step():
    def boom(completions):
        raise ZeroDivisionError

    boom.whole_batch = True
    with pool(a=boom) as shared, pytest.raises(g.InputError, match=r"failed on every .*, 2 in all") as caught:
        score(shared, ["", ""])
    assert "completion 0: ZeroDivisionError\nTraceback" in str(caught.value)


def exits(completions):
    if "exit" in completions.texts:
        sys.exit(3)
    return lengths(completions)


async def exits_async(completions):
    return exits(completions)


async def cancels_itself(completions):
    if "exit" in completions.texts:
        raise asyncio.CancelledError
    return lengths(completions)


@pytest.mark.parametrize("reward", [exits, exits_async, cancels_itself])
def test_a_function_that_exits_has_failed(reward):
    with pool(a=reward) as shared:
        np.testing.assert_array_equal(score(shared, ["exit", "b"]).scored.total, [math.nan, 1.0])
        np.testing.assert_array_equal(score(shared, ["aa", "exit"]).scored.total, [2.0, math.nan])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1.0], "reward 'a' returned 1 scores for 2 completions"),
        ([1.0, math.inf], "reward 'a' returned an infinite score"),
        (["one", "two"], r"reward 'a' returned \['one', 'two'\]: it must return a list with one number"),
        (3.0, "reward 'a' returned 3.0: it must return a list"),
    ],
)
def test_a_function_that_returns_nonsense_stops_the_step(returned, message):
    async def later(completions):
        return returned

    for reward in (lambda completions: returned, later):
        with pool(MathReward(), a=reward) as shared, pytest.raises(g.InputError, match=message):
            score(shared, ["", ""])


def test_a_coroutine_that_nobody_awaits():
    with pytest.raises(g.InputError, match="it must return a list"):
        WeightedSum({"a": refuses_b_async}, {"a": 1.0})(Completions(["a"], ["5"]))


def test_what_a_bounded_reward_raises_is_raised_as_it_is():
    with (
        CodeReward(tests_column="missing") as reward,
        pool(code=reward) as shared,
        pytest.raises(g.InputError, match="a row has no column 'missing'"),
    ):
        score(shared, ["", ""])

    class Odd:
        bounded = True

        def __call__(self, completions):
            raise LookupError("of its own")

    with pool(a=Odd(), b=lengths) as shared, StreamingScorer(shared) as scorer:
        scorer.submit(0, "", "")
        time.sleep(0.05)
        scorer.submit(1, "", "")  # sampling goes on, so that its work can be kept
        with pytest.raises(LookupError, match="of its own"):
            scorer.finish()


# ---- deadlines --------------------------------------------------------------------------------------------


async def hangs_async(completions):
    if "hang" in completions.texts:
        await asyncio.sleep(PATIENCE_S)
    return lengths(completions)


def test_an_async_function_is_cancelled_at_the_deadline():
    cancelled = []

    async def reward(completions):
        try:
            return await hangs_async(completions)
        except asyncio.CancelledError:
            cancelled.append(list(completions.texts))
            raise

    with pool(a=reward, deadline_s=0.6) as shared:
        step = score(shared, ["aa", "hang", "b"])
    np.testing.assert_array_equal(step.scored.total, [2.0, math.nan, 1.0])
    assert cancelled[-1] == ["hang"]
    use = step.report.rewards["a"]
    assert (use.failed, use.timed_out, use.left_running) == (0, 1, 0)
    assert use.example == "completion 1: no answer within 0.6 s"
    assert "reward 'a' did not answer in time on 1 of 3 completions" in step.report.sentences()[0]


def test_async_batches_run_at_the_same_time():
    """Each batch waits until another has come."""
    waiting = []

    async def reward(completions):
        waiting.append(1)
        while len(waiting) < 2:
            await asyncio.sleep(0.001)
        return lengths(completions)

    with pool(a=reward) as shared, StreamingScorer(shared) as scorer:
        scorer.submit(0, "a", "5")
        until(lambda: waiting)
        scorer.submit(1, "bb", "5")
        assert scorer.finish().scored.total.tolist() == [1.0, 2.0]


def test_a_thread_is_left_behind_and_after_three_the_function_is_refused():
    release = threading.Event()

    def reward(completions):
        if "hang" in completions.texts:
            release.wait(PATIENCE_S)
        return lengths(completions)

    with pool(a=reward, deadline_s=0.6) as shared:
        step = score(shared, ["hang", "b"])
        np.testing.assert_array_equal(step.scored.total, [math.nan, 1.0])
        assert step.report.rewards["a"].left_running == 2  # with the others, and alone
        assert "calls still running that could not be ended: 2" in step.report.sentences()[1]
        with pytest.raises(g.InputError, match=r"reward 'a' was left running 3 times.*\"module:function\""):
            score(shared, ["b", "hang"])
    release.set()


def test_a_coroutine_that_blocks_its_loop_is_left_behind(monkeypatch):
    monkeypatch.setattr(calls, "CANCEL_S", 0.05)
    release = threading.Event()

    async def blocks(completions):
        if "hang" in completions.texts:
            release.wait(PATIENCE_S)
        return lengths(completions)

    async def good(completions):
        return lengths(completions)

    with pool(a=blocks, b=good, deadline_s=0.6) as shared:
        step = score(shared, ["hang", "b"])
        np.testing.assert_array_equal(step.scored.total, [math.nan, 2.0])
        uses = step.report.rewards
        assert (uses["a"].left_running, uses["b"].left_running, uses["b"].timed_out) == (2, 0, 0)
    release.set()


def test_many_timeouts_in_a_row_stop_the_step(monkeypatch):
    monkeypatch.setattr(stream, "MAX_TIMEOUTS_IN_A_ROW", 3)
    with (
        pool(a=hangs_async, deadline_s=0.05) as shared,
        pytest.raises(g.InputError, match=r"'a' did not answer within 0.05 s, 3 times in a row"),
    ):
        score(shared, ["hang"] * 4 + ["a"])


def test_batches_grow_while_the_deadline_is_far_and_shrink_when_it_is_near():
    sizes = []

    def reward(completions):
        sizes.append(len(completions))
        return lengths(completions)

    with pool(a=reward, deadline_s=1000.0) as shared:
        score(shared, ["a"] * 100)
        assert sizes[0] <= stream.FIRST_BATCH and sum(sizes) == 100
        assert max(sizes) > stream.FIRST_BATCH
        source = shared._sources[0]
        source.answered(40, 600.0)
        assert source.batch_size == 20
        source.timed_out(3)
        assert source.batch_size == 1
    sizes.clear()
    with pool(a=reward) as shared, StreamingScorer(shared) as scorer:
        for key in range(100):
            scorer.submit(key, "a", "5")
        scorer.finish()
    assert sum(sizes) == 100 and source.limit_s(5) == 1000.0


# ---- a process of its own ---------------------------------------------------------------------------------

MODULE = """
import os, re, subprocess, sys
from pathlib import Path

def pid(completions):
    return [float(os.getpid())] * len(completions)

def behaves(completions):
    scores = []
    for text in completions.texts:
        if text == "backtrack":
            re.match("(a+)+$", "a" * 50 + "b")  # for ever, and never lets go of the GIL
        if text == "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path("child").write_text(str(child.pid))
            child.wait()
        if text == "crash":
            os.kill(os.getpid(), 11)
        if text == "raise":
            raise ValueError("of the user")
        if text == "print":
            print("printed by the reward", flush=True)
        scores.append(len(text))
    return scores

def short(completions):
    return [1.0]

def of_rows(completions):
    return [row["value"] for row in completions.rows]

def here(completions):
    return [float(os.getpid())] * len(completions)

here.in_process = True
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "rewards_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield "rewards_of_mine"
    sys.modules.pop("rewards_of_mine", None)


def pool_of_path(path, deadline_s=None):
    reward = g.rewards.combine.load_reward(path)
    return pool(MathReward(), mine=reward, paths={"mine": path}, deadline_s=deadline_s)


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def zombie_or_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return not exists(pid)


def test_a_path_runs_in_a_process_of_its_own_which_lasts(module):
    with pool_of_path(f"{module}:pid") as shared:
        first, second = score(shared, ["a", "b"]), score(shared, ["c"])
        [worker] = {*first.scored.total.tolist(), *second.scored.total.tolist()}
        assert worker != os.getpid() and exists(int(worker))
    assert not exists(int(worker))  # reaped, not only killed


def test_a_function_may_ask_to_stay(module):
    with pool_of_path(f"{module}:here") as shared:
        assert score(shared, ["a"]).scored.total.tolist() == [os.getpid()]


@pytest.mark.parametrize("way", ["backtrack", "child"])
def test_a_hung_process_is_killed_and_only_the_guilty_completion_left_out(module, tmp_path, way):
    with pool_of_path(f"{module}:behaves", deadline_s=1.5) as shared:
        step = score(shared, ["aa", way, "b"])
        np.testing.assert_array_equal(step.scored.total, [2.0, math.nan, 1.0])
        use = step.report.rewards["mine"]
        assert (use.completions, use.timed_out, use.failed, use.left_running) == (3, 1, 0, 0)
        assert score(shared, ["cc"]).scored.total.tolist() == [2.0]
    if way == "child":
        child = int((tmp_path / "child").read_text())
        until(lambda: zombie_or_gone(child))


def test_a_process_that_dies_or_raises(module):
    with pool_of_path(f"{module}:behaves") as shared:
        step = score(shared, ["aa", "crash", "b", "raise"])
        np.testing.assert_array_equal(step.scored.total, [2.0, math.nan, 1.0, math.nan])
        assert step.report.rewards["mine"].failed == 2
        with pytest.raises(
            g.InputError, match="1 in all. The first: completion 0: its process ended, by SIGSEGV"
        ):
            score(shared, ["crash"])
        with pytest.raises(g.InputError, match=r"(?s)rewards_of_mine.py.*ValueError: of the user"):
            score(shared, ["raise"])


def test_what_the_function_prints_is_seen(module, capfd):
    with pool_of_path(f"{module}:behaves") as shared:
        score(shared, ["print"])
    assert capfd.readouterr().out == "printed by the reward\n"


def test_a_process_that_answers_nonsense(module):
    with (
        pool_of_path(f"{module}:short") as shared,
        pytest.raises(g.InputError, match="'mine' returned 1 scores for 2 completions"),
    ):
        score(shared, ["", ""])


def test_rows_travel_and_those_that_cannot_are_refused(module):
    with pool_of_path(f"{module}:of_rows") as shared:
        rows = [{"value": 0.5, "tests": g.stdio_tests([("1", "1")])}, {"value": None}]
        step = shared.score(Completions(["", ""], ["", ""], rows=rows))
        np.testing.assert_array_equal(step.scored.total, [0.5, math.nan])
        bad = [{"value": 1, "function": lambda: 0}]
        with pytest.raises(
            g.InputError, match="reward 'mine': its completions cannot be sent to its process"
        ):
            shared.score(Completions([""], [""], rows=bad))


def test_a_path_that_cannot_be_imported_there(module, tmp_path):
    shared = pool_of_path(f"{module}:pid")
    shared.close()
    (tmp_path / "rewards_of_mine.py").write_text("1 / 0")
    with (
        pool_of_path(f"{module}:pid") as shared,
        pytest.raises(g.InputError, match=r"(?s)cannot be imported in its process: ZeroDiv.*1 / 0"),
    ):
        score(shared, [""])


def test_a_step_that_is_given_up_leaves_nothing_behind(module):
    """Sampling failed while rewards were at work, some of which would never have come back."""
    with pool_of_path(f"{module}:behaves", deadline_s=600.0) as shared:
        before = threading.active_count()
        with pytest.raises(RuntimeError, match="sampling failed"), StreamingScorer(shared) as scorer:
            scorer.submit(0, "backtrack", "5")
            time.sleep(0.5)
            raise RuntimeError("sampling failed")
        assert score(shared, ["aa"]).scored.total.tolist() == [2.0]
    with pool(a=hangs_async, deadline_s=600.0) as shared:
        with StreamingScorer(shared) as scorer:
            scorer.submit(0, "hang", "5")
            time.sleep(0.1)
        assert not any(lane.active for lane in scorer._lanes)
        assert score(shared, ["aa"]).scored.total.tolist() == [2.0]
    until(lambda: threading.active_count() <= before)


DRIVER = """
import sys
from grpo_rs.rewards import RewardPool, StreamingScorer, WeightedSum
from grpo_rs.rewards.combine import load_reward
path = "rewards_of_mine:behaves"
total = WeightedSum({"mine": load_reward(path)}, {"mine": 1.0})
with RewardPool(total, deadline_s=600, paths={"mine": path}) as pool:
    pool.score(__import__("grpo_rs").rewards.Completions(["a"], [""]))
    with StreamingScorer(pool) as scorer:
        scorer.submit(0, "backtrack", "")
        print(pool._sources[0].call._process.pid, flush=True)
        scorer.finish()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(module, tmp_path, number):
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER))
    parent = subprocess.Popen(
        [sys.executable, "-W", "error", "driver.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        # A shell may have told its background jobs to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    worker = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.send_signal(number)
    _, stderr = parent.communicate(timeout=PATIENCE_S)
    assert parent.returncode == -number
    assert stderr.strip().endswith("KeyboardInterrupt" if number == signal.SIGINT else "")
    until(lambda: zombie_or_gone(worker))


# ---- verdicts of pieces, and the report ----------------------------------------------------------------


def test_verdicts_of_pieces_are_those_of_the_whole():
    whole = verify_math(TEXTS, GOLDS)
    pieces = [
        verify_math(TEXTS[start : start + 3], GOLDS[start : start + 3]) for start in range(0, len(TEXTS), 3)
    ]
    joined = MathVerdicts.concatenate(pieces)
    np.testing.assert_array_equal(joined.scores, whole.scores)
    np.testing.assert_array_equal(joined.outcomes, whole.outcomes)
    np.testing.assert_array_equal(joined.spans, whole.spans)
    assert joined.explanations() == whole.explanations()
    taken = joined.take(np.array([5, 0, 5]))
    assert taken.explanations() == [whole.explain(5), whole.explain(0), whole.explain(5)]
    assert [verdict.answer for verdict in taken] == [whole.answer(5), whole.answer(0), whole.answer(5)]
    for wrong in ([], [whole, verify_math(["5"], ["5"], extract="whole")]):
        with pytest.raises(g.InputError, match="at least one batch of them, of one `extract` and one policy"):
            MathVerdicts.concatenate(wrong)


def test_the_report_says_what_was_waited_for():
    uses = {"quick": RewardUse(4, 0.1, 0.05), "slow": RewardUse(4, 9.0, 3.0)}
    report = RewardReport(uses, sampling_s=10.0, waited_s=2.0)
    assert report.metrics() == {
        "time/rewards_waited": 2.0,
        "time/reward/quick": 0.1,
        "rewards/quick/failed": 0.0,
        "rewards/quick/timed_out": 0.0,
        "time/reward/slow": 9.0,
        "rewards/slow/failed": 0.0,
        "rewards/slow/timed_out": 0.0,
    }
    assert report.sentences() == [
        "waited 2.0 s for rewards after 10.0 s of sampling: 'slow' took 9.0 s for 4 completions, 3.00 s for "
        "the slowest"
    ]
    assert RewardReport(uses, sampling_s=30.0, waited_s=2.0).sentences() == []


def test_reports_of_several_rounds_are_one():
    one = RewardReport({"a": RewardUse(4, 1.0, 0.5)}, sampling_s=3.0, waited_s=1.0)
    failed = RewardUse(2, 2.0, 1.5, failed=1, timed_out=1, left_running=2, example="first", trace="t")
    two = RewardReport({"a": failed}, 1.0, 0.25)
    three = RewardReport({"a": RewardUse(1, 0.0, 0.0, failed=1, example="second", trace="u")}, 0.0, 0.0)
    joined = RewardReport.joined([one, two, three])
    assert joined.rewards == {"a": RewardUse(7, 3.0, 1.5, 2, 1, 2, "first", "t")}
    assert (joined.sampling_s, joined.waited_s) == (4.0, 1.25)
    assert one.rewards["a"].completions == 4


def test_seconds_are_those_of_the_calls():
    def slow(completions):
        time.sleep(0.05)
        return lengths(completions)

    with pool(a=slow) as shared:
        report = score(shared, ["a", "b"]).report
    assert report.rewards["a"].seconds >= 0.05
    assert report.rewards["a"].slowest_s == pytest.approx(report.rewards["a"].seconds / 2)
    assert report.waited_s >= 0.02 and report.rewards["a"].completions == 2
