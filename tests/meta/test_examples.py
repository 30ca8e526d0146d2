"""Every example runs as a user would run it, and is short."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LONGEST = 40

# What each is run with, and something that its output must hold.
RUNS = {
    "custom_reward.py": ([], "[1.0, 0.0, 0.0]"),
    "run_code.py": ([], "this kernel has"),
    "train_in_python.py": (["2"], "2 steps; the last: reward"),
    "trl_code.py": ([], ""),
    "trl_grpo.py": ([], ""),
    "verify_math.py": ([], "accuracy: 0.4"),
}
NEED_TORCH = {"train_in_python.py", "trl_code.py", "trl_grpo.py"}


def run(command, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def installed(module):
    return importlib.util.find_spec(module) is not None


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_is_short(name):
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("name", sorted(RUNS))
def test_runs(name, tmp_path):
    if name in NEED_TORCH and not installed("torch"):
        pytest.skip("needs torch")
    arguments, expected = RUNS[name]
    ended = run([str(EXAMPLES / name), *arguments], tmp_path)
    if name.startswith("trl_") and not (installed("trl") and installed("datasets")):
        assert ended.returncode == 1
        assert "pip install trl" in ended.stderr
        return
    if name in ("run_code.py", "trl_code.py") and "no program was run" in ended.stderr:
        pytest.skip(ended.stderr.strip())
    assert ended.returncode == 0, ended.stderr
    assert expected in ended.stdout


def test_sandbox_example_tells_right_from_forged(tmp_path):
    ended = run([str(EXAMPLES / "run_code.py")], tmp_path)
    if ended.returncode:
        pytest.skip(ended.stderr.strip())
    scores = {line[:16].strip(): line[16:26].split()[1] for line in ended.stdout.splitlines()[1:]}
    assert scores["right"] == "1.0"
    assert scores["forges its exit"] == "0.0"
    assert scores["reads a file"] == "0.0"


def test_custom_reward_in_a_run(tmp_path):
    if not installed("torch"):
        pytest.skip("needs torch")
    (tmp_path / "custom_reward.py").write_text(
        (EXAMPLES / "custom_reward.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    options = "--rewards.custom custom_reward:three_digits 0.2 --run.steps 1 --warmup.max-steps 1"
    small = "--eval.max-prompts 8 --rollout.prompts-per-step 2 --run.out run"
    ended = run(["-m", "grpo_rs.train", *options.split(), *small.split()], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert '"reward/custom_reward:three_digits"' in (tmp_path / "run" / "metrics.jsonl").read_text()
