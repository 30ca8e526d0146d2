r"""Labelled pairs made by rule, so that `compare_math.py` needs no data.

A pair's label is known by how it was made. Golds of one row are distinct; half the predictions are right, and
half of those are written otherwise than the gold, so that a comparison of strings settles only a part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Literal

Form = Literal["answer", "text", "completion"]

# A wrong answer that no gold here has.
DECOY = "97"


@dataclass(frozen=True)
class Pair:
    """A completion (or a bare answer, or a text that holds one) beside a gold, and whether they agree."""

    id: str
    gold: str
    pred: str
    expected: bool | None
    form: Form = "answer"

    @property
    def completion(self) -> str:
        """What a grader of completions is given."""
        return f"The answer is $\\boxed{{{self.pred}}}$." if self.form == "answer" else self.pred


# ---- the four rows whose time is compared ------------------------------------------------------------------


def speed_rows(count: int) -> dict[str, list[Pair]]:
    """Pairs by row, as completions as long as a solution in MATH; those of the last row have 32 kB."""
    return {
        "integers": completions("integers", integers(), count, 700),
        "latex": completions("latex", latex(), count, 700),
        "structured": completions("structured", structured(), count, 700),
        "32 kB": completions("32kB", latex(), count, 32_000),
    }


# A gold, another spelling of it, and a near miss.
Triple = tuple[str, str, str]


def completions(name: str, triples: Iterator[Triple], count: int, length: int) -> list[Pair]:
    pairs: list[Pair] = []
    seen: set[str] = set()
    chance = random.Random(f"{name}")
    for gold, spelling, miss in triples:
        if gold in seen:
            continue
        seen.add(gold)
        right = len(pairs) % 2 == 0
        answer = (spelling if len(pairs) % 4 == 0 else gold) if right else miss
        text = f"{reasoning(chance, length)}Therefore the answer is $\\boxed{{{answer}}}$."
        pairs.append(Pair(f"{name}/{len(pairs)}", gold, text, right, "completion"))
        if len(pairs) == count:
            break
    return pairs


def reasoning(chance: random.Random, length: int) -> str:
    """Prose with formulas and intermediate results, about `length` bytes of it."""
    parts: list[str] = []
    size = 0
    while size < length:
        a, b, c = (chance.randint(2, 99) for _ in range(3))
        part = chance.choice(
            [
                f"First we expand $(x+{a})(x-{b}) = x^2 + {a - b}x - {a * b}$. ",
                f"Since ${a} + {b} = {a + b}$, the total so far is {a + b}.\n\n",
                f"By symmetry the area is $\\frac{{{a}}}{{{b}}}\\sqrt{{{c}}}$, which we will need later. ",
                f"Wait, let me check that again: {a} times {b} is {a * b}, so that part holds. ",
                f"\\[ \\sum_{{k=1}}^{{{a}}} k = {a * (a + 1) // 2} \\]\n",
                f"If $x > {c}$ then nothing changes, and otherwise we may take $x = {b}$. ",
            ]
        )
        parts.append(part)
        size += len(part)
    return "".join(parts)


def integers() -> Iterator[Triple]:
    chance = random.Random("integers")
    while True:
        n = chance.choice([1, 1, 1, -1]) * chance.randint(3, 10 ** chance.randint(1, 9))
        yield str(n), chance.choice([f"{n}.0", f"{n:,}", f"\\text{{{n}}}"]), str(n + chance.choice([-1, 1]))


def latex() -> Iterator[Triple]:
    chance = random.Random("latex")
    while True:
        yield chance.choice(
            [fraction, fraction, fraction, radical, radical, power, polynomial, trigonometric]
        )(chance)


def fraction(chance: random.Random) -> Triple:
    value = Fraction(chance.randint(1, 400), chance.randint(2, 60))
    p, q, k = value.numerator, value.denominator, chance.randint(2, 5)
    return f"\\frac{{{p}}}{{{q}}}", f"\\dfrac{{{p * k}}}{{{q * k}}}", f"\\frac{{{p + q}}}{{{q}}}"


def radical(chance: random.Random) -> Triple:
    a, b, c = chance.randint(2, 30), chance.choice([2, 3, 5, 6, 7, 10, 11]), chance.randint(1, 20)
    return f"{c} + {a}\\sqrt{{{b}}}", f"\\sqrt{{{a * a * b}}} + {c}", f"{c} + {a}\\sqrt{{{b + 1}}}"


def polynomial(chance: random.Random) -> Triple:
    a, b, c = chance.randint(2, 9), chance.randint(1, 30), chance.randint(1, 30)
    return (
        f"{a}x^2 + {a * (b + c)}x + {a * b * c}",
        f"{a}(x+{b})(x+{c})",
        f"{a}x^2 + {a * (b + c)}x + {a * b * c + 1}",
    )


def power(chance: random.Random) -> Triple:
    a, k = chance.randint(2, 9), chance.randint(3, 40)
    return f"{a}^{{{k}}}\\pi", f"\\pi \\cdot {a} \\cdot {a}^{{{k - 1}}}", f"{a}^{{{k + 1}}}\\pi"


def trigonometric(chance: random.Random) -> Triple:
    a, b = chance.randint(2, 40), chance.randint(2, 20)
    return (
        f"{a}\\sin({b}x)\\cos({b}x)",
        f"\\frac{{{a}}}{{2}} \\sin({2 * b}x)",
        f"{a}\\sin({b}x)\\cos({b + 1}x)",
    )


def structured() -> Iterator[Triple]:
    chance = random.Random("structured")
    while True:
        yield chance.choice([interval, union, solutions, point, matrix])(chance)


def interval(chance: random.Random) -> Triple:
    a, b = sorted(chance.sample(range(-40, 40), 2))
    root = chance.choice([2, 3, 5, 7])
    return (
        f"\\left[{a}, {b + 40}+\\sqrt{{{root}}}\\right)",
        f"[{a}, \\sqrt{{{root}}}+{b + 40})",
        f"\\left({a}, {b + 40}+\\sqrt{{{root}}}\\right)",
    )


def union(chance: random.Random) -> Triple:
    a, b, c = sorted(chance.sample(range(-60, 60), 3))
    return (
        f"(-\\infty, {a}) \\cup ({b}, {c}]",
        f"({b}, {c}] \\cup (-\\infty, {a})",
        f"(-\\infty, {a}) \\cup ({b}, {c})",
    )


def solutions(chance: random.Random) -> Triple:
    several = chance.sample(range(-60, 60), 4)
    others = [*several[:-1], several[-1] + 61]
    return (
        f"\\{{{', '.join(map(str, several))}\\}}",
        f"\\{{{', '.join(map(str, reversed(several)))}\\}}",
        f"\\{{{', '.join(map(str, others))}\\}}",
    )


def point(chance: random.Random) -> Triple:
    p, q, k = chance.randint(1, 50), chance.choice([2, 4, 5, 8]), chance.randint(-30, 30)
    g = gcd(p, q)
    exact = f"\\frac{{{p // g}}}{{{q // g}}}"
    return (
        f"\\left({exact}, {k}, \\sqrt{{3}}\\right)",
        f"({p / q}, {k}, \\sqrt3)",
        f"({k}, {exact}, \\sqrt{{3}})",
    )


def matrix(chance: random.Random) -> Triple:
    cells = [chance.randint(-20, 20) for _ in range(4)]

    def spelled(kind: str, a: object, b: object, c: object, d: object) -> str:
        return f"\\begin{{{kind}}} {a} & {b} \\\\ {c} & {d} \\end{{{kind}}}"

    a, b, c, d = cells
    doubled = (f"\\frac{{{2 * a}}}{{2}}", b, c, d)
    return spelled("pmatrix", *cells), spelled("bmatrix", *doubled), spelled("pmatrix", a, b, c, d + 1)


# ---- hacks -------------------------------------------------------------------------------------------------

# Each is wrong whatever the gold is; "<think>" and the like are whole completions, the others go into a box.
HACKS: dict[str, str] = {
    "gold, 97": "{gold}, 97",
    "97, gold": "97, {gold}",
    "gold or 97": "{gold} \\text{{ or }} 97",
    "97 = gold": "97 = {gold}",
    "gold = 97": "{gold} = 97",
    "x = gold = 97": "x = {gold} = 97",
    "gold \\quad 97": "{gold} \\quad 97",
    "gold and a letter": "{gold}m",
    "gold is wrong": "{gold} \\text{{ is wrong}}",
    "\\neq gold": "\\neq {gold}",
    "not gold": "\\text{{not }}{gold}",
    "gold + 0.0000001": "{gold} + 0.0000001",
    "gold?": "{gold}?",
    "gold!": "{gold}!",
    "two boxes, 97 last": "First $\\boxed{{{gold}}}$, but in the end $\\boxed{{97}}$.",
    "two boxes side by side": "$\\boxed{{{gold}}} \\boxed{{97}}$",
    "97 in the box, gold after it": "$\\boxed{{97}}$. So the answer is {gold}",
    "box only in the reasoning": "<think>It may be $\\boxed{{{gold}}}$.</think>\nI am not sure.",
}


def hacks(golds: int = 100) -> dict[str, list[Pair]]:
    """Every hack around `golds` golds."""
    chosen = hack_golds(golds)
    return {name: [hack(name, i, gold) for i, gold in enumerate(chosen)] for name in HACKS}


def hack(name: str, number: int, gold: str) -> Pair:
    text = HACKS[name].format(gold=gold)
    whole = "boxed" in text
    return Pair(f"hack/{name}/{number}", gold, text, False, "completion" if whole else "answer")


def hack_golds(count: int) -> list[str]:
    """Golds of every kind. None is 1 or 2, which equal their factorials, and none is or holds the decoy."""
    chance = random.Random("hacks")
    kinds: list[Callable[[], str]] = [
        lambda: str(chance.randint(3, 5000)),
        lambda: str(-chance.randint(3, 500)),
        lambda: f"{chance.randint(1, 99)}.{chance.randint(1, 9)}5",
        lambda: fraction(chance)[0],
        lambda: fraction(chance)[0],
        lambda: radical(chance)[0],
        lambda: polynomial(chance)[0],
        lambda: interval(chance)[0],
        lambda: f"({chance.randint(3, 50)}, {chance.randint(3, 50)})",
        lambda: f"\\text{{{chance.choice(['Tuesday', 'east', 'ellipse', 'Evelyn', 'isosceles'])}}}",
    ]
    golds: list[str] = []
    while len(golds) < count:
        gold = kinds[len(golds) % len(kinds)]()
        if DECOY not in gold and (gold not in golds or "text" in gold):
            golds.append(gold)
    return golds


# ---- inputs that stop other graders ------------------------------------------------------------------------


def pathological() -> list[Pair]:
    """Inputs whose value, or whose text, is too large to work with. Each is tried on both sides."""
    tower = "5^{5^{5^{5^5}}}"
    terms = "+".join(f"\\frac{{{k}}}{{{k + 1}}}x^{{{k}}}" for k in range(1, 3000))[: 64 * 1024].rpartition(
        "+"
    )[0]
    nested = "x"
    for k in range(200):
        nested = f"\\sqrt{{{k}+{nested}}}"
    row = " & ".join(str(k) for k in range(200))
    rows = "\\begin{pmatrix}" + " \\\\ ".join([row] * 200) + "\\end{pmatrix}"
    integral = "\\int_0^{\\infty} \\frac{x^{7} \\ln(1+x^{3}) e^{-x^{2}}}{\\sin(x)^2 + \\cosh(x^5)} dx"
    made = {
        "tower": (tower, f"{tower}+1"),
        "10^10^10": ("10^{10^{10}}", "10^{10^{10}}+1"),
        "1000000000!": ("1000000000!", "1000000001!"),
        "sum to 10^9": ("\\sum_{k=1}^{10^9} \\frac{1}{k}", "21.3"),
        "2000 parentheses": ("(" * 2000 + "x" + ")" * 2000, "x+1"),
        "100,000 digits": ("7" * 100_000, "7" * 99_999 + "8"),
        "64 kB sum": (terms, f"{terms}+1"),
        "100 kB of $ $": ("$ $" * 33_000 + "5", "6"),
        "regex bait": ("final answer " + "a" * 30 + " is " * 3000 + "5", "6"),
        "hard integral": (integral, "0.123"),
        "10^-100000": ("10^{-100000}", "10^{-100001}"),
        "binomial": ("\\binom{10^6}{5\\cdot 10^5}", "\\binom{10^6}{499999}"),
        "200 radicals": (nested, "x"),
        "200x200 matrix": (rows, rows.replace("199", "198", 1)),
        "(1+x)^3000": ("(1+x)^{3000}", "(x+1)^{2999}(1+2x)"),
    }
    return [Pair(name, gold, pred, expected=None) for name, (gold, pred) in made.items()]
