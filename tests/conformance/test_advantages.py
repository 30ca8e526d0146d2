"""Advantages against the golden vectors: numbers made once in float64, and checked against TRL and verl.

Each file of golden/ names in `verified_by` what else gave its numbers.
"""

import json
from pathlib import Path

import grpo_rs as g
import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"
HAZARD = "adv_zero_variance_f32_hazard"
NAMES = sorted(path.stem for path in GOLDEN.glob("adv_*.json"))


def load(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_the_golden_files_are_there():
    assert {
        "adv_center_dr_grpo",
        "adv_grpo_nan_reward_excluded",
        "adv_grpo_std_ddof0_eps1e-06",
        "adv_grpo_std_ddof0_eps1e-08",
        "adv_grpo_std_ddof1_eps0.0001",
        "adv_grpo_std_ddof1_eps1e-06",
        HAZARD,
    } <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name != HAZARD])
def test_golden_advantages(name):
    golden = load(name)
    config, inputs = golden["config"], golden["inputs"]
    options = {"grpo": {"scale": "std"}, "center": {"scale": "none"}}[config["estimator"]]
    if "ddof" in config:
        options |= {"ddof": config["ddof"], "epsilon": config["eps"]}
    expected = golden["expected"]["advantages"]
    close = {"rtol": golden["rtol"], "atol": golden["atol"]}
    assert close == {"rtol": 1e-6, "atol": 1e-9}

    result = g.group_advantages(inputs["rewards"], inputs["group"], **options)
    np.testing.assert_allclose(result.values, expected, **close)

    # The same rows in another order: groups are held together by their ids alone.
    order = np.random.default_rng(0).permutation(len(expected))
    shuffled = g.group_advantages(
        [inputs["rewards"][i] for i in order], [-7 * inputs["group"][i] for i in order], **options
    )
    np.testing.assert_allclose(shuffled.values, np.array(expected)[order], **close)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equal_rewards_are_exactly_zero(dtype):
    """In float32 the mean of equal rewards differs from them, and a small epsilon blows that up to 0.9."""
    golden = load(HAZARD)
    groups = golden["inputs"]["reward_groups"]
    ids = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    rewards = np.concatenate(groups).astype(dtype)
    result = g.group_advantages(rewards, ids, ddof=golden["config"]["ddof"], epsilon=golden["config"]["eps"])
    assert result.values.tolist() == np.concatenate(golden["expected"]["advantages"]).tolist()
    assert (result.states == g.GroupState.ZERO_VARIANCE).all()
