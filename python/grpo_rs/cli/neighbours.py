"""What a gold must accept, written in other ways, and what it must refuse, made from it by construction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from grpo_rs.math import MathPolicy

# An integer, a decimal or a fraction of integers, perhaps of a variable, with a currency or percent sign.
LITERAL = re.compile(
    r"""
    (?P<head> (?:[a-zA-Z]\s*=\s*)? (?:\\?\$)?) (?P<sign>-?)
    (?: (?P<number> \d{1,3}(?:(?:,|\{,\})\d{3})+(?:\.\d+)? | \d+(?:\.\d+)? | \.\d+ )
      | (?P<open>\\[dt]?frac\{) (?P<above>\d+) (?P<bar>\}\{) (?P<below>\d+) (?P<close>\})
      | (?P<left>\d+) (?P<slash>\s*/\s*) (?P<right>\d+) )
    (?P<tail> \s*\\?% | \^\{?\\circ\}? )?
    """,
    re.VERBOSE | re.ASCII,
)
WORDS = re.compile(r"[A-Za-z][A-Za-z' -]*[A-Za-z]")
# Another value beside these may be one of theirs already, or belong to their set.
OPEN_ENDED = re.compile(
    r"[<>≤≥≠∞ℝℤℚℕ∪…]|\.\.\.|\\(?:[cl]?dots|infty|mathbb|[lg]eq?|[lg]eqslant|[lg]t|neq?|in|cup|setminus|pm|mp)\b"
    r"|[(\[].*,.*[)\]]|\b(?:all|any|every|real|reals|integers?|infinite(?:ly)?|numbers?)\b"
)
DENIED = re.compile(r"≠|\\neq?\b|\bnot\b")


@dataclass(frozen=True)
class _Literal:
    """A number as it is written: what stands before its digits, the digits, and what follows.

    Attributes:
        step: what added to the digits adds 1 to the value: 1, or the denominator.
    """

    head: str
    sign: str
    before: str
    digits: str
    after: str
    step: int

    def written(self, digits: str, sign: str | None = None) -> str:
        """The same with other digits or another sign."""
        return f"{self.head}{self.sign if sign is None else sign}{self.before}{digits}{self.after}"


def same(answer: str) -> Iterator[tuple[str, str]]:
    """Predictions that give this answer, each with the name of its form."""
    line = " ".join(answer.split())
    if line.startswith("$") and line.endswith("$") and line.count("$") == 2:
        line = line[1:-1]
    is_words = WORDS.fullmatch(line) is not None
    formula = f"\\text{{{line}}}" if is_words else re.sub(r"(?<!\\)\$", r"\\$", line)
    yield "in a box", f"\\boxed{{{answer}}}"
    yield "between $ signs", f"${formula}$"
    yield "in a sentence", f"The answer is {line if is_words else f'${formula}$'}."
    yield "in a boxed sentence", f"\\boxed{{\\text{{The answer is }}{formula}}}"


def different(answer: str, policy: MathPolicy) -> Iterator[tuple[str, str]]:
    r"""Predictions that do not give this answer, each with the name of what was done to it.

    What may be equal after all is left out: -0, `1, 2, \ldots, 97`, and with chains that are read at their
    last member, `97 = gold`.
    """
    other = next(number for number in ("97", "89", "83", "79") if number not in answer or number == "79")
    literal = _literal(answer)
    if literal is not None:
        for name, changed in _other_numbers(literal):
            yield name, f"\\boxed{{{changed}}}"
    if not OPEN_ENDED.search(answer):
        yield "gold, 97", f"\\boxed{{{answer}, {other}}}"
        yield "97, gold", f"\\boxed{{{other}, {answer}}}"
        yield "gold or 97", f"\\boxed{{{answer} \\text{{ or }} {other}}}"
    if policy.chain != "last":
        yield "97 = gold", f"\\boxed{{{other} = {answer}}}"
    yield "gold = 97", f"\\boxed{{{answer} = {other}}}"
    if not DENIED.search(answer):
        yield "not gold", f"\\boxed{{\\neq {answer}}}"
    yield "gold is wrong", f"\\boxed{{{answer} \\text{{ is wrong}}}}"
    yield "a later box", f"\\boxed{{{answer}}}, no: \\boxed{{{other}}}"
    yield "in reasoning only", f"<think>\\boxed{{{answer}}}</think> I am not sure."


def _other_numbers(literal: _Literal) -> Iterator[tuple[str, str]]:
    digits = literal.digits
    value = Decimal(digits)
    last = (int(digits[-1]) + 1) % 10
    changed = [
        ("one more", literal.written(format(value + literal.step, "f"))),
        ("a digit changed", literal.written(f"{digits[:-1]}{last}")),
    ]
    dropped = digits[1:]
    if dropped.strip(".") and Decimal(dropped) != value:
        changed.append(("a digit dropped", literal.written(dropped)))
    if value:
        changed.append(("sign flipped", literal.written(digits, "" if literal.sign else "-")))
    if not literal.after:
        changed.append(("a little more", f"{literal.written(digits)} + 0.0000001"))
    yield from changed


def _literal(answer: str) -> _Literal | None:
    match = LITERAL.fullmatch(answer.strip().strip("$"))
    if match is None:
        return None
    part = {name: text or "" for name, text in match.groupdict().items()}
    denominator = part["below"] or part["right"]
    if denominator and int(denominator) == 0:
        return None
    return _Literal(
        head=part["head"],
        sign=part["sign"],
        before=part["open"],
        digits=re.sub(r"[,{}]", "", part["number"] or part["above"] or part["left"]),
        after=part["bar"] + part["slash"] + denominator + part["close"] + part["tail"],
        step=int(denominator or 1),
    )
