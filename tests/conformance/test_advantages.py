"""Advantages, GAE, shaping, packing and off-policy metrics against golden vectors, read by their `config`.

A key or an estimator that the reader does not know is an error, and so is an expectation that it does
not compute.
"""

import re
from contextlib import contextmanager

import golden
import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import advantages as adv
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.algo.knobs import Algo
from grpo_rs.packing import balanced_partition, cut_micro_batches, fit_decreasing
from grpo_rs.statistics import off_policy_metrics
from pydantic import TypeAdapter

# The knobs of an advantage at rest, so that no default has a say.
AT_REST = {
    "baseline": "none",
    "scale": "none",
    "transform": "none",
    "zero_variance": "keep",
    "kl": "none",
    "kl_beta": 0.0,
    "kl_in": "loss",
    "gamma": 1.0,
    "lam": 1.0,
    "lam_length_alpha": None,
}


def cases(kind):
    found = golden.load(kind)
    assert found, f"no golden vectors of kind {kind}"
    return [pytest.param(case, id=golden.name(case)) for case in found]


class Read(dict):
    """A part of a vector that notes which of its keys were read."""

    def __init__(self, values):
        super().__init__(values or {})
        self.seen = set()

    def __getitem__(self, key):
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            return default


@contextmanager
def reading(case, *, but=()):
    """Config and inputs; at the end every key must have been read."""
    config, inputs = Read(case.get("config")), Read(case["inputs"])
    yield config, inputs
    for part in (config, inputs):
        assert set(part) - part.seen - set(but) == set()


def flat(rows):
    return np.array([value for row in rows for value in row], np.float64)


def rollouts(lengths, group, rewards=None, components=None):
    """A table of completions of given lengths; their tokens do not matter here."""
    ids = np.unique(group, return_inverse=True)[1].astype(np.int64)
    groups = int(ids.max()) + 1
    completions = g.Tokens.from_rows([[1] * length for length in lengths])
    return g.Rollouts(
        prompts=g.Tokens.from_rows([[1]] * groups),
        prompt_index=np.arange(groups),
        completions=completions,
        group_ids=ids,
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(len(ids), bool),
        rewards=None if rewards is None else np.array(rewards, np.float64),
        components=components or {},
    )


def algo(**knobs):
    for name, value in knobs.items():
        TypeAdapter(Algo.model_fields[name].annotation).validate_python(value)
    return Algo().model_copy(update=AT_REST | knobs)


def compare(case, computed):
    """Every expectation, flat or ragged, against what was computed under its name."""
    for name, expected in case["expected"].items():
        found = computed[name]
        if isinstance(expected, list) and expected and isinstance(expected[0], list):
            lengths = [len(row) for row in expected]
            expected = flat(expected)
            if len(found) == len(lengths) != len(expected):
                found = np.repeat(found, lengths)
        np.testing.assert_allclose(found, expected, err_msg=name, **golden.close(case))


# ---- advantages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("adv"))
def test_advantages(case):
    estimator = case["config"]["estimator"]
    if "lengths" in case["inputs"]:
        case["inputs"].setdefault("group", [0] * len(case["inputs"]["lengths"]))
    with reading(case, but={"estimator"}) as (config, inputs):
        compare(case, ESTIMATORS[estimator](config, inputs))


def whitening(config):
    """The epsilon of "token,unbiased,eps1e-8"; no other whitening has a vector."""
    unit, variance, epsilon = config["whiten"].split(",")
    assert (unit, variance, epsilon[:3]) == ("token", "unbiased", "eps")
    return float(epsilon[3:])


def zero_variance(config):
    # "exact_zero" and "exclude_and_zero" are what is always done.
    assert config.get("zero_var", "exact_zero") == "exact_zero"
    assert config.get("nan", "exclude_and_zero") == "exclude_and_zero"
    return "drop" if config.get("drop_zero_variance") else "keep"


def scale_knobs(config, default):
    """The knobs of `scale`, `ddof` and `eps`."""
    scale = {"group": "group_std", "batch": "batch_reward_std"}.get(
        name := config.get("scale", default), name
    )
    if scale == "leave_one_out_std":
        assert config["skip_if_zero_std"] is True
    knobs = {"scale": scale, "zero_variance": zero_variance(config), "std_ddof": config.get("ddof", 1)}
    if scale != "none":
        knobs["std_epsilon"] = config.get("eps", 1e-8 if scale == "token_whiten" else 1e-6)
    return knobs


def of_groups(baseline, default_scale):
    def compute(config, inputs):
        knobs = scale_knobs(config, default_scale)
        if "reward_groups" in inputs:
            groups = inputs["reward_groups"]
            group = np.repeat(np.arange(len(groups)), [len(rewards) for rewards in groups])
            table = rollouts(np.ones(len(group), int), group, flat(groups))
        else:
            table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
        found = compute_advantages(algo(baseline=baseline, **knobs), table)
        return {"advantages": found.values, "kept": found.trainable}

    return compute


def greedy(config, inputs):
    table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
    of_prompt = np.zeros(len(table.prompts))
    of_prompt[table.group_ids] = inputs["greedy_reward"]
    np.testing.assert_array_equal(of_prompt[table.group_ids], inputs["greedy_reward"])
    found = compute_advantages(algo(baseline="greedy"), table, greedy_rewards=of_prompt)
    return {"advantages": found.values}


def gpg(config, inputs):
    table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
    paper = compute_advantages(algo(baseline="group_mean", scale="live_share"), table).values
    centred = compute_advantages(algo(baseline="group_mean"), table).values
    verl = centred * adv.share_factor(np.array(inputs["rewards"]) != 0)
    norm = config["f_norm"]
    return {"advantages_paper": paper / norm, "advantages_verl": verl / norm}


def per_reward(config, inputs):
    columns = np.array(inputs["rewards"], np.float64).T
    names = [f"reward {i}" for i in range(len(columns))]
    table = rollouts(inputs["lengths"], inputs["group"], None, dict(zip(names, columns, strict=True)))
    final = {"sequence_batch_zscore_ddof1": "sequence", "token_whiten": "token"}[config["final"]]
    knobs = {"transform": "per_reward", "per_reward_final": final, "baseline": "group_mean"}
    found = compute_advantages(
        algo(**knobs, scale="group_std", std_ddof=config.get("ddof", 1), std_epsilon=config["eps"]),
        table,
        reward_weights=dict(zip(names, config["weights"], strict=True)),
    )
    return {"advantages": found.values}


def best_of_k(transform, **knobs):
    def compute(config, inputs):
        table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
        more = {"pass_k": config["k"]} if "k" in config else {}
        if "eps" in config:
            more |= {"std_epsilon": config["eps"], "std_ddof": config.get("ddof", 1)}
        return {"advantages": compute_advantages(algo(transform=transform, **knobs, **more), table).values}

    return compute


def process(config, inputs):
    steps = adv.StepRewards.from_rows(inputs["step_rewards"], inputs["step_end_index_0based_inclusive"])
    knobs = {"scale": "group_std", "std_ddof": config["ddof"], "std_epsilon": config["eps"]}
    table = rollouts(inputs["lengths"], inputs["group"])
    found = compute_advantages(algo(transform="process", **knobs), table, step_rewards=steps)
    return {"advantages": found.token_values}


def optimal_token(config, inputs):
    table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
    found = adv.optimal_token_advantages(
        table.rewards,
        flat(inputs["old_logprobs"]),
        flat(inputs["sum_pi_squared"]),
        table.completions.offsets,
        table.group_ids,
        epsilon=config["eps"],
        zero_tail=config["handle_zero_tail"],
    )
    return {"advantages": found.token_values}


def distilled(config, inputs):
    student, teacher = flat(inputs["student_logprobs"]), flat(inputs["teacher_logprobs"])
    table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
    knobs = {"transform": "distill", "distill_coef": config["coef"], "baseline": "group_mean"}
    given = {"old_logprobs": student, "teacher_logprobs": teacher}
    return {
        "advantages": compute_advantages(algo(outcome_coef=0.0, **knobs), table, **given).token_values,
        "mixed": compute_advantages(
            algo(outcome_coef=config["mix_group"], **knobs), table, **given
        ).token_values,
    }


def reinforce_pp(config, inputs):
    table = rollouts(inputs["lengths"], inputs["group"], inputs["rewards"])
    rewards = flat(inputs["token_rewards"])
    # The KL that these token rewards hide, at beta 1: what is left of them without the outcome.
    kl = adv.token_rewards(table.rewards, table.completions.offsets) - rewards
    knobs = {"gamma": config["gamma"], "kl": "k1", "kl_in": "reward", "kl_beta": 1.0}
    given = {"old_logprobs": np.zeros(len(kl)), "ref_logprobs": -kl}
    whitened = algo(scale="token_whiten", std_epsilon=whitening(config), **knobs)
    return {
        "advantages": compute_advantages(whitened, table, **given).token_values,
        "returns": compute_advantages(algo(**knobs), table, **given).token_values,
    }


def spo(config, inputs):
    alpha, beta = inputs["alpha"], inputs["beta"]
    prompts = np.arange(len(alpha))
    tracker = PassRateTracker(config["d_half"], config["rho_min"], config["rho_max"])
    tracker.alpha, tracker.beta = dict(enumerate(alpha)), dict(enumerate(beta))
    table = rollouts([1] * len(alpha), prompts, inputs["rewards"])
    knobs = {"baseline": "tracker", "scale": "batch_whiten", "std_ddof": 1, "std_epsilon": config["eps"]}
    found = compute_advantages(algo(**knobs), table, tracker=tracker)
    weights = tracker.sampling_weights(prompts, explore=config["explore"])
    tracker.update(prompts, table.rewards, inputs["drift"])
    state = tracker.state_dict()
    return {
        "advantages": found.values,
        "rho": tracker.kept_share(inputs["drift"]),
        "alpha": state["alpha"],
        "beta": state["beta"],
        "sampling_weight": weights,
    }


ESTIMATORS = {
    "grpo": of_groups("group_mean", "group_std"),
    "center": of_groups("group_mean", "none"),
    "rloo": of_groups("leave_one_out", "none"),
    "opo": of_groups("length_weighted", "none"),
    "maxrl": of_groups("group_mean", "group_mean"),
    "batch_mean": of_groups("batch_mean", "none"),
    "remax": greedy,
    "gpg": gpg,
    "gdpo": per_reward,
    "passk_max": best_of_k("pass_k_max", baseline="group_mean", scale="group_std"),
    "passk_training": best_of_k("pass_k_analytic"),
    "pkpo": best_of_k("pkpo"),
    "grpo_process": process,
    "otb": optimal_token,
    "opd": distilled,
    "reinforce_pp": reinforce_pp,
    "spo": spo,
}


# ---- tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("gae"))
def test_generalized_advantages(case):
    with reading(case) as (config, inputs):
        lengths = np.array(inputs["lengths"])
        values = flat(inputs["values"])
        mask = flat(inputs["mask"]).astype(bool) if "mask" in inputs else None
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if "token_rewards" in inputs:
            rewards = flat(inputs["token_rewards"])
        else:
            rewards = adv.token_rewards(inputs["rewards"], offsets, mask=mask)
        knobs = {"baseline": "critic", "gamma": config["gamma"]}
        lam = config["lam"]
        if isinstance(lam, str):
            assert lam.replace(" ", "") == "max(0,1-1/(alpha*L))"
            knobs["lam_length_alpha"] = config["alpha"]
            lam = adv.length_adaptive_lambda(lengths, config["alpha"])
        else:
            knobs["lam"] = lam

        plain = adv.generalized_advantages(
            rewards, values, offsets, gamma=config["gamma"], lam=lam, mask=mask
        )
        # The same through the knobs: token rewards as a KL against which there is no outcome.
        table = rollouts(lengths, np.arange(len(lengths)), np.zeros(len(lengths)))
        given = {
            "values": values,
            "mask": mask,
            "old_logprobs": np.zeros(len(values)),
            "ref_logprobs": rewards,
        }
        knobs |= {"kl": "k1", "kl_in": "reward", "kl_beta": 1.0}
        found = compute_advantages(algo(**knobs), table, **given)
        np.testing.assert_allclose(found.token_values, plain, rtol=1e-12, atol=1e-15)
        computed = {"advantages": plain, "returns": found.token_returns, "lam": lam}
        if "whiten" in config:
            whitened = algo(scale="token_whiten", std_epsilon=whitening(config), **knobs)
            computed["advantages_whitened"] = compute_advantages(whitened, table, **given).token_values
        compare(case, computed)


@pytest.mark.parametrize("case", cases("shape"))
def test_shaping(case):
    with reading(case) as (config, inputs):
        compare(case, (overlong if "max_len" in config else kl_in_reward)(config, inputs))


def overlong(config, inputs):
    options = {"max_length": config["max_len"], "cache": config["cache"], "factor": config["factor"]}
    return {"penalty": adv.overlong_penalty(inputs["lengths"], **options)}


def kl_in_reward(config, inputs):
    table = rollouts(inputs["lengths"], [0] * len(inputs["lengths"]), inputs["rewards"])
    offsets, beta = table.completions.offsets, config["beta"]
    policy, reference = flat(inputs["policy_logprobs"]), flat(inputs["ref_logprobs"])
    kl = adv.kl_estimate(policy, reference)
    knobs = {"kl": "k1", "kl_in": "reward", "kl_beta": beta}
    given = {"old_logprobs": policy, "ref_logprobs": reference}
    # Discounted by nothing, the last return is the token's own reward; all of them undo a running sum.
    returns = compute_advantages(algo(**knobs), table, **given).token_values
    tokens = adv.token_rewards(inputs["rewards"], offsets, kl=kl, beta=beta)
    np.testing.assert_allclose(adv.discounted_returns(tokens, offsets), returns)
    sequence = compute_advantages(algo(baseline="leave_one_out", **knobs), table, **given).values
    expected = explicit_leave_one_out(adv.sequence_sums(tokens, offsets))
    np.testing.assert_allclose(sequence, expected)
    lengths = np.array(inputs["lengths"])
    return {
        "token_rewards": tokens,
        "sequence_rewards": adv.sequence_sums(tokens, offsets),
        "tinker_adv_offset": adv.centred_kl_offsets(kl, offsets, beta=beta),
        "tinker_adv_offset_discounted": adv.centred_kl_offsets(
            kl, offsets, beta=beta, gamma=config["discount"]
        ),
        "mean_kl_per_sequence": (adv.sequence_sums(kl, offsets) / lengths).mean(),
    }


def explicit_leave_one_out(rewards):
    return [reward - np.delete(rewards, i).mean() for i, reward in enumerate(rewards)]


@pytest.mark.parametrize("case", cases("metrics"))
def test_off_policy_metrics(case):
    with reading(case) as (_, inputs):
        offsets = np.concatenate([[0], np.cumsum(inputs["lengths"])])
        trainer, sampler = flat(inputs["old_logprobs"]), flat(inputs["rollout_logprobs"])
        computed = dict(off_policy_metrics(trainer, sampler, offsets))
        # The bounds are in the name: frac_token_ratio_outside_0p5_5.
        for name in case["expected"]:
            if bounds := re.fullmatch(r"frac_token_ratio_outside_([\dp]+)_([\dp]+)", name):
                low, high = (float(number.replace("p", ".")) for number in bounds.groups())
                found = off_policy_metrics(trainer, sampler, offsets, low=low, high=high)
                computed[name] = found["outside_fraction"]
        compare(case, computed)


# ---- packing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("packing"))
def test_packing(case):
    with reading(case) as (_, inputs):
        lengths = np.array(inputs["lengths"])
        capacity = inputs["capacity"]
        for name, expected in case["expected"].items():
            if parts := re.fullmatch(r"kk_k(\d+)_equal(True|False)", name):
                equal = parts[2] == "True"
                found = balanced_partition(lengths.astype(float), int(parts[1]), equal_size=equal)
                loads = sorted((int(lengths[part].sum()) for part in found), reverse=True)
                assert loads == sorted(expected["loads"], reverse=True)
                assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
                if equal:
                    assert max(map(len, found)) - min(map(len, found)) <= 1
            else:
                fit, of = re.fullmatch(r"([fb])fd_cap(\d+)", name).groups()
                fit = {"f": "first", "b": "best"}[fit]
                found = fit_decreasing(lengths, int(of), fit=fit)
                assert [bin_.tolist() for bin_ in found] == expected
        few = cut_micro_batches(lengths, lengths.astype(float), capacity)
        assert len(few) == -(-int(lengths.sum()) // capacity)  # no cut has fewer
        assert max(int(lengths[bin_].sum()) for bin_ in few) <= capacity


@pytest.mark.parametrize("case", cases("subset"))
def test_max_variance_subset(case):
    with reading(case) as (_, inputs):
        size = inputs["m"]
        computed = {}
        for prefix in ("", "binary_"):
            rewards = np.array(inputs[f"{prefix}rewards"])
            chosen = adv.max_variance_subset(rewards, size)
            assert len(set(chosen.tolist())) == size
            computed |= {f"{prefix}variance": rewards[chosen].var(), f"{prefix}subset": chosen}
        compare(case, computed)
