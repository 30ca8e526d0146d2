"""`verify_math`: what it returns, refuses and explains. What it decides is in tests/conformance."""

import re
import threading
import time
import typing

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import MathOutcome

REPLIES = [r"so \boxed{\frac12}", "#### 0.5", "I don't know", r"\boxed{2}"]


def test_scores_outcomes_and_spans():
    verdicts = g.verify_math(REPLIES, ["1/2"] * 4)
    assert len(verdicts) == 4
    assert verdicts.scores.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert [verdicts.outcome(i) for i in range(4)] == [
        MathOutcome.CORRECT,
        MathOutcome.CORRECT,
        MathOutcome.NO_ANSWER,
        MathOutcome.WRONG_VALUE,
    ]
    assert verdicts.spans.tolist() == [[10, 17], [5, 8], [-1, -1], [7, 8]]
    assert (verdicts.scores.dtype, verdicts.outcomes.dtype, verdicts.spans.dtype) == (
        np.float32,
        np.uint8,
        np.int64,
    )


def test_a_gold_that_cannot_be_read_is_nan_never_zero():
    verdicts = g.verify_math(["5", "5", "5"], ["", "48/2 = 24\n48+24 = 72", "1e999999999"])
    assert np.isnan(verdicts.scores).all()
    assert [verdicts.outcome(i).name for i in range(3)] == [
        "GOLD_EMPTY",
        "GOLD_UNREADABLE",
        "GOLD_OVER_BUDGET",
    ]
    assert not any(verdicts.outcome(i).is_scorable for i in range(3))


def test_spans_are_bytes_of_the_utf8():
    reply = "Über 5 Äpfel? ✓ \\boxed{7 \\text{ Äpfel}}"
    (start, end), *_ = g.verify_math([reply], ["7"]).spans
    assert reply.encode()[start:end].decode() == "7 \\text{ Äpfel}"


def test_explain_names_the_text_the_place_and_the_gold():
    verdicts = g.verify_math([*REPLIES, "5"], ["1/2"] * 4 + [""])
    assert [verdicts.explain(i) for i in range(5)] == [
        r'found "\frac12" in \boxed{}, equal to 1/2',
        'found "0.5" after "####", equal to 1/2',
        'no answer found: no \\boxed{}, no "####", no final number',
        r'found "2" in \boxed{}, which is 2, not 1/2',
        "not scorable: the gold is empty",
    ]


@pytest.mark.parametrize(
    ("extract", "answer"),
    [
        ("auto", "1"),
        ("boxed", "1"),
        ("hash", "2"),
        ("answer_tag", "3"),
        ("phrase", "4"),
        ("last_number", "5"),
    ],
)
def test_extract_chooses_the_answer(extract, answer):
    reply = "\\boxed{1}\n#### 2\n<answer>3</answer>\nThe answer is 4.\nNot 5"
    verdicts = g.verify_math([reply] * 5, ["1", "2", "3", "4", "5"], extract=extract)
    assert np.flatnonzero(verdicts.scores).tolist() == [int(answer) - 1]
    # `explain` looks in the same place.
    assert f'"{answer}"' in verdicts.explain(int(answer) - 1)


def test_extract_whole_is_the_whole_text():
    verdicts = g.verify_math([" 5\n", "it is 5"], ["5", "5"], extract="whole")
    assert verdicts.scores.tolist() == [1.0, 0.0]


def test_an_unknown_extract_is_refused_with_the_known_ones():
    with pytest.raises(g.InputError) as caught:
        g.verify_math(["5"], ["5"], extract="box")
    known = ", ".join(typing.get_args(g.Extract))
    assert str(caught.value) == f'extract is "box": it must be one of {known}'


def test_lengths_must_agree():
    with pytest.raises(g.InputError, match=r"^2 predictions but 1 golds: give one gold per prediction$"):
        g.verify_math(["5", "6"], ["5"])


@pytest.mark.parametrize(
    ("predictions", "golds", "message"),
    [
        ([5], ["5"], "expected a str, not int"),
        (["5"], [None], "expected a str, not NoneType"),
        (["5"], [b"5"], "expected a str, not bytes"),
        ("5", "5", "str"),  # one text is not a list of texts
    ],
)
def test_only_lists_of_str_are_taken(predictions, golds, message):
    with pytest.raises(TypeError, match=message):
        g.verify_math(predictions, golds)


@pytest.mark.parametrize("sequence", [list, tuple, np.array])
def test_any_sequence_of_str(sequence):
    verdicts = g.verify_math(sequence(["5", "6"]), sequence(["5", "5"]))
    assert verdicts.scores.tolist() == [1.0, 0.0]
    assert "which is 6, not 5" in verdicts.explain(1)


def test_an_empty_batch():
    verdicts = g.verify_math([], [])
    assert (len(verdicts), verdicts.spans.shape) == (0, (0, 2))
    assert g.unreadable_golds([]) == {}


def test_an_index_outside_the_batch():
    verdicts = g.verify_math(["5"], ["5"])
    with pytest.raises(IndexError):
        verdicts.outcome(1)
    with pytest.raises(IndexError):
        verdicts.explain(1)


def test_unreadable_golds_by_index_with_the_reason():
    golds = ["72", "", "Paris", "no\nmark", "1e999999", "#### 5", r"\boxed{1/2}"]
    assert g.unreadable_golds(golds) == {
        1: "not scorable: the gold is empty",
        3: "not scorable: the gold holds nothing to compare with",
        4: "not scorable: the gold is too large to compare",
    }


def test_reasoning_never_counts():
    verdicts = g.verify_math(
        ["<think>\\boxed{5}</think> so \\boxed{6}", "5 it was</think> so 6", "<think>\\boxed{5}"], ["5"] * 3
    )
    assert verdicts.scores.tolist() == [0.0, 0.0, 0.0]
    assert verdicts.outcome(2) is MathOutcome.REASONING_UNFINISHED


def test_the_same_gold_many_times_and_many_golds_in_one_batch():
    """Golds are read once each: no verdict may be compared with another row's gold."""
    golds = [str(i % 10) for i in range(1000)]
    predictions = [str(i % 7) for i in range(1000)]
    expected = [float(i % 10 == i % 7) for i in range(1000)]
    assert g.verify_math(predictions, golds).scores.tolist() == expected


@pytest.mark.parametrize(
    "attack",
    [
        "\\boxed{" * 30_000,
        "{" * 100_000,
        "<think>" * 30_000,
        "<answer>" * 30_000,
        "#" * 200_000,
        "9" * 200_000,
        "1/" * 100_000,
        "1," * 100_000,
        "1e" * 100_000,
        "\\boxed{10^{" + "9" * 9 + "}}",
        "1e-9999999999",
        "answer " * 40_000,
        "answer is " * 30_000,
        "5=" * 100_000,
        "\\frac" * 50_000,
        "$" * 200_000,
        "*" * 200_000,
        "\x00" * 100_000,
        "-" * 100_000 + "5",
        "5 or " * 50_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_replies_cost_linear_time(attack):
    begin = time.monotonic()
    verdicts = g.verify_math([attack], ["1/2"])
    verdicts.explain(0)
    # Milliseconds in truth; a quadratic pass over 200 kB would take minutes.
    assert time.monotonic() - begin < 5
    assert verdicts.scores[0] == 0.0


def test_no_wall_clock_is_involved():
    """Verdicts of a loaded machine are those of an idle one."""
    predictions = [f"\\boxed{{{'1' * n}/{'3' * n}}}" for n in range(1, 400)]
    golds = ["1/3"] * len(predictions)
    idle = g.verify_math(predictions, golds).outcomes
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            re.findall(r"\d+", "1 22 333" * 100)

    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        loaded = g.verify_math(predictions, golds).outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (idle == MathOutcome.CORRECT).all()
    assert (loaded == idle).all()
