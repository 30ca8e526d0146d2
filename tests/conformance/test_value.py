"""Value loss, bounded value head and advantage estimation against golden vectors of their kinds."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from grpo_rs.algo.value import bounded_value_T, explained_variance, value_loss_T

FOLDERS = [Path(__file__).parents[1] / "golden"]
if os.environ.get("GRPO_GOLDEN"):
    FOLDERS.append(Path(os.environ["GRPO_GOLDEN"]))


def vectors(kind):
    found = [
        pytest.param(golden, id=f"{number}-{golden['name']}")
        for number, folder in enumerate(FOLDERS)
        for path in sorted(folder.glob("*.json"))
        if (golden := json.loads(path.read_text()))["kind"] == kind
    ]
    assert found, f"no golden vectors of kind {kind}"
    return found


def flat(rows):
    return torch.tensor([value for row in rows for value in row], dtype=torch.float64)


def close(golden):
    return {"rtol": golden["rtol"], "atol": golden["atol"]}


VALUES = vectors("value")
LOSSES = [golden for golden in VALUES if "clip" in golden.values[0]["config"]]
HEADS = [golden for golden in VALUES if "r_min" in golden.values[0]["config"]]


def test_every_vector_is_of_a_known_form():
    assert len(LOSSES) + len(HEADS) == len(VALUES)


def weights(lengths, aggregate):
    """What a token of each completion counts; written out here, apart from the code under test."""
    lengths = np.array(lengths)
    share = {
        "token_mean": 1 / lengths.sum() * np.ones(len(lengths)),
        "seq_mean_token_mean": 1 / (np.maximum(lengths, 1) * (lengths > 0).sum()),
        "seq_mean_token_sum": 1 / (lengths > 0).sum() * np.ones(len(lengths)),
        "token_sum": np.ones(len(lengths)),
    }[aggregate]
    return torch.tensor(np.repeat(share, lengths))


@pytest.mark.parametrize("golden", LOSSES)
def test_value_loss_and_gradient(golden):
    config, inputs, expected = golden["config"], golden["inputs"], golden["expected"]
    value_T = flat(inputs["values"]).requires_grad_()
    loss_T = value_loss_T(
        value_T,
        flat(inputs["returns"]),
        flat(inputs["old_values"]),
        clip=config["clip"],
        factor=config["factor"],
    )
    loss = (weights(inputs["lengths"], config["agg"]) * loss_T).sum()
    loss.backward()
    torch.testing.assert_close(loss, torch.tensor(expected["loss"]).double(), **close(golden))
    torch.testing.assert_close(value_T.grad, flat(expected["grad_wrt_values"]), **close(golden))


@pytest.mark.parametrize("golden", HEADS)
def test_bounded_value_and_gradient(golden):
    config, expected = golden["config"], golden["expected"]
    score_T = torch.tensor(golden["inputs"]["z"], dtype=torch.float64, requires_grad=True)
    value_T = bounded_value_T(score_T, config["r_min"], config["r_max"])
    value_T.sum().backward()
    torch.testing.assert_close(value_T, torch.tensor(expected["v"]).double(), **close(golden))
    torch.testing.assert_close(score_T.grad, torch.tensor(expected["dv_dz"]).double(), **close(golden))


def test_the_clip_needs_what_it_is_taken_around():
    with pytest.raises(TypeError, match="old_value_T"):
        value_loss_T(torch.zeros(1), torch.ones(1), clip=0.2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1.0, 2.0, 4.0], 1.0), ([0.0, 0.0, 0.0], 0.0), ([-1.0, -2.0, -4.0], -3.0), ([2.0, 3.0, 5.0], 1.0)],
)
def test_explained_variance(value, expected):
    returns_T = torch.tensor([1.0, 2.0, 4.0])
    assert float(explained_variance(torch.tensor(value), returns_T)) == pytest.approx(expected)


def test_explained_variance_of_equal_returns_is_unknown():
    assert torch.isnan(explained_variance(torch.tensor([0.1, 0.2]), torch.ones(2)))
