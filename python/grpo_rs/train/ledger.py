"""The waste ledger: what became of every token that was sampled, and of the time that it took."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from grpo_rs.arrays import IntArray

FateArray = npt.NDArray[np.uint8]


class Fate(IntEnum):
    """What became of a completion. Where several apply, the one that stands last."""

    TRAINED = 0
    """It counted in the update."""
    TRUNCATED = 1
    """Cut off at the length limit, and `algo.overlong_filter` took its loss away."""
    FILTERED = 2
    """Not in the subset of its group, or in a live group beyond the size of the step."""
    DEAD = 3
    """Its group has no learning signal, whether it was dropped or kept with advantage 0."""
    UNSCORED = 4
    """It has no reward."""
    STALE = 5
    """Drawn by weights that are too old."""


WASTED = tuple(fate for fate in Fate if fate is not Fate.TRAINED)


def count_tokens(fates: FateArray, lengths: IntArray) -> dict[str, int]:
    """Tokens by the name of their fate.

    Args:
        fates: one per completion.
        lengths: int64, tokens of each.
    """
    sums = np.bincount(fates, lengths, minlength=len(Fate)).astype(np.int64)
    return {fate.name.lower(): int(sums[fate]) for fate in Fate}


def ledger(tokens: dict[str, int], *, baseline: int, seconds: float) -> dict[str, float]:
    """The ledger of a step; the formulas are in `log.METRICS`.

    Args:
        tokens: from `count_tokens`, at least one.
        baseline: tokens of greedy completions that only serve as a baseline.
        seconds: that sampling took, but for these.
    """
    sampled = sum(tokens.values())
    total = sampled + baseline
    wasted = {fate.name.lower(): tokens[fate.name.lower()] for fate in WASTED}
    return {
        "tokens/generated": total,
        **{f"tokens/{name}": count for name, count in tokens.items()},
        "tokens/baseline": baseline,
        "waste/tokens": sum(wasted.values()) / total,
        **{f"waste/{name}": count / total for name, count in wasted.items()},
        "time/sampling": seconds,
        "time/wasted": seconds * sum(wasted.values()) / sampled,
        **{f"time/wasted_{name}": seconds * count / sampled for name, count in wasted.items()},
    }


def padding(trained: Mapping[str, float], *, seconds: float) -> dict[str, float]:
    """What padding took of an update; nothing where nothing was trained on.

    Args:
        trained: metrics of the update.
        seconds: that it took.
    """
    if not trained["train/tokens"]:
        return {}
    share = trained["train/padding_tokens"] / trained["train/forward_tokens"]
    return {"waste/padding": share, "time/wasted_padding": seconds * share}
