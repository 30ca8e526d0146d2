"""What the forward pass keeps for the backward pass, without a change to the model.

On a CPU, the C library's heap keeps what the backward pass frees: gradients are a little larger than the
holes that activations leave, so resident memory would grow by both. The holes are given back when the
backward pass is about to make the process larger than it ever was; below that they are used again, since
pages that were given back cost as much to get again as to write.

On request fewer activations are kept. About half of what a transformer's forward pass saves are products and
activations of other things that it saves too: SiLU of the gate, that times the up projection, a norm's scaled
input, that times the weight. Each is one cheap pass over memory, so they are computed again when the backward
pass asks for them, bit for bit the same; no matrix product is. Selective recomputation (Korthikanti et al.,
arXiv:2205.05198), found from the autograd graph instead of written into the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, saved_tensors_hooks

from grpo_rs.learner.resident import make_room

_VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")


class _Again:
    """A saved tensor that is not kept: the node that made it, and the form in which it was saved."""

    __slots__ = ("dtype", "node", "shape")

    def __init__(self, node: Node, saved: Tensor) -> None:
        self.node, self.shape, self.dtype = node, saved.shape, saved.dtype


Packed = Tensor | _Again

LOOK_EVERY = 20
"""Saved tensors read by the backward pass between two looks at the memory held: under a layer."""

SLACK = 1 << 25
"""Bytes that the backward pass may add between two looks."""


class Activations(saved_tensors_hooks):
    """Context of a forward pass; what it saves is handled as the module says until the backward pass ends.

    Args:
        recompute: compute cheap activations again instead of keeping them; about 8 % slower on a CPU.
    """

    def __init__(self, *, recompute: bool = False) -> None:
        self._recompute = recompute
        self._reads = 0
        # The same product is asked for by several consumers in a row: query, key and value, gate and up.
        # Known by number: a node kept here would hold this object by its hooks, and be held for ever.
        self._recent: list[tuple[int, Tensor]] = []
        super().__init__(self._pack, self._unpack)

    def _pack(self, saved: Tensor) -> Packed:
        node = _maker(saved.grad_fn) if self._recompute else None
        # Detached, lest a node that saves its own output keep itself alive.
        return saved.detach() if node is None else _Again(node, saved)

    def _unpack(self, packed: Packed) -> Tensor:
        if isinstance(packed, Tensor):
            self._reads += packed.is_cpu
            if packed.is_cpu and self._reads % LOOK_EVERY == 0:
                make_room(SLACK)
            return packed
        return self._output(packed.node).to(packed.dtype).view(packed.shape)

    def _output(self, node: Node) -> Tensor:
        number = node._sequence_nr()
        for known, output in self._recent:
            if known == number:
                return output
        output = _compute(node)
        self._recent = [*self._recent[-1:], (number, output)]
        return output


def _maker(node: Node | None) -> Node | None:
    """The node whose output a saved tensor is, views and conversions aside, if it is cheap to run again."""
    while node is not None and node.name() in (*_VIEWS, "ToCopyBackward0"):
        node = node.next_functions[0][0]
    if node is None:
        return None
    if node.name() in ("SiluBackward0", "GeluBackward0"):
        return node
    # A product keeps a factor for the gradient of the other one: both, if both have a gradient.
    if node.name() == "MulBackward0" and all(of is not None for of, _ in node.next_functions):
        return node
    return None


def _compute(node: Any) -> Tensor:
    if node.name() == "SiluBackward0":
        return torch.nn.functional.silu(node._saved_self)
    if node.name() == "GeluBackward0":
        return torch.nn.functional.gelu(node._saved_self, approximate=node._saved_approximate)
    return node._saved_self * node._saved_other  # type: ignore[no-any-return]
