"""Cutting a step into micro-batches, and work into even parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from grpo_rs import _core
from grpo_rs.arrays import FloatArray, IntArray, floats, integers


def pack_rows(lengths: Sequence[int] | IntArray, budget: int) -> list[IntArray]:
    """Cuts rows into padded micro-batches of at most `budget` tokens (rows times the longest row).

    Args:
        lengths: tokens of each row; rows of length 0 are left out.
        budget: the most tokens a micro-batch may hold, padding included.

    Returns:
        Row indices of each micro-batch, longest rows first.

    Raises:
        InputError: a single row is over the budget, or a length is negative or not whole.

    Example:
        >>> [bin.tolist() for bin in pack_rows([3, 9, 4, 10], budget=20)]
        [[3, 1], [2, 0]]
    """
    return _core.pack_rows(integers("lengths", lengths), budget)


def cut_micro_batches(
    tokens: Sequence[int] | IntArray, costs: Sequence[float] | FloatArray, capacity: int
) -> list[IntArray]:
    """Cuts items (groups, or parts of them) into packed micro-batches: few first, then even in cost.

    The number of micro-batches is the least that first-fit, best-fit or differencing finds under the
    capacity; then items are moved between them until the costliest can no longer be made cheaper by a move
    or a swap. The same input gives the same cut.

    Args:
        tokens: of each item; items without a token are left out.
        costs: of each item, at least 0, such as `attention_cost`.
        capacity: the most tokens a micro-batch may hold.

    Returns:
        Item indices of each micro-batch, ascending; micro-batches in the order of their first item.

    Raises:
        InputError: an item alone is over the capacity, lengths differ, or a cost is negative or not finite.

    Example:
        >>> [bin.tolist() for bin in cut_micro_batches([6, 5, 4, 3], [36, 25, 16, 9], capacity=10)]
        [[0, 3], [1, 2]]
    """
    return _core.cut_micro_batches(integers("tokens", tokens), floats("costs", costs), capacity)


def attention_cost(
    lengths: Sequence[int] | IntArray, *, linear: float = 1.0, square: float = 0.0
) -> FloatArray:
    """Cost of sequences, linear * L + square * L^2: float64, one per sequence.

    For a transformer of hidden size h, square / linear is about 1 / (6 h): the score matrix costs as much as
    the weights once a sequence has some 6 h tokens.

    Args:
        lengths: tokens of each sequence.
        linear: cost of a token in the layers' weights.
        square: cost of a pair of tokens in attention.

    Example:
        >>> attention_cost([2, 10], linear=1.0, square=0.1).tolist()
        [2.4, 20.0]
    """
    length: FloatArray = integers("lengths", lengths).astype(np.float64)
    return linear * length + square * length * length


def fit_decreasing(
    sizes: Sequence[int] | IntArray, capacity: int, *, fit: Literal["first", "best"] = "best"
) -> list[IntArray]:
    """Packs items into bins of one capacity, largest first.

    Args:
        sizes: of each item; items of size 0 are left out.
        capacity: of a bin.
        fit: the open bin that takes an item: "first" that has room, or the "best", which has least to spare.

    Returns:
        Item indices of each bin, in the order of packing.

    Raises:
        InputError: an item alone is over the capacity, or a size is negative or not whole.

    Source:
        Johnson (1973): at most 11/9 of the least number of bins, and a constant.

    Example:
        >>> [bin.tolist() for bin in fit_decreasing([5, 7, 3, 5], 10)]
        [[1, 2], [0, 3]]
    """
    return _core.fit_decreasing(integers("sizes", sizes), capacity, fit=fit)


def balanced_partition(
    costs: Sequence[float] | FloatArray, parts: int, *, equal_size: bool = False
) -> list[IntArray]:
    """Cuts items into parts of nearly equal cost, as for the ranks of a step.

    Args:
        costs: of each item, at least 0.
        parts: how many, at most as many as there are items.
        equal_size: the parts' numbers of items differ by at most 1.

    Returns:
        Item indices of each part, ascending; the costliest part first.

    Raises:
        InputError: there are fewer items than parts, or a cost is negative or not finite.

    Source:
        Karmarkar and Karp, "The differencing method of set partitioning" (1982).

    Example:
        >>> [part.tolist() for part in balanced_partition([8.0, 7.0, 6.0, 5.0, 4.0], 2)]
        [[1, 3, 4], [0, 2]]
    """
    return _core.balanced_partition(floats("costs", costs), parts, equal_size=equal_size)
