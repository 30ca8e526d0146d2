"""Verifying free-form maths answers, in batches on all cores, without the GIL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from grpo_rs import _core
from grpo_rs.errors import InputError
from grpo_rs.outcomes import MathOutcome

__all__ = [
    "Extract",
    "MathGold",
    "MathPolicy",
    "MathVerdict",
    "MathVerdicts",
    "unreadable_golds",
    "verify_math",
]

Extract = Literal[
    "auto", "boxed", "hash", "answer_tag", "phrase", "last_number", "whole", "bold", "math_span"
]

Percent = Literal["unit", "value", "drop"]
Units = Literal["convert", "drop", "require"]
Chain = Literal["consistent", "last"]
Order = Literal["tuples", "lists", "nowhere"]
Choice = Literal["either", "letter"]
Effort = Literal["full", "text"]
PolicyName = Literal["default", "math_verify", "string_match"]

# Rust has the values, so that the two languages cannot differ.
_PRESETS = _core.math_policies()
_DEFAULT = _PRESETS["default"]


@dataclass(frozen=True, kw_only=True)
class MathPolicy:
    r"""What counts as equal where mathematics alone does not say. docs/policy.md shows every setting.

    Attributes:
        rounding: a rounded decimal answers an exact value (or a value printed with more digits) if it is
            that value correctly rounded or truncated, and shows at least so many significant digits. None:
            never.
        percent: how a percent sign counts. "unit": `50%` equals `0.5`, and `50` if only one side has the
            sign; "value": `0.5` alone; "drop": `50` alone.
        units: how units and words after a number count. "convert": what one side leaves out is not held
            against it, and `1 m` equals `100 cm`; "drop": not at all; "require": both sides or none.
        radians: whether `30^\circ` equals `\pi/6`.
        assignment: whether `x = 5` answers `5`, and `y = 2x + 3` answers `2x + 3`.
        chain: what `a = b = c` says. "consistent": its value, if it is true; "last": the last member.
        order: where the order of several values counts. "tuples": in `(1, 2)`, not in `1, 2`; "lists": in
            both; "nowhere".
        solution_sets: whether `x < 2` equals `(-\infty, 2)`.
        base_optional: whether `2516` answers `2516_8`.
        choice: which part of `(C) 12` has to agree. "either": the letter or the content, and none that is
            stated may differ; "letter".
        ignore_case: whether `Yes` equals `yes`. Variables are never confused.
        effort: how far equality is sought. "full": through every step; "text": normalised text alone.

    Raises:
        InputError: a value is none of the above.

    Example:
        >>> verify_math(["50%"], ["50"]).scores.tolist()
        [1.0]
        >>> verify_math(["50%"], ["50"], policy=MathPolicy(percent="value")).scores.tolist()
        [0.0]
    """

    rounding: int | None = _DEFAULT["rounding"]
    percent: Percent = _DEFAULT["percent"]
    units: Units = _DEFAULT["units"]
    radians: bool = _DEFAULT["radians"]
    assignment: bool = _DEFAULT["assignment"]
    chain: Chain = _DEFAULT["chain"]
    order: Order = _DEFAULT["order"]
    solution_sets: bool = _DEFAULT["solution_sets"]
    base_optional: bool = _DEFAULT["base_optional"]
    choice: Choice = _DEFAULT["choice"]
    ignore_case: bool = _DEFAULT["ignore_case"]
    effort: Effort = _DEFAULT["effort"]

    def __post_init__(self) -> None:
        _core.check_math_policy(self)

    @classmethod
    def math_verify(cls) -> Self:
        """The choices of Math-Verify 0.9: units, degree signs and bases are dropped."""
        return cls.named("math_verify")

    @classmethod
    def string_match(cls) -> Self:
        """The choices of the string graders (Hendrycks MATH, verl): equality of normalised text."""
        return cls.named("string_match")

    @classmethod
    def named(cls, name: PolicyName) -> Self:
        """One of the ready-made policies, by its name in configurations."""
        return cls(**_PRESETS[name])


class MathGold(_core.MathGold):
    r"""A reference answer, read once and compared with many predictions.

    `verify_math` reads equal golds of one call once anyway, and keeps none: hold a `MathGold` where the
    same gold is used in many calls. It can be pickled.

    Args:
        text: the reference answer, as `verify_math` takes it.
        policy: what counts as equal.

    Example:
        >>> gold = MathGold("\\frac12")
        >>> gold.normal_form, gold.problem
        ('1/2', None)
        >>> gold.verify("The answer is 0.5").score
        1.0
        >>> verify_math(["0.5", "50%", "5"], [gold] * 3).scores.tolist()
        [1.0, 1.0, 0.0]
    """

    __slots__ = ()
    policy: MathPolicy

    def __new__(cls, text: str, *, policy: MathPolicy = MathPolicy()) -> Self:
        return super().__new__(cls, text, policy=policy)

    @property
    def problem(self) -> MathOutcome | None:
        """Why no prediction can be scored against it; None if it can be read."""
        code = self.problem_code
        return None if code is None else MathOutcome(code)

    def verify(self, prediction: str, *, extract: Extract = "auto") -> MathVerdict:
        """Judges one prediction; `verify_math` does many at a time, on all cores."""
        return verify_math([prediction], [self], extract=extract, policy=self.policy)[0]

    def __repr__(self) -> str:
        return f"MathGold({self.text!r}, policy={self.policy!r})"

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, MathPolicy]]:
        return (self.text,), {"policy": self.policy}


@dataclass(frozen=True)
class MathVerdict:
    """One verdict of a batch.

    Attributes:
        score: 1 correct, 0 incorrect, NaN not scorable (the gold cannot be read).
        outcome: how it ended.
        span: where the answer was found, in bytes of the prediction's UTF-8; None where there was none.
    """

    score: float
    outcome: MathOutcome
    span: tuple[int, int] | None
    _batch: MathVerdicts = field(repr=False, compare=False)
    _index: int = field(repr=False, compare=False)

    @property
    def answer(self) -> str | None:
        """The text that was taken for the answer."""
        return self._batch.answer(self._index)

    @property
    def normal_forms(self) -> tuple[str | None, str | None]:
        """What was compared: the answer's and the gold's normal form, None where one was not read."""
        return self._batch.normal_forms(self._index)

    def explain(self) -> str:
        """One sentence on why the prediction was judged as it was."""
        return self._batch.explain(self._index)


@dataclass(frozen=True)
class MathVerdicts:
    """The verdicts of a batch; `verdicts[i]` is one of them, with its explanation.

    Attributes:
        scores: float32, one per prediction: 1 correct, 0 incorrect, NaN not scorable (the gold cannot
            be read). From `verify_math`, the array is Rust's own memory.
        outcomes: uint8 codes of `MathOutcome`.
        spans: int64, (predictions, 2): where the answer was found, in bytes of the prediction's UTF-8;
            -1 where there was none.
    """

    scores: npt.NDArray[np.float32]
    outcomes: npt.NDArray[np.uint8]
    spans: npt.NDArray[np.int64]
    _predictions: Sequence[str] = field(repr=False)
    _golds: Sequence[str | MathGold] = field(repr=False)
    _extract: Extract = field(repr=False)
    _policy: MathPolicy = field(repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int) -> MathVerdict:
        start, end = self.spans[index].tolist()
        span = (start, end) if start >= 0 else None
        return MathVerdict(float(self.scores[index]), self.outcome(index), span, self, index)

    def __iter__(self) -> Iterator[MathVerdict]:
        return (self[index] for index in range(len(self)))

    def outcome(self, index: int) -> MathOutcome:
        """The outcome of one prediction."""
        return MathOutcome(self.outcomes[index])

    def answer(self, index: int) -> str | None:
        """The text that was taken for the answer of one prediction; None where there was none."""
        start, end = self.spans[index].tolist()
        if start < 0:
            return None
        # Lone surrogates, which UTF-8 does not have, are counted as three bytes each.
        text = self._predictions[index].encode("utf-8", "surrogatepass")
        return text[start:end].decode("utf-8", "surrogatepass")

    def normal_forms(self, index: int) -> tuple[str | None, str | None]:
        """What was compared: the answer's and the gold's normal form, None where one was not read."""
        [forms] = _core.math_normal_forms(*self._pair(index), extract=self._extract, policy=self._policy)
        return forms

    def explain(self, index: int) -> str:
        """One sentence on why a prediction was judged as it was."""
        [sentence] = _core.explain_math(*self._pair(index), extract=self._extract, policy=self._policy)
        return sentence

    @classmethod
    def concatenate(cls, pieces: Sequence[Self]) -> Self:
        """The verdicts of several batches as those of one, in the order given.

        Raises:
            InputError: there is none, or they were judged under different policies or `extract`.
        """
        if len({(piece._extract, piece._policy) for piece in pieces}) != 1:
            raise InputError("give verdicts, at least one batch of them, of one `extract` and one policy")
        return cls(
            np.concatenate([piece.scores for piece in pieces]),
            np.concatenate([piece.outcomes for piece in pieces]),
            np.concatenate([piece.spans for piece in pieces]),
            [text for piece in pieces for text in piece._predictions],
            [gold for piece in pieces for gold in piece._golds],
            pieces[0]._extract,
            pieces[0]._policy,
        )

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """The verdicts of some predictions, in the order of `rows`, int64 [R]."""
        return replace(
            self,
            scores=self.scores[rows],
            outcomes=self.outcomes[rows],
            spans=self.spans[rows],
            _predictions=[self._predictions[row] for row in rows.tolist()],
            _golds=[self._golds[row] for row in rows.tolist()],
        )

    def explanations(self) -> list[str]:
        """The sentence of every prediction, on all cores."""
        return _core.explain_math(self._predictions, self._golds, extract=self._extract, policy=self._policy)

    def _pair(self, index: int) -> tuple[list[str], list[str | MathGold]]:
        return [self._predictions[index]], [self._golds[index]]


def verify_math(
    predictions: Sequence[str],
    golds: Sequence[str | MathGold],
    *,
    extract: Extract = "auto",
    policy: MathPolicy = MathPolicy(),
) -> MathVerdicts:
    r"""Judges each prediction against its gold.

    Nothing a model wrote raises: a malformed prediction is incorrect. The work is counted in units and
    bounded, whatever the size of a number, and the verdict is the same in any thread.

    Args:
        predictions: completions of a model.
        golds: one reference answer per prediction, bare (`72`, `1/2`, `$1,200`), boxed, or a solution
            that ends in `#### 72`; or a `MathGold`. Equal golds are read once.
        extract: where the answer is looked for. "auto": the last \boxed{}, else `####`, else
            `<answer>`, else "the answer is", else the last formula or number. A single name takes that form
            only; "whole" takes the whole text. Reasoning in `<think>` never counts.
        policy: what counts as equal where mathematics alone does not say.

    Raises:
        InputError: the two lists differ in length, `extract` is none of the above, or a `MathGold` was
            read under another policy.
        TypeError: an item is not a str.

    Example:
        >>> v = verify_math([r"so \boxed{\frac12}", "#### 0.5", "I don't know"], ["1/2", "1/2", "1/2"])
        >>> v.scores.tolist()
        [1.0, 1.0, 0.0]
        >>> v[0].answer, v[0].normal_forms
        ('\\frac12', ('1/2', '1/2'))
    """
    if len(predictions) != len(golds):
        raise InputError(
            f"{len(predictions)} predictions but {len(golds)} golds: give one gold per prediction"
        )
    scores, outcomes, spans = _core.verify_math(predictions, golds, extract=extract, policy=policy)
    return MathVerdicts(scores, outcomes, spans.reshape(-1, 2), predictions, golds, extract, policy)


def unreadable_golds(golds: Sequence[str], *, policy: MathPolicy = MathPolicy()) -> dict[int, str]:
    """The golds that no prediction could be scored against, by index, with the reason.

    Args:
        golds: reference answers, as `verify_math` takes them.
        policy: what counts as equal.

    Example:
        >>> list(unreadable_golds(["72", "", "1e999999"]))
        [1, 2]
    """
    verdicts = verify_math(["0"] * len(golds), golds, extract="whole", policy=policy)
    return {int(i): verdicts.explain(int(i)) for i in np.flatnonzero(np.isnan(verdicts.scores))}
