"""AdamW on the policy's trainable parameters, with float32 master weights where the model has fewer bits.

A bfloat16 number has 8 bits of mantissa: a step of a thousandth of a weight is rounded away, whatever its
gradient. Master weights take the step in float32, and the model holds their rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

MasterWeights = Literal["float32", "none"]
DecayOn = Literal["matrices", "all"]
# Devices on which torch has a fused AdamW.
FUSED = ("cpu", "cuda")
# Master weights are stepped in blocks of this many numbers: float32 copies of the gradients exist for one
# block at a time.
BLOCK = 1 << 26


class PolicyOptimizer:
    """AdamW, gradient clipping and master weights.

    Args:
        model: its parameters that require a gradient are trained.
        betas, epsilon: AdamW's.
        weight_decay: decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
        decay_on: "matrices" leaves out parameters of fewer than two dimensions, norms and biases; "all"
            decays every parameter.
        max_grad_norm: gradients are scaled down to this norm; 0 switches clipping off.
        master_weights: "float32" keeps a float32 copy of every parameter of fewer bits, and steps that.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decay_on: DecayOn = "matrices",
        max_grad_norm: float = 1.0,
        master_weights: MasterWeights = "float32",
    ) -> None:
        self._settings: dict[str, Any] = {
            "betas": betas,
            "epsilon": epsilon,
            "weight_decay": weight_decay,
            "decay_on": decay_on,
            "max_grad_norm": max_grad_norm,
            "master_weights": master_weights,
        }
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.max_grad_norm = max_grad_norm
        self.masters: dict[int, Tensor] = {
            index: parameter.detach().float()
            for index, parameter in enumerate(self.parameters)
            if master_weights == "float32" and torch.finfo(parameter.dtype).bits < 32
        }
        decayed = [p.dim() >= 2 or decay_on == "all" for p in self.parameters]
        groups = [
            {
                "params": [self._stepped(i) for i, decays in enumerate(decayed) if decays is wanted],
                "weight_decay": weight_decay if wanted else 0.0,
            }
            for wanted in (True, False)
        ]
        self.adamw = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=0.0,
            betas=betas,
            eps=epsilon,
            fused=all(p.device.type in FUSED for p in self.parameters),
        )

    def like(self, model: torch.nn.Module) -> PolicyOptimizer:
        """A new optimiser with the same settings, for another model."""
        return PolicyOptimizer(model, **self._settings)

    def _stepped(self, index: int) -> Tensor:
        """What AdamW sees of a parameter: its master weights, or itself."""
        return self.masters.get(index, self.parameters[index])

    def allocate(self) -> None:
        """Makes AdamW's moments, which it would otherwise make in its first step, all at once.

        So memory that they leave no room for runs out in a pass that can be begun again, not in the middle of
        a step.
        """
        for index in range(len(self.parameters)):
            parameter = self._stepped(index)
            if not self.adamw.state.get(parameter):
                # As torch.optim.AdamW begins: the step count is a tensor of its own on the device if fused.
                fused = self.adamw.defaults["fused"]
                self.adamw.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device if fused else "cpu"),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def zero_grad(self) -> None:
        """Forgets the gradients, and frees them."""
        for parameter in self.parameters:
            parameter.grad = None

    def grad_norm(self) -> float:
        """L2 norm of the accumulated gradient; not a finite number when any entry of it is not."""
        norms = [
            # The norm of bfloat16 numbers would be rounded to bfloat16.
            torch.linalg.vector_norm(p.grad, dtype=torch.promote_types(p.dtype, torch.float32))
            for p in self.parameters
            if p.grad is not None
        ]
        return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0

    def step(self, lr: float, *, norm: float) -> None:
        """Clips the gradient, which has the given norm, and applies it."""
        for group in self.adamw.param_groups:
            group["lr"] = lr
        if self.max_grad_norm and norm > self.max_grad_norm:
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(self.max_grad_norm / (norm + 1e-6))
        if not self.masters:
            self.adamw.step()
            return
        for block in self._blocks():
            for index in block & self.masters.keys():
                parameter = self.parameters[index]
                if parameter.grad is not None:
                    self.masters[index].grad, parameter.grad = parameter.grad.float(), None
            # Parameters without a gradient are left alone, so this steps the block, and with the first
            # block those without master weights.
            self.adamw.step()
            self.adamw.zero_grad(set_to_none=True)
            with torch.no_grad():
                for index in block & self.masters.keys():
                    self.parameters[index].copy_(self.masters[index])

    def _blocks(self) -> Iterator[set[int]]:
        block: set[int] = set()
        size = 0
        for index, parameter in enumerate(self.parameters):
            block.add(index)
            size += parameter.numel()
            if size >= BLOCK:
                yield block
                block, size = set(), 0
        if block:
            yield block

    def state_dict(self) -> dict[str, Any]:
        """AdamW's state and the master weights."""
        return {"adamw": self.adamw.state_dict(), "masters": self.masters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave, exactly."""
        self.adamw.load_state_dict(state["adamw"])
        with torch.no_grad():
            for index, master in self.masters.items():
                master.copy_(state["masters"][index])

    def bytes_per_parameter(self) -> float:
        """Mean bytes of AdamW's two moments and the master weights per trained number."""
        total = sum(p.numel() for p in self.parameters) or 1
        state = sum(2 * self._stepped(i).nbytes for i in range(len(self.parameters)))
        return (state + sum(m.nbytes for m in self.masters.values())) / total
