"""Every attack in payloads/, at every isolation level that this machine can produce.

An attack counts as refused only if the mechanism that its header names gave the answer that its header
names: "it failed" is not enough, as it may fail for a reason that the next one has not. The runs
themselves happen in driver.py, once per level; the tests here read its report.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LEVELS = ("full", "landlock", "abi1", "unprivileged")
SECONDS = 240
# The 67 of the published half of the corpus, and our own.
AT_LEAST = 67 + 45


def load_corpus():
    spec = importlib.util.spec_from_file_location("attack_corpus", HERE / "corpus.py")
    module = sys.modules["attack_corpus"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


corpus = load_corpus()
PAYLOADS = {payload.id: payload for payload in corpus.load_all()}


@pytest.fixture(scope="module")
def report_of(request, sandbox):
    """A level's report, made when first asked for; with `-k`, of the selected attacks only."""
    parameters = [
        getattr(item, "callspec", None) for item in request.session.items if item.path == request.path
    ]
    chosen = [
        call.params for call in parameters if call is not None and {"level", "attack"} <= set(call.params)
    ]
    wanted = {(params["level"], params["attack"]) for params in chosen}
    made = {}

    def report(level):
        if level not in made:
            ids = sorted(attack for at, attack in wanted if at == level)
            arguments = [] if len(ids) in (0, sum(at == level for at, _ in APPLICABLE)) else ids
            done = subprocess.run(
                [sys.executable, HERE / "driver.py", level, *arguments],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"the trainer died: {done.returncode}\n{done.stderr[-4000:]}"
            made[level] = json.loads(done.stdout)
        if "skip" in made[level]:
            pytest.skip(made[level]["skip"])
        return made[level]

    return report


@pytest.fixture(scope="module")
def sandbox():
    g = pytest.importorskip("grpo_rs")
    with g.CodeRunner() as runner:
        if not runner.protection.sufficient:
            pytest.skip(f"no sandbox here: {runner.protection.reasons}")
    return g


APPLICABLE = [
    (level, attack)
    for level in LEVELS
    for attack, payload in PAYLOADS.items()
    if corpus.applies(payload, level)
]


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize(("level", "attack"), APPLICABLE)
def test_refused_by_the_named_mechanism(report_of, level, attack):
    payload = PAYLOADS[attack]
    if not corpus.supported(payload):
        pytest.skip("its system calls are numbered as on x86-64")
    records = [record for record in report_of(level)["records"] if record["id"] == attack]
    assert records, "it did not run"
    found = {
        record["route"]: (problems, record["details"])
        for record in records
        if (problems := corpus.problems(payload, record, level))
    }
    assert not found, json.dumps(found, indent=1)


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("level", LEVELS)
class TestAround:
    """What surrounds the attacks: the trainer's things, honest neighbours, what stays behind."""

    def test_nothing_of_the_trainer_was_touched(self, report_of, level):
        assert report_of(level)["harm"] == []

    def test_honest_programs_pass_among_hostile_ones_and_afterwards(self, report_of, level):
        assert report_of(level)["honest"] == []

    def test_nothing_is_left(self, report_of, level):
        assert report_of(level)["leftovers"] == []

    def test_hostile_answers_do_not_fill_the_trainers_memory(self, report_of, level):
        assert report_of(level)["peak_mb"] < 700

    def test_the_level_is_the_one_that_was_asked_for(self, report_of, level, sandbox):
        report = report_of(level)
        isolation = {record["isolation"] for record in report["records"]}
        assert isolation == {report["protection"]["level"]}
        if level in ("landlock", "abi1"):
            assert isolation == {sandbox.IsolationLevel.LANDLOCK}
        if level == "abi1":
            assert report["protection"]["landlock_abi"] == 1


def test_system_call_filters_alone_are_refused_by_default(sandbox):
    runner = sandbox.CodeRunner(max_isolation=sandbox.IsolationLevel.SECCOMP)
    with runner, pytest.raises(sandbox.SandboxUnavailable, match=r"(?i)landlock|isolation"):
        runner.run(["print(1)"], [sandbox.stdio_tests([("", "1")])])


def test_several_processes_need_namespaces_which_count_them(sandbox):
    limits = sandbox.Limits(processes=8)
    level = sandbox.IsolationLevel.LANDLOCK
    with sandbox.CodeRunner(limits, max_isolation=level) as runner:
        (result,) = runner.run(["print(1)"], [sandbox.stdio_tests([("", "1")])])
    assert result.cases[0].outcome is sandbox.CodeOutcome.NOT_RUN
    assert result.passed is None
    assert "processes=8 needs namespaces" in result.note


# ---- the corpus itself ----------------------------------------------------------------------------------


def test_the_corpus_is_whole():
    assert len(PAYLOADS) >= AT_LEAST
    assert len(PAYLOADS) == len(list(corpus.PAYLOADS.glob("*/*.py")))  # no id twice


@pytest.mark.parametrize("attack", PAYLOADS)
def test_a_header_says_what_there_is_to_know(attack):
    payload = PAYLOADS[attack]
    header = payload.header
    assert set(corpus.REQUIRED) <= set(header) <= {*corpus.REQUIRED, *corpus.OPTIONAL}
    assert payload.path.stem == header["id"]
    assert payload.path.parent.name == header["category"]
    assert header["kind"] in corpus.KINDS
    assert payload.group in corpus.GROUPS
    for level, mechanism, answers in corpus.alternatives(header["refused-by"]):
        assert level is None or level in corpus.MARKED_LEVELS
        assert mechanism in corpus.MECHANISMS
        assert all(answer for answer in answers)
        if mechanism == "verdict":
            assert set().union(*answers) <= corpus.OUTCOMES


def record(**changes):
    return {
        "route": "calls",
        "outcomes": ["WRONG_OUTPUT"] * 3,
        "met": [],
        "evidence": [],
        "isolation": 2,
    } | changes


def test_the_judge_of_these_tests_can_say_no():
    """Each of these would be a hole; a judge that accepts one of them proves nothing above."""
    reading, forging = PAYLOADS["fsread_01_secret"], PAYLOADS["forge_09_truthy_eq"]
    killed, limited = PAYLOADS["kern_01_unshare_user"], PAYLOADS["res_13_regex"]
    good = [
        (reading, record(met=["EACCES"])),
        (reading, record(met=["ENOENT"], isolation=3)),
        (forging, record()),
        (killed, record(outcomes=["FORBIDDEN", "SKIPPED"])),
        (limited, record(outcomes=["CPU_EXCEEDED"])),
    ]
    bad = [
        (reading, record(met=["ENOENT"])),  # the wrong mechanism
        (reading, record(met=["EACCES"], isolation=3)),
        (reading, record()),  # it did not even try
        (reading, record(met=["EACCES"], evidence=["CANARY-FS-1"])),
        (reading, record(met=["EACCES"], outcomes=["PASSED"])),
        (reading, record(met=["EACCES"], outcomes=["NOT_RUN"])),
        (forging, record(outcomes=["WRONG_OUTPUT", "PASSED", "WRONG_OUTPUT"])),
        (forging, record(outcomes=["TIMED_OUT"])),
        (killed, record(met=["EPERM"])),
        (limited, record(outcomes=["TIMED_OUT"])),
    ]
    for payload, made in good:
        assert corpus.problems(payload, made, "landlock") == [], (payload.id, made)
    for payload, made in bad:
        assert corpus.problems(payload, made, "landlock") != [], (payload.id, made)
