"""The frozen policy that the KL term is measured from.

It is the policy's own network with other weights in it: those it had when it was frozen. With adapters
these are the adapters' weights alone, or no weights at all while the reference is the model without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.errors import ModelError
from grpo_rs.learner.lora import adapters_off, is_adapted


class Reference:
    """A frozen policy.

    Args:
        model: the policy that is trained.
        weights: of the reference, by the names of the policy's trained parameters. None stands for the
            policy with its adapters off, which needs no memory.

    Raises:
        ModelError: the weights are not those of this policy, or None are given and it has no adapters.
    """

    def __init__(self, model: PreTrainedModel, weights: Mapping[str, Tensor] | None) -> None:
        self.model = model
        if weights is None:
            if not is_adapted(model):
                raise ModelError("a model without adapters needs the weights of its reference")
            self.weights: dict[str, Tensor] | None = None
            return
        trained = _trained(model)
        shapes = {name: parameter.shape for name, parameter in trained.items()}
        given = {name: tensor.shape for name, tensor in weights.items()}
        if shapes != given:
            names = sorted(name for name in shapes | given if shapes.get(name) != given.get(name))
            raise ModelError(
                f"the reference is not a model like the policy: {len(names)} parameters differ, among them "
                f"{names[0]}. Give a model of the same architecture"
            )
        self.weights = {
            name: tensor.detach().to(trained[name], copy=True) for name, tensor in weights.items()
        }

    @classmethod
    def of(cls, model: PreTrainedModel) -> Reference:
        """The policy as it is now."""
        return cls(model, _trained(model))

    @contextmanager
    def in_place(self) -> Iterator[PreTrainedModel]:
        """The policy's network with the reference's weights, for the block; not to be differentiated."""
        if self.weights is None:
            with adapters_off(self.model), torch.no_grad():
                yield self.model
            return
        trained = _trained(self.model)
        own = {name: parameter.data for name, parameter in trained.items()}
        # Pointers are exchanged, nothing is copied.
        for name, parameter in trained.items():
            parameter.data = self.weights[name]
        try:
            with torch.no_grad():
                yield self.model
        finally:
            for name, parameter in trained.items():
                parameter.data = own[name]

    @property
    def nbytes(self) -> int:
        """Memory that the reference takes beside the policy."""
        return sum(tensor.nbytes for tensor in (self.weights or {}).values())


def _trained(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
