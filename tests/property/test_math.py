"""Laws of `verify_math` on generated answers, with `fractions.Fraction` as the oracle."""

from fractions import Fraction

import grpo_rs as g
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

EXTRACTS = ["auto", "boxed", "hash", "answer_tag", "phrase", "last_number", "whole"]

rationals = st.one_of(
    st.integers(-20, 20).map(Fraction),
    st.integers(-(10**60), 10**60).map(Fraction),
    st.fractions(-1000, 1000, max_denominator=1000),
    st.builds(lambda n, k: Fraction(n, 10**k), st.integers(-(10**9), 10**9), st.integers(0, 12)),
)


def decimal(value):
    """The exact decimal expansion, or None if there is none."""
    places = next((k for k in range(40) if (value * 10**k).denominator == 1), None)
    if places is None:
        return None
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")


@st.composite
def rendered(draw, value):
    """One of the many ways to write a number."""
    sign, size = ("-" if value < 0 else ""), abs(value)
    n, d = size.numerator, size.denominator
    k = draw(st.integers(1, 9))
    forms = [
        f"{sign}{n}/{d}",
        f"{sign}{n * k}/{d * k}",
        f"{sign}{n} / {d}",
        f"{sign}\\frac{{{n}}}{{{d}}}",
        f"{sign}\\dfrac{{{n * k}}}{{{d * k}}}",
        f"\\frac{{{sign}{n}}}{{{d}}}",
        f"\\frac {{{n}}} {{{sign}{d}}}",
        f"\\left({sign}\\tfrac{{{n}}}{{{d}}}\\right)",
    ]
    if n < 10 and d < 10:
        forms.append(f"{sign}\\frac{n}{d}" if d > 1 else f"{sign}\\frac{{{n}}}{d}")
    if size > 1 and d > 1:
        whole, rest = divmod(n, d)
        forms += [f"{sign}{whole}\\frac{{{rest}}}{{{d}}}", f"{sign}{whole} {rest}/{d}"]
    if d == 1:
        forms += [
            f"{sign}{n}",
            f"{sign}{n:,}",
            f"{sign}{n:,}".replace(",", "{,}"),
            f"{sign}{n}.",
            f"{sign}${n}",
        ]
        forms.append(f"{sign}{n:,}".replace(",", "\\,"))
    text = decimal(value)
    if text is not None:
        point = "" if "." in text else "."
        shift = draw(st.integers(-8, 8))
        mantissa = decimal(value / Fraction(10) ** shift)
        forms += [
            text,
            text + point + "0" * k,
            "+" + text if value >= 0 else text.replace("-", "−"),
            f"{mantissa}e{shift}",
            f"{mantissa} \\times 10^{{{shift}}}",
            f"{mantissa} \\cdot 10^{{{shift}}}",
            f"{text} dollars",
            f"x = {text}",
            f"\\text{{{text}}}",
            f"**{text}**",
        ]
    return draw(st.sampled_from(forms))


WRAPPERS = [
    "{}",
    " {}\n",
    "${}$",
    "\\({}\\)",
    "$$ {} $$",
]
REPLIES = [
    "We try 17 first. So $\\boxed{{{}}}$.",
    "<think>\\boxed{{17}} or 18?</think> \\boxed{{ {} }} and done, in 3 steps",
    "3 * 4 = 12\n#### {}",
    "It takes 12 steps: <answer>{}</answer>",
    "In 12 steps, **the answer is {}**",
]


@given(st.data(), rationals)
def test_a_number_equals_itself_however_it_is_written(data, value):
    gold, prediction = data.draw(rendered(value)), data.draw(rendered(value))
    wrapped = data.draw(st.sampled_from(WRAPPERS)).format(prediction)
    verdicts = g.verify_math([wrapped], [gold], extract="whole")
    assert verdicts.outcome(0) is g.MathOutcome.CORRECT, (wrapped, gold, verdicts.explain(0))


@given(st.data(), rationals, rationals)
def test_different_numbers_are_different(data, value, other):
    assume(value != other)
    gold, prediction = data.draw(rendered(value)), data.draw(rendered(other))
    exact = g.MathPolicy(rounding=None)
    verdicts = g.verify_math([prediction], [gold], extract="whole", policy=exact)
    assert verdicts.outcome(0) is g.MathOutcome.WRONG_VALUE, (prediction, gold, verdicts.explain(0))


@given(st.data(), rationals)
def test_neighbours_are_different_however_close(data, value):
    """No tolerance: a last digit more or less is another number, where no side may be a rounding."""
    exact = g.MathPolicy(rounding=None)
    gold = data.draw(rendered(value))
    tiny = Fraction(1, 10 ** data.draw(st.integers(1, 50)))
    prediction = data.draw(rendered(value + data.draw(st.sampled_from([tiny, -tiny]))))
    assert g.verify_math([prediction], [gold], extract="whole", policy=exact).scores[0] == 0.0


@given(st.data(), rationals)
def test_the_answer_is_found_in_a_reply(data, value):
    gold, prediction = data.draw(rendered(value)), data.draw(rendered(value))
    reply = data.draw(st.sampled_from(REPLIES)).format(prediction)
    verdicts = g.verify_math([reply, reply], [gold, "173"])
    assert verdicts.scores[0] == 1.0, (reply, gold, verdicts.explain(0))
    assert verdicts.scores[1] == float(value == 173)


@given(st.data(), st.integers(-(10**6), 10**6).map(lambda n: Fraction(n, 100)))
def test_percent(data, value):
    """A percent sign divides by a hundred, or is a mere unit where the gold has none; nothing else."""
    percent = decimal(value) + data.draw(st.sampled_from(["%", "\\%", " percent"]))
    other = data.draw(st.fractions(-100, 100, max_denominator=50))
    meant = data.draw(st.sampled_from([value, value / 100, value * 100, other]))
    gold, equals = data.draw(rendered(meant)), meant in (value, value / 100)
    assume("dollars" not in gold)  # a share is no sum of money
    assert g.verify_math([percent], [gold], extract="whole").scores[0] == float(equals), (percent, gold)


# ---- any text at all ------------------------------------------------------------------------------------

FRAGMENTS = [
    *("\\boxed{", "\\boxed ", "\\fbox{", "}", "{", "####", "<answer>", "</answer>", "<think>", "</think>"),
    *(
        "the answer is ",
        "Answer:",
        "\\frac",
        "\\frac12",
        "\\text{",
        "$",
        "$$",
        "\\(",
        "\\)",
        "**",
        "%",
        "=",
        ",",
    ),
    *(
        "1",
        "42",
        "-",
        "−",
        ".",
        "1,234",
        "1e9",
        "10^{",
        "½",
        "°",
        " or ",
        " and ",
        " is wrong",
        "x",
        "\n",
        " ",
    ),
    *(
        "5 cm",
        "million",
        "\\",
        "\\%",
        "\\neq",
        "é",
        "是",
        "。",
        "\u200b",
        "\x00",
        "\ud800",
        "🍎",
        "/",
        "^",
        "_",
    ),
]
soup = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
# Lone surrogates, too: tokenizers make them.
any_text = st.one_of(st.text(st.characters(), max_size=40), soup)
pairs = st.lists(st.tuples(any_text, any_text), max_size=8)

WITHOUT_SPAN = {"NO_ANSWER", "REASONING_UNFINISHED", "GOLD_EMPTY", "GOLD_UNREADABLE", "GOLD_OVER_BUDGET"}


@given(pairs, st.sampled_from(EXTRACTS))
def test_any_text_gets_a_verdict(pairs, extract):
    predictions, golds = [p for p, _ in pairs], [gold for _, gold in pairs]
    verdicts = g.verify_math(predictions, golds, extract=extract)
    assert len(verdicts) == len(pairs)
    for i, prediction in enumerate(predictions):
        outcome, score, (start, end) = verdicts.outcome(i), verdicts.scores[i], verdicts.spans[i]
        if outcome.is_scorable:
            assert score == float(outcome is g.MathOutcome.CORRECT)
        else:
            assert np.isnan(score)
        explanation = verdicts.explain(i)
        assert explanation
        assert "\n" not in explanation
        if outcome.name in WITHOUT_SPAN:
            assert (start, end) == (-1, -1)
        else:
            data = prediction.encode("utf-8", "surrogatepass")
            assert 0 <= start <= end <= len(data)
            data[start:end].decode("utf-8", "surrogatepass")  # on character boundaries
            assert 'found "' in explanation


@given(pairs, st.sampled_from(EXTRACTS), st.randoms(use_true_random=False))
def test_a_batch_is_its_rows_in_any_order(pairs, extract, random):
    def verify(rows):
        verdicts = g.verify_math([p for p, _ in rows], [gold for _, gold in rows], extract=extract)
        return list(zip(verdicts.outcomes.tolist(), verdicts.spans.tolist(), strict=True))

    batch = verify(pairs)
    assert batch == [verify([pair])[0] for pair in pairs]
    order = random.sample(range(len(pairs)), len(pairs))
    assert verify([pairs[i] for i in order]) == [batch[i] for i in order]


@given(any_text)
def test_a_readable_gold_is_its_own_answer(text):
    # The marks say where in a gold the answer is, and "whole" takes the marks along.
    assume(not any(mark in text.lower() for mark in ("####", "\\boxed", "\\fbox", "think>", "answer")))
    verdicts = g.verify_math([text], [text], extract="whole")
    assert verdicts.outcome(0) is g.MathOutcome.CORRECT or not verdicts.outcome(0).is_scorable, (
        verdicts.explain(0)
    )


@given(any_text, st.lists(any_text, max_size=5))
def test_whether_a_gold_can_be_scored_depends_on_the_gold_alone(gold, predictions):
    unreadable = bool(g.unreadable_golds([gold]))
    for extract in EXTRACTS:
        verdicts = g.verify_math(predictions, [gold] * len(predictions), extract=extract)
        assert (np.isnan(verdicts.scores) == unreadable).all()


@given(soup, soup, st.sampled_from(["boxed", "hash", "answer_tag"]))
def test_the_format_reward_never_pays_where_there_is_no_answer(before, after, style):
    """A format that pays and a verifier that finds nothing would teach the form without the content."""
    texts = [before + after, before + "\\boxed{5}" + after, before + "\n#### 5\n" + after]
    batch = g.rewards.Completions(texts=texts, golds=["5"] * len(texts))
    scores = g.rewards.FormatReward(style)(batch)
    found = g.verify_math(texts, ["5"] * len(texts), extract=style).spans
    for score, (start, end) in zip(scores, found, strict=True):
        assert score in (0.0, 1.0)
        assert score == 0.0 or start < end


@pytest.mark.parametrize("extract", EXTRACTS)
def test_the_strategies_listed_here_are_all(extract):
    g.verify_math([""], [""], extract=extract)
    with pytest.raises(g.InputError, match=", ".join(EXTRACTS)):
        g.verify_math([""], [""], extract="")
