"""Types of the package's numpy arrays, and the one way in which a caller's sequences become them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from grpo_rs.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Scalar = TypeVar("Scalar", bound=np.generic)


def integers(name: str, values: Sequence[int] | IntArray) -> IntArray:
    """Whole numbers in one dimension as a contiguous int64 array, without a copy where it is one."""
    array = np.asarray(values)
    # An empty list is float64 to numpy. Anything else would be cut to whole numbers without a word.
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{name} are {array.dtype}: give whole numbers")
    return _one_dimension(name, np.ascontiguousarray(array, dtype=np.int64))


def floats(name: str, values: Sequence[float | None] | npt.NDArray[np.floating]) -> FloatArray:
    """Numbers in one dimension as a contiguous float64 array, None as NaN, without a copy where it is one."""
    if not isinstance(values, np.ndarray):
        values = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return _one_dimension(name, np.ascontiguousarray(values, dtype=np.float64))


def flags(name: str, values: Sequence[bool] | BoolArray) -> BoolArray:
    """Truth values in one dimension as a contiguous array."""
    array = np.asarray(values)
    if array.size and array.dtype != np.bool_:
        raise InputError(f"{name} are {array.dtype}: give booleans")
    return _one_dimension(name, np.ascontiguousarray(array, dtype=np.bool_))


def _one_dimension(name: str, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    if array.ndim != 1:
        raise InputError(f"{name} have shape {array.shape}: give one per row, in one dimension")
    return array
