"""The command `grpo-rs`: what it prints, writes and refuses, and its exit status."""

import io
import json
import os
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import grpo_rs as g
import pytest
from grpo_rs.cli import main, neighbours, rows
from grpo_rs.cli.terminal import Progress, Terminal, percent, shown

ROWS = [
    {"answer": "1/2", "completion": r"Half of it, so \boxed{0.5}.", "expected": True},
    {"answer": "72", "completion": r"\boxed{71}", "expected": 1},
    {"answer": "72", "completion": "I don't know", "expected": 0},
    {"answer": 2.5, "completion": "2.5", "expected": None},
    {"answer": "", "completion": "2.5 \ud83d", "expected": "0"},
    {"answer": "Paris", "completion": "The answer is Paris", "expected": "true"},
]

reads_boxed_sentences = pytest.mark.skipif(
    g.MathGold("5").verify(r"\boxed{\text{The answer is }5}").score != 1.0,
    reason="the verifier does not read a sentence in a box",
)


def write(path, lines):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "replies.jsonl", ROWS)


def run(*arguments, stdin=b"", **environment):
    return subprocess.run(
        [sys.executable, "-m", "grpo_rs.cli", *arguments],
        input=stdin,
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


# ---- verify ---------------------------------------------------------------------------------------------


def test_the_summary(file, capsys):
    assert main(["verify", "math", file, "--show", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "6 rows, gold from column 'answer', prediction from 'completion'"
    assert "rows/s" in lines[1]
    assert lines[3:8] == [
        "outcome      rows  share",
        "CORRECT         3  50.0%",
        "WRONG_VALUE     1  16.7%",
        "NO_ANSWER       1  16.7%",
        "GOLD_EMPTY      1  16.7%",
    ]
    assert lines[9:] == [
        "Rows incorrect or not scorable: 3, the first 2 of them",
        'line 2: WRONG_VALUE; gold "72"',
        r'  found "71" in \boxed{}, which is 71, not 72',
        'line 3: NO_ANSWER; gold "72"',
        '  no answer found: no \\boxed{}, no "####", no final number',
    ]
    assert err == ""  # no bar: stderr is not a terminal


def test_the_installed_command(file):
    command = Path(sys.executable).with_name("grpo-rs")
    if not command.exists():
        pytest.skip("grpo_rs is not installed in this environment")
    ended = subprocess.run([command, "verify", "math", file], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "CORRECT         3  50.0%" in ended.stdout


def test_nothing_is_listed_if_asked(file, capsys):
    assert main(["verify", "math", file, "--show", "0"]) == 0
    assert "line 2" not in capsys.readouterr().out


def test_comparison_with_labels(file, capsys):
    assert main(["verify", "math", file, "--expected", "expected"]) == 0
    _, _, tail = capsys.readouterr().out.partition("3 of 5 rows (60.0%) agree with column 'expected'\n\n")
    assert tail.splitlines() == [
        "expected   judged correct  incorrect  not scorable",
        "correct                 2          1             0",
        "incorrect               0          1             1",
        "",
        "Rows in disagreement: 2, the first 2 of them",
        'line 2: WRONG_VALUE, column says 1; gold "72"',
        r'  found "71" in \boxed{}, which is 71, not 72',
        'line 5: GOLD_EMPTY, column says 0; gold ""',
        "  not scorable: the gold is empty",
    ]


def test_rows_are_written_with_their_verdicts(file, tmp_path):
    out = tmp_path / "verdicts.jsonl"
    assert main(["verify", "math", file, "--out", str(out)]) == 0
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [{k: v for k, v in row.items() if k != "verdict"} for row in written] == ROWS
    assert written[0]["verdict"] == {
        "score": 1,
        "outcome": "CORRECT",
        "span": [22, 25],
        "answer": "0.5",
        "explanation": r'found "0.5" in \boxed{}, equal to 1/2',
    }
    assert written[4]["verdict"] == {
        "score": None,
        "outcome": "GOLD_EMPTY",
        "span": None,
        "answer": None,
        "explanation": "not scorable: the gold is empty",
    }
    # The file is one that can be read again.
    assert main(["verify", "math", str(out), "--expected", "verdict.score", "--show", "1"]) == 0


def test_the_input_is_not_overwritten(file, capsys):
    assert main(["verify", "math", file, "--out", file]) == 2
    assert "is the file that is read" in capsys.readouterr().err
    assert len(Path(file).read_text().splitlines()) == len(ROWS)


def test_options_reach_the_verifier(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl", [{"gold": "50", "pred": r"\boxed{50\%} or 7"}])
    table = {
        (): "CORRECT",
        ("--extract", "last_number"): "WRONG_VALUE",
        ("--extract", "hash"): "NO_ANSWER",
        ("--set", "percent=value"): "WRONG_VALUE",
        ("--set", "percent=value", "--set", "percent=unit"): "CORRECT",
        ("--set", "ignore-case=false", "--set", "rounding=none"): "CORRECT",
    }
    for options, outcome in table.items():
        assert main(["verify", "math", path, *options]) == 0
        assert f"\n{outcome} " in capsys.readouterr().out, options


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("default", g.MathPolicy()),
        ("math-verify", g.MathPolicy.math_verify()),
        ("string-match", g.MathPolicy.string_match()),
    ],
)
def test_policies_by_name(name, policy):
    from grpo_rs.cli.command_line import _policy

    assert _policy(name, []) == policy
    changed = _policy(name, ["rounding = 9", "radians=TRUE"])
    assert (changed.rounding, changed.radians, changed.units) == (9, True, policy.units)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rounding=0", "rounding is 0: it must be a number of significant digits from 1 to 255, or None"),
        ("units=maybe", "units is 'maybe': it must be one of convert, drop, require"),
        ("radians=1", "radians is 1: it must be True or False"),
        ("tolerance=1", "--set tolerance=1: write NAME=VALUE, where NAME is one of rounding, percent,"),
        ("rounding", "--set rounding: write NAME=VALUE"),
    ],
)
def test_bad_settings(file, setting, message, capsys):
    assert main(["verify", "math", file, "--set", setting]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


# ---- columns and rows -----------------------------------------------------------------------------------


def test_columns_are_chosen_or_named(tmp_path, capsys):
    row = {"response": "5", "reward_model": {"ground_truth": "5"}, "mine": "6", "a.b": "5"}
    path = write(tmp_path / "a.jsonl", [row])
    for options, correct in {
        ("--gold", "reward_model.ground_truth"): True,
        ("--gold", "a.b"): True,
        ("--gold", "a.b", "--pred", "mine"): False,
    }.items():
        assert main(["verify", "math", path, *options]) == 0
        out = capsys.readouterr().out
        assert f"gold from column {options[1]!r}" in out
        assert ("\nCORRECT " in out) is correct


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (
            [{"x": 1, "y": 2}],
            [],
            "line 1 has none of the columns gold, answer, solution, ground_truth, target, reference, "
            "expected_answer; it has 'x', 'y': name one with --gold COLUMN",
        ),
        ([{"gold": 1}], [], "line 1 has none of the columns pred, prediction, completion,"),
        (
            [{"gold": 1, "pred": 2}, {"gold": 1, "y": 2}],
            [],
            "line 2 has no column 'pred'; it has 'gold', 'y': name another with --pred COLUMN",
        ),
        ([{"gold": 1, "pred": 2}], ["--gold", "x.y"], "line 1 has no column 'x.y'; it has 'gold', 'pred'"),
        ([{"gold": [1], "pred": 2}], [], "line 1: column 'gold' holds a list, not a text or a number"),
        ([{"gold": 1, "pred": 2}, "", '{"gold": 1'], [], "line 3 is not JSON: Expecting ',' delimiter"),
        (["[1]"], [], "line 1 is not a JSON object: each line must be {...} with named columns"),
        ([{"gold": 1, "pred": 2}, "[" * 100_000], [], "line 2 is not JSON"),
        (['{"gold": ' + "1" * 5000 + "}"], [], "line 1 is not JSON that can be read"),
        ([], [], " has no rows: give a file with a JSON object a line"),
        (["", " "], [], " has no rows"),
        (
            [{"gold": 1, "pred": 2, "score": 0.5}],
            ["--expected", "score"],
            "line 1: column 'score' holds '0.5'; it must be true or 1 for correct, false, 0 or -1",
        ),
    ],
)
def test_bad_rows_are_named(tmp_path, lines, options, message, capsys):
    path = write(tmp_path / "a.jsonl", lines)
    assert main(["verify", "math", path, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path}")
    assert message in err


def test_other_bad_files(tmp_path, capsys):
    assert main(["verify", "math", str(tmp_path / "nothing.jsonl")]) == 2
    assert "No such file or directory" in capsys.readouterr().err
    (tmp_path / "a.jsonl").write_bytes(b'{"gold": "1", "pred": "\xff"}\n')
    assert main(["verify", "math", str(tmp_path / "a.jsonl")]) == 2
    assert "line 1 is not UTF-8: invalid start byte at byte 23" in capsys.readouterr().err


def test_values_of_columns():
    def text(value, source=None):
        source = source or json.dumps({"c": value})
        row = rows.Row("here", 1, json.loads(source, parse_float=rows.SourceNumber))
        return rows.Column("c", "--gold").text(row)

    assert [text(v) for v in ("x", 5, None, float("nan"), True)] == ["x", "5", "", "", "True"]
    assert text(None, '{"c": 2.50}') == "2.50"  # two decimals are what the data set says
    assert text(None, '{"c": 1E2}') == "1E2"


def test_batches_are_bounded_and_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_BATCH_ROWS", 10)
    monkeypatch.setattr(rows, "MAX_BATCH_BYTES", 500)
    lines = [{"gold": str(i), "pred": "x" * (i * 5)} for i in range(57)]
    path = write(tmp_path / "a.jsonl", lines)
    progress = Progress(Terminal(io.StringIO(), io.StringIO()), None)
    batches = list(rows.batches(path, progress))
    assert [row.columns for batch in batches for row in batch] == lines
    assert [row.line for batch in batches for row in batch] == list(range(1, 58))
    assert max(map(len, batches)) == 10
    assert len(batches[-2]) < 10
    assert progress.bytes_read == Path(path).stat().st_size


def test_a_file_longer_than_a_batch(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rows, "MAX_BATCH_ROWS", 7)
    path = write(tmp_path / "a.jsonl", [{"gold": str(i), "pred": str(i - i % 2)} for i in range(100)])
    out = tmp_path / "out.jsonl"
    assert main(["verify", "math", path, "--out", str(out), "--show", "3"]) == 0
    printed = capsys.readouterr().out
    assert "CORRECT        50  50.0%" in printed
    assert "50, the first 3 of them\nline 2:" in printed
    assert "\nline 6: " in printed
    scores = [json.loads(line)["verdict"]["score"] for line in out.read_text().splitlines()]
    assert scores == [1, 0] * 50


# ---- streams, terminals, exit status --------------------------------------------------------------------


def test_stdin_and_a_byte_order_mark():
    ended = run(
        "verify", "math", "-", stdin=b'\xef\xbb\xbf{"gold": "5", "pred": "5"}\n\n{"gold": 5, "pred": 6}'
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"2 rows" in ended.stdout


def test_an_encoding_that_lacks_a_character(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"gold": "Käse ☃ \ud800", "pred": "Brot"}])
    ended = run("verify", "math", path, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    assert b'gold "K\\xe4se \\u2603' in ended.stdout


def test_nothing_reads_the_output(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"gold": "5", "pred": "6"}] * 100)
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "grpo_rs.cli", "verify", "math", path],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize(
    "arguments", [[], ["verify"], ["verify", "math"], ["check", "math", "a", "--show", "-1"]]
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: grpo-rs" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "math", "--help"], ["check", "math", "--help"]])
def test_help_has_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "example" in text
    assert "grpo-rs" in text.partition("example")[2]


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"grpo-rs {g.__version__}\n"


def test_the_command_is_declared():
    path = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"grpo-rs": "grpo_rs.cli:main"}


def test_the_command_needs_numpy_alone():
    code = """
import sys, numpy
before = set(sys.modules)
import grpo_rs.cli
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"numpy"}))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "['grpo_rs']\n"


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_progress_is_drawn_on_a_terminal_and_wiped(monkeypatch):
    monkeypatch.setattr("grpo_rs.cli.terminal.REDRAW_S", 0.0)
    screen = Screen()
    with Progress(Terminal(io.StringIO(), screen), 100) as progress:
        progress.bytes_read = 50
        progress.advance(3)
    assert f"[{'#' * 12}{'.' * 12}]  50%  3 rows, " in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")
    screen = Screen()
    with Progress(Terminal(io.StringIO(), screen), None) as progress:
        progress.advance(3)
    assert "%" not in screen.getvalue()
    assert "3 rows, " in screen.getvalue()


def test_colours_on_a_terminal_only_and_never_under_no_color(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def head(stream):
        Terminal(stream, stream).table(("a", "b"), [("c", "1")])
        return stream.getvalue().splitlines()[0]

    assert head(Screen()) == "\x1b[1ma  b\x1b[0m"
    assert head(io.StringIO()) == "a  b"
    monkeypatch.setenv("NO_COLOR", "1")
    assert head(Screen()) == "a  b"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert head(Screen()) == "a  b"


def test_what_a_model_wrote_cannot_move_the_cursor():
    assert shown("a\x1b[2J\nb\u202ec\r") == "a [2J b c "
    assert len(shown("x" * 1000)) == 120
    assert shown("x" * 120) == "x" * 120


def test_percent_is_whole_only_if_all_is():
    assert [percent(*p) for p in ((0, 0), (1, 3), (9999, 10_000), (3, 3))] == [
        "0.0%",
        "33.3%",
        "99.9%",
        "100.0%",
    ]


# ---- check ----------------------------------------------------------------------------------------------


@reads_boxed_sentences
def test_good_golds_pass(tmp_path, capsys):
    golds = [
        "72",
        "-5",
        "1/2",
        r"\frac{3}{4}",
        "0",
        "1,250",
        "48/2=24\n#### 72",
        r"so \boxed{2.50}",
        "Paris",
        "$18",
    ]
    path = write(tmp_path / "a.jsonl", [{"answer": gold} for gold in golds])
    assert main(["check", "math", path]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.endswith("\nEvery gold passed\n")


def test_unreadable_golds_are_listed_and_fail(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl", [{"q": "5"}, {"q": ""}, {"q": "1e999999"}, {"q": "no\nmark"}])
    assert main(["check", "math", path, "--gold", "q", "--show", "2"]) == 1
    out = capsys.readouterr().out
    assert "4 golds from column 'q'" in out
    listed = out.partition("Golds that cannot be read: 3 (2 listed)\n")[2].splitlines()
    assert listed[:4] == [
        'line 2: ""',
        "  not scorable: the gold is empty",
        'line 3: "1e999999"',
        "  not scorable: the gold is too large to compare",
    ]
    assert out.endswith("\nThe check failed\n")


def test_a_gold_that_accepts_a_neighbour_fails(tmp_path, capsys, monkeypatch):
    """By a neighbour that is none."""
    monkeypatch.setattr(neighbours, "different", lambda answer, policy: [("doubled", f"{answer}/1")])
    monkeypatch.setattr(neighbours, "same", lambda answer: [("halved", "1")])
    path = write(tmp_path / "a.jsonl", [{"gold": "#### 2"}])
    assert main(["check", "math", path]) == 1
    out = capsys.readouterr().out
    assert "must accept  golds  refused\nitself           1        0\nhalved           1        1\n" in out
    assert "must refuse  golds  accepted\ndoubled          1         1\n" in out
    assert "Predictions misjudged: 2 (2 listed)\n" in out
    assert 'line 1: "#### 2" must accept 1 (halved)\n  found "1"' in out
    assert 'line 1: "#### 2" must refuse 2/1 (doubled)\n  found "2/1"' in out


def test_one_form_that_fails_everywhere_does_not_hide_the_others(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(neighbours, "different", lambda answer, policy: [("equal", answer)])
    monkeypatch.setattr(neighbours, "same", lambda answer: [("other", "1")] if answer == "9" else [])
    path = write(tmp_path / "a.jsonl", [{"gold": str(i)} for i in range(10)])
    assert main(["check", "math", path]) == 1
    out = capsys.readouterr().out
    assert "Predictions misjudged: 11 (3 listed)" in out
    assert "must accept 1 (other)" in out


def test_no_simple_gold_accepts_a_neighbour(tmp_path, capsys):
    golds = [
        *map(str, range(-30, 130)),
        "0.5",
        "3.14159",
        "1,000",
        "3/4",
        r"\frac{97}{3}",
        r"50\%",
        "x = 5",
        "Paris",
    ]
    path = write(tmp_path / "a.jsonl", [{"answer": gold} for gold in golds])
    main(["check", "math", path])
    refused = capsys.readouterr().out.partition("must refuse")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(refused) == 14
    assert all(line.endswith(" 0") for line in refused), refused


# ---- neighbours -----------------------------------------------------------------------------------------


def changed(answer, policy=g.MathPolicy()):
    return dict(neighbours.different(answer, policy))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("72", {"one more": "73", "a digit changed": "73", "a digit dropped": "2", "sign flipped": "-72"}),
        ("-9", {"one more": "-10", "a digit changed": "-0", "sign flipped": "9"}),
        ("0", {"one more": "1", "a digit changed": "1"}),  # -0 is 0
        ("0.5", {"one more": "1.5", "a digit changed": "0.6", "sign flipped": "-0.5"}),  # .5 is 0.5
        (
            "1,250",
            {
                "one more": "1251",
                "a digit changed": "1251",
                "a digit dropped": "250",
                "sign flipped": "-1250",
            },
        ),
        (
            "1{,}250",
            {
                "one more": "1251",
                "a digit changed": "1251",
                "a digit dropped": "250",
                "sign flipped": "-1250",
            },
        ),
        (
            r"\frac{3}{4}",
            {"one more": r"\frac{7}{4}", "a digit changed": r"\frac{4}{4}", "sign flipped": r"-\frac{3}{4}"},
        ),
        ("-1/2", {"one more": "-3/2", "a digit changed": "-2/2", "sign flipped": "1/2"}),
        ("$18", {"one more": "19", "a digit changed": "19", "a digit dropped": "8", "sign flipped": "-18"}),
        (
            r"\$18",
            {
                "one more": r"\$19",
                "a digit changed": r"\$19",
                "a digit dropped": r"\$8",
                "sign flipped": r"\$-18",
            },
        ),
        (
            r"50\%",
            {
                "one more": r"51\%",
                "a digit changed": r"51\%",
                "a digit dropped": r"0\%",
                "sign flipped": r"-50\%",
            },
        ),
        ("x = 5", {"one more": "x = 6", "a digit changed": "x = 6", "sign flipped": "x = -5"}),
        ("1/0", {}),
        ("Paris", {}),
        (r"2\sqrt{3}", {}),
    ],
)
def test_neighbours_of_numbers(answer, expected):
    names = {"one more", "a digit changed", "a digit dropped", "sign flipped"}
    found = {name: text for name, text in changed(answer).items() if name in names}
    assert found == {name: f"\\boxed{{{text}}}" for name, text in expected.items()}


def test_neighbours_are_never_the_number():
    for number in [*range(0, 1200, 7), *(f"{n}.{n % 60:02}" for n in range(100))]:
        for name in ("one more", "a digit changed", "a digit dropped", "sign flipped"):
            text = changed(str(number)).get(name, r"\boxed{-1}").removeprefix(r"\boxed{").removesuffix("}")
            assert Decimal(text) != Decimal(str(number)), (number, name)


def test_a_second_value_is_never_one_of_the_golds():
    assert changed("5")["gold, 97"] == r"\boxed{5, 97}"
    assert changed("97")["gold or 97"] == r"\boxed{97 \text{ or } 89}"
    for open_ended in (
        "1, 2, 3, \\ldots",
        "x > 2",
        "(0, 100)",
        "[0,\\infty)",
        "\\mathbb{R}",
        "all real numbers",
        "x \\ge 3",
    ):
        assert not changed(open_ended).keys() & {"gold, 97", "97, gold", "gold or 97"}, open_ended
    assert "gold, 97" in changed(r"\{1, 2\}")
    assert "not gold" not in changed(r"x \neq 5")
    # Such a chain is 5 by declaration.
    assert "97 = gold" in changed("5")
    assert "97 = gold" not in changed("5", g.MathPolicy.math_verify())


def test_other_words_for_a_gold():
    assert dict(neighbours.same("5")) == {
        "in a box": r"\boxed{5}",
        "between $ signs": "$5$",
        "in a sentence": "The answer is $5$.",
        "in a boxed sentence": r"\boxed{\text{The answer is }5}",
    }
    assert dict(neighbours.same("New York"))["between $ signs"] == r"$\text{New York}$"
    assert dict(neighbours.same("$18"))["between $ signs"] == r"$\$18$"
    assert dict(neighbours.same(r"$\frac12$"))["between $ signs"] == r"$\frac12$"
