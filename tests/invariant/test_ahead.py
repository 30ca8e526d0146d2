"""Sampling a step ahead: with the weights that it should, and nothing is lost that goes wrong meanwhile."""

import json
import threading

import pytest
import torch
from grpo_rs.errors import InputError
from grpo_rs.train import loop
from grpo_rs.train.background import BackgroundCollector
from grpo_rs.train.checkpoint import load_checkpoint
from grpo_rs.train.collect import Interrupted, Sampled
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.loop import train

SETTINGS = {
    "data": {"held_out": 16, "digits": 1, "question": "{a}+{b}="},
    "warmup": {"max_steps": 20, "target_accuracy": 1.0, "check_every": 20},
    "checkpoint": {"every": 0},
}


def settings(out, *, ahead=1, lr=5e-3, rewards=None, steps=3):
    return config_from_dict(
        SETTINGS
        | {
            "rollout": {"prompts_per_step": 8, "group_size": 4, "ahead": ahead},
            "optim": {"lr": lr, "schedule": "constant"},
            "rewards": rewards or {},
            "run": {
                "steps": steps,
                "threads": 1,
                "completions_every": 1,
                "completions_count": 32,
                "out": str(out),
            },
        }
    )


def completions(out):
    found = {}
    for line in (out / "completions.jsonl").read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["step"], []).append((row["prompt"], row["completion"]))
    return found


def test_a_step_ahead_is_drawn_from_the_weights_before_the_update(tmp_path):
    """The second step's completions are those of a run whose first update changes nothing."""
    train(settings(tmp_path / "ahead"))
    train(settings(tmp_path / "still", ahead=0, lr=1e-30, steps=2))
    train(settings(tmp_path / "fresh", ahead=0, steps=2))
    ahead, still, fresh = (completions(tmp_path / name) for name in ("ahead", "still", "fresh"))
    assert ahead[1] == still[1] == fresh[1]
    assert ahead[2] == still[2]
    assert ahead[2] != fresh[2]
    steps = [json.loads(line) for line in (tmp_path / "ahead" / "metrics.jsonl").read_text().splitlines()]
    assert [step["staleness/max"] for step in steps] == [0, 1, 1]
    # The learner's probabilities before the update are the sampler's on fresh weights, and not on old ones.
    gaps = [step["train/sampler_gap_max"] for step in steps]
    assert gaps[0] < 1e-4 < gaps[1]
    assert steps[0]["train/sampler_k3"] < 1e-6 < steps[1]["train/sampler_k3"]
    assert steps[0]["train/sampler_ess_token"] == pytest.approx(1.0, abs=1e-6)


SEEN = []
BROKEN = [True]


def failing(completions):
    """Breaks the contract after the audit's 16 and the first step's 32: in a batch sampled ahead."""
    SEEN.extend(completions.texts)
    if BROKEN[0] and len(SEEN) > 16 + 32:
        return []
    return [float(len(text) % 2) for text in completions.texts]


failing.whole_batch = failing.in_process = True  # it counts over the run


def test_what_fails_on_the_thread_reaches_the_user_and_the_completions_are_kept(tmp_path):
    SEEN.clear()
    BROKEN[0] = True
    values = settings(tmp_path / "run", rewards={"math": 0.0, "custom": {f"{__name__}:failing": 1.0}})
    with pytest.raises(InputError, match="returned 0 scores"):
        train(values)
    state, _, pending = load_checkpoint(tmp_path / "run" / "checkpoints" / "step-000001+rollouts")
    assert state.step == 1
    assert pending.rollouts.versions.tolist() == [0] * 32
    assert (pending.position, pending.rounds) == (16, 1)
    # Mended, it goes on with them.
    BROKEN[0] = False
    assert train(values, resume=True).summary is not None
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 3]


class Waiting:
    """A collector that waits until it is asked to stop."""

    sampled = None

    def __init__(self):
        self.began = threading.Event()
        self.threads = None

    def collect(self, begun, *, measure, should_stop):
        self.threads = torch.get_num_threads()
        self.began.set()
        while not should_stop():
            pass
        raise Interrupted


def test_leaving_ends_what_is_in_flight():
    collector = Waiting()
    with pytest.raises(KeyboardInterrupt), BackgroundCollector(collector, torch.device("cpu")) as background:
        assert background.take() is None
        assert background.sampled() is None
        background.start(Sampled(0))
        collector.began.wait()
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sampling")]
    assert collector.threads == torch.get_num_threads()


def test_the_last_step_samples_nothing_ahead(tmp_path, monkeypatch):
    started = []

    class Counting(BackgroundCollector):
        def start(self, begun):
            started.append(begun.position)
            super().start(begun)

    monkeypatch.setattr(loop, "BackgroundCollector", Counting)
    train(settings(tmp_path / "run"))
    assert started == [8, 16]
