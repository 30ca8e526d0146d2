"""Several rewards as one."""

from __future__ import annotations

import importlib
import inspect
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from grpo_rs.arrays import FloatArray
from grpo_rs.errors import InputError
from grpo_rs.rewards.base import AsyncReward, Completions, Reward


@dataclass(frozen=True)
class Scored:
    """A batch's rewards.

    Attributes:
        total: float64, the weighted sum; NaN where any part could not be scored.
        parts: float64 by name, before weighting.
    """

    total: FloatArray
    parts: dict[str, FloatArray]


class WeightedSum:
    """Sums named rewards with weights.

    A completion that one of them cannot score has no total: within a group, a sum with a part missing
    would be compared with complete ones.

    Args:
        rewards: by name; those that are async can be called by a `RewardPool` alone.
        weights: by the same names; finite, any sign.

    Raises:
        InputError: names differ, there is none, or a weight is not finite.
    """

    def __init__(self, rewards: Mapping[str, Reward | AsyncReward], weights: Mapping[str, float]) -> None:
        if not rewards or rewards.keys() != weights.keys():
            raise InputError(
                f"rewards {sorted(rewards)} and weights {sorted(weights)} must have the same names, at "
                "least one"
            )
        for name, weight in weights.items():
            if not np.isfinite(weight):
                raise InputError(f"the weight of reward {name!r} is {weight}: it must be finite")
        self.rewards = dict(rewards)
        self.weights = dict(weights)

    def __call__(self, completions: Completions, *, known: Mapping[str, FloatArray] | None = None) -> Scored:
        """Scores a batch.

        Args:
            completions: what to score.
            known: scores computed already, by the reward's name; names that have no weight are ignored.

        Raises:
            InputError: a reward returned the wrong number of scores, or an infinite one, or is async.
        """
        known = known or {}
        return self.combine(
            {
                name: known[name]
                if name in known
                else checked_scores(name, reward(completions), len(completions))
                for name, reward in self.rewards.items()
            }
        )

    def combine(self, parts: Mapping[str, FloatArray]) -> Scored:
        """The sum of scores that are there already, of every reward, in any order of the names."""
        ordered = {name: parts[name] for name in self.rewards}
        total = np.zeros(len(next(iter(ordered.values()))))
        for name, scores in ordered.items():
            total += self.weights[name] * scores
        return Scored(total, ordered)


def load_reward(path: str) -> Reward:
    """Imports a reward function by "module:function".

    Raises:
        InputError: the path has another form, or names nothing that can be called.
    """
    return cast(Reward, load_function(path))


def load_function(path: str) -> Callable[..., Any]:
    """What `load_reward` does, for a reward of any kind."""
    module, _, name = path.partition(":")
    if not (module and name):
        raise InputError(f'reward {path!r}: write it as "module:function"')
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"reward {path!r} cannot be imported: {error}") from error
    if not callable(found):
        raise InputError(f"reward {path!r} is a {type(found).__name__}, not a function")
    return cast(Callable[..., Any], found)


def checked_scores(name: str, returned: Any, count: int) -> FloatArray:
    """What a reward returned, as float64 with NaN where it cannot tell.

    Args:
        name: of the reward, for messages.
        returned: by the function.
        count: completions that it was given.

    Raises:
        InputError: it is not one number or None for each, or a number is infinite.
    """
    try:
        scores = np.array([np.nan if score is None else score for score in returned], np.float64)
    except (TypeError, ValueError):
        if inspect.iscoroutine(returned):
            returned.close()
        raise InputError(
            f"reward {name!r} returned {reprlib.repr(returned)}: it must return a list with one number for "
            "each completion, None where it cannot tell"
        ) from None
    if scores.shape != (count,):
        raise InputError(
            f"reward {name!r} returned {scores.size} scores for {count} completions: it must "
            "return one each, None where it cannot tell"
        )
    if np.isinf(scores).any():
        raise InputError(f"reward {name!r} returned an infinite score: use None for what it cannot tell")
    return scores
