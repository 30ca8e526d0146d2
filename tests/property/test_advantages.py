"""Laws of the advantage estimators, and brute force over what they have in closed form."""

import itertools
import math
import statistics
import threading

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import advantages as adv
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.algo.knobs import Algo
from grpo_rs.packing import attention_cost, balanced_partition, cut_micro_batches
from grpo_rs.statistics import Moments, off_policy_metrics
from hypothesis import given, settings
from hypothesis import strategies as st

# Eighths are exact in floating point, so that equal sums are equal.
reward = st.one_of(st.sampled_from([0.0, 1.0]), st.integers(-24, 24).map(lambda n: n / 8))
positive = st.integers(0, 24).map(lambda n: n / 8)
missing = st.just(math.nan)


@st.composite
def steps(draw, rewards=st.one_of(reward, missing), least=1):
    """A scored step: groups of any sizes, rows in any order, completions of any length, all that an
    estimator may ask for."""
    sizes = draw(st.lists(st.integers(least, 5), min_size=1, max_size=4))
    ids = draw(st.permutations([group for group, size in enumerate(sizes) for _ in range(size)]))
    lengths = draw(st.lists(st.integers(1, 4), min_size=len(ids), max_size=len(ids)))
    values = draw(st.lists(rewards, min_size=len(ids), max_size=len(ids)))
    seed = draw(st.integers(0, 2**32 - 1))
    return table(ids, lengths, values, seed)


def table(ids, lengths, rewards, seed=0):
    random = np.random.default_rng(seed)
    groups = max(ids) + 1
    completions = g.Tokens.from_rows([random.integers(0, 99, length) for length in lengths])
    components = {name: random.integers(-8, 9, len(ids)) / 8 for name in ("one", "other")}
    return g.Rollouts(
        prompts=g.Tokens.from_rows([[group] for group in range(groups)]),
        prompt_index=random.permutation(100)[:groups].astype(np.int64),
        completions=completions,
        group_ids=np.array(ids, np.int64),
        sampler_logprobs=random.uniform(-3, -0.01, len(completions.flat)).astype(np.float32),
        finished=np.ones(len(ids), bool),
        rewards=np.array(rewards, np.float64),
        components=components,
    )


def extras(rollouts):
    """What the knobs may need beside the table, the same for a token or prompt wherever it stands."""

    def noise(array, k):
        return np.sin(k * np.asarray(array, np.float64) + k)

    rows = [noise(row, 3.0) for row in rollouts.completions]
    ends = [sorted({0, len(row) - 1}) for row in rollouts.completions]
    tracker = PassRateTracker()
    for prompt in range(100):
        tracker.alpha[prompt], tracker.beta[prompt] = 1.0 + prompt % 7, 2.0 + prompt % 3
    tokens = rollouts.completions.flat
    return {
        "ref_logprobs": -1.0 - noise(tokens, 2.0) ** 2,
        "values": noise(tokens, 5.0),
        "teacher_logprobs": -1.0 - noise(tokens, 7.0) ** 2,
        "square_sums": 0.1 + 0.2 * noise(tokens, 11.0) ** 2,
        "greedy_rewards": noise([prompt[0] for prompt in rollouts.prompts], 13.0),
        "tracker": tracker,
        "step_rewards": adv.StepRewards.from_rows(
            [row[end].tolist() for row, end in zip(rows, ends, strict=True)], ends
        ),
        "reward_weights": {"one": 2.0},
    }


def algo(**knobs):
    at_rest = {"scale": "none", "zero_variance": "drop", "kl": "none", "pass_k": 2, "lam": 0.9}
    return Algo().model_copy(update=at_rest | knobs)


GROUP = ["group_mean", "leave_one_out", "length_weighted"]
OTHER = ["none", "batch_mean", "greedy", "tracker"]
BATCH_SCALES = [
    "none", "batch_reward_std", "batch_advantage_std", "batch_whiten", "token_whiten", "live_share",
]  # fmt: skip
IN_REWARD = {"kl": "k1", "kl_in": "reward", "kl_beta": 0.1}
SETTINGS = [
    *({"baseline": b, "scale": s} for b in GROUP for s in ("group_std", "leave_one_out_std", *BATCH_SCALES)),
    *({"baseline": b, "scale": s} for b in OTHER for s in BATCH_SCALES),
    *({"baseline": "critic", "scale": s} for s in ("none", "token_whiten", "batch_advantage_std")),
    {"baseline": "critic", "lam_length_alpha": 0.4, "gamma": 0.9, **IN_REWARD},
    {"baseline": "none", "gamma": 0.9, "scale": "token_whiten", **IN_REWARD},
    {"baseline": "greedy", **IN_REWARD},
    {"baseline": "leave_one_out", **IN_REWARD},
    {"baseline": "optimal_token"},
    {"transform": "pass_k_max", "scale": "group_std"},
    {"transform": "pass_k_analytic"},
    {"transform": "pkpo", "baseline": "leave_one_out", "scale": "batch_advantage_std"},
    {"transform": "per_reward", "per_reward_final": "sequence", "scale": "group_std"},
    {"transform": "per_reward", "per_reward_final": "token", "scale": "group_std"},
    {"transform": "process", "scale": "group_std"},
    {"transform": "process", "scale": "token_whiten"},
    {"transform": "distill", "distill_coef": 0.5, "outcome_coef": 2.0, "scale": "batch_whiten"},
]
SETTINGS = [setting | {"zero_variance": kept} for setting in SETTINGS for kept in ("drop", "keep")]
few = settings(max_examples=6)  # of each of many settings
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))


def rows_of(rollouts, order):
    """The same table with rows in another order, or only some of its rows."""
    lengths = rollouts.completions.lengths
    place = np.repeat(np.arange(len(lengths)), lengths)
    flat = np.concatenate([np.flatnonzero(place == row) for row in order]) if len(order) else np.zeros(0, int)
    return g.Rollouts(
        prompts=rollouts.prompts,
        prompt_index=rollouts.prompt_index,
        completions=g.Tokens.from_rows([rollouts.completions[row] for row in order]),
        group_ids=rollouts.group_ids[order],
        sampler_logprobs=rollouts.sampler_logprobs[flat],
        finished=rollouts.finished[order],
        rewards=rollouts.rewards[order],
        components={name: scores[order] for name, scores in rollouts.components.items()},
    ), flat


def assert_same(found, expected, order, flat):
    close = {"rtol": 1e-8, "atol": 1e-9}
    np.testing.assert_allclose(found.values, expected.values[order], **close)
    assert found.trainable.tolist() == expected.trainable[order].tolist()
    for name in ("token_values", "token_returns"):
        tokens = getattr(expected, name)
        assert (getattr(found, name) is None) == (tokens is None)
        if tokens is not None:
            np.testing.assert_allclose(getattr(found, name), tokens[flat], **close)


# ---- of every estimator ------------------------------------------------------------------------------------


@every_setting
@few
@given(rollouts=steps(least=2), random=st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order(setting, rollouts, random):
    knobs = algo(**setting)
    order = np.array(random.sample(range(len(rollouts)), len(rollouts)))
    shuffled, flat = rows_of(rollouts, order)
    expected = compute_advantages(knobs, rollouts, **extras(rollouts))
    # Of rows that share the best reward any may be the best: their lead is 0.
    assert_same(compute_advantages(knobs, shuffled, **extras(shuffled)), expected, order, flat)


@every_setting
@few
@given(rollouts=steps(least=2), names=st.permutations(range(4)))
def test_groups_may_have_any_ids(setting, rollouts, names):
    knobs = algo(**setting)
    expected = compute_advantages(knobs, rollouts, **extras(rollouts))
    groups = len(rollouts.prompts)
    place = np.argsort(np.argsort(names[:groups]))
    back = np.argsort(place)
    renamed = g.Rollouts(
        prompts=g.Tokens.from_rows([rollouts.prompts[group] for group in back]),
        prompt_index=rollouts.prompt_index[back],
        completions=rollouts.completions,
        group_ids=place[rollouts.group_ids].astype(np.int64),
        sampler_logprobs=rollouts.sampler_logprobs,
        finished=rollouts.finished,
        rewards=rollouts.rewards,
        components=rollouts.components,
    )
    rows, flat = np.arange(len(rollouts)), np.arange(len(rollouts.completions.flat))
    assert_same(compute_advantages(knobs, renamed, **extras(renamed)), expected, rows, flat)


class Ranks:
    """Threads that each hold a part of the batch, and merge their moments as ranks would."""

    def __init__(self, number):
        self.barrier, self.parts = threading.Barrier(number), [None] * number

    def merge(self, rank):
        def merge(moments):
            self.parts[rank] = moments
            self.barrier.wait(timeout=60)
            merged = Moments()
            for part in self.parts:
                merged = merged.merge(part)
            self.barrier.wait(timeout=60)
            return merged

        return merge

    def run(self, job):
        results, errors = [None] * len(self.parts), []

        def work(rank):
            try:
                results[rank] = job(rank)
            except BaseException as error:  # or the test would wait for the others
                errors.append(error)
                self.barrier.abort()

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(self.parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        return results


@every_setting
@few
@given(rollouts=steps(least=2), ranks=st.integers(2, 3), random=st.randoms(use_true_random=False))
def test_ranks_that_share_the_batch_agree_with_one_process(setting, rollouts, ranks, random):
    """Whole groups go to ranks; one may have none."""
    knobs = algo(**setting)
    expected = compute_advantages(knobs, rollouts, **extras(rollouts))
    home = np.array([random.randrange(ranks) for _ in range(len(rollouts.prompts))])
    orders = [np.flatnonzero(home[rollouts.group_ids] == rank) for rank in range(ranks)]
    team = Ranks(ranks)

    def part(rank):
        mine, _ = rows_of(rollouts, orders[rank])
        return compute_advantages(knobs, mine, **extras(mine), merge=team.merge(rank))

    for order, found in zip(orders, team.run(part), strict=True):
        assert_same(found, expected, order, rows_of(rollouts, order)[1])


@every_setting
@few
@given(rollouts=steps(least=2))
def test_what_is_not_trained_on_is_0_and_all_is_finite(setting, rollouts):
    found = compute_advantages(algo(**setting), rollouts, **extras(rollouts))
    assert np.isfinite(found.values).all()
    assert (found.values[~found.trainable] == 0.0).all()
    if found.token_values is not None:
        row = np.repeat(np.arange(len(rollouts)), rollouts.completions.lengths)
        assert np.isfinite(found.token_values).all()
        assert (found.token_values[~found.trainable[row]] == 0.0).all()
    # Distillation, rewards of steps and of components do not look at the total reward.
    if setting.get("transform") not in ("distill", "process", "per_reward"):
        assert not found.trainable[np.isnan(rollouts.rewards)].any()


@pytest.mark.parametrize("scale", ["group_std", *BATCH_SCALES])
@pytest.mark.parametrize("baseline", GROUP)
@pytest.mark.parametrize("kept", ["drop", "keep"])
def test_equal_rewards_teach_exactly_nothing(baseline, scale, kept):
    for value, size in itertools.product([i / 10 for i in range(1, 10)], range(2, 33)):
        rollouts = table([0] * size, [1 + i % 3 for i in range(size)], [value] * size)
        knobs = algo(
            baseline=baseline, scale=scale, zero_variance=kept, std_epsilon=0.0 if kept == "drop" else 1e-9
        )
        found = compute_advantages(knobs, rollouts)
        assert found.values.tolist() == [0.0] * size
        assert found.states.tolist() == [g.GroupState.ZERO_VARIANCE]
        assert found.trainable.all() == (kept == "keep")


@pytest.mark.parametrize("scale", ["batch_whiten", "token_whiten"])
@pytest.mark.parametrize("baseline", ["none", "batch_mean"])
def test_a_batch_of_equal_rewards_whitens_to_exactly_nothing(baseline, scale):
    for value, size in itertools.product([i / 10 for i in range(1, 10)], range(1, 33)):
        rollouts = table(list(range(size)), [1 + i % 3 for i in range(size)], [value] * size)
        found = compute_advantages(algo(baseline=baseline, scale=scale, std_epsilon=0.0), rollouts)
        assert found.values.tolist() == [0.0] * size
        assert found.trainable.all()


# ---- of some -----------------------------------------------------------------------------------------------


@given(steps(), st.sampled_from([0.25, 3.0, 1024.0]), st.integers(-8, 8))
def test_only_the_order_and_spacing_of_rewards_count_with_group_std(rollouts, factor, shift):
    knobs = algo(scale="group_std", std_epsilon=0.0)
    first = compute_advantages(knobs, rollouts)
    rollouts.rewards = factor * rollouts.rewards + shift
    second = compute_advantages(knobs, rollouts)
    np.testing.assert_allclose(second.values, first.values, rtol=1e-9, atol=1e-9)


@given(steps())
def test_one_prompt_under_two_ids_is_two_groups(rollouts):
    knobs = algo(scale="group_std")
    ids, groups = rollouts.group_ids, len(rollouts.prompts)
    twice = g.group_advantages(
        np.tile(rollouts.rewards, 2), np.concatenate([ids, ids + groups]), epsilon=knobs.std_epsilon
    )
    once = compute_advantages(knobs, rollouts).values
    np.testing.assert_array_equal(twice.values, np.tile(once, 2))


@given(steps())
def test_leave_one_out_is_the_mean_of_the_others(rollouts):
    found = compute_advantages(algo(baseline="leave_one_out"), rollouts)
    scaled = compute_advantages(algo(baseline="leave_one_out", scale="leave_one_out_std"), rollouts)
    for row, (value, group) in enumerate(zip(rollouts.rewards, rollouts.group_ids, strict=True)):
        mates = rollouts.rewards[(rollouts.group_ids == group) & (np.arange(len(rollouts)) != row)].tolist()
        mates = [mate for mate in mates if not math.isnan(mate)]
        if math.isnan(value) or not mates or {value} == set(mates):
            assert found.values[row] == scaled.values[row] == 0.0
            continue
        centred = value - statistics.fmean(mates)
        assert found.values[row] == pytest.approx(centred, abs=1e-12)
        spread = statistics.stdev(mates) if len(mates) > 1 else 0.0
        expected = centred / (spread + 1e-6) if spread else centred
        assert scaled.values[row] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(steps(rewards=st.one_of(positive, missing)), st.integers(1, 4))
def test_the_best_of_k_over_all_subsets(rollouts, k):
    rewards, ids = rollouts.rewards, rollouts.group_ids
    shares = adv.pkpo_rewards(rewards, ids, k)
    analytic = adv.pass_k_analytic(rewards, ids, k)
    states = dict(zip(analytic.group_ids.tolist(), analytic.states.tolist(), strict=True))
    for group in set(ids.tolist()):
        rows = [row for row in np.flatnonzero(ids == group) if not math.isnan(rewards[row])]
        subsets = list(itertools.combinations(rows, k)) if len(rows) >= k else []
        best = [max(rewards[row] for row in subset) for subset in subsets]
        spread = statistics.pstdev(best) if best else 0.0
        few = len(rows) < max(k, 2)
        assert states[group] == (2 if few else 0 if spread else 1)
        for row in rows:
            mine = [top for subset, top in zip(subsets, best, strict=True) if row in subset]
            if not subsets:
                assert np.isnan(shares[row])
                assert analytic.values[row] == 0.0
                continue
            assert shares[row] == pytest.approx(sum(mine) / len(subsets), abs=1e-12)
            expected = (
                (statistics.fmean(mine) - statistics.fmean(best)) / spread if spread and not few else 0.0
            )
            assert analytic.values[row] == pytest.approx(expected, abs=1e-9)


def test_the_best_of_k_in_a_large_group():
    """256 rows, 3 successes: the closed forms of the papers, in whole numbers."""
    n, c, k = 256, 3, 64
    rewards = [1.0] * c + [0.0] * (n - c)
    shares = adv.pkpo_rewards(rewards, [0] * n, k)
    others = 1 - math.comb(n - 1 - c, k - 1) / math.comb(n - 1, k - 1)
    np.testing.assert_allclose(shares[[0, -1]], [k / n, k / n * others], rtol=1e-10)
    mean = 1 - math.comb(n - c, k) / math.comb(n, k)
    sigma = math.sqrt(mean * (1 - mean))
    without = math.comb(n - c - 1, k - 1) / math.comb(n - 1, k - 1)
    values = adv.pass_k_analytic(rewards, [0] * n, k).values
    np.testing.assert_allclose(values[[0, -1]], [(1 - mean) / sigma, (1 - mean - without) / sigma], rtol=1e-9)


@given(st.lists(reward, min_size=1, max_size=9), st.data())
def test_no_subset_has_a_larger_variance(rewards, data):
    size = data.draw(st.integers(0, len(rewards)))
    chosen = adv.max_variance_subset(rewards, size)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    best = max(np.var(subset) if size else 0.0 for subset in itertools.combinations(rewards, size))
    assert (np.var(np.array(rewards)[chosen]) if size else 0.0) == pytest.approx(best, abs=1e-12)


@given(steps(), st.floats(0, 1), st.floats(0, 1))
def test_generalized_advantages_are_their_defining_sum(rollouts, gamma, lam):
    """Over the tokens that the policy chose, sum over l of (gamma lambda)^l delta."""
    extra = extras(rollouts)
    random = np.random.default_rng(len(rollouts.completions.flat))
    mask = random.random(len(rollouts.completions.flat)) < 0.7
    offsets = rollouts.completions.offsets
    rewards, values = extra["teacher_logprobs"], extra["values"]
    options = {"gamma": gamma, "mask": mask}
    found = adv.generalized_advantages(rewards, values, offsets, lam=lam, **options)
    returns = adv.discounted_returns(rewards, offsets, **options)
    for start, end in itertools.pairwise(offsets):
        chosen = [t for t in range(start, end) if mask[t]]
        following = [*values[chosen[1:]], 0.0] if chosen else []
        deltas = [rewards[t] + gamma * v - values[t] for t, v in zip(chosen, following, strict=True)]
        for place, t in enumerate(chosen):
            later = range(place, len(chosen))
            total = sum((gamma * lam) ** (j - place) * deltas[j] for j in later)
            assert found[t] == pytest.approx(total, abs=1e-9)
            total = sum(gamma ** (j - place) * rewards[chosen[j]] for j in later)
            assert returns[t] == pytest.approx(total, abs=1e-9)
    assert (found[~mask] == 0).all()
    assert (returns[~mask] == 0).all()
    # With lambda 1 they are the returns less the values.
    plain = adv.generalized_advantages(rewards, values, offsets, lam=1.0, **options)
    np.testing.assert_allclose(plain, np.where(mask, returns - values, 0.0), atol=1e-9)


@given(steps(least=2), st.data())
def test_masked_tokens_may_be_anything(rollouts, data):
    """A tool's output in the middle of a completion changes neither advantages nor statistics."""
    tokens = len(rollouts.completions.flat)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=tokens, max_size=tokens)), bool)
    extra = extras(rollouts)
    moved = {
        name: np.where(mask, values, values - 1.0) if name in ("values", "ref_logprobs") else values
        for name, values in extra.items()
    }
    for setting in (
        {"baseline": "critic", "scale": "token_whiten", **IN_REWARD},
        {"baseline": "none", "gamma": 0.5, "scale": "token_whiten", **IN_REWARD},
        {"baseline": "leave_one_out", "scale": "token_whiten", **IN_REWARD},
    ):
        knobs = algo(**setting)
        found = compute_advantages(knobs, rollouts, mask=mask, **extra)
        other = compute_advantages(knobs, rollouts, mask=mask, **moved)
        np.testing.assert_allclose(found.values, other.values, atol=1e-12)
        if found.token_values is not None:
            np.testing.assert_allclose(found.token_values, other.token_values, atol=1e-12)
            assert (found.token_values[~mask] == 0).all()


@given(steps(), st.floats(0.01, 1))
def test_token_rewards_sum_to_the_shaped_reward(rollouts, beta):
    extra, offsets = extras(rollouts), rollouts.completions.offsets
    kl = adv.kl_estimate(rollouts.sampler_logprobs, extra["ref_logprobs"])
    shaped = adv.token_rewards(rollouts.rewards, offsets, kl=kl, beta=beta)
    expected = np.nan_to_num(rollouts.rewards - beta * adv.sequence_sums(kl, offsets))
    np.testing.assert_allclose(adv.sequence_sums(shaped, offsets), expected, atol=1e-9)


# ---- moments and packing -----------------------------------------------------------------------------------

numbers = st.lists(st.floats(-1e6, 1e6), max_size=30)


@given(st.lists(numbers, max_size=5))
def test_moments_of_parts_are_those_of_the_whole(parts):
    merged = Moments()
    for part in parts:
        merged = merged.merge(Moments.of(part))
    whole = [number for part in parts for number in part]
    assert merged.count == len(whole)
    if whole:
        assert (merged.min, merged.max) == (min(whole), max(whole))
        assert merged.mean == pytest.approx(statistics.fmean(whole), rel=1e-9, abs=1e-6)
        assert merged.constant == (len(set(whole)) == 1)
    if len(whole) > 1:
        assert merged.variance(1) == pytest.approx(statistics.variance(whole), rel=1e-6, abs=1e-3)


def test_merging_does_not_cancel():
    """Sums of squares would lose every digit here."""
    parts = [Moments.of([1e9 + i, 1e9 - i]) for i in (1, 2, 3)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert merged.variance(0) == pytest.approx(28 / 6, rel=1e-12)


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(60, 300))
def test_micro_batches_hold_every_item_once_within_the_capacity(tokens, capacity):
    costs = attention_cost(tokens, linear=1.0, square=0.01)
    bins = [bin_.tolist() for bin_ in cut_micro_batches(tokens, costs, capacity)]
    assert sorted(itertools.chain(*bins)) == list(range(len(tokens)))
    assert all(sum(tokens[item] for item in bin_) <= capacity for bin_ in bins)
    assert len(bins) >= -(-sum(tokens) // capacity)
    assert bins == sorted(bins)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8))
def test_two_parts_are_close_to_the_best_two(costs):
    parts = balanced_partition([float(cost) for cost in costs], 2)
    loads = [sum(costs[item] for item in part) for part in parts]
    best = min(
        abs(sum(costs) - 2 * sum(subset))
        for size in range(len(costs) + 1)
        for subset in itertools.combinations(costs, size)
    )
    assert best <= abs(loads[0] - loads[1]) <= max(costs)


@given(steps())
def test_off_policy_metrics_from_their_definitions(rollouts):
    trainer = extras(rollouts)["teacher_logprobs"]
    sampler = rollouts.sampler_logprobs.astype(np.float64)
    offsets = rollouts.completions.offsets
    found = off_policy_metrics(trainer, rollouts.sampler_logprobs, offsets, low=0.8, high=1.2)
    w, big = np.exp(trainer - sampler), np.exp(adv.sequence_sums(trainer - sampler, offsets))
    expected = {
        "k3_kl": np.mean(w - 1 - np.log(w)),
        "chi2_token": np.mean(w**2) - 1,
        "chi2_seq": np.mean(big**2) - 1,
        "ess_token_fraction": w.sum() ** 2 / (len(w) * (w**2).sum()),
        "ess_sequence_fraction": big.sum() ** 2 / (len(big) * (big**2).sum()),
        "outside_fraction": np.mean((w < 0.8) | (w > 1.2)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)
