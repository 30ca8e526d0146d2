"""From prompts to what a step trains on: refills, filters, and a ledger that accounts for every token."""

import contextlib
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from grpo_rs.advantages import GroupState, max_variance_subset
from grpo_rs.algo.advantages import compute_advantages
from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.errors import ConfigError, InputError
from grpo_rs.math import verify_math
from grpo_rs.rewards import Completions, MathReward, Scored, WeightedSum
from grpo_rs.rewards.stream import RewardPool
from grpo_rs.rollout.sampler import Completion, Finish, gather
from grpo_rs.train.collect import (
    Batch,
    Collector,
    Interrupted,
    Sampled,
    completions_of,
    joined,
    signal_states,
)
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.data import Problem, PromptOrder
from grpo_rs.train.ledger import Fate, count_tokens, ledger
from grpo_rs.train.log import METRICS, describe_metric
from grpo_rs.train.metrics import mismatch, staleness
from grpo_rs.train.prompts import NoPromptsLeft, PromptQueue
from grpo_rs.train.select import select, settle
from hypothesis import given
from hypothesis import strategies as st

SIZE, GROUP = 12, 4
PROBLEMS = [Problem(f"{i}?", [3, 4, i], str(i), None, {"place": i}, f"{i}?") for i in range(SIZE)]


def settings(*, rewards=None, algo=None, run=None, **rollout):
    return config_from_dict(
        {
            "rollout": {"prompts_per_step": 4, "group_size": GROUP, "max_new_tokens": 8} | rollout,
            "rewards": rewards or {},
            "algo": algo or {},
            "run": run or {},
        }
    )


class FakeSampler:
    """Completions that depend on their seeds alone and end in any order; answers are right by a share.

    A completion's first token is 1 where it answers its prompt, which is the last token of the prompt.
    """

    def __init__(self, shares, *, order=0, version=0):
        self.shares, self.order, self.version = shares, order, version
        self.asked, self.closed, self.sampled = [], 0, 0

    def sync(self, policy, version):
        self.version = version

    def stream(self, prompts, seeds, params):
        self.asked.append([prompt[-1] for prompt in prompts])
        pairs = [(group, member) for group in range(len(prompts)) for member in range(seeds.shape[1])]
        if self.order:
            pairs = [pairs[i] for i in np.random.default_rng(self.order).permutation(len(pairs))]
        try:
            for group, member in pairs:
                random = np.random.default_rng(int(seeds[group, member]))
                length = int(random.integers(1, params.max_new_tokens + 1))
                right = member < self.shares[prompts[group][-1]] * seeds.shape[1]
                tokens = np.concatenate([[int(right)], random.integers(2, 9, length - 1)])
                finish = Finish.LENGTH if length == params.max_new_tokens else Finish.STOP_TOKEN
                logp = random.normal(-1, 0.1, length).astype(np.float32)
                self.sampled += 1
                yield Completion(group, member, tokens, logp, finish, self.version)
        finally:
            self.closed += 1


def answers(completions):
    """1 for a completion that begins with token 1."""
    return [float(text.startswith("1")) for text in completions.texts]


def collector(config, shares, *, reward=answers, order=0, version=0):
    queue = PromptQueue(
        SIZE, config.run.seed, drop_above=config.rollout.drop_above, drop_below=config.rollout.drop_below
    )
    pool = RewardPool(WeightedSum({"mine": reward}, {"mine": 1.0}), MathReward())
    sampler = FakeSampler(shares, order=order, version=version)
    return Collector(
        config, PROBLEMS, queue, sampler, pool, lambda tokens: " ".join(map(str, np.asarray(tokens).tolist()))
    )


def collect(found, begun=Sampled(0), **arguments):
    return found.collect(begun, measure=lambda _phase: contextlib.nullcontext(), **arguments)


def order_of(config):
    return PromptOrder(SIZE, config.run.seed).take(0, 10 * SIZE).tolist()


def shares_by_order(config, pattern):
    """Pass rates of the first prompts in the run's order; 0 for the rest."""
    shares = dict.fromkeys(range(SIZE), 0.0)
    shares.update(zip(order_of(config), pattern, strict=False))
    return shares


def advantages_of(config, selection):
    found = compute_advantages(config.algo, selection.rollouts)
    return replace(found, trainable=found.trainable & selection.rows)


# ---- Sampling ----------------------------------------------------------------------------------------


def same(one, other):
    for name, array in one.sampled.rollouts.arrays().items():
        np.testing.assert_array_equal(array, other.sampled.rollouts.arrays()[name], err_msg=name)
    np.testing.assert_array_equal(one.scored.total, other.scored.total)
    assert one.completions == other.completions
    assert (one.sampled.position, one.sampled.rounds) == (other.sampled.position, other.sampled.rounds)
    np.testing.assert_array_equal(one.states, other.states)


@pytest.mark.parametrize("refills", [0, 3])
def test_a_batch_does_not_depend_on_the_order_in_which_completions_end(refills):
    config = settings(max_refills=refills, oversample=1.5)
    shares = shares_by_order(config, [0, 0.5, 0, 0, 1, 0.25, 0, 0.75, 0.5, 0, 0.5])
    batches = [collect(collector(config, shares, order=order)) for order in (0, 1, 2)]
    same(batches[0], batches[1])
    same(batches[0], batches[2])
    # Each completion has the reward and the gold of its own prompt.
    batch = batches[1]
    for row, group in enumerate(batch.rollouts.group_ids):
        problem = PROBLEMS[batch.rollouts.prompt_index[group]]
        assert batch.completions.golds[row] == problem.gold
        assert batch.completions.rows[row] == problem.columns
        assert batch.rollouts.prompts[group].tolist() == problem.tokens
        assert batch.scored.total[row] == (batch.rollouts.completions[row][0] == 1)


@pytest.mark.parametrize(
    ("pattern", "refills", "oversample", "rounds"),
    [
        # Enough at once; two missing, found by two more prompts; bounded; over-sampling takes more at once.
        ([0.5, 0.5, 0.5, 0.5], 3, 1.0, [4]),
        ([0.5, 0, 0.5, 1, 0.25, 0.75], 3, 1.0, [4, 2]),
        ([0, 0, 0, 0, 0, 0, 0.5, 0, 0.5], 2, 1.0, [4, 4, 3]),
        ([0.5, 0, 0.5, 1, 0.25, 0.75], 0, 1.5, [6]),
        ([0, 0.5, 0, 0, 0, 0, 0.5], 1, 1.5, [6, 5]),
    ],
)
def test_groups_without_a_signal_are_replaced_up_to_a_bound(pattern, refills, oversample, rounds):
    config = settings(max_refills=refills, oversample=oversample)
    found = collector(config, shares_by_order(config, pattern))
    batch = collect(found)
    drawn = order_of(config)[: sum(rounds)]
    assert [len(asked) for asked in found.sampler.asked] == rounds
    assert batch.rollouts.prompt_index.tolist() == drawn
    assert (batch.sampled.position, batch.sampled.rounds) == (sum(rounds), len(rounds))
    live = [place for place, share in enumerate(pattern[: sum(rounds)]) if 0 < share < 1]
    selection = select(config, batch, 0)
    chosen = np.unique(batch.rollouts.group_ids[selection.rows]).tolist()
    assert chosen == live[:4]
    advantages = advantages_of(config, selection)
    trained = np.unique(batch.rollouts.group_ids[advantages.trainable]).tolist()
    assert trained == live[:4]


def test_the_surplus_is_chosen_by_prompt_and_not_by_length():
    config = settings(oversample=2.0)
    shares = dict.fromkeys(range(SIZE), 0.5)
    for order in (0, 1):
        selection = select(config, collect(collector(config, shares, order=order)), 0)
        assert np.unique(selection.rollouts.group_ids[selection.rows]).tolist() == [0, 1, 2, 3]
        assert set(selection.fates[selection.rollouts.group_ids > 3].tolist()) == {Fate.FILTERED}


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_sampling_goes_on_where_it_stood(rounds):
    """As after a reward that failed: what was sampled is scored again, and refills follow."""
    config = settings(max_refills=3)
    shares = shares_by_order(config, [0, 0.5, 0, 0, 0.5, 0, 0, 0.5, 0.5])
    whole = collect(collector(config, shares))
    assert whole.sampled.rounds == 3
    part = Sampled(0)
    if rounds:
        groups = [4, 7][rounds - 1]
        keep = [row for row in completions_of(whole.sampled.rollouts) if row.group < groups]
        order = whole.rollouts.prompt_index[:groups]
        table = gather([PROBLEMS[i].tokens for i in order], order, keep)
        part = Sampled(groups, table, rounds)
    again = collector(config, shares)
    same(whole, collect(again, part))
    assert len(again.sampler.asked) == 3 - rounds


def test_what_was_sampled_is_kept_when_a_reward_fails():
    def broken(completions):
        return [0.0]

    found = collector(settings(), dict.fromkeys(range(SIZE), 0.5), reward=broken)
    with pytest.raises(InputError, match="'mine' returned 1 scores"):
        collect(found)
    whole = collect(collector(settings(), dict.fromkeys(range(SIZE), 0.5)))
    for name, array in whole.sampled.rollouts.arrays().items():
        np.testing.assert_array_equal(array, found.sampled.rollouts.arrays()[name])
    assert found.sampled.rounds == 1


def test_a_round_that_no_reward_can_score_is_no_end():
    """Only a reward that has scored nothing of the step so far has failed."""
    calls = []

    def fails_later(completions):
        calls.append(len(completions))
        if sum(calls) > 4 * GROUP:
            raise RuntimeError("an outage")
        return answers(completions)

    config = settings(max_refills=2)
    shares = shares_by_order(config, [0.5, 0.5, 0.5])
    batch = collect(collector(config, shares, reward=fails_later))
    assert batch.sampled.rounds == 3
    assert np.isnan(batch.plain[4 * GROUP :]).all() and not np.isnan(batch.plain[: 4 * GROUP]).any()

    def fails(completions):
        raise RuntimeError("an outage")

    with pytest.raises(InputError, match=r"'mine' failed on every completion of the step, 16 in all.*outage"):
        collect(collector(config, shares, reward=fails))


def test_a_step_that_runs_out_of_prompts_is_smaller():
    config = settings(max_refills=2, drop_below=0.5)
    found = collector(config, dict.fromkeys(range(SIZE), 0.25))
    real = found.queue.take

    def take(position, count):
        if position:
            found.queue.learn(np.arange(SIZE), np.zeros(SIZE))
        return real(position, count)

    found.queue.take = take
    batch = collect(found, Sampled(0))
    assert (batch.sampled.rounds, len(batch.rollouts)) == (1, 4 * GROUP)
    with pytest.raises(NoPromptsLeft):
        collect(found, Sampled(1))


def test_nobody_waits_for_a_reward_that_hangs():
    began, ended = threading.Event(), threading.Event()

    def hangs(completions):
        began.set()
        ended.wait(60)
        return answers(completions)

    config = settings()
    found = collector(config, shares_by_order(config, [0.5]), reward=hangs)
    at = time.monotonic()
    try:
        with pytest.raises(Interrupted):
            collect(found, should_stop=lambda: began.is_set() and found.sampled.rollouts is not None)
        # Its round is kept, as of any reward that fails.
        assert found.sampled.rounds == 1
        found.rewards.close()
    finally:
        ended.set()
    assert time.monotonic() - at < 20


def test_sampling_stops_between_completions():
    found = collector(settings(), dict.fromkeys(range(SIZE), 0.5))
    asked = iter([False] * 5 + [True])
    with pytest.raises(Interrupted):
        collect(found, should_stop=lambda: next(asked))
    assert found.sampler.sampled == 6
    assert found.sampler.closed == 1
    assert found.sampled == Sampled(0)


def test_tables_come_apart_and_together():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 5, 6)
    table = Rollouts(
        prompts=Tokens.from_rows([[1], [2, 3], [4]]),
        prompt_index=np.array([7, 8, 9]),
        completions=Tokens.from_rows([rng.integers(0, 9, n) for n in lengths]),
        group_ids=np.array([0, 0, 1, 1, 2, 2]),
        sampler_logprobs=rng.normal(size=lengths.sum()).astype(np.float32),
        finished=np.array([True, False, True, True, False, True]),
        versions=np.array([3, 3, 3, 4, 4, 4]),
        log_mass=rng.normal(size=lengths.sum()).astype(np.float32),
    )
    rows = completions_of(table)
    first = gather([[1]], np.array([7]), [row for row in rows if row.group == 0])
    behind = [replace(row, group=row.group - 1) for row in rows if row.group > 0]
    second = gather([[2, 3], [4]], np.array([8, 9]), behind)
    for name, array in joined(first, second).arrays().items():
        np.testing.assert_array_equal(array, table.arrays()[name], err_msg=name)


# ---- Prompts ---------------------------------------------------------------------------------------------


def test_without_bounds_the_queue_is_the_order():
    queue, order = PromptQueue(SIZE, 5), PromptOrder(SIZE, 5)
    queue.learn(np.arange(SIZE), np.ones(SIZE))
    drawn = queue.take(7, 20)
    assert drawn.prompts.tolist() == order.take(7, 20).tolist()
    assert drawn.places.tolist() == list(range(7, 27))
    assert drawn.position == 27


def test_prompts_are_left_out_by_their_pass_rates():
    queue = PromptQueue(SIZE, 5, drop_above=0.9, drop_below=0.0)
    prompts = np.repeat([0, 1, 2, 3], 10)
    rewards = np.array([1.0] * 9 + [0.0] + [1.0] * 8 + [0.0] * 2 + [0.0] * 10 + [np.nan] * 10)
    queue.learn(prompts, rewards)
    # 9 of 10 is enough, 8 is not; 0 is too little; one that was never scored stays.
    assert np.flatnonzero(queue.dropped()).tolist() == [0, 2]
    order = PromptOrder(SIZE, 5).take(0, 40)
    drawn = queue.take(0, 15)
    kept = [(place, prompt) for place, prompt in enumerate(order.tolist()) if prompt not in (0, 2)][:15]
    assert list(zip(drawn.places.tolist(), drawn.prompts.tolist(), strict=True)) == kept
    assert drawn.position == kept[-1][0] + 1
    # A rate is of all that was seen: a prompt may come back only by being sampled, so it never does.
    again = PromptQueue(SIZE, 5, drop_above=0.9, drop_below=0.0)
    again.load_state_dict(queue.state_dict())
    assert again.take(3, 9).prompts.tolist() == queue.take(3, 9).prompts.tolist()
    queue.learn(np.array([1] * 30), np.ones(30))
    assert queue.dropped()[1]
    assert not again.dropped()[1]


def test_a_run_without_prompts_says_so():
    queue = PromptQueue(SIZE, 5, drop_above=0.5)
    queue.learn(np.arange(SIZE), np.ones(SIZE))
    with pytest.raises(NoPromptsLeft, match=r"all 12 training prompts are dropped.*rollout.drop_above"):
        queue.take(0, 1)


# ---- What to train on --------------------------------------------------------------------------------------


def batch_of(config, rewards, lengths, finished, *, ages=None, version=0):
    """A batch of groups of `GROUP` completions with these rewards."""
    rewards = np.asarray(rewards, float)
    rows = len(rewards)
    completions = Tokens.from_rows([np.full(n, 5) for n in lengths])
    ids = np.repeat(np.arange(rows // GROUP), GROUP)
    versions = np.full(rows, version) if ages is None else version - np.asarray(ages)
    sampled = Rollouts(
        prompts=Tokens.from_rows([[3]] * (rows // GROUP)),
        prompt_index=np.arange(rows // GROUP),
        completions=completions,
        group_ids=ids,
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.asarray(finished, bool),
        versions=versions,
    )
    parts = {"mine": rewards}
    verdicts = verify_math(["1"] * rows, ["1"] * rows)
    return Batch(
        sampled=Sampled(0, sampled, 1),
        rollouts=replace(sampled, rewards=rewards, components=parts, outcomes=verdicts.outcomes),
        completions=Completions(["1"] * rows, ["1"] * rows),
        verdicts=verdicts,
        scored=Scored(rewards, parts),
        plain=rewards,
        states=signal_states(config.algo, rewards, parts, {"mine": 1.0}, ids),
        reports=[],
        sample_s=2.0,
    )


@st.composite
def batches(draw):
    groups = draw(st.integers(1, 6))
    rows = groups * GROUP
    kind = draw(st.sampled_from([[0.0, 1.0], [0.0, 0.25, 0.5, 1.0], [1.0]]))
    value = st.sampled_from([*kind, np.nan] if draw(st.booleans()) else kind)
    return (
        draw(st.lists(value, min_size=rows, max_size=rows)),
        draw(st.lists(st.integers(1, 9), min_size=rows, max_size=rows)),
        draw(st.lists(st.booleans(), min_size=rows, max_size=rows)),
        draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=rows, max_size=rows)),
    )


ALGOS = [
    {"preset": "default"},
    {"preset": "grpo"},
    {"preset": "dapo", "overlong_filter": True},
    {"preset": "rloo", "kl_beta": 0.0},
    {"preset": "reinforce_pp", "kl_beta": 0.0, "overlong_filter": True},
]


@given(
    values=batches(),
    algo=st.sampled_from(ALGOS),
    refills=st.integers(0, 1),
    oversample=st.sampled_from([1.0, 1.5]),
    subset=st.sampled_from([0, 2, 3]),
    statistics=st.sampled_from(["subset", "group"]),
    ahead=st.integers(0, 1),
    baseline=st.integers(0, 20),
)
def test_every_token_is_accounted_once(
    values, algo, refills, oversample, subset, statistics, ahead, baseline
):
    rollout = {"subset": subset, "ahead": ahead, "prompts_per_step": 2}
    if subset:
        rollout["subset_statistics"] = statistics
    if algo["preset"] != "reinforce_pp":
        rollout |= {"max_refills": refills, "oversample": oversample}
    config = settings(algo=algo, **rollout)
    rewards, lengths, finished, ages = values
    batch = batch_of(config, rewards, lengths, finished, ages=ages, version=5)
    selection = select(config, batch, 5)
    advantages = advantages_of(config, selection)
    fates = settle(selection, advantages)
    tokens = count_tokens(fates, batch.rollouts.completions.lengths)
    assert sum(tokens.values()) == sum(lengths)
    metrics = ledger(tokens, baseline=baseline, seconds=2.0)
    total = metrics["tokens/generated"]
    assert total == sum(lengths) + baseline
    assert total == sum(metrics[f"tokens/{fate.name.lower()}"] for fate in Fate) + metrics["tokens/baseline"]
    wasted = [metrics[f"waste/{fate.name.lower()}"] for fate in Fate if fate is not Fate.TRAINED]
    assert sum(wasted) == pytest.approx(metrics["waste/tokens"])
    assert metrics["waste/tokens"] * total + tokens["trained"] + baseline == pytest.approx(total)
    seconds = [metrics[f"time/wasted_{fate.name.lower()}"] for fate in Fate if fate is not Fate.TRAINED]
    assert sum(seconds) == pytest.approx(metrics["time/wasted"])
    assert all(describe_metric(name) for name in metrics)
    # What is trained on is what the learner may move on, less groups that are kept without a signal.
    trained = fates == Fate.TRAINED
    assert not (trained & ~advantages.trainable).any()
    moved = advantages.trainable & (advantages.values != 0)
    if config.algo.overlong_filter:
        moved &= batch.rollouts.finished
    assert not (moved & ~trained).any()
    # Each fate is what its name says.
    age = np.asarray(ages)
    unscored = np.isnan(batch.scored.total)
    np.testing.assert_array_equal(fates == Fate.STALE, age > ahead)
    np.testing.assert_array_equal(fates == Fate.UNSCORED, unscored & (age <= ahead))
    assert not (fates == Fate.TRUNCATED).any() or config.algo.overlong_filter
    assert not batch.rollouts.finished[fates == Fate.TRUNCATED].any()
    if not subset and not config.rollout.dynamic:
        assert not (fates == Fate.FILTERED).any()
    for group in range(len(rewards) // GROUP):
        rows = batch.rollouts.group_ids == group
        if trained[rows].any() and config.algo.preset != "reinforce_pp":
            assert np.ptp(batch.scored.total[rows & ~unscored]) > 0
        if subset:
            assert selection.rows[rows].sum() <= subset


def test_the_subset_of_a_group_is_the_one_that_spreads_most():
    rewards = [0.0, 0.25, 0.5, 1.0] + [1.0, 1.0, 0.0, np.nan] + [1.0, 1.0, 1.0, 1.0]
    for statistics in ("subset", "group"):
        config = settings(algo={"preset": "grpo"}, subset=2, subset_statistics=statistics)
        batch = batch_of(config, rewards, [2] * 12, [True] * 12)
        selection = select(config, batch, 0)
        for group in (0, 1):
            rows = np.flatnonzero(selection.rows & (batch.rollouts.group_ids == group))
            part = np.asarray(rewards)[group * GROUP : group * GROUP + GROUP]
            assert rows.tolist() == [group * GROUP + row for row in max_variance_subset(part, 2)]
        assert Fate.DEAD in selection.fates[8:]
        assert (selection.fates[8:] == Fate.DEAD).all()
        advantages = advantages_of(config, selection)
        # Statistics of {0, 1}, or of all four rewards: their mean is 0.5 or 0.4375.
        centred = advantages.values[[0, 3]] / np.ptp(advantages.values[[0, 3]])
        mean = 0.5 if statistics == "subset" else 0.4375
        np.testing.assert_allclose(centred, [-mean, 1 - mean])


def test_the_punishment_of_length_does_not_bring_a_dead_group_to_life():
    config = settings(rewards={"overlong_tokens": 4, "overlong": 0.5}, algo={"preset": "dapo"})
    shares = dict.fromkeys(range(SIZE), 1.0)
    shares[order_of(config)[1]] = 0.5
    batch = collect(collector(config, shares))
    lengths = batch.rollouts.completions.lengths
    expected = -0.5 * np.clip((lengths - 4) / 4, 0, 1)
    np.testing.assert_allclose(batch.scored.total - batch.plain, expected)
    assert batch.scored.parts["overlong"].min() < 0
    # Group 0 is all right and some of it is long: equal but for their lengths.
    assert np.ptp(batch.scored.total[:GROUP]) > 0
    selection = select(config, batch, 0)
    advantages = advantages_of(config, selection)
    assert np.unique(batch.rollouts.group_ids[advantages.trainable]).tolist() == [1]
    assert (settle(selection, advantages)[:GROUP] == Fate.DEAD).all()
    # Its members are compared with the punishment.
    own = batch.scored.total[GROUP : 2 * GROUP]
    np.testing.assert_array_equal(np.argsort(advantages.values[GROUP : 2 * GROUP]), np.argsort(own))
    # Nor does it teach a group that is kept without a signal.
    kept = settings(
        rewards={"overlong_tokens": 4, "overlong": 0.5}, algo={"preset": "grpo", "zero_variance": "keep"}
    )
    batch = collect(collector(kept, shares))
    selection = select(kept, batch, 0)
    advantages = advantages_of(kept, selection)
    assert selection.rows.all() and advantages.trainable.all()
    assert not advantages.values[batch.rollouts.group_ids != 1].any()
    assert not selection.rollouts.components["overlong"][:GROUP].any()
    assert (settle(selection, advantages)[:GROUP] == Fate.DEAD).all()


def test_what_moves_the_policy_is_booked_as_trained():
    """As in distilling, which needs no rewards: the tokens' own advantages say what was trained on."""
    config = settings(algo={"preset": "grpo", "zero_variance": "keep", "overlong_filter": True})
    finished = [True] * 7 + [False]
    batch = batch_of(config, [1.0] * 6 + [np.nan, 1.0], [2] * 8, finished)
    selection = select(config, batch, 0)
    advantages = advantages_of(config, selection)
    assert (settle(selection, advantages)[[0, 6, 7]] == [Fate.DEAD, Fate.UNSCORED, Fate.DEAD]).all()
    values = np.zeros(16)
    values[[1, 8, 12, 13]] = 0.5  # of rows 0, 4 and 6
    trainable = np.arange(8) != 4
    fates = settle(selection, replace(advantages, token_values=values, trainable=trainable))
    assert np.flatnonzero(fates == Fate.TRAINED).tolist() == [0, 6]


def test_whether_a_group_is_dead_depends_on_what_the_objective_reads():
    ids = np.repeat([0, 1], 4)
    total = np.array([1, 1, 1, 0, 1, 1, 0, 0], float)

    def states(algo, **parts):
        algo = settings(algo=algo, rewards={"math": 1.0, "format": 0.5}).algo
        found = signal_states(algo, total, parts or {"a": total}, dict.fromkeys(parts or "a", 1.0), ids)
        return None if found is None else found.tolist()

    live, dead = int(GroupState.LIVE), int(GroupState.ZERO_VARIANCE)
    assert states({}) == [live, live]
    # Of three draws of three in four right answers, or of two in four, one is right in every choice of k.
    assert states({"preset": "passk", "pass_k": 2}) == [dead, live]
    flat = np.full(8, 1.0)
    assert states({"preset": "gdpo"}, a=flat, b=np.array([0, 0, 0, 0, 1, 0, 0, 0.0])) == [dead, live]
    assert states({"preset": "ppo"}) is None
    assert states({"preset": "rloo", "kl": "k1", "kl_beta": 0.1, "kl_in": "reward"}) is None


# ---- Age, and whether learner and sampler agree ------------------------------------------------------------


def test_staleness_is_of_what_is_trained_on():
    config = settings(ahead=1)
    batch = batch_of(config, [0.0, 1.0, 0.0, 1.0], [1] * 4, [True] * 4, ages=[0, 1, 1, 2], version=9)
    selection = select(config, batch, 9)
    assert selection.fates.tolist() == [Fate.TRAINED, Fate.TRAINED, Fate.TRAINED, Fate.STALE]
    assert staleness(batch.rollouts, selection.rows, 9) == {"staleness/mean": 2 / 3, "staleness/max": 1}
    assert staleness(batch.rollouts, np.zeros(4, bool), 9) == {}


GOOD = {"step": 3, "train/sampler_gap_max": 1e-6, "train/sampler_k3": 1e-12, "train/sampler_ess_token": 1.0}


@pytest.mark.parametrize(
    ("metrics", "sections", "words"),
    [
        ({}, {}, None),
        ({"train/sampler_gap_max": 0.05}, {}, ["0.05 nats", "layout", "dropout"]),
        ({"train/sampler_gap_max": 0.05}, {"model": {"dtype": "bfloat16"}}, None),
        ({"train/sampler_k3": 0.05}, {"model": {"dtype": "bfloat16"}}, ["k3 is 0.05", "bfloat16"]),
        ({"train/sampler_ess_token": 0.5}, {"rollout": {"ahead": 1}}, ["50%", "a step old"]),
        ({"train/sampler_gap_max": 0.05}, {"rollout": {"ahead": 1}}, None),
        (
            {"train/sampler_k3": 0.05},
            {"rollout": {"engine": "vllm"}},
            ["temperature", "adapters", "beginning"],
        ),
    ],
)
def test_a_mismatch_is_told_with_its_likely_causes(metrics, sections, words):
    found = mismatch(GOOD | metrics, config_from_dict(sections))
    if words is None:
        assert found is None
    else:
        assert all(word in found for word in words), found


def test_a_step_that_trained_on_nothing_has_no_mismatch():
    assert mismatch({"step": 3}, config_from_dict({})) is None


# ---- Configuration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rollout", "sections", "message"),
    [
        ({"subset": 1}, {}, "rollout.subset is 1: it must be at least 2 and below rollout.group_size, 4"),
        ({"subset": 4}, {}, "rollout.subset is 4"),
        ({"subset": 2}, {"algo": {"preset": "passk", "pass_k": 3}}, "lower algo.pass_k"),
        ({"max_refills": 1}, {"algo": {"preset": "ppo", "critic_warmup_steps": 0}}, "baseline = critic"),
        ({"oversample": 1.1}, {"algo": {"preset": "remax"}}, "take a baseline of the group"),
        (
            {"max_refills": 1},
            {"algo": {"preset": "rloo", "kl": "k1", "kl_beta": 0.1, "kl_in": "reward"}},
            "KL in the loss",
        ),
        ({"drop_above": 0.2, "drop_below": 0.3}, {}, "exchange them"),
        ({"ahead": 1}, {"algo": {"preset": "remax"}}, "set rollout.ahead to 0"),
        ({"stop": [""]}, {}, "rollout.stop has an empty text"),
        ({"engine": "vllm_server"}, {}, "needs an address"),
        ({"server_url": "http://localhost:8000"}, {}, "no other reads it"),
        ({"slots": 8, "engine": "vllm"}, {}, "which does not read it"),
        ({}, {"rewards": {"overlong_tokens": 9}}, "more than rollout.max_new_tokens, 8"),
    ],
)
def test_what_does_not_go_together_is_refused(rollout, sections, message):
    base = {"prompts_per_step": 4, "group_size": GROUP, "max_new_tokens": 8}
    with pytest.raises(ConfigError, match=message):
        config_from_dict({"rollout": base | rollout} | sections)


@pytest.mark.parametrize(
    ("rollout", "algo", "message"),
    [
        ({"top_p": 0.9}, {}, "as if there had been no limits"),
        ({"ahead": 1}, {"preset": "grpo"}, "nothing in this objective corrects for it"),
        ({"ahead": 1}, {"preset": "default"}, None),
        ({"ahead": 1}, {"preset": "grpo", "correction": "truncate"}, None),
        ({"max_refills": 1}, {"preset": "gpg"}, "live_share"),
        ({}, {}, None),
    ],
)
def test_what_is_probably_worth_knowing_is_said(rollout, algo, message):
    notes = settings(algo=algo, **rollout).notes()
    assert (notes == []) if message is None else any(message in note for note in notes), notes


def test_sampling_parameters_are_those_of_the_configuration():
    config = settings(temperature=0.7, top_k=5, top_p=0.9, min_p=0.1, stop=["\n"])
    params = config.rollout.params()
    assert (params.temperature, params.top_k, params.top_p, params.min_p) == (0.7, 5, 0.9, 0.1)
    assert (params.stop, params.max_new_tokens) == (("\n",), 8)


def test_every_fate_has_a_metric():
    for fate in Fate:
        assert f"tokens/{fate.name.lower()}" in METRICS
