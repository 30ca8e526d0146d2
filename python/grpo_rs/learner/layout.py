"""How a step's completions are laid out for the forward pass.

Two layouts give the same log-probabilities:

- `shared_prefix`: a micro-batch is one row without padding: a group's prompt once, then its completions end
  to end, then the next group. Positions continue from the prompt in each completion, and the attention plan
  lets a completion see its prompt and itself alone.
- `padded`: one row a completion, prompt included, padded to the longest. For models whose attention does not
  take a plan.

Shapes: B = rows of the micro-batch, L = width, T = completion tokens in it, end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from grpo_rs.arrays import IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.errors import InputError
from grpo_rs.learner.attention import AttentionPlan, PackedGroup
from grpo_rs.packing import cut_micro_batches, pack_rows

PAIR_COST = 1 / 6000
"""Work of a pair of tokens in attention, over that of a token in the weights: 1 / (6 hidden sizes)."""

Layout = Literal["shared_prefix", "padded"]


@dataclass(frozen=True)
class MicroBatch:
    """The tensors of one forward pass.

    Attributes:
        input_ids_BL: int64, tokens.
        position_ids_BL: int64, each token's position in its own sequence.
        state_T: int64, where in the flattened (B * L) hidden states each completion token is predicted.
        target_T: int64, the completion tokens.
        row_T: int64, each token's row in the rollouts; the tokens of a row are together and in order.
        flat_T: int64, each token's place in the rollouts' flat completions.
        plan: who sees whom in a packed row (B = 1); None in the padded layout.
        padding_mask_BL: bool, False on padding; None in the packed layout, which has none.
    """

    input_ids_BL: Tensor
    position_ids_BL: Tensor
    state_T: Tensor
    target_T: Tensor
    row_T: Tensor
    flat_T: Tensor
    plan: AttentionPlan | None = None
    padding_mask_BL: Tensor | None = None

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        mask = self.padding_mask_BL
        return 0 if mask is None else mask.numel() - int(mask.sum())

    def to(self, device: torch.device) -> MicroBatch:
        """The same micro-batch on another device."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class _Sequence:
    """A prompt and the completions that follow it; `length` counts the tokens that are fed."""

    prompt: IntArray
    rows: list[int]
    length: int


def micro_batches(
    rollouts: Rollouts, rows: Sequence[int], *, token_budget: int, layout: Layout
) -> list[MicroBatch]:
    """Lays out the chosen rows in micro-batches of at most `token_budget` tokens, padding included.

    A group whose completions exceed the budget is cut into parts of nearly equal length, each with the
    prompt; a single completion longer than the budget gets a micro-batch to itself. Empty completions are
    left out.

    Raises:
        InputError: a prompt is empty: there is no state that predicts the first token of its completions.
    """
    parts = _cut_groups(rollouts, rows, token_budget if layout == "shared_prefix" else 0)
    alone = [[part] for part in parts if part.length > token_budget]
    fitting = [part for part in parts if part.length <= token_budget]
    lengths = [part.length for part in fitting]
    if layout == "shared_prefix":
        bins = cut_micro_batches(lengths, [_cost(rollouts, part) for part in fitting], token_budget)
    else:
        bins = pack_rows(lengths, token_budget)
    build = _shared_prefix if layout == "shared_prefix" else _padded
    return [build(rollouts, members) for members in [*alone, *([fitting[i] for i in bin] for bin in bins)]]


def _cut_groups(rollouts: Rollouts, rows: Sequence[int], budget: int) -> list[_Sequence]:
    by_group: dict[int, list[int]] = {}
    for row in rows:
        if rollouts.completions.lengths[row] > 0:
            by_group.setdefault(int(rollouts.group_ids[row]), []).append(int(row))
    # The last token of a completion is predicted but predicts nothing: it is never fed.
    fed = np.maximum(rollouts.completions.lengths - 1, 0)
    parts = []
    for group, members in by_group.items():
        prompt = rollouts.prompts[group]
        if len(prompt) == 0:
            raise InputError(f"the prompt of group {group} is empty: give it at least one token")
        lengths = [int(fed[row]) for row in members]
        for chosen in _even_parts(lengths, budget - len(prompt)):
            length = len(prompt) + sum(lengths[i] for i in chosen)
            parts.append(_Sequence(prompt, [members[i] for i in chosen], length))
    return parts


def _even_parts(lengths: list[int], budget: int) -> list[list[int]]:
    """Indices in as few parts within the budget as the longest-first rule finds, of nearly equal sums.

    Equal parts, since the largest one sets the peak of memory. An item over the budget is a part alone.
    """
    least = 1 if budget <= 0 else -(-sum(lengths) // budget)
    for count in range(max(least, 1), len(lengths)):
        parts: list[list[int]] = [[] for _ in range(count)]
        sums = [0] * count
        for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
            lightest = sums.index(min(sums))
            parts[lightest].append(index)
            sums[lightest] += lengths[index]
        if max(sums) <= budget:
            return [sorted(part) for part in parts if part]
    return [[index] for index in range(len(lengths))]


def _cost(rollouts: Rollouts, part: _Sequence) -> float:
    """The work of a part: its tokens, and the pairs of tokens that attention looks at."""
    prompt = len(part.prompt)
    fed = rollouts.completions.lengths[part.rows].astype(np.float64) - 1
    return part.length + PAIR_COST * (prompt**2 / 2 + float((fed * (prompt + fed / 2)).sum()))


class _Ragged:
    """The per-token arrays of a micro-batch while it is built, one part a completion."""

    def __init__(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts
        self.state: list[IntArray] = []
        self.target: list[IntArray] = []
        self.row: list[IntArray] = []
        self.flat: list[IntArray] = []

    def append(self, row: int, state: IntArray) -> None:
        begin, end = self.rollouts.completions.offsets[row], self.rollouts.completions.offsets[row + 1]
        self.state.append(state)
        self.target.append(self.rollouts.completions.flat[begin:end])
        self.row.append(np.full(end - begin, row, np.int64))
        self.flat.append(np.arange(begin, end, dtype=np.int64))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        state, target, row, flat = (
            torch.from_numpy(np.concatenate(parts))
            for parts in (self.state, self.target, self.row, self.flat)
        )
        return state, target, row, flat


def _shared_prefix(rollouts: Rollouts, sequences: list[_Sequence]) -> MicroBatch:
    ids: list[IntArray] = []
    positions: list[IntArray] = []
    groups = []
    ragged = _Ragged(rollouts)
    at = 0
    for sequence in sequences:
        begin, size = at, len(sequence.prompt)
        ids.append(sequence.prompt)
        positions.append(np.arange(size))
        at += size
        bounds = [at]
        for row in sequence.rows:
            fed = rollouts.completions[row][:-1]
            ids.append(fed)
            positions.append(np.arange(size, size + len(fed)))
            # The prompt's last state predicts the first token of every completion.
            ragged.append(row, np.concatenate([[begin + size - 1], np.arange(at, at + len(fed))]))
            at += len(fed)
            bounds.append(at)
        groups.append(PackedGroup(begin, tuple(bounds)))
    return MicroBatch(
        torch.from_numpy(np.concatenate(ids))[None],
        torch.from_numpy(np.concatenate(positions))[None],
        *ragged.tensors(),
        plan=AttentionPlan(tuple(groups)),
    )


def _padded(rollouts: Rollouts, sequences: list[_Sequence]) -> MicroBatch:
    width = max(sequence.length for sequence in sequences)
    ids = np.zeros((len(sequences), width), np.int64)
    mask = np.zeros((len(sequences), width), np.bool_)
    ragged = _Ragged(rollouts)
    for b, sequence in enumerate(sequences):
        (row,) = sequence.rows
        ids[b, : sequence.length] = np.concatenate([sequence.prompt, rollouts.completions[row][:-1]])
        mask[b, : sequence.length] = True
        ragged.append(row, b * width + np.arange(len(sequence.prompt) - 1, sequence.length))
    positions = np.tile(np.arange(width), (len(sequences), 1))
    return MicroBatch(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        *ragged.tensors(),
        padding_mask_BL=torch.from_numpy(mask),
    )
