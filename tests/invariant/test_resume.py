"""A run that is stopped and continued is the run that was never stopped, bit for bit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from grpo_rs.errors import CheckpointError
from grpo_rs.train import setup
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.loop import train
from safetensors.torch import load_file

# Two epochs of two minibatches, a KL term whose reference is refreshed and a decaying learning rate:
# everything that has a state is in play.
SETTINGS = {
    "data": {"held_out": 16},
    "rollout": {"prompts_per_step": 8, "group_size": 4},
    "algo": {"preset": "grpo", "epochs": 2, "minibatches": 2, "reference_every": 3},
    "warmup": {"max_steps": 20, "target_accuracy": 1.0, "check_every": 20},
    "optim": {"lr": 2e-3, "warmup_steps": 2},
    "checkpoint": {"every": 2, "keep": 3},
    "run": {"steps": 7, "threads": 1, "completions_every": 2},
}
TIMES = ("time/", "tokens_per_s")
# `should_stop` is asked after each of 20 warm-up steps; then at each completion, after all, and after a step.
COMPLETIONS = 8 * 4
BEFORE_STEP_3 = 20 + 2 * (COMPLETIONS + 2)


def config(out, **run):
    return config_from_dict(SETTINGS | {"run": SETTINGS["run"] | {"out": str(out)} | run})


def lines(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith(TIMES)} for row in rows]


def assert_same_run(one, other):
    weights, others = (load_file(next((path / "final").glob("*.safetensors"))) for path in (one, other))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name
    assert lines(one / "metrics.jsonl") == lines(other / "metrics.jsonl")
    assert lines(one / "completions.jsonl") == lines(other / "completions.jsonl")
    old, new = (
        torch.load(path / "checkpoints" / "step-000007" / "trainer.pt", weights_only=True)["learner"]
        for path in (one, other)
    )
    for index, state in old["optimizer"]["adamw"]["state"].items():
        for key, value in state.items():
            assert torch.equal(value, new["optimizer"]["adamw"]["state"][index][key]), (index, key)
    assert old["optimizer"]["masters"].keys() == new["optimizer"]["masters"].keys()
    for index, master in old["optimizer"]["masters"].items():
        assert torch.equal(master, new["optimizer"]["masters"][index])
    summaries = [json.loads((path / "summary.json").read_text()) for path in (one, other)]
    for key in ("accuracy_before", "accuracy_after", "steps", "generated_tokens", "trained_tokens"):
        assert summaries[0][key] == summaries[1][key], key


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    train(config(out))
    assert len(lines(out / "metrics.jsonl")) == 7
    return out


@pytest.mark.parametrize("stop_after", [1, 4])
def test_stopping_after_a_step(tmp_path, whole, stop_after):
    out = tmp_path / "run"
    assert train(config(out, stop_after=stop_after)).summary is None
    assert train(config(out), resume=True).summary is not None
    assert_same_run(whole, out)


# Prompts come back, so that some are left out.
SMALL = {"digits": 1, "question": "{a}+{b}=", "held_out": 70}
DYNAMIC = {
    "max_refills": 2,
    "oversample": 1.5,
    "subset": 3,
    "drop_above": 0.75,
    "drop_below": 0.0,
}
VARIANTS = {
    "adapters": {"model": {"lora_rank": 4}, "optim": {"lr": 1e-2}, "algo": SETTINGS["algo"]},
    "tracker": {"algo": {"preset": "spo"}},
    "kl_in_reward": {"algo": {"preset": "rloo", "kl_beta": 0.05, "reference_every": 2}},
    "bfloat16": {"model": {"dtype": "bfloat16"}, "algo": {"preset": "dapo", "epochs": 2}},
    "ahead": {"rollout": SETTINGS["rollout"] | {"ahead": 1}},
    "dynamic": {
        "data": SMALL,
        "rollout": SETTINGS["rollout"] | DYNAMIC,
        "rewards": {"overlong_tokens": 2},
    },
    "dynamic_ahead": {
        "data": SMALL,
        "rollout": SETTINGS["rollout"] | DYNAMIC | {"ahead": 1},
        "checkpoint": {"every": 1, "keep": 9},
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_stopping_with_other_states(tmp_path, name):
    """Adapters and a reference that is refreshed; pass rates; float32 masters of bfloat16 weights; prompts
    that are left out; completions in flight."""
    pytest.importorskip("peft")
    values = SETTINGS | VARIANTS[name]

    def settings(folder, **run):
        return config_from_dict(values | {"run": SETTINGS["run"] | {"out": str(tmp_path / folder)} | run})

    train(settings("whole"))
    train(settings("parts", stop_after=4))
    train(settings("parts"), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    names = {path.name for path in (tmp_path / "parts" / "final").iterdir()}
    assert ("adapter_config.json" in names) == (name == "adapters")
    masters = torch.load(
        tmp_path / "parts" / "checkpoints" / "step-000007" / "trainer.pt", weights_only=True
    )["learner"]["optimizer"]["masters"]
    assert bool(masters) == (name == "bfloat16")
    steps = lines(tmp_path / "whole" / "metrics.jsonl")
    assert any(step["groups/refills"] > 0 for step in steps) == ("dynamic" in name)
    assert any(step.get("prompts/skipped", 0) > 0 for step in steps) == ("dynamic" in name)
    for step in steps:
        parts = [count for name, count in step.items() if name.startswith("tokens/")]
        assert sum(parts) == 2 * step["tokens/generated"] > 0
    oldest = max(step.get("staleness/max", 0) for step in steps)
    assert oldest == ("ahead" in name)
    assert (tmp_path / "parts" / "checkpoints" / "step-000004+rollouts").exists() == ("ahead" in name)


def test_stopping_between_sampling_and_training(tmp_path, whole):
    """The rollouts in hand are kept, not drawn again."""
    out = tmp_path / "run"
    asked = iter([False] * (BEFORE_STEP_3 + COMPLETIONS) + [True])
    assert train(config(out), should_stop=lambda: next(asked)).summary is None
    assert (out / "checkpoints" / "step-000002+rollouts" / "rollouts.npz").exists()
    train(config(out), resume=True)
    assert_same_run(whole, out)


def test_stopping_in_the_middle_of_sampling(tmp_path, whole):
    """What there is of the step is thrown away, and drawn again from the same seeds."""
    out = tmp_path / "run"
    asked = iter([False] * (BEFORE_STEP_3 + COMPLETIONS // 2) + [True])
    assert train(config(out), should_stop=lambda: next(asked)).summary is None
    assert not list((out / "checkpoints").glob("*+rollouts"))
    train(config(out), resume=True)
    assert_same_run(whole, out)


def test_stopping_in_the_warm_up_starts_over(tmp_path, whole):
    out = tmp_path / "run"
    asked = iter([False] * 7 + [True])
    assert train(config(out), should_stop=lambda: next(asked)).summary is None
    assert not list((out / "checkpoints").iterdir())
    train(config(out), resume=True)
    assert_same_run(whole, out)


def test_lines_of_steps_after_the_checkpoint_are_taken_back(tmp_path, whole):
    """As after a power cut: metrics of steps 3 to 5 were written, the checkpoint is of step 2."""
    out = tmp_path / "run"
    train(config(out, stop_after=2))
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3}\n{"step": 4, "torn')
    train(config(out), resume=True)
    assert_same_run(whole, out)


def test_a_finished_run_may_be_resumed(tmp_path, monkeypatch):
    """Memory is not estimated and probed again: the token budget is the one that the run had."""
    out = tmp_path / "run"
    before = train(config(out, steps=2)).summary
    monkeypatch.delattr(setup, "probe_step")
    again = train(config(out, steps=2), resume=True).summary
    for key in ("accuracy_after", "token_budget", "memory"):
        assert again[key] == before[key]


def test_what_cannot_be_resumed_says_why(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(CheckpointError, match="holds no run to continue"):
        train(config(out), resume=True)
    with pytest.raises(CheckpointError, match="--run.out"):
        train(config_from_dict(SETTINGS), resume=True)
    train(config(out, stop_after=1))
    with pytest.raises(CheckpointError, match="holds a run already: add --resume"):
        train(config(out))
    other = config(out).model_copy(update={"optim": config(out).optim.model_copy(update={"lr": 1.0})})
    with pytest.raises(CheckpointError, match=r"optim.lr was 0.002, is 1.0"):
        train(other, resume=True)
    state = out / "checkpoints" / "step-000001" / "state.json"
    state.write_text(state.read_text().replace('"format": 3', '"format": 99'))
    with pytest.raises(CheckpointError, match="another version"):
        train(config(out), resume=True)


def test_changed_problems_are_refused(tmp_path):
    data = tmp_path / "sums.jsonl"

    def write(last):
        rows = [{"prompt": f"{a}+1=", "answer": str(a + 1)} for a in range(30)]
        data.write_text("\n".join(json.dumps(row) for row in [*rows, last]))

    def settings(**run):
        values = {
            "data": {"train": str(data), "held_out": 4},
            "rollout": SETTINGS["rollout"],
            "run": {"steps": 2, "threads": 1, "out": str(tmp_path / "run")} | run,
            "warmup": {"max_steps": 0},
        }
        return config_from_dict(values)

    write({"prompt": "99+1=", "answer": "100"})
    train(settings(stop_after=1))
    write({"prompt": "99+1=", "answer": "101"})
    with pytest.raises(CheckpointError, match="problems have changed"):
        train(settings(), resume=True)


# ---- From outside: signals, and kill -9 --------------------------------------------------------------


def command(out, *extra):
    options = [
        "--data.held-out", "16", "--rollout.prompts-per-step", "8", "--rollout.group-size", "4",
        "--algo.preset", "grpo", "--algo.epochs", "2", "--algo.minibatches", "2",
        "--algo.reference-every", "3", "--warmup.max-steps", "20",
        "--warmup.target-accuracy", "1.0", "--warmup.check-every", "20", "--optim.lr", "2e-3",
        "--optim.warmup-steps", "2", "--run.threads", "1", "--run.completions-every", "2",
        "--checkpoint.keep", "3",
    ]  # fmt: skip
    return [sys.executable, "-m", "grpo_rs.train", *options, "--run.out", str(out), *extra]


def start(out, *extra):
    return subprocess.Popen(
        command(out, *extra), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=out.parent
    )


def wait_for(process, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("number", "status", "ahead"),
    [(signal.SIGTERM, 143, "0"), (signal.SIGINT, 130, "0"), (signal.SIGTERM, 143, "1")],
)
def test_a_signal_saves_and_exits(tmp_path, number, status, ahead):
    out = tmp_path / "run"
    process = start(out, "--run.steps", "100000", "--checkpoint.every", "0", "--rollout.ahead", ahead)
    metrics = out / "metrics.jsonl"
    wait_for(process, lambda: metrics.exists() and metrics.stat().st_size > 0)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == status, output
    assert "--resume" in output
    newest = max((out / "checkpoints").glob("step-*"))
    step = json.loads((newest / "state.json").read_text())["step"]
    more = ("--run.steps", "100000", "--checkpoint.every", "0", "--run.stop-after", str(step + 2))
    more += ("--rollout.ahead", ahead)
    resumed = subprocess.run(
        command(out, *more, "--resume"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert [row["step"] for row in lines(metrics)] == list(range(1, step + 3))


def test_kill_9_while_a_checkpoint_is_written_leaves_the_last_good_one(tmp_path, whole):
    """Killed at the moment a half-written checkpoint is seen, several times over; then continued."""
    out = tmp_path / "run"
    steps = ("--run.steps", "7", "--checkpoint.every", "1")
    half_written = []
    for attempt in range(4):
        process = start(out, *steps, *(["--resume"] if attempt else []))
        seen = len(list((out / "checkpoints").glob("step-*")))

        def writing(seen=seen):
            folder = out / "checkpoints"
            # From the second complete checkpoint on, the next hidden folder is killed in the making.
            return len(list(folder.glob("step-*"))) > min(seen, 2) and any(folder.glob(".writing-*"))

        wait_for(process, lambda check=writing, p=process: check() or p.poll() is not None)
        over = process.poll() is not None
        process.kill()
        process.communicate()
        if over:
            break
        half_written.append(any((out / "checkpoints").glob(".writing-*")))
    assert any(half_written), "no kill met a checkpoint in the making"
    finished = subprocess.run(
        command(out, *steps, "--resume"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    assert not list((out / "checkpoints").glob(".writing-*"))
    assert_same_run(whole, out)


def test_the_final_model_loads_in_transformers(whole):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(whole / "final")
    tokenizer = AutoTokenizer.from_pretrained(whole / "final")
    ids = tokenizer("12+34=", return_tensors="pt").input_ids
    assert ids.shape == (1, 6)
    text = tokenizer.decode(model.generate(ids, max_new_tokens=4, do_sample=False)[0])
    assert text.startswith("12+34=")


def test_the_run_directory_has_everything(whole):
    names = {path.name for path in Path(whole).iterdir()}
    assert names == {
        "config.json", "versions.json", "metrics.jsonl", "completions.jsonl", "summary.json",
        "audit.json", "checkpoints", "evaluations", "reference", "final",
    }  # fmt: skip
    versions = json.loads((whole / "versions.json").read_text())
    assert {"grpo_rs", "torch", "transformers", "numpy", "python", "data_sha256"} <= versions.keys()
    summary = json.loads((whole / "summary.json").read_text())
    assert {"accuracy_before", "accuracy_after", "wall_s", "generated_tokens", "phases"} <= summary.keys()
    assert sum(part["share"] for part in summary["phases"].values()) == pytest.approx(1.0)
    first = json.loads((whole / "completions.jsonl").read_text().splitlines()[0])
    assert first["reason"] and first["outcome"]


def test_every_metric_is_documented(whole):
    from grpo_rs.train.log import describe_metric

    for row in lines(whole / "metrics.jsonl"):
        for name in row:
            assert describe_metric(name), name
