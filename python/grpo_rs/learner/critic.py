"""The critic of PPO: a second network that predicts a completion's return from each of its prefixes.

It starts as a copy of the policy's backbone with a linear head of zeros, sees the same micro-batches as the
policy, and has an optimiser of its own. Its activations and the policy's never live at the same time.

Shapes: N = completions of a step, T = completion tokens of a micro-batch, end to end; "flat" arrays are
aligned with the completions' flat tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.advantages import Advantages
from grpo_rs.algo.value import bounded_value_T, explained_variance, value_loss_T
from grpo_rs.arrays import FloatArray, IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.errors import CheckpointError, InputError, ModelError
from grpo_rs.learner.activations import Activations
from grpo_rs.learner.layout import MicroBatch
from grpo_rs.learner.learner import Learner, optimiser_windows
from grpo_rs.learner.logprobs import completion_hidden_TD

WEIGHTS = "critic.safetensors"


class ValueModel(torch.nn.Module):
    """A transformer's backbone with a linear value head in place of its vocabulary.

    Args:
        backbone: the transformer below the language-model head; owned, not copied.
        bounds: see `bounded_value_T`; None for the plain linear head.
        recompute_cheap: see `Activations`.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        bounds: tuple[float, float] | None = None,
        *,
        recompute_cheap: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.bounds = bounds
        self.recompute_cheap = recompute_cheap
        # At least float32: values of bfloat16 have steps of 1/128 where the advantages are decided.
        dtype = torch.promote_types(backbone.dtype, torch.float32)
        width = backbone.config.get_text_config().hidden_size
        self.head = torch.nn.Linear(width, 1, dtype=dtype, device=backbone.device)
        # Zeros: the first values are one number, so that the first advantages are plain centred returns.
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, batch: MicroBatch) -> Tensor:
        """The value before each completion token, float32 (T,), or the backbone's float64."""
        activations = Activations(recompute=self.recompute_cheap)
        hidden_TD = completion_hidden_TD(self.backbone, batch, activations=activations)
        score_T: Tensor = self.head(hidden_TD.to(self.head.weight.dtype))[:, 0]
        return score_T if self.bounds is None else bounded_value_T(score_T, *self.bounds)


@dataclass(frozen=True)
class CriticUpdate:
    """What an update of the critic gave.

    Attributes:
        values: float64, flat: values before the update; 0 on rows that were not asked for.
        metrics: by name (docs/metrics.md).
    """

    values: FloatArray
    metrics: dict[str, float]


class Critic:
    """Holds the value model and its optimiser.

    Args:
        learner: the policy's. Its model's backbone is copied as it is now; weights that are not trained
            are shared instead, so that beside a policy with adapters the critic costs its adapters and its
            head. Layout, token budget, checkpointing and the optimiser's settings are the learner's, and of
            its knobs `value_clip`, `value_bounds`, `critic_epochs` and `minibatches` are the critic's.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.algo = learner.algo
        self.model = ValueModel(
            _own_backbone(learner.model), self.algo.value_bounds, recompute_cheap=learner.recompute_cheap
        )
        self.model.train(learner.model.training)
        self.optimizer = learner.optimizer.like(self.model)

    @property
    def nbytes(self) -> int:
        """Memory that it takes beside the policy: its own weights and its optimiser's state."""
        trained = self._trained().values()
        state = self.optimizer.bytes_per_parameter() * sum(p.numel() for p in trained)
        return sum(p.nbytes for p in trained) + int(state)

    @torch.no_grad()
    def values(self, rollouts: Rollouts, rows: Sequence[int] | IntArray) -> FloatArray:
        """The value before each completion token of some rows: float64, flat, 0 on the other rows."""
        chosen = np.asarray(rows, np.int64)

        def forward() -> FloatArray:
            values = np.zeros(len(rollouts.completions.flat))
            for batch in self.learner.plan(rollouts, chosen):
                _scatter(values, batch, self.model(batch))
            return values

        return self.learner.fitting(forward, rollouts, chosen)

    def learn(
        self, rollouts: Rollouts, advantages_of: Callable[..., Advantages], *, lr: float
    ) -> tuple[Advantages, dict[str, float]]:
        """A step of the critic: what it thought of the completions, and what it learns from them.

        Args:
            rollouts: the step's completions, with rewards.
            advantages_of: the step's advantages, with returns, from `values`, float64, flat.
            lr: learning rate.

        Returns:
            Advantages from the values before the critic's update, and the metrics of that update.
        """
        values = None
        if self.returns_need_values:
            values = self.values(rollouts, range(len(rollouts)))
        # Monte-Carlo returns are the same from any values.
        nothing = np.zeros(len(rollouts.completions.flat))
        expected = advantages_of(values=nothing if values is None else values)
        assert expected.token_returns is not None
        rows = np.flatnonzero(expected.trainable)
        update = self.update(rollouts, rows, expected.token_returns, values, lr=lr)
        return (expected if values is not None else advantages_of(values=update.values)), update.metrics

    @property
    def returns_need_values(self) -> bool:
        """Whether returns are bootstrapped from values: not with lambda 1, which sums rewards alone.

        With a lambda that depends on the length the critic learns Monte-Carlo returns as well (VAPO, arXiv
        2504.05118).
        """
        return self.algo.lam < 1 and self.algo.lam_length_alpha is None

    def update(
        self,
        rollouts: Rollouts,
        rows: Sequence[int] | IntArray,
        returns: FloatArray,
        old_values: FloatArray | None = None,
        *,
        lr: float,
    ) -> CriticUpdate:
        """Fits the values of some rows to their returns, and gives their values before the update.

        Without `old_values` they are read off the first epoch's own forward pass, which saves one: the
        returns must not have needed them then.

        Args:
            rollouts: the step's completions.
            rows: which of them to train on.
            returns: float64, flat: what the value before each token should have been.
            old_values: float64, flat: what `values` gave, if it was needed for the returns.
            lr: learning rate.

        Raises:
            InputError: a return is not finite, or the arrays are not aligned with the tokens.
            ModelError: the gradient is not finite; that gradient is not applied.
        """
        rows = np.asarray(rows, np.int64)
        rows = rows[rollouts.completions.lengths[rows] > 0]
        _check_flat(rollouts, rows, "returns", returns)
        if old_values is not None:
            _check_flat(rollouts, rows, "old_values", old_values)
        if len(rows) == 0:
            return CriticUpdate(np.zeros(len(rollouts.completions.flat)), {})
        if old_values is None and self.algo.minibatches > 1:
            # The second minibatch would read its old values off a critic that the first has moved.
            old_values = self.values(rollouts, rows)
        lengths = rollouts.completions.lengths
        metrics: dict[str, float] = {}
        for _ in range(self.algo.critic_epochs):
            found = [
                self._optimiser_step(rollouts, window, returns, old_values, lr)
                for window in optimiser_windows(rollouts.group_ids, rows, self.algo.minibatches)
            ]
            if old_values is None:
                (old_values,) = (step.values for step in found)
            metrics = {
                "critic/loss": float(np.mean([step.loss for step in found])),
                "critic/clip": sum(step.clipped for step in found) / int(lengths[rows].sum()),
                "critic/grad_norm": float(np.mean([step.grad_norm for step in found])),
            }
        assert old_values is not None
        return CriticUpdate(old_values, metrics | _fit(rollouts, rows, old_values, returns))

    def _optimiser_step(
        self,
        rollouts: Rollouts,
        rows: IntArray,
        returns: FloatArray,
        old_values: FloatArray | None,
        lr: float,
    ) -> _Step:
        def accumulate() -> _Step:
            # Out of memory, this begins again with smaller micro-batches: nothing was applied yet.
            self.optimizer.zero_grad()
            step = _Step(np.zeros(len(rollouts.completions.flat)))
            weight = 1.0 / int(rollouts.completions.lengths[rows].sum())
            for batch in self.learner.plan(rollouts, rows):
                self._backward(batch, returns, old_values, weight, step)
            return step

        step = self.learner.fitting(accumulate, rollouts, rows)
        step.grad_norm = self.optimizer.grad_norm()
        if np.isfinite(step.loss) and np.isfinite(step.grad_norm):
            self.optimizer.step(lr, norm=step.grad_norm)
        # Freed at once: the policy's update comes next, and needs the room for its own.
        self.optimizer.zero_grad()
        if not (np.isfinite(step.loss) and np.isfinite(step.grad_norm)):
            raise ModelError(
                f"the critic's loss ({step.loss:g}) or gradient (norm {step.grad_norm:g}) is not finite: "
                "lower algo.critic_lr, or train with model.dtype float32. This update was not applied"
            )
        return step

    def _backward(
        self,
        batch: MicroBatch,
        returns: FloatArray,
        old_values: FloatArray | None,
        weight: float,
        step: _Step,
    ) -> None:
        value_T = self.model(batch)
        _scatter(step.values, batch, value_T)
        old_T = value_T.detach() if old_values is None else _gather(old_values, batch, value_T)
        return_T = _gather(returns, batch, value_T)
        clip = self.algo.value_clip
        loss = weight * value_loss_T(value_T, return_T, old_T, clip=clip).sum()
        loss.backward()
        step.loss += float(loss.detach())
        if clip is not None:
            step.clipped += int(((value_T.detach() - old_T).abs() > clip).sum())

    def save(self, folder: Path) -> None:
        """Writes the trained weights to `folder`, which exists."""
        save_file(
            {name: value.detach().contiguous() for name, value in self._trained().items()}, folder / WEIGHTS
        )

    def load(self, folder: Path) -> None:
        """Takes the weights that `save` wrote.

        Raises:
            CheckpointError: none are there, or they are another model's.
        """
        trained = self._trained()
        try:
            weights = load_file(folder / WEIGHTS)
        except OSError as error:
            raise CheckpointError(f"{folder} holds no critic: {error}") from error
        if {name: value.shape for name, value in weights.items()} != {
            name: value.shape for name, value in trained.items()
        }:
            raise CheckpointError(f"the critic in {folder} is not one of this model")
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(weights[name])

    def _trained(self) -> dict[str, Tensor]:
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state; `save` keeps the weights."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self.optimizer.load_state_dict(state["optimizer"])


@dataclass
class _Step:
    """What an optimiser step gathers, micro-batch by micro-batch."""

    values: FloatArray
    loss: float = 0.0
    clipped: int = 0
    grad_norm: float = 0.0


def _own_backbone(policy: PreTrainedModel) -> PreTrainedModel:
    """A copy of the transformer below the policy's head; weights that are not trained are shared."""
    frozen = {id(p): p for p in policy.parameters() if not p.requires_grad}
    backbone = cast(PreTrainedModel, copy.deepcopy(policy.base_model, memo=frozen))
    backbone.zero_grad(set_to_none=True)
    return backbone


def _fit(rollouts: Rollouts, rows: IntArray, old_values: FloatArray, returns: FloatArray) -> dict[str, float]:
    """How good the values were before the update."""
    trained = np.concatenate([np.arange(*rollouts.completions.offsets[row : row + 2]) for row in rows])
    value_T, return_T = (torch.from_numpy(array[trained]) for array in (old_values, returns))
    return {
        "critic/value": float(value_T.mean()),
        "critic/return": float(return_T.mean()),
        "critic/explained_variance": float(explained_variance(value_T, return_T)),
    }


def _scatter(flat: FloatArray, batch: MicroBatch, value_T: Tensor) -> None:
    flat[batch.flat_T.cpu().numpy()] = value_T.detach().double().cpu().numpy()


def _gather(flat: FloatArray, batch: MicroBatch, like_T: Tensor) -> Tensor:
    return torch.from_numpy(flat[batch.flat_T.cpu().numpy()]).to(like_T)


def _check_flat(rollouts: Rollouts, rows: IntArray, name: str, values: FloatArray) -> None:
    size = len(rollouts.completions.flat)
    if values.shape != (size,):
        raise InputError(f"{name} have shape {values.shape}: give one per completion token, ({size},)")
    for row in rows:
        begin, end = rollouts.completions.offsets[row : row + 2]
        if not np.isfinite(values[begin:end]).all():
            raise InputError(
                f"{name} of row {row} are not finite: leave rows without a reward out of the critic's rows"
            )
