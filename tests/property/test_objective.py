"""The objective against a plain reading of its equations: loops over numbers, and finite differences.

The reference knows no tensor and no autograd. Every expression that carries no gradient is evaluated at the
point `at`, which stays where it is while the log-probabilities move: so that finite differences of the
reference are the gradient that the objective must have.
"""

from dataclasses import dataclass, replace
from math import ceil, exp, floor, log

import numpy as np
import pytest
import torch
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.gates import kl_cov_penalised_T
from grpo_rs.algo.kl import importance_weighted_T, k2_T, k3_straight_T, k3_T, kl_T
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.objective import TokenBatch, policy_loss
from grpo_rs.errors import InputError
from hypothesis import example, given
from hypothesis import strategies as st

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def algo_of(**knobs):
    """Any combination, also those that `Algo` refuses: the equations hold for all of them."""
    assert knobs.keys() <= Algo.model_fields.keys()
    at_rest = {name: field.default for name, field in Algo.model_fields.items()}
    return Algo().model_copy(update=at_rest | {"weight_max": None} | knobs)


# ---- Random steps ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A step in ragged lists: one row per completion."""

    logp: list
    advantage: list
    old: list
    rollout: list
    ref: list
    entropy: list
    group: list
    failed: list
    truncated: list


def random_step(seed, lengths=(5, 1, 7, 3, 4, 2), groups=(7, 7, 7, 2, 2, 2), spread=0.5):
    rng = np.random.default_rng(seed)

    def rows(scale, base=None):
        base = [np.zeros(n) for n in lengths] if base is None else base
        return [row + scale * rng.standard_normal(len(row)) for row in base]

    logp = [-rng.exponential(1.0, n) - 0.05 for n in lengths]
    below = lambda rows: [np.minimum(row, -0.01) for row in rows]  # noqa: E731
    # Both signs in each group.
    advantage = list(np.resize([1, -1, -1, -1, 1, 1], len(lengths)) * rng.uniform(0.3, 1.5, len(lengths)))
    return Step(
        logp,
        advantage,
        below(rows(spread, logp)),
        below(rows(spread, logp)),
        below(rows(spread, logp)),
        [rng.uniform(0.0, 3.0, n) for n in lengths],
        list(groups),
        [a < 0 for a in advantage],
        [bool(x) for x in rng.random(len(lengths)) < 0.3],
    )


def batch_of(step, weight_N, dtype=torch.float64, **fields):
    lengths_N = torch.tensor([len(row) for row in step.logp])

    def tokens(rows):
        return torch.tensor(np.concatenate(rows), dtype=dtype)

    return TokenBatch(
        **{
            "logp_T": tokens(step.logp).requires_grad_(),
            "advantage_T": torch.tensor(step.advantage, dtype=dtype).repeat_interleave(lengths_N),
            "weight_T": torch.tensor(weight_N, dtype=dtype).repeat_interleave(lengths_N),
            "row_T": torch.arange(len(lengths_N)).repeat_interleave(lengths_N),
            "old_logp_T": tokens(step.old),
            "rollout_logp_T": tokens(step.rollout),
            "ref_logp_T": tokens(step.ref),
            "entropy_T": tokens(step.entropy).requires_grad_(),
            "group_N": torch.tensor(step.group),
            "failed_N": torch.tensor(step.failed),
            "truncated_N": torch.tensor(step.truncated),
        }
        | fields
    )


def weights_of(algo, step, **options):
    lengths = np.array([len(row) for row in step.logp])
    return token_weights_N(algo, lengths, np.array(step.group), **options)


def loss_and_gradient(algo, step, dtype=torch.float64):
    batch = batch_of(step, weights_of(algo, step, limit=9), dtype)
    out = policy_loss(algo, batch)
    out.loss.backward()
    return out.loss.item(), batch.logp_T.grad.numpy(), out.metrics


# ---- The reference -----------------------------------------------------------------------------------------


def weight(algo, step, i):
    lengths = [len(row) for row in step.logp]
    filled = sum(n > 0 for n in lengths)
    same = [j for j, g in enumerate(step.group) if g == step.group[i]]
    return {
        "token_mean": 1 / sum(lengths),
        "seq_mean_token_mean": 1 / (filled * lengths[i]),
        "seq_mean_token_sum": 1 / filled,
        "constant": 1 / (filled * 9),
        "prompt_mean": 1 / (len(set(step.group)) * sum(lengths[j] for j in same)),
        "token_sum": 1.0,
    }["prompt_mean" if algo.gate == "real" else algo.aggregate]


def binary_kl(q, p):
    return q * log(q / p) + (1 - q) * log((1 - q) / (1 - p))


def anchor_of(algo, step, at, i):
    if algo.anchor == "proximal":
        return step.rollout[i] + algo.proximal_alpha * (at[i] - step.rollout[i])
    return {"self": at, "old": step.old, "rollout": step.rollout}[algo.anchor][i]


def correction_of(algo, step, at, i):
    """Weight of each token of completion i, and whether it is kept."""
    n = len(at[i])
    if algo.correction == "none":
        return [1.0] * n, [True] * n
    trainer = {"self": at[i], "old": step.old[i], "rollout": step.old[i]}.get(algo.anchor)
    if trainer is None:
        trainer = anchor_of(algo, step, at, i)
    if algo.correction_against == "current":
        trainer = at[i]
    ratio = [exp(trainer[t] - step.rollout[i][t]) for t in range(n)]
    if algo.correction_stat == "ratio":
        level = {
            "token": ratio,
            "sequence": [float(np.prod(ratio))] * n,
            "geometric": [float(np.prod(ratio)) ** (1 / n)] * n,
        }[algo.correction_level]
    else:
        pairs = [(exp(step.rollout[i][t]), exp(trainer[t])) for t in range(n)]
        level = [binary_kl(q, p) if algo.correction_stat == "binary_kl" else abs(p - q) for q, p in pairs]
        if algo.correction_level != "token":
            level = [sum(level) / n] * n
    low = 0.0 if algo.correction_min is None else algo.correction_min
    high = float("inf") if algo.correction_max is None else algo.correction_max
    inside = [low <= x <= high for x in level]
    if algo.correction == "truncate" and algo.correction_stat == "ratio":
        return [min(max(x, low), high) for x in level], [True] * n
    if algo.correction == "reject":
        return [float(ok) for ok in inside], inside
    own = algo.correction_token_weight or algo.correction_stat != "ratio"
    return [(r if own else x) * ok for r, x, ok in zip(ratio, level, inside, strict=True)], inside


def influence(algo, step, at, anchor, i, t):
    ratios = [exp(at[i][j] - anchor[j]) for j in range(len(at[i]))]
    total = 0.0
    for j in range(t, len(ratios)):
        if algo.clip_delta is None or ratios[j] <= algo.clip_delta:
            total += 2 ** (-(j - t) / algo.fipo_decay) * log(ratios[j])
    high = 1 + algo.fipo_clip
    if step.advantage[i] < 0 and ratios[t] > algo.fipo_safety:
        high = 1.0
    return min(max(exp(total), 1 - algo.fipo_clip), high)


def multiplier(algo, step, at, i, t):
    """What the gate of a token is multiplied by, from the point `at` alone."""
    advantage, anchor, n = step.advantage[i], anchor_of(algo, step, at, i), len(at[i])
    weights, kept = correction_of(algo, step, at, i)
    factor = weights[t] if algo.gate != "vespo" else float(kept[t])
    if algo.opsm_delta is not None and advantage < 0 and np.mean(step.rollout[i] - at[i]) > algo.opsm_delta:
        factor = 0.0
    if algo.entropy_top is not None:
        everything = sorted(np.concatenate(step.entropy))
        rank = (1 - algo.entropy_top) * (len(everything) - 1)
        low, high = everything[floor(rank)], everything[ceil(rank)]
        factor *= step.entropy[i][t] >= low + (rank - floor(rank)) * (high - low)
    if algo.negative_token_share < 1 and step.failed[i]:
        higher = sum(e > step.entropy[i][t] for e in step.entropy[i])
        factor *= higher < ceil(algo.negative_token_share * n)
    if algo.fipo_decay is not None:
        factor *= influence(algo, step, at, anchor, i, t)
    return factor


def covariances(step, at):
    tokens = [(i, t) for i, row in enumerate(at) for t in range(len(row))]
    mean_advantage = np.mean([step.advantage[i] for i, _ in tokens])
    mean_logp = np.mean([at[i][t] for i, t in tokens])
    return {(i, t): (step.advantage[i] - mean_advantage) * (at[i][t] - mean_logp) for i, t in tokens}


def real_group(algo, step, scores, i):
    """Loss of the group of completion i."""
    same = [j for j, g in enumerate(step.group) if g == step.group[i]]
    bad = [scores[j] for j in same if step.advantage[j] < 0]
    good = [scores[j] for j in same if step.advantage[j] > 0]
    if not bad or not good:
        return 0.0
    tau = algo.real_tau
    return log(1 + sum(exp(s / tau) for s in bad)) + log(1 + sum(exp(-s / tau) for s in good))


def gate(algo, step, logp, at, i, t):
    """The loss of a token before weights."""
    A, anchor, n = step.advantage[i], anchor_of(algo, step, at, i), len(at[i])
    now = [logp[i][j] - anchor[j] for j in range(n)]
    then = [at[i][j] - anchor[j] for j in range(n)]
    lr, lr0 = now[t], then[t]
    if algo.ratio == "sequence":
        lr, lr0 = sum(now) / n, sum(then) / n
    if algo.ratio == "sequence_token":
        lr, lr0 = sum(then) / n + now[t] - then[t], sum(then) / n
    r, r0, lp = exp(lr), exp(lr0), logp[i][t]
    p, q = exp(at[i][t]), exp(anchor[t])
    low = algo.weight_min or 0.0
    high = algo.weight_max or float("inf")
    match algo.gate:
        case "importance":
            return -r * A
        case "reinforce":
            return -A * lp
        case "ppo" | "clip_cov":
            eps_low, eps_high = algo.clip_low, algo.clip_high
            if algo.clip_prob is not None:
                eps_low = eps_high = algo.clip_prob / q
            clipped = min(max(r, 1 - eps_low), 1 + eps_high)
            loss = -min(min(r, algo.clip_delta or r) * A, clipped * A)
            if algo.dual_clip is not None and A < 0:
                loss = min(loss, -algo.dual_clip * A)
            if algo.gate == "clip_cov":
                stopped = (A < 0 and r0 < 1 - eps_low) or (A > 0 and r0 > 1 + eps_high)
                if not stopped and algo.cov_low < covariances(step, at)[i, t] < algo.cov_high:
                    return 0.0
            return loss
        case "cispo":
            return -min(max(r0, low), high) * A * lp
        case "band":
            return -r0 * (low < r0 < high) * A * lp
        case "sapo":
            tau = algo.sapo_tau_positive if A > 0 else algo.sapo_tau_negative
            return -4 / tau / (1 + exp(-tau * (r - 1))) * A
        case "gmpo":
            s = 1 if A > 0 else -1
            z = [s * min(s * x, s * min(max(x, -algo.clip_low), algo.clip_high)) for x in now]
            return -A * exp(sum(z) / n)
        case "vespo":
            W = exp(sum(then))
            if algo.correction != "none":
                weights, _ = correction_of(algo, step, at, i)
                W *= float(np.prod(weights)) if algo.correction_level == "token" else weights[0]
            sign = "positive" if A > 0 else "negative"
            k, lam = getattr(algo, f"vespo_k_{sign}"), getattr(algo, f"vespo_lambda_{sign}")
            return -(W**k) * exp(lam * (1 - W)) * A * lp
        case "dppo_tv" | "dppo_kl" | "ipo":
            if algo.gate == "ipo":
                outside = p - q > algo.prob_high or p - q < -algo.prob_low
            elif algo.gate == "dppo_tv":
                outside = (A > 0 and p - q > algo.prob_high) or (A < 0 and p - q < -algo.prob_low)
            else:
                kl = binary_kl(q, p)
                outside = (A > 0 and p > q and kl > algo.prob_high) or (
                    A < 0 and p < q and kl > algo.prob_low
                )
            weight = 0.0 if outside else min(r0, high)
            if algo.prob_form == "logp":
                return -weight * A * lp
            # The ratio itself, moving as r / r0 does; only its slope is compared where r0 is capped.
            return -weight * A * (1 + lr - lr0)
        case "dro":
            return -(A * lp - 0.5 * algo.dro_beta * lr**2)
        case "kimi":
            return -r * A * (algo.kimi_log_min <= lr0 <= algo.kimi_log_max)
        case "kl_cov":
            table = covariances(step, at)
            top = sorted(table, key=table.get)[-max(1, int(algo.cov_share * len(table))) :]
            return -r * A + algo.cov_kl_coef * abs(lr) * ((i, t) in top)
        case "real":
            scores = [np.mean(logp[j] - anchor_of(algo, step, at, j)) for j in range(len(at))]
            return real_group(algo, step, scores, i)


def penalty(algo, d, r):
    kl = {"none": 0.0, "k1": d, "k2": d * d / 2, "k3": exp(-d) + d - 1, "abs": abs(d)}[algo.kl]
    return algo.kl_beta * kl * (r if algo.kl_importance else 1.0)


def reference(algo, step, logp, at):
    """The loss of a step, with every stop-gradient at the point `at`."""
    total = 0.0
    for i, row in enumerate(logp):
        if algo.overlong_filter and step.truncated[i]:
            continue
        anchor = anchor_of(algo, step, at, i)
        for t in range(len(row)):
            lr = logp[i][t] - anchor[t]
            loss = multiplier(algo, step, at, i, t)
            loss *= gate(algo, step, logp, at, i, t) if loss else 0.0
            loss += algo.k2_anchor * lr**2 + penalty(algo, logp[i][t] - step.ref[i][t], exp(lr))
            loss -= algo.entropy_bonus * step.entropy[i][t]
            loss -= algo.nll_coef * logp[i][t] * (not step.failed[i])
            total += weight(algo, step, i) * loss
    return total


def finite_differences(algo, step, h=1e-6):
    gradient = []
    for i, row in enumerate(step.logp):
        for t in range(len(row)):
            ends = []
            for sign in (1, -1):
                moved = [x.copy() for x in step.logp]
                moved[i][t] += sign * h
                ends.append(reference(algo, step, moved, step.logp))
            gradient.append((ends[0] - ends[1]) / (2 * h))
    return np.array(gradient)


# ---- Every part of the objective ---------------------------------------------------------------------------

TIS = {"correction": "truncate", "correction_max": 1.3}
KNOBS = {
    "importance": {"gate": "importance"},
    "importance, self": {"gate": "importance", "anchor": "self"},
    "importance, proximal": {"gate": "importance", "anchor": "proximal", "proximal_alpha": 0.3},
    "reinforce": {"gate": "reinforce"},
    "ppo": {},
    "ppo, higher": {"clip_low": 0.1, "clip_high": 0.3},
    "ppo, R1's wide clip": {"clip_low": 10.0, "clip_high": 10.0},
    "ppo, delta": {"clip_delta": 1.4},
    "ppo, dual": {"dual_clip": 1.5},
    "ppo, delta and dual": {"clip_delta": 1.6, "dual_clip": 1.4},
    "ppo, by probability": {"clip_prob": 0.1, "anchor": "rollout"},
    "gspo": {"ratio": "sequence", "clip_low": 0.05, "clip_high": 0.06},
    "gspo token": {"ratio": "sequence_token", "clip_low": 0.05, "clip_high": 0.06},
    "gspo, tis": {"ratio": "sequence", "clip_low": 0.05, "clip_high": 0.06} | TIS,
    "gspo token, tis": {"ratio": "sequence_token", "clip_low": 0.05, "clip_high": 0.06} | TIS,
    "cispo": {"gate": "cispo", "weight_max": 1.2},
    "cispo, both": {"gate": "cispo", "weight_min": 0.8, "weight_max": 1.2, "anchor": "rollout"},
    "cispo, unbounded": {"gate": "cispo"},
    "cispo, sequence": {"gate": "cispo", "weight_max": 1.1, "ratio": "sequence"},
    "band": {"gate": "band", "weight_min": 0.7, "weight_max": 1.5},
    "sapo": {"gate": "sapo", "sapo_tau_positive": 1.2, "sapo_tau_negative": 0.7},
    "gmpo": {"gate": "gmpo", "clip_low": 0.3, "clip_high": 0.4, "aggregate": "seq_mean_token_mean"},
    "vespo": {"gate": "vespo"},
    "vespo, tis": {"gate": "vespo"} | TIS,
    "vespo, sequence tis": {"gate": "vespo", "correction_level": "sequence"} | TIS,
    "dppo tv": {"gate": "dppo_tv", "prob_low": 0.05, "prob_high": 0.08, "weight_max": 1.3},
    "dppo tv, ratio": {"gate": "dppo_tv", "prob_low": 0.05, "prob_high": 0.08, "prob_form": "ratio"},
    "dppo kl": {"gate": "dppo_kl", "prob_low": 0.01, "prob_high": 0.02, "weight_max": 1.3},
    "ipo": {"gate": "ipo", "prob_low": 0.05, "prob_high": 0.08, "prob_form": "ratio", "k2_anchor": 0.1},
    "dro": {"gate": "dro", "dro_beta": 0.4},
    "kimi": {"gate": "kimi", "kimi_log_min": -0.4, "kimi_log_max": 0.3, "k2_anchor": 0.2},
    "clip cov": {"gate": "clip_cov", "cov_low": 0.1, "cov_high": 0.8, "cov_share": 1.0},
    "kl cov": {"gate": "kl_cov", "cov_share": 0.3, "cov_kl_coef": 0.7},
    "real": {"gate": "real", "real_tau": 0.4},
    "tis": TIS,
    "tis, both bounds": TIS | {"correction_min": 0.9},
    "tis, sequence": TIS | {"correction_level": "sequence"},
    "tis, anchor self": TIS | {"anchor": "self"},
    "tis, anchor proximal": TIS | {"anchor": "proximal"},
    "icepop": {"correction": "mask", "correction_min": 0.7, "correction_max": 1.3},
    "mask, sequence": {"correction": "mask", "correction_max": 1.3, "correction_level": "sequence"},
    "mask, token weight": {
        "correction": "mask",
        "correction_level": "geometric",
        "correction_min": 0.9,
        "correction_max": 1.15,
        "correction_token_weight": True,
    },
    "mask, tv": {"correction": "mask", "correction_stat": "tv", "correction_max": 0.1},
    "mask, mean binary kl": {
        "correction": "mask",
        "correction_stat": "binary_kl",
        "correction_level": "sequence",
        "correction_max": 0.03,
    },
    "trust": {
        "gate": "cispo",
        "anchor": "rollout",
        "correction": "reject",
        "correction_stat": "binary_kl",
        "correction_level": "sequence",
        "correction_max": 0.04,
        "correction_against": "current",
    },
    "opsm": {"opsm_delta": 0.05},
    "top entropy": {"entropy_top": 0.3},
    "negative tokens": {"negative_token_share": 0.4},
    "overlong": {"overlong_filter": True, "kl": "k3", "kl_beta": 0.2},
    "fipo": {"fipo_decay": 3.0, "clip_delta": 1.5, "fipo_safety": 1.1},
    "fipo, unbounded": {"fipo_decay": 20.0, "fipo_clip": 0.9},
    "k1": {"kl": "k1", "kl_beta": 0.2},
    "k2": {"kl": "k2", "kl_beta": 0.2},
    "k3": {"kl": "k3", "kl_beta": 0.2},
    "abs": {"kl": "abs", "kl_beta": 0.2},
    "k3, weighted": {"kl": "k3", "kl_beta": 0.2, "kl_importance": True},
    "kl of dropped tokens": {"kl": "k3", "kl_beta": 0.2, "entropy_top": 0.3} | TIS,
    "kl in the reward": {"kl": "k3", "kl_beta": 0.0, "kl_in": "reward"},
    "entropy and nll": {"entropy_bonus": 0.1, "nll_coef": 0.3},
    "everything": TIS
    | {"opsm_delta": 0.0, "entropy_top": 0.8, "kl": "k2", "kl_beta": 0.3, "k2_anchor": 0.1, "nll_coef": 0.1},
}
AGGREGATES = [
    "token_mean", "seq_mean_token_mean", "seq_mean_token_sum", "constant", "prompt_mean", "token_sum",
]  # fmt: skip
ALL = pytest.mark.parametrize("knobs", KNOBS.values(), ids=KNOBS)
NEEDS_WHOLE_STEP = {"entropy_top", "clip_cov", "kl_cov"}
CUTTABLE = {
    name: knobs
    for name, knobs in KNOBS.items()
    if not ({*knobs} | {knobs.get("gate")}) & NEEDS_WHOLE_STEP and knobs.get("gate") != "real"
}


@ALL
@pytest.mark.parametrize("seed", [0, 1])
def test_value_and_finite_differences(knobs, seed):
    algo, step = algo_of(**knobs), random_step(seed)
    loss, gradient, _ = loss_and_gradient(algo, step)
    np.testing.assert_allclose(loss, reference(algo, step, step.logp, step.logp), **CLOSE)
    np.testing.assert_allclose(gradient, finite_differences(algo, step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("name", ["ppo", "gspo", "vespo", "real", "k3"])
def test_every_aggregation(aggregate, name):
    algo, step = algo_of(**KNOBS[name] | {"aggregate": aggregate}), random_step(2)
    loss, gradient, _ = loss_and_gradient(algo, step)
    np.testing.assert_allclose(loss, reference(algo, step, step.logp, step.logp), **CLOSE)
    np.testing.assert_allclose(gradient, finite_differences(algo, step), rtol=1e-6, atol=1e-8)


@ALL
def test_each_knob_bites(knobs):
    """On these steps each knob of an entry changes the loss or the gradient: else it is not tested."""
    idle = {"kl in the reward", "ppo, R1's wide clip", "cispo, unbounded", "reinforce", "ppo, delta and dual"}
    if knobs in [KNOBS[name] for name in idle]:
        return
    changed = {
        "correction_against": "old", "correction_token_weight": False, "kl_importance": False,
        "correction_min": None, "correction_max": None, "correction_stat": "ratio", "clip_delta": None,
        "dual_clip": None, "clip_prob": None, "weight_min": None, "weight_max": None, "fipo_decay": None,
        "entropy_top": None, "negative_token_share": 1.0, "opsm_delta": None, "overlong_filter": False,
        "k2_anchor": 0.0, "kl": "none", "entropy_bonus": 0.0, "nll_coef": 0.0, "ratio": "token",
        "anchor": "old", "gate": "importance",
    }  # fmt: skip
    for knob in knobs.keys() & changed.keys():
        rest = algo_of(**knobs | {knob: changed[knob]})
        found = False
        for seed in (0, 1):
            step = random_step(seed)
            loss, gradient, _ = loss_and_gradient(algo_of(**knobs), step)
            other_loss, other_gradient, _ = loss_and_gradient(rest, step)
            found = found or loss != other_loss or (gradient != other_gradient).any()
        assert found or knobs[knob] == changed[knob], knob


# Coefficients d gate / d log pi of single tokens, from the papers' tables: (knobs, r, A, coefficient).
q = 0.2
TABLE = [
    ({"gate": "importance"}, 2.5, 1.0, -2.5),
    ({"gate": "reinforce"}, 2.5, -1.5, 1.5),
    ({}, 1.1, 2.0, -2.2),
    ({}, 1.3, 1.0, 0.0),
    ({}, 1.3, -1.0, 1.3),
    ({}, 0.7, -1.0, 0.0),
    ({}, 0.7, 1.0, -0.7),
    ({"clip_delta": 4.0}, 3.9, -1.0, 3.9),
    ({"clip_delta": 4.0}, 4.1, -1.0, 0.0),
    ({"dual_clip": 3.0}, 2.9, -1.0, 2.9),
    ({"dual_clip": 3.0}, 3.1, -1.0, 0.0),
    ({"clip_prob": 0.1}, 1.4, 1.0, -1.4),
    ({"clip_prob": 0.1}, 1.6, 1.0, 0.0),
    ({"clip_prob": 0.1}, 0.6, -1.0, 0.6),
    ({"clip_prob": 0.1}, 0.4, -1.0, 0.0),
    ({"gate": "cispo", "weight_max": 1.28}, 2.5, 1.0, -1.28),
    ({"gate": "cispo", "weight_min": 0.8}, 0.5, -1.0, 0.8),
    ({"gate": "band", "weight_min": 0.7, "weight_max": 6.0}, 2.5, 1.0, -2.5),
    ({"gate": "band", "weight_min": 0.7, "weight_max": 6.0}, 0.6, 1.0, 0.0),
    ({"gate": "band", "weight_min": 0.7, "weight_max": 6.0}, 6.5, -1.0, 0.0),
    ({"gate": "sapo", "sapo_tau_positive": 1.0}, 1.0, 1.0, -1.0),
    ({"gate": "vespo"}, 1.0, -1.0, 1.0),
    ({"gate": "vespo"}, 2.5, 1.0, -(2.5**2) * exp(-4.5)),
    ({"gate": "gmpo", "clip_high": 0.4}, 1.4, 1.0, -1.4),
    ({"gate": "gmpo", "clip_high": 0.4}, 1.5, 1.0, 0.0),
    ({"gate": "dppo_tv", "prob_high": 0.15, "weight_max": 1.2}, 1.7, 1.0, -1.2),
    ({"gate": "dppo_tv", "prob_high": 0.15, "weight_max": 1.2, "prob_form": "ratio"}, 1.7, 1.0, -1.2),
    ({"gate": "dppo_tv", "prob_high": 0.15}, 1.8, 1.0, 0.0),
    ({"gate": "dppo_tv", "prob_high": 0.15}, 1.8, -1.0, 1.8),
    ({"gate": "ipo", "prob_high": 0.15}, 1.8, -1.0, 0.0),
    ({"gate": "dppo_kl", "prob_high": 0.05}, 2.0, 1.0, 0.0),
    ({"gate": "dppo_kl", "prob_high": 0.05}, 2.0, -1.0, 2.0),
    ({"gate": "dppo_kl", "prob_high": 0.2}, 2.0, 1.0, -2.0),
    ({"gate": "dro", "dro_beta": 0.05}, exp(1.0), 1.0, -0.95),
    ({"gate": "kimi", "k2_anchor": 0.1}, 1.5, 1.0, -1.5 + 0.2 * log(1.5)),
    ({"gate": "kimi", "k2_anchor": 0.1}, 2.5, 1.0, 0.2 * log(2.5)),
]


@pytest.mark.parametrize(("knobs", "r", "A", "coefficient"), TABLE)
def test_coefficients_of_single_tokens(knobs, r, A, coefficient):
    step = Step(*([[np.array([x])] for x in (log(q * r),)]), [A], *([[np.array([log(q)])]] * 3), [np.ones(1)],
                [0], [False], [False])  # fmt: skip
    _, gradient, _ = loss_and_gradient(algo_of(**knobs), step)
    np.testing.assert_allclose(gradient, [coefficient], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gate", ["importance", "reinforce", "ppo", "cispo", "band", "sapo", "gmpo", "vespo",
                                  "dppo_tv", "dppo_kl", "ipo", "kimi", "clip_cov", "real"])  # fmt: skip
def test_an_advantage_of_0_moves_nothing_and_is_not_clipped(gate):
    step = replace(random_step(0), advantage=[0.0] * 6)
    loss, gradient, metrics = loss_and_gradient(algo_of(gate=gate), step)
    assert loss == 0
    assert (gradient == 0).all()
    assert not any(
        metrics[name].any() for name in ("clip_low", "clip_high") if gate != "cispo" and name in metrics
    )


# ---- What the loss must not depend on ----------------------------------------------------------------------


def pick(step, order):
    return Step(**{name: [getattr(step, name)[i] for i in order] for name in Step.__dataclass_fields__})


@ALL
def test_order_of_completions(knobs):
    algo, step = algo_of(**knobs), random_step(3)
    order = [4, 0, 2, 5, 1, 3]
    loss, gradient, _ = loss_and_gradient(algo, step)
    other_loss, other_gradient, _ = loss_and_gradient(algo, pick(step, order))
    np.testing.assert_allclose(other_loss, loss, **CLOSE)
    parts = np.split(gradient, np.cumsum([len(row) for row in step.logp])[:-1])
    np.testing.assert_allclose(other_gradient, np.concatenate([parts[i] for i in order]), **CLOSE)


@pytest.mark.parametrize("knobs", CUTTABLE.values(), ids=CUTTABLE)
def test_cut_into_micro_batches(knobs):
    algo, step = algo_of(**knobs), random_step(4)
    loss, gradient, metrics = loss_and_gradient(algo, step)
    weight_N = weights_of(algo, step, limit=9)
    total, pieces, seen = 0.0, [], []
    for rows in ([0], [1, 2, 3], [4, 5]):
        batch = batch_of(pick(step, rows), weight_N[rows])
        out = policy_loss(algo, batch)
        out.loss.backward()
        total += out.loss.item()
        pieces.append(batch.logp_T.grad.numpy())
        seen.append(out.metrics)
    np.testing.assert_allclose(total, loss, **CLOSE)
    np.testing.assert_allclose(np.concatenate(pieces), gradient, **CLOSE)
    for name, value_T in metrics.items():
        assert not value_T.requires_grad
        np.testing.assert_allclose(
            torch.cat([part[name] for part in seen]).double(), value_T.double(), **CLOSE
        )


def test_a_group_without_both_signs_has_no_loss_in_real_and_counts():
    algo, step = algo_of(**KNOBS["real"]), random_step(4)
    step = replace(step, advantage=[0.8, 0.4, 0.0, -1.0, 0.0, 1.0])
    loss, gradient, _ = loss_and_gradient(algo, step)
    np.testing.assert_allclose(loss, reference(algo, step, step.logp, step.logp), **CLOSE)
    assert (gradient[: 5 + 1 + 7] == 0).all()
    other_group = pick(step, [3, 4, 5])
    np.testing.assert_allclose(loss, loss_and_gradient(algo, other_group)[0] / 2, **CLOSE)


def test_groups_of_real_may_be_cut_from_each_other():
    algo, step = algo_of(**KNOBS["real"]), random_step(4)
    loss, gradient, _ = loss_and_gradient(algo, step)
    weight_N = weights_of(algo, step)
    parts = [policy_loss(algo, batch_of(pick(step, rows), weight_N[rows])) for rows in ([0, 1, 2], [3, 4, 5])]
    np.testing.assert_allclose(sum(part.loss.item() for part in parts), loss, **CLOSE)
    assert np.abs(gradient).min() > 0


@ALL
def test_tokens_without_weight_are_absent(knobs):
    """Whatever stands in them, be it no number, changes nothing, and gets no gradient."""
    algo, step = algo_of(**knobs), random_step(5)
    loss, gradient, metrics = loss_and_gradient(algo, step)
    junk = np.array([np.nan, -np.inf, np.inf])
    padded = Step(**{
        name: getattr(step, name)
        + [{"advantage": np.nan, "group": 7, "failed": True, "truncated": False}.get(name, junk)]
        for name in Step.__dataclass_fields__
    })  # fmt: skip
    batch = batch_of(padded, np.append(weights_of(algo, step, limit=9), 0.0))
    out = policy_loss(algo, batch)
    out.loss.backward()
    np.testing.assert_allclose(out.loss.item(), loss, **CLOSE)
    np.testing.assert_allclose(batch.logp_T.grad[:-3], gradient, **CLOSE)
    assert (batch.logp_T.grad[-3:] == 0).all()
    assert not out.metrics["kept"][-3:].any()
    for name, value_T in metrics.items():
        np.testing.assert_allclose(out.metrics[name][:-3].double(), value_T.double(), **CLOSE)


@ALL
def test_a_token_without_weight_inside_a_completion_is_absent(knobs):
    """A tool's output: no part of the completion's length, mean, ranking or first token."""
    algo, step = algo_of(**knobs), random_step(5)
    if algo.fipo_decay is not None:  # whose discount counts every token; this one does not discount
        algo = algo.model_copy(update={"fipo_decay": 1e15})
    loss, gradient, _ = loss_and_gradient(algo, step)
    weight_N = weights_of(algo, step, limit=9)
    holes = {0: [0, 2], 2: [4], 5: [2]}  # before which tokens of which rows

    def with_holes(name):
        rows = getattr(step, name)
        return [np.insert(row, holes.get(n, []), np.nan) for n, row in enumerate(rows)]

    per_token = ("logp", "old", "rollout", "ref", "entropy")
    longer = replace(step, **{name: with_holes(name) for name in per_token})
    live_T = torch.tensor(np.concatenate(longer.logp)).isfinite()
    weight_T = torch.tensor(weight_N).repeat_interleave(torch.tensor([len(row) for row in longer.logp]))
    batch = batch_of(longer, weight_N, weight_T=weight_T * live_T)
    out = policy_loss(algo, batch)
    out.loss.backward()
    np.testing.assert_allclose(out.loss.item(), loss, **CLOSE)
    np.testing.assert_allclose(batch.logp_T.grad[live_T], gradient, **CLOSE)
    assert (batch.logp_T.grad[~live_T] == 0).all()


@ALL
def test_single_precision_is_close(knobs):
    algo, step = algo_of(**knobs), random_step(6)
    loss, gradient, _ = loss_and_gradient(algo, step)
    low_loss, low_gradient, _ = loss_and_gradient(algo, step, torch.float32)
    assert low_gradient.dtype == np.float32
    np.testing.assert_allclose(low_loss, loss, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(low_gradient, gradient, rtol=1e-4, atol=1e-6)


# ---- What must not come out --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-np.inf, np.nan, np.inf])
@pytest.mark.parametrize(
    ("field", "knobs"),
    [
        ("old", {}),
        ("rollout", {"anchor": "rollout"}),
        ("rollout", {"anchor": "proximal"}),
        ("rollout", TIS),
        ("old", TIS | {"anchor": "rollout"}),
        ("ref", {"kl": "k3", "kl_beta": 0.1}),
        ("rollout", {"opsm_delta": 0.1}),
    ],
)
def test_infinite_log_probabilities_are_an_error(field, knobs, value):
    """Never silently 0: a drawn token has a probability, so this one was scored by other rules."""
    step = random_step(0)
    getattr(step, field)[2][1] = value
    with pytest.raises(InputError, match=rf"{field}_logp_T of 1 tokens .* allowed tokens"):
        loss_and_gradient(algo_of(**knobs), step)


def test_log_probabilities_that_are_not_looked_at_may_be_anything():
    step = random_step(0)
    expected = loss_and_gradient(algo_of(), step)[0]
    step.ref[0][0] = -np.inf
    step.rollout[0][0] = np.nan
    assert loss_and_gradient(algo_of(), step)[0] == expected


@ALL
def test_extreme_ratios_stay_finite(knobs):
    step = random_step(7)
    step.old[0][0], step.rollout[0][1], step.ref[0][2] = -800.0, -900.0, -700.0
    step.logp[2][0], step.logp[2][1] = -1000.0, 0.0
    step.logp[3][0], step.old[3][0] = -1e-9, -600.0
    for dtype in (torch.float32, torch.float64):
        loss, gradient, metrics = loss_and_gradient(algo_of(**knobs), step, dtype)
        assert np.isfinite(loss)
        assert np.isfinite(gradient).all()
        assert all(value_T.isfinite().all() for value_T in metrics.values())


@pytest.mark.parametrize("gate", ["importance", "ppo", "cispo", "reinforce", "sapo", "dro"])
def test_a_rejected_token_has_no_gradient_whatever_its_ratio(gate):
    knobs = {"gate": gate, "correction": "mask", "correction_min": 0.5, "correction_max": 2.0}
    step = random_step(0, spread=0.1)
    step.rollout[2][3] = -500.0
    step.logp[2][3] = -np.inf
    loss, gradient, metrics = loss_and_gradient(algo_of(**knobs), step)
    token = 5 + 1 + 3
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
    assert gradient[token] == 0
    assert not metrics["kept"][token]
    assert metrics["kept"].sum() == len(gradient) - 1


@ALL
def test_an_empty_batch(knobs):
    zero = torch.zeros(0, dtype=torch.float64)
    none, flags = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
    logp_T = zero.clone().requires_grad_()
    batch = TokenBatch(logp_T, zero, zero, none, zero, zero, zero, zero, none, flags, flags)
    loss = policy_loss(algo_of(**knobs), batch).loss
    loss.backward()
    assert loss.item() == 0
    assert logp_T.grad.shape == (0,)


@pytest.mark.parametrize(
    ("missing", "knobs"),
    [
        ("old_logp_T", {}),
        ("rollout_logp_T", {"anchor": "rollout"}),
        ("rollout_logp_T", TIS),
        ("ref_logp_T", {"kl": "k3", "kl_beta": 0.1}),
        ("entropy_T", {"entropy_top": 0.2}),
        ("entropy_T", {"entropy_bonus": 0.2}),
        ("failed_N", {"negative_token_share": 0.2}),
        ("failed_N", {"nll_coef": 0.2}),
        ("truncated_N", {"overlong_filter": True}),
        ("group_N", {"gate": "real"}),
    ],
)
def test_what_is_missing_is_named(missing, knobs):
    algo, step = algo_of(**knobs), random_step(0)
    with pytest.raises(InputError, match=f"needs {missing}"):
        policy_loss(algo, batch_of(step, weights_of(algo, step), **{missing: None}))


def test_a_loss_without_a_ratio_does_without_the_old_policy():
    algo, step = algo_of(gate="reinforce"), random_step(0)
    out = policy_loss(algo, batch_of(step, weights_of(algo, step), old_logp_T=None))
    np.testing.assert_allclose(out.loss.item(), reference(algo, step, step.logp, step.logp), **CLOSE)
    assert (out.metrics["ratio"] == 1).all()


def test_a_reference_of_weight_0_is_not_looked_at():
    algo, step = algo_of(kl="k3", kl_beta=0.0), random_step(0)
    out = policy_loss(algo, batch_of(step, weights_of(algo, step), ref_logp_T=None))
    assert "kl" not in out.metrics


def test_tensors_of_other_lengths_are_an_error():
    step = random_step(0)
    with pytest.raises(InputError, match=r"old_logp_T has shape \(3,\), logp_T \(22,\)"):
        batch_of(step, np.ones(6), old_logp_T=torch.zeros(3))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"failed_N": torch.tensor([True])}, "failed_N has 1 entries for 6 completions"),
        ({"group_N": torch.arange(5)}, "group_N has 5 entries for 6 completions"),
        ({"failed_N": torch.ones(6, dtype=torch.int64)}, "failed_N is torch.int64: give booleans"),
        ({"truncated_N": torch.zeros(6)}, "truncated_N is torch.float32: give booleans"),
        ({"row_T": torch.arange(22).flip(0)}, "never fall"),
        ({"row_T": torch.zeros(22)}, "must be int64"),
        ({"logp_T": torch.zeros(22, dtype=torch.bfloat16)}, "bfloat16: ratios need .* float32"),
    ],
)
def test_a_batch_of_the_wrong_kind_is_an_error(fields, message):
    with pytest.raises(InputError, match=message):
        batch_of(random_step(0), np.ones(6), **fields)


# ---- Single parts ------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_the_weighted_k3_has_the_gradient_of_r_times_d(seed):
    rng = np.random.default_rng(seed)
    logp_T, ref_T, old_T = (torch.tensor(-rng.uniform(0.0, 9.0, 9)) for _ in range(3))
    logp_T.requires_grad_()
    importance_weighted_T(k3_T(logp_T, ref_T), logp_T - old_T).sum().backward()
    r_times_d = ((logp_T - old_T).exp() * (logp_T - ref_T)).detach()
    np.testing.assert_allclose(logp_T.grad, r_times_d, rtol=1e-9, atol=1e-12)


def test_the_straight_k3_has_the_value_of_k3_and_the_gradient_of_k2():
    logp_T = torch.tensor([-0.3, -2.0, -1.0], dtype=torch.float64, requires_grad=True)
    ref_T = torch.tensor([-0.5, -0.4, -1.0], dtype=torch.float64)
    straight_T = k3_straight_T(logp_T, ref_T)
    (gradient_T,) = torch.autograd.grad(straight_T.sum(), logp_T)
    (of_k2_T,) = torch.autograd.grad(k2_T(logp_T, ref_T).sum(), logp_T)
    assert torch.equal(straight_T, k3_T(logp_T, ref_T))
    assert torch.equal(gradient_T, of_k2_T)


def test_estimators_of_the_kl_on_a_whole_distribution():
    """In expectation k1 and k3 are the divergence, and k2 and the straight k3 have its gradient."""
    generator = torch.Generator().manual_seed(0)
    logits_V, ref_logits_V = torch.randn(2, 7, dtype=torch.float64, generator=generator)
    logits_V.requires_grad_()
    ref_V = ref_logits_V.log_softmax(-1)

    def gradient(loss):
        return torch.autograd.grad(loss, logits_V)[0]

    logp_V = logits_V.log_softmax(-1)
    kl = (logp_V.exp() * (logp_V - ref_V)).sum()
    exact = gradient(kl)
    for name in ("k1", "k3", "k3_straight"):
        value = (logits_V.log_softmax(-1).exp() * kl_T(name, logits_V.log_softmax(-1), ref_V)).sum()
        np.testing.assert_allclose(value.item(), kl.item(), rtol=1e-12)
    for name in ("k2", "k3_straight"):
        logp_V = logits_V.log_softmax(-1)
        found = gradient((logp_V.exp().detach() * kl_T(name, logp_V, ref_V)).sum())
        np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-12)
    logp_V = logits_V.log_softmax(-1)
    of_k1 = gradient((logp_V.exp().detach() * kl_T("k1", logp_V, ref_V)).sum())
    np.testing.assert_allclose(of_k1, np.zeros(7), atol=1e-12)


def test_only_the_entropy_bonus_moves_the_entropies():
    step = random_step(0)
    for knobs, coefficient in ({"entropy_top": 0.5}, 0.0), ({"entropy_top": 0.5, "entropy_bonus": 0.3}, -0.3):
        algo = algo_of(**knobs)
        batch = batch_of(step, weights_of(algo, step))
        policy_loss(algo, batch).loss.backward()
        gradient = batch.entropy_T.grad
        expected = coefficient * batch.weight_T
        np.testing.assert_allclose(torch.zeros(22) if gradient is None else gradient, expected, **CLOSE)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.05])
def test_clip_cov_drops_no_more_than_its_share(share):
    algo = algo_of(
        gate="clip_cov", cov_low=-10.0, cov_high=10.0, cov_share=share, clip_low=9.0, clip_high=9.0
    )
    _, gradient, metrics = loss_and_gradient(algo, random_step(0))
    assert metrics["dropped"].sum() == int(share * 22)
    assert ((gradient == 0) == metrics["dropped"].numpy()).all()


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=12),
    st.sampled_from(AGGREGATES),
)
@example([(3, 0), (2, 0), (0, 1), (4, 2)], "prompt_mean")
def test_weights_of_tokens(completions, aggregate):
    """What the weights of all tokens add up to, by the meaning of each aggregation."""
    lengths, groups = (np.array(column) for column in zip(*completions, strict=True))
    algo = algo_of(aggregate=aggregate, aggregate_length=11)
    weights = token_weights_N(algo, lengths, 5 - 3 * groups)
    filled = lengths > 0
    assert (weights[~filled] == 0).all()
    assert np.isfinite(weights).all()
    share = weights * lengths
    by_group = np.array([share[groups == g].sum() for g in np.unique(groups[filled])])
    match aggregate:
        case "token_sum":
            assert (weights[filled] == 1).all()
        case "token_mean":
            assert len(set(weights[filled])) <= 1
            np.testing.assert_allclose(share.sum(), float(filled.any()))
        case "seq_mean_token_mean":
            np.testing.assert_allclose(share[filled], 1 / max(filled.sum(), 1))
        case "seq_mean_token_sum":
            np.testing.assert_allclose(weights[filled], 1 / max(filled.sum(), 1))
        case "constant":
            np.testing.assert_allclose(weights[filled], 1 / max(11 * filled.sum(), 1))
        case "prompt_mean":
            np.testing.assert_allclose(by_group, 1 / max(len(by_group), 1))
            for g in np.unique(groups):
                assert len(set(weights[filled & (groups == g)])) <= 1


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_dropped_tokens_leave_the_denominators_if_asked(aggregate):
    """As if the dropped tokens had never been there; and a completion without any counts nothing."""
    lengths, kept, groups = np.array([5, 3, 4, 2]), np.array([2, 0, 4, 1]), np.array([1, 1, 2, 3])
    algo = algo_of(aggregate=aggregate, masked_in_denominator=False)
    found = token_weights_N(algo, lengths, groups, limit=9, kept_N=kept)
    shorter = algo_of(aggregate=aggregate)
    np.testing.assert_array_equal(found, token_weights_N(shorter, kept, groups, limit=9))
    assert found[1] == 0
    with pytest.raises(InputError, match="kept_N"):
        token_weights_N(algo, lengths, groups, limit=9)
    # The default looks at the lengths alone.
    np.testing.assert_array_equal(
        token_weights_N(shorter, lengths, groups, limit=9, kept_N=kept),
        token_weights_N(shorter, lengths, groups, limit=9),
    )


@pytest.mark.parametrize("aggregate", ["token_mean", "seq_mean_token_mean", "prompt_mean"])
def test_a_step_whose_dropped_tokens_leave_the_denominators(aggregate):
    """A first pass says what is kept; with weights from that the loss is a mean over the kept tokens."""
    knobs = KNOBS["icepop"] | {"aggregate": aggregate, "gate": "reinforce", "kl": "k2", "kl_beta": 0.3}
    algo, step = algo_of(**knobs, masked_in_denominator=False), random_step(0)
    lengths = [len(row) for row in step.logp]
    kept_T = policy_loss(algo, batch_of(step, np.ones(6))).metrics["kept"]
    kept_N = np.array([part.sum().item() for part in kept_T.split(lengths)])
    assert 0 < kept_N.sum() < sum(lengths)
    loss = policy_loss(algo, batch_of(step, weights_of(algo, step, kept_N=kept_N))).loss.item()

    kept = [part.numpy() for part in kept_T.split(lengths)]
    ratio = [np.exp(step.old[i] - step.rollout[i]) for i in range(6)]
    kl = [0.3 * (step.logp[i] - step.ref[i]) ** 2 / 2 for i in range(6)]
    rows = [(-ratio[i] * step.advantage[i] * step.logp[i] + kl[i])[kept[i]] for i in range(6)]
    by_group = [np.concatenate(rows[:3]), np.concatenate(rows[3:])]
    expected = {
        "token_mean": np.concatenate(rows).mean(),
        "seq_mean_token_mean": np.mean([row.mean() for row in rows if len(row)]),
        "prompt_mean": np.mean([row.mean() for row in by_group]),
    }[aggregate]
    np.testing.assert_allclose(loss, expected, **CLOSE)


def test_the_constant_has_to_come_from_somewhere():
    algo = algo_of(aggregate="constant", aggregate_length=None)
    with pytest.raises(InputError, match="aggregate_length"):
        token_weights_N(algo, np.array([3]), np.array([0]))
    np.testing.assert_allclose(token_weights_N(algo, np.array([3]), np.array([0]), limit=8), [1 / 8])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([3, 2], [0]), "group_N has 1 entries for 2 completions"),
        (([3.0, 2.0], [0, 0]), "give whole numbers"),
    ],
)
def test_weights_of_arrays_of_the_wrong_kind_are_an_error(arrays, message):
    with pytest.raises(InputError, match=message):
        token_weights_N(algo_of(), *map(np.array, arrays))
    left = algo_of(masked_in_denominator=False)
    with pytest.raises(InputError, match="kept_N has 1 entries for 2 completions"):
        token_weights_N(left, np.array([3, 2]), np.array([0, 0]), kept_N=np.array([1]))


def test_of_equal_covariances_the_first_is_penalised():
    covariance_T = torch.tensor([1.0, 2.0, 2.0, 2.0, 2.0, 0.0], dtype=torch.float64)
    penalised_T = kl_cov_penalised_T(covariance_T, torch.ones(6, dtype=torch.bool), 0.4)
    assert penalised_T.tolist() == [False, True, True, False, False, False]


def test_kept_counts_what_every_mask_leaves():
    algo = algo_of(**KNOBS["icepop"] | {"entropy_top": 0.6, "overlong_filter": True})
    step = random_step(0)
    step = replace(step, truncated=[False, False, True, False, False, False])
    _, gradient, metrics = loss_and_gradient(algo, step)
    kept_T = metrics["kept"]
    assert torch.equal(
        kept_T
        & (torch.tensor(np.repeat(step.truncated, [5, 1, 7, 3, 4, 2])) | metrics["correction_outside"]),
        torch.zeros(22, dtype=torch.bool),
    )
    assert (gradient[~kept_T.numpy()] == 0).all()
    assert 0 < kept_T.sum() < 15
