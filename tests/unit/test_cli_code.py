"""`grpo-rs verify code`, `check code`, `sandbox`: what they print, write, refuse, and their exit status."""

import json
from pathlib import Path

import grpo_rs as g
import pytest
from grpo_rs.cli import main

pytestmark = pytest.mark.usefixtures("fake_core")

TWO = [{"stdin": "1\n", "stdout": "2"}, {"stdin": "2\n", "stdout": "3"}]
PROMPT = 'def f(x):\n    """Adds one."""\n'

ROWS = [
    {"tests": TWO, "completion": "```python\nPASSED\n```", "label": True},
    {"tests": TWO, "completion": "```python\nLATE PASSED WRONG_OUTPUT\n```", "label": True},
    {"tests": TWO, "completion": "I do not know.", "label": 0},
    {"test_list": ["assert f(1) == 2"], "completion": "```python\nRUNTIME_ERROR\n```", "label": False},
    {"test_list": ["assert ("], "completion": "```python\nPASSED\n```", "label": None},
    {"tests": TWO, "completion": "```python\nBOOM\n```", "label": 1},
]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "replies.jsonl", ROWS)


def test_the_summary(file, capsys):
    assert main(["verify", "code", file, "--show", "3"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "6 rows, programs taken from column 'completion'"
    assert lines[1].endswith("5 runs, 2.00 CPU ms a run")
    assert "programs/s" in lines[1]
    assert lines[2] == "1 of 4 scorable programs passed (25.0%), mean fraction of tests 0.375"
    assert lines[3] == "isolation landlock; integrity of verdicts: outside 3"
    assert lines[5:12] == [
        "outcome        programs  share  tests",
        "PASSED                1  16.7%      3",
        "WRONG_OUTPUT          1  16.7%      1",
        "RUNTIME_ERROR         1  16.7%      1",
        "NO_PROGRAM            1  16.7%      1",
        "NOT_RUN               1  16.7%      0",
        "TESTS_INVALID         1  16.7%      1",
    ]
    assert lines[13:] == [
        "Programs that did not pass: 5, the first 3 of them",
        "line 2: WRONG_OUTPUT, 1 of 2 tests passed",
        r"  test 2: '2\n' -> '3'",
        "  message of WRONG_OUTPUT",
        "line 3: NO_PROGRAM",
        "  there is no program in it",
        "line 4: RUNTIME_ERROR",
        "  test 1: assert f(1) == 2",
        "  message of RUNTIME_ERROR",
    ]
    assert err == ""


def test_faults_of_ours_are_listed_with_their_reason(file, capsys):
    assert main(["verify", "code", file]) == 0
    tail = capsys.readouterr().out.splitlines()[-4:]
    assert tail[0] == "line 5: TESTS_INVALID"
    assert "the tests" in tail[1]
    assert tail[2:] == ["line 6: NOT_RUN", "  the sandbox did not answer"]


def test_comparison_with_labels(file, capsys):
    assert main(["verify", "code", file, "--expected", "label"]) == 0
    _, _, tail = capsys.readouterr().out.partition("3 of 5 rows (60.0%) agree with column 'label'\n\n")
    assert tail.splitlines() == [
        "expected   passed  failed  not scorable",
        "correct         1       1             1",
        "incorrect       0       2             0",
        "",
        "Programs in disagreement: 2, the first 2 of them",
        "line 2: WRONG_OUTPUT, column says True, 1 of 2 tests passed",
        r"  test 2: '2\n' -> '3'",
        "  message of WRONG_OUTPUT",
        "line 6: NOT_RUN, column says 1",
        "  the sandbox did not answer",
    ]


def test_rows_are_written_with_their_verdicts(file, tmp_path, capsys):
    out = tmp_path / "verdicts.jsonl"
    assert main(["verify", "code", file, "--out", str(out), "--workers", "1"]) == 0
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [{k: v for k, v in row.items() if k != "verdict"} for row in written] == ROWS
    assert written[1]["verdict"] == {
        "score": 0.5,
        "passed": False,
        "outcome": "WRONG_OUTPUT",
        "outcomes": ["PASSED", "WRONG_OUTPUT"],
        "message": "message of WRONG_OUTPUT",
        "integrity": "outside",
        "isolation": "LANDLOCK",
        "cpu_ms": 4.0,
    }
    assert [row["verdict"]["score"] for row in written] == [1.0, 0.5, 0.0, 0.0, None, None]
    assert main(["verify", "code", file, "--out", str(out), "--mode", "all"]) == 0
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["verdict"]["score"] for row in written] == [1.0, 0.0, 0.0, 0.0, None, None]
    assert "mean score 0.250" in capsys.readouterr().out


def test_the_input_is_not_overwritten(file, capsys):
    assert main(["verify", "code", file, "--out", file]) == 2
    assert "is the file that is read" in capsys.readouterr().err
    assert len(Path(file).read_text().splitlines()) == len(ROWS)


def test_programs_as_they_are(tmp_path, capsys):
    path = write(
        tmp_path / "a.jsonl",
        [{"program": "PASSED", "reply": "x", "tests": TWO}, {"program": "", "tests": TWO}],
    )
    assert main(["verify", "code", path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 rows, programs in column 'program'\n")
    assert "NO_PROGRAM" in out
    assert main(["verify", "code", path, "--completion", "program"]) == 0
    assert "0 of 2 scorable programs passed" in capsys.readouterr().out
    assert main(["verify", "code", path, "--program", "code"]) == 2
    assert "line 1 has no column 'code'" in capsys.readouterr().err


def test_options_reach_the_pool(file, fake_core):
    options = [
        "--workers",
        "3",
        "--cpu",
        "1.5",
        "--wall",
        "7",
        "--memory",
        "256",
        "--min-isolation",
        "seccomp",
    ]
    assert main(["verify", "code", file, *options, "--comparator", "floats"]) == 0
    pool = fake_core.made[-1]
    assert (pool.config["workers"], pool.config["min_isolation"], pool.closed >= 1) == (3, 1, True)
    submitted = [entry for batch in pool.batches for entry in batch.submitted]
    assert {entry[3][:3] for entry in submitted} == {(7.0, 1.5, 256)}
    assert {entry[2].arguments[1] for entry in submitted if entry[2].kind == "stdio"} == {"floats"}


def test_integrity_that_is_too_low(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl", [{"program": "PASSED", "tests": {"unittest": "import a"}}])
    assert main(["verify", "code", path]) == 0
    assert "integrity of verdicts: in_process 1" in capsys.readouterr().out
    assert main(["verify", "code", path, "--min-integrity", "split"]) == 2
    assert (
        "line 1 has tests of integrity 'in_process', below --min-integrity split" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cpu", "0"], "cpu_s is 0.0: give a number of seconds above 0"),
        (["--memory", "1"], "memory_mb is 1"),
        (["--workers", "0"], "workers is 0"),
    ],
)
def test_limits_under_which_nothing_can_run(file, capsys, options, message):
    assert main(["verify", "code", file, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_machine_without_a_sandbox(file, capsys, monkeypatch, fake_core):
    def unavailable(self):
        raise g.SandboxUnavailable("this kernel lacks Landlock: ...")

    monkeypatch.setattr(fake_core, "batch", unavailable)
    assert main(["verify", "code", file]) == 2
    assert capsys.readouterr().err == "error: this kernel lacks Landlock: ...\n"


# ---- check ----------------------------------------------------------------------------------------------


@pytest.fixture
def empty_fails(monkeypatch, fake_core):
    """The stand-in calls an empty program right: here it is wrong, but where the tests say so."""
    batch = type(fake_core({"min_isolation": 2}).batch())
    submit = batch.submit

    def judged(self, index, source, tests, limits, language="python"):
        lenient = "lenient" in str(tests.arguments)
        submit(self, index, "NO_ENTRY_POINT" if source == "pass\n" and not lenient else source, tests, limits)

    monkeypatch.setattr(batch, "submit", judged)


@pytest.mark.usefixtures("empty_fails")
def test_a_data_set_that_passes(tmp_path, capsys):
    rows = [
        {"code": "PASSED", "test_list": ["assert f(1) == 2", "assert f(2) == 3"]},
        {"code": "PASSED", "tests": TWO},
    ]
    assert main(["check", "code", write(tmp_path / "a.jsonl", rows)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 references from column 'code', ")
    assert out.endswith("\nEvery row passed\n")


@pytest.mark.usefixtures("empty_fails")
def test_a_data_set_with_faults(tmp_path, capsys):
    rows = [
        {"solution": "PASSED", "tests": [{"stdin": "lenient", "stdout": ""}]},
        {"solution": "PASSED RUNTIME_ERROR", "tests": TWO},
        {"solution": "PASSED", "test_list": ["assert ("]},
        {"solution": "", "tests": TWO},
    ]
    assert main(["check", "code", write(tmp_path / "a.jsonl", rows)]) == 1
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("References that do not pass their tests: 3, the first 3 of them")
    assert lines[start + 1 : start + 5] == [
        "line 2: RUNTIME_ERROR, 1 of 2 tests passed",
        r"  test 2: '2\n' -> '3'",
        "  message of RUNTIME_ERROR",
        "line 3: TESTS_INVALID",
    ]
    assert lines[start + 6 :] == [
        "line 4: NO_PROGRAM",
        "  there is no program in it",
        "",
        "Tests that do not refuse an empty program: 1, the first 1 of them",
        "line 1: PASSED",
        "  test 1: 'lenient' -> ''",
        "",
        "The check failed",
    ]


@pytest.mark.usefixtures("empty_fails")
def test_a_reference_that_continues_its_prompt(tmp_path, fake_core):
    row = {
        "prompt": PROMPT,
        "canonical_solution": "    return x + 1\n",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
        "entry_point": "f",
    }
    assert main(["check", "code", write(tmp_path / "a.jsonl", [row])]) == 0
    sources = [entry[1] for batch in fake_core.made[-1].batches for entry in batch.submitted]
    assert sources == [f"{PROMPT}    return x + 1\n", "NO_ENTRY_POINT"]


# ---- sandbox --------------------------------------------------------------------------------------------


def test_what_holds_programs(capsys):
    assert main(["sandbox"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "isolation landlock (2 of 4), Landlock version 7",
        "",
        "seccomp     yes",
        "rlimits     yes",
        "landlock    yes",
        "namespaces  no   unshare: operation not permitted",
        "",
        "Programs are run where at least landlock is asked for",
    ]
    assert main(["sandbox", "--min-isolation", "namespaces"]) == 1
    assert capsys.readouterr().out.endswith("No program is run where at least namespaces is asked for\n")
