"""How a step's completions are laid out for the forward pass.

Two layouts give the same log-probabilities:

- `shared_prefix`: one row holds a prompt once and its completions end to end. The attention mask lets
  each completion see the prompt and itself, not its siblings; positions restart after the prompt.
- `padded`: one row a completion, prompt included, padded to the longest. For models that cannot take
  such a mask (a recurrent state, a sliding window).

Shapes: B = rows of the micro-batch, L = width, T = completion tokens in it, end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from grpo_rs.batch import IntArray, Rollouts, pack_rows

Layout = Literal["shared_prefix", "padded"]


@dataclass(frozen=True)
class MicroBatch:
    """The tensors of one forward pass.

    Attributes:
        input_ids_BL: int64, tokens.
        position_ids_BL: int64, each token's position in its own sequence.
        attention_mask: bool, (B, 1, L, L) with True where a query may look, or (B, L) with False on padding.
        state_T: int64, where in the flattened (B * L) hidden states each completion token is predicted.
        target_T: int64, the completion tokens.
        row_T: int64, each token's row in the rollouts.
        flat_T: int64, each token's place in the rollouts' flat completions.
    """

    input_ids_BL: Tensor
    position_ids_BL: Tensor
    attention_mask: Tensor
    state_T: Tensor
    target_T: Tensor
    row_T: Tensor
    flat_T: Tensor

    def to(self, device: torch.device) -> MicroBatch:
        """The same micro-batch on another device."""
        return MicroBatch(*(value.to(device) for value in vars(self).values()))


@dataclass(frozen=True)
class _Sequence:
    """One row of the forward pass: a prompt and the completions that follow it."""

    prompt: IntArray
    rows: list[int]
    length: int


def micro_batches(
    rollouts: Rollouts, rows: Sequence[int], *, token_budget: int, layout: Layout
) -> list[MicroBatch]:
    """Lays out the chosen rows in micro-batches of at most `token_budget` tokens, padding included.

    A group whose completions exceed the budget is cut into several rows, each with the prompt; a
    single completion longer than the budget gets a micro-batch to itself. Empty completions are left out.
    """
    sequences = _sequences(rollouts, rows, token_budget if layout == "shared_prefix" else 0)
    build = _shared_prefix if layout == "shared_prefix" else _padded
    alone = [[sequence] for sequence in sequences if sequence.length > token_budget]
    fitting = [sequence for sequence in sequences if sequence.length <= token_budget]
    packed = pack_rows([sequence.length for sequence in fitting], token_budget)
    return [build(rollouts, rows) for rows in [*alone, *([fitting[i] for i in bin] for bin in packed)]]


def _sequences(rollouts: Rollouts, rows: Sequence[int], budget: int) -> list[_Sequence]:
    by_group: dict[int, list[int]] = {}
    for row in rows:
        by_group.setdefault(int(rollouts.group_ids[row]), []).append(int(row))
    # The last token of a completion is predicted but predicts nothing: it is never fed.
    fed = np.maximum(rollouts.completions.lengths - 1, 0)
    sequences = []
    for group, members in by_group.items():
        prompt = rollouts.prompts[group]
        current: list[int] = []
        length = len(prompt)
        for row in members:
            if rollouts.completions.lengths[row] == 0:
                continue
            if current and length + fed[row] > budget:
                sequences.append(_Sequence(prompt, current, length))
                current, length = [], len(prompt)
            current.append(row)
            length += int(fed[row])
        if current:
            sequences.append(_Sequence(prompt, current, length))
    return sequences


def _shared_prefix(rollouts: Rollouts, sequences: list[_Sequence]) -> MicroBatch:
    width = max(sequence.length for sequence in sequences)
    count = len(sequences)
    ids = np.zeros((count, width), np.int64)
    positions = np.zeros((count, width), np.int64)
    # Which completion a token belongs to: -1 the prompt, which all may see; -2 padding, which none may.
    owner = np.full((count, width), -2, np.int64)
    state: list[IntArray] = []
    target: list[IntArray] = []
    row_of: list[IntArray] = []
    flat: list[IntArray] = []
    for b, sequence in enumerate(sequences):
        size = len(sequence.prompt)
        ids[b, :size], positions[b, :size], owner[b, :size] = sequence.prompt, np.arange(size), -1
        at = size
        for row in sequence.rows:
            tokens = rollouts.completions[row]
            fed = len(tokens) - 1
            ids[b, at : at + fed] = tokens[:-1]
            positions[b, at : at + fed] = np.arange(size, size + fed)
            owner[b, at : at + fed] = row
            state.append(b * width + np.concatenate([[size - 1], np.arange(at, at + fed)]))
            _append_targets(rollouts, row, target, row_of, flat)
            at += fed
    visible = (owner[:, None, :] == -1) | (owner[:, None, :] == owner[:, :, None])
    mask = visible & (positions[:, None, :] <= positions[:, :, None])
    # A padded query must see something: a softmax over nothing is NaN.
    mask |= np.eye(width, dtype=np.bool_)[None]
    return _tensors(ids, positions, mask[:, None], state, target, row_of, flat)


def _padded(rollouts: Rollouts, sequences: list[_Sequence]) -> MicroBatch:
    width = max(sequence.length for sequence in sequences)
    ids = np.zeros((len(sequences), width), np.int64)
    mask = np.zeros((len(sequences), width), np.bool_)
    state: list[IntArray] = []
    target: list[IntArray] = []
    row_of: list[IntArray] = []
    flat: list[IntArray] = []
    for b, sequence in enumerate(sequences):
        (row,) = sequence.rows
        size = len(sequence.prompt)
        ids[b, : sequence.length] = np.concatenate([sequence.prompt, rollouts.completions[row][:-1]])
        mask[b, : sequence.length] = True
        state.append(b * width + np.arange(size - 1, sequence.length))
        _append_targets(rollouts, row, target, row_of, flat)
    positions = np.broadcast_to(np.arange(width), ids.shape)
    return _tensors(ids, positions, mask, state, target, row_of, flat)


def _append_targets(
    rollouts: Rollouts, row: int, target: list[IntArray], row_of: list[IntArray], flat: list[IntArray]
) -> None:
    begin, end = rollouts.completions.offsets[row], rollouts.completions.offsets[row + 1]
    target.append(rollouts.completions.flat[begin:end])
    row_of.append(np.full(end - begin, row, np.int64))
    flat.append(np.arange(begin, end, dtype=np.int64))


def _tensors(
    ids: IntArray,
    positions: IntArray,
    mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    *ragged: list[IntArray],
) -> MicroBatch:
    return MicroBatch(
        torch.from_numpy(ids),
        torch.from_numpy(np.ascontiguousarray(positions)),
        torch.from_numpy(mask),
        *(torch.from_numpy(np.concatenate(parts)) for parts in ragged),
    )
