"""Sums and means over each completion of tokens that lie end to end.

Shapes: T = completion tokens, end to end; N = completions.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Completions:
    """Which completion each token is of, and how long that is.

    Attributes:
        row_T: int64 (T,), each token's completion, 0..N-1.
        live_T: bool (T,), tokens that count; the others are 0 in whatever is summed.
        length_T: int64 (T,), the live tokens of each token's completion, at least 1.
    """

    row_T: Tensor
    live_T: Tensor
    length_T: Tensor

    def __init__(self, row_T: Tensor, num_completions: int, live_T: Tensor) -> None:
        self.row_T, self.live_T = row_T, live_T
        self._num_completions = num_completions
        self.length_T = self.sum_T(live_T.long()).clamp(min=1)

    def sum_T(self, x_T: Tensor) -> Tensor:
        """The sum of `x_T` over each token's completion, (T,). Differentiable."""
        sum_N = torch.zeros(self._num_completions, dtype=x_T.dtype, device=x_T.device)
        return sum_N.index_add(0, self.row_T, x_T)[self.row_T]

    def mean_T(self, x_T: Tensor) -> Tensor:
        """The mean of `x_T` over the live tokens of each token's completion, (T,). Differentiable."""
        return self.sum_T(x_T) / self.length_T

    def position_T(self) -> Tensor:
        """int64 (T,), each token's position in its completion, from 0; tokens in order."""
        index_T = torch.arange(len(self.row_T), device=self.row_T.device)
        return index_T - self._least_T(index_T)

    def first_T(self) -> Tensor:
        """Bool (T,), the first live token of each completion."""
        index_T = torch.arange(len(self.row_T), device=self.row_T.device)
        return self.live_T & (index_T == self._least_T(index_T.masked_fill(~self.live_T, len(self.row_T))))

    def _least_T(self, index_T: Tensor) -> Tensor:
        least_N = torch.full((self._num_completions,), len(self.row_T), device=self.row_T.device)
        return least_N.scatter_reduce(0, self.row_T, index_T, "amin")[self.row_T]
