"""`grpo-rs eval`: what it evaluates, prints, writes, compares and refuses."""

import json
import shutil
import subprocess
import sys

import pytest
from grpo_rs.cli import main
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.loop import train

SETTINGS = {
    "data": {"held_out": 12},
    "rollout": {"prompts_per_step": 4, "group_size": 4},
    "eval": {"samples": 2},
    "warmup": {"max_steps": 30},
    "checkpoint": {"every": 1, "keep": 5},
}
ROWS = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(4) for b in range(3)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    train(config_from_dict(SETTINGS | {"run": {"steps": 2, "threads": 1, "out": str(out)}}))
    return out


@pytest.fixture
def problems(tmp_path):
    return write(tmp_path / "problems.jsonl", ROWS)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def evaluated(capsys, *arguments):
    """The lines that are printed, and the JSON object in the last."""
    status = main(["eval", *map(str, arguments), "--json"])
    # Bars of loading go to stderr where transformers was imported before.
    out, err = capsys.readouterr()
    assert status == 0, err
    *lines, last = out.splitlines()
    return lines, json.loads(last)


def refused(capsys, *arguments):
    assert main(["eval", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


# ---- A run ---------------------------------------------------------------------------------------------


def test_a_run_on_what_it_held_out_is_what_the_run_itself_found(run, capsys):
    summary = json.loads((run / "summary.json").read_text())
    lines, found = evaluated(capsys, run)
    assert found["model"] == str(run / "final")
    assert {name: found[name] for name in summary["evaluation"]} == summary["evaluation"]
    assert (found["samples"], found["temperature"], found["extract"]) == (2, 1.0, "last_number")
    assert lines[0] == f"{run / 'final'}: 12 problems, 2 completions each"
    assert [line.split()[0] for line in lines if "% to" in line] == ["avg@2", "pass@2", "maj@2"]


def test_a_checkpoint_and_its_run_are_compared_as_in_the_summary(run, capsys, tmp_path):
    summary = json.loads((run / "summary.json").read_text())
    first = run / "checkpoints" / "step-000000"
    out = tmp_path / "results.jsonl"
    _, found = evaluated(capsys, run, "--against", first, "--out", out)
    assert found["comparison"] == summary["comparison"]
    # The same from files: what was just written, and what the run wrote before its first step.
    _, stored = evaluated(capsys, out, "--against", run / "evaluations" / "step-000000.jsonl")
    assert stored["comparison"] == summary["comparison"]
    assert out.read_text() == (run / "evaluations" / "step-000002.jsonl").read_text()


def test_a_run_that_is_not_over_has_its_newest_checkpoint(tmp_path, capsys):
    out = tmp_path / "run"
    settings = {"steps": 3, "stop_after": 2, "threads": 1, "out": str(out)}
    train(config_from_dict(SETTINGS | {"warmup": {"max_steps": 0}, "run": settings}))
    assert evaluated(capsys, out, "--max-prompts", 3)[1]["model"].endswith("step-000002")
    for checkpoint in (out / "checkpoints").iterdir():
        checkpoint.rename(tmp_path / checkpoint.name)
    assert "has no checkpoint yet" in refused(capsys, out)


def test_adapters_are_put_on_their_base(problems, tmp_path, capsys):
    pytest.importorskip("peft")
    out, results = tmp_path / "run", tmp_path / "results.jsonl"
    settings = {"model": {"lora_rank": 2}, "warmup": {"max_steps": 20, "lr": 0.05}}
    train(config_from_dict(SETTINGS | settings | {"run": {"steps": 1, "threads": 1, "out": str(out)}}))
    evaluated(capsys, out, "--out", results)
    assert results.read_text() == (out / "evaluations" / "step-000001.jsonl").read_text()
    greedy = ["--data", problems, "--samples", 1, "--max-new-tokens", 7, "--out", results]
    evaluated(capsys, out, *greedy)
    adapted = results.read_text()
    evaluated(capsys, "tiny", *greedy)
    assert results.read_text() != adapted


# ---- Any model, any data -------------------------------------------------------------------------------


def test_own_problems(run, problems, capsys, tmp_path):
    write(tmp_path / "problems.jsonl", [*ROWS, {"prompt": "0+0=", "answer": ""}])
    lines, found = evaluated(capsys, run, "--data", problems, "--samples", 1, "--show", 2)
    assert (found["problems"], found["not_scorable"], found["temperature"]) == (12, 1, 0)
    assert found["data"] == problems
    at = lines.index("Problems not scorable, and not counted: 1")
    assert lines[at + 1] == '  "0+0=", gold ""'
    wrong = round(12 * (1 - found["accuracy"]["value"]))
    assert f"Problems with a wrong answer: {wrong}, the first 2" in lines


def test_options_win_over_the_run(run, problems, capsys):
    options = ["--samples", 4, "--temperature", 0.7, "--max-new-tokens", 3, "--max-prompts", 5]
    options += ["--seed", 9, "--extract", "whole", "--policy", "string_match", "--top-k", 5, "--top-p", 1]
    _, found = evaluated(capsys, run, "--data", problems, *options)
    assert (found["samples"], found["temperature"], found["max_new_tokens"]) == (4, 0.7, 3)
    assert (found["seed"], found["extract"], found["policy"], found["top_k"]) == (
        9,
        "whole",
        "string_match",
        5,
    )
    assert found["problems"] == 5 and found["tokens_mean"] <= 3
    assert "pass_at_4" in found


def test_the_embedded_model_and_a_folder(run, problems, capsys):
    _, tiny = evaluated(capsys, "tiny", "--max-prompts", 4)
    assert (tiny["model"], tiny["data"], tiny["problems"]) == ("tiny", "addition", 4)
    renamed = ["--prompt-column", "prompt", "--gold-column", "answer", "--max-new-tokens", 7]
    _, folder = evaluated(capsys, run / "final", "--data", problems, *renamed, "--against", "tiny")
    assert folder["comparison"]["problems"] == 12
    assert folder["against"]["model"] == "tiny"


def test_a_copy_of_a_model_elsewhere_is_a_model(run, problems, capsys, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (run / "final").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert "no run directory, so there are no held-out problems" in refused(capsys, copy)
    _, found = evaluated(capsys, copy, "--data", problems, "--max-new-tokens", 9)
    assert (found["samples"], found["temperature"], found["extract"]) == (1, 0, "auto")


def test_results_against_a_run(run, capsys, tmp_path):
    out = tmp_path / "results.jsonl"
    first = run / "checkpoints" / "step-000000"
    _, forth = evaluated(capsys, run, "--against", first, "--out", out)
    # The run says what is asked also where it stands second.
    _, back = evaluated(capsys, out, "--against", first)
    assert back["comparison"] == forth["comparison"]
    assert back["against"]["data"] == "held out by the run"


def test_what_is_refused_in_training_is_no_matter_here(run, problems, capsys, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["rewards"] |= {"overlong_tokens": 4}
    config["rollout"] |= {"subset_statistics": "group"}
    (copy / "config.json").write_text(json.dumps(config))
    _, found = evaluated(capsys, copy, "--data", problems, "--max-new-tokens", 3)
    # Where the answer is looked for is the run's own way, also on other data.
    assert (found["max_new_tokens"], found["extract"]) == (3, "last_number")


# ---- What is refused -----------------------------------------------------------------------------------


def test_results_of_other_problems(run, problems, capsys, tmp_path):
    out = tmp_path / "results.jsonl"
    evaluated(capsys, run, "--data", problems, "--out", out)
    message = refused(capsys, run, "--against", out)
    assert "the two evaluations are not of the same problems: 12 of 12 are in the first alone" in message
    assert "not of the same problems" in refused(
        capsys, run, "--data", problems, "--max-prompts", 3, "--against", out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl"], "cannot read results from missing.jsonl"),
        (["RUN", "--data", "missing.jsonl"], "data file missing.jsonl does not exist"),
        (["RUN", "--data", "PROBLEMS", "--out", "PROBLEMS"], "is a file that is read: name another"),
        (["RUN", "--data", "PROBLEMS", "--out", "FOLDER/../problems.jsonl"], "is a file that is read"),
        (["RUN", "--out", "FOLDER/missing/results.jsonl"], "there is no folder"),
        (["any.jsonl", "--samples", "2", "--top-k", "3"], "--samples, --top-k: files of results are read as"),
        (["RUN", "--samples", "2", "--temperature", "0"], "2 times the same completion"),
        (["RUN", "--data", "PROBLEMS", "--gold-column", "gold"], "has no column 'gold'"),
        (["RUN", "--max-new-tokens", "300"], "leaves -44 beside rollout.max_new_tokens"),
        (["RUN", "--top-p", "2"], "top_p is 2.0: it must be above 0, at most 1"),
        (["./nothing", "--data", "PROBLEMS"], "no such file or folder"),
    ],
)
def test_mistakes(run, problems, capsys, tmp_path, arguments, message):
    places = {"RUN": str(run), "PROBLEMS": problems}
    (tmp_path / "folder").mkdir()
    words = [places.get(word, word).replace("FOLDER", str(tmp_path / "folder")) for word in arguments]
    assert message in refused(capsys, *words)


def test_what_argparse_refuses(capsys):
    for arguments in (
        ["eval"],
        ["eval", "tiny", "--samples", "0"],
        ["eval", "tiny", "--show", "-1"],
        ["eval", "tiny", "--seed", "-1"],
        ["eval", "tiny", "--chat", "maybe"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "maybe" in capsys.readouterr().err


def test_the_command_imports_the_trainer_only_when_it_evaluates_and_says_what_is_missing():
    code = """
import sys
import grpo_rs.cli
assert not {"torch", "transformers", "pydantic", "grpo_rs.train"} & set(sys.modules)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")
sys.meta_path.insert(0, Missing())
sys.exit(grpo_rs.cli.main(["eval", "tiny"]))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "needs the package torch: pip install 'grpo_rs[train]'" in ended.stderr
