"""Rewards of the steps of a completion: the protocol, and where a step ends among the tokens."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeGuard, cast

import numpy as np

from grpo_rs.advantages import StepRewards
from grpo_rs.arrays import IntArray
from grpo_rs.batch import Tokens
from grpo_rs.errors import InputError
from grpo_rs.rewards.base import Completions
from grpo_rs.rewards.combine import load_function

# What decoders put for bytes that are no character, such as a part of one.
UNDECODABLE = "\ufffd"

# Where a step ends, in characters of the completion, and its reward.
Step = tuple[int, float | None]


class ProcessReward(Protocol):
    """Scores the steps of a whole batch at once, and must not depend on its order."""

    def __call__(self, completions: Completions, /) -> Sequence[Sequence[Step] | None]:
        """The steps of each text, at least one, in their order; None where a text cannot be scored.

        A step is (end, reward). `end` counts the characters of the text up to and including the step; ends
        ascend, from 1 to the length of the text (an empty text has the one step that ends at 0). A reward is
        None or NaN where this step cannot be scored. Text behind the last step has no part in any.
        """
        ...


def load_process_reward(path: str) -> ProcessReward:
    """Imports a reward of steps by "module:function".

    Raises:
        InputError: as `load_reward`.
    """
    return cast(ProcessReward, load_function(path))


def step_rewards(
    name: str,
    reward: ProcessReward,
    completions: Completions,
    tokens: Tokens,
    decode: Callable[[Tokens], Sequence[str]],
) -> StepRewards:
    """Scores the steps of a batch, and finds the tokens at which they end.

    A step ends with the first token that completes its text; one that ends where the text does, with the
    completion's last token, so that the end of sequence has its part. Several steps may end at one token. A
    completion without a token cannot be scored.

    Args:
        name: of the reward, for messages.
        reward: the user's function.
        completions: what to score.
        tokens: of the same completions.
        decode: token ids to text, by which `completions.texts` was made.

    Raises:
        InputError: the reward returned something else than `ProcessReward` says.
    """
    returned = reward(completions)
    if not _is_list(returned) or len(returned) != len(completions):
        given = f"{len(returned)} entries" if _is_list(returned) else f"a {type(returned).__name__}"
        raise InputError(
            f"process reward {name!r} returned {given} for {len(completions)} completions: it must return "
            "one list of steps each, None where it cannot tell"
        )
    texts, scored = completions.texts, range(len(completions))
    steps = [_steps(name, row, texts[row], returned[row]) for row in scored]
    alone = _single_tokens(tokens, decode)
    ends = [
        _token_ends(tokens[row], texts[row], [end for end, _ in steps[row]], alone, decode).tolist()
        if len(steps[row]) and len(tokens[row])
        else []
        for row in scored
    ]
    rewards = [[value for _, value in steps[row]] if ends[row] else [] for row in scored]
    return StepRewards.from_rows(rewards, ends)


def _steps(name: str, row: int, text: str, returned: Sequence[Step] | None) -> list[Step]:
    """The steps of a text, checked; none where it cannot be scored."""
    if returned is None:
        return []
    where = f"process reward {name!r}, completion {row}"
    if not _is_list(returned) or not len(returned):
        raise InputError(
            f"{where}: got {returned!r}; give a list with at least one (end, reward), or None where it "
            "cannot tell"
        )
    found: list[Step] = []
    before = 0 if text else -1
    for step in returned:
        try:
            position, value = step
            end = operator.index(position)
            number = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"{where}: {step!r} is not a step (end, reward), a whole number of characters and a number"
            ) from None
        if not before < end <= len(text):
            raise InputError(
                f"{where}: a step ends at {end}, behind one that ends at {max(before, 0)}, in a text of "
                f"{len(text)} characters: ends count the characters up to and including the step, ascend, "
                "and stop at the end of the text"
            )
        if math.isinf(number):
            raise InputError(f"{where}: the reward of the step that ends at {end} is infinite: use None")
        found.append((end, number))
        before = end
    return found


def _single_tokens(tokens: Tokens, decode: Callable[[Tokens], Sequence[str]]) -> dict[int, str]:
    """The text of every token of the batch by itself."""
    ids = np.unique(tokens.flat)
    return dict(zip(ids.tolist(), decode(Tokens(ids, np.arange(len(ids) + 1))), strict=True))


def _token_ends(
    tokens: IntArray,
    text: str,
    ends: Sequence[int],
    alone: dict[int, str],
    decode: Callable[[Tokens], Sequence[str]],
) -> IntArray:
    """The token at which each step ends, from where it ends in the text.

    Tokens are read from left to right, each as the text that it adds. Where a token by itself does not read
    as the text does (a part of a character, a space that decoders leave out in front), it is decoded behind
    the token before, and together with those that follow until that agrees with the text.
    """
    covered = np.zeros(len(tokens), np.int64)
    # Characters found so far; the last tokens that gave some, from `start` up to `read`.
    found = start = read = 0
    for place, token in enumerate(tokens.tolist()):
        new = alone[token]
        if not new or UNDECODABLE in new or read < place or not text.startswith(new, found):
            before, both = decode(Tokens.from_rows([tokens[start:read], tokens[start : place + 1]]))
            new = both[len(before) :]
        agree = _common(new, text[found : found + len(new)])
        covered[place] = found + agree
        if new and agree == len(new):
            found += agree
            start, read = read, place + 1
    covered[-1] = len(text)
    at = np.searchsorted(np.maximum.accumulate(covered), ends)
    return np.where(np.asarray(ends) == len(text), len(tokens) - 1, at).astype(np.int64)


def _common(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginning."""
    if one == other:
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
