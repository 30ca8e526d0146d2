"""One GRPO optimiser step: packed forward, clipped objective, exact denominators, backward, AdamW.

Shapes: N = completions of the step, T = completion tokens of a micro-batch, end to end.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.algo.losses import Aggregate, grpo_loss, token_weights_N
from grpo_rs.batch import Advantages, FloatArray, Rollouts
from grpo_rs.errors import ModelError
from grpo_rs.learner.layout import Layout, MicroBatch, micro_batches
from grpo_rs.learner.logprobs import completion_logprobs_T


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        aggregate: how token losses are averaged; see `token_weights_N`.
        clip_low: lower clip range of the ratio, 1 - clip_low.
        clip_high: upper clip range, 1 + clip_high.
        kl_beta: weight of the k3 KL to the frozen reference; 0 needs no reference.
        epochs: optimiser steps on each batch of rollouts; the ratio is 1 in the first.
        temperature: of the sampler; divides the logits here too.
    """

    aggregate: Aggregate = "token_mean"
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_beta: float = 0.0
    epochs: int = 1
    temperature: float = 1.0


class Learner:
    """Holds the policy's optimiser and, when there is a KL term, the frozen reference.

    Args:
        model: the policy; trained in place, with dropout switched off, since a ratio between two
            passes with different dropout is noise.
        objective: what is minimised.
        layout: how rows are laid out; see `choose_layout`.
        token_budget: most tokens of a forward pass, padding included.
        logprob_chunk_tokens: completion tokens per pass through the language-model head.
        betas, weight_decay: of AdamW.
        max_grad_norm: gradients are scaled down to this norm; 0 switches clipping off.
        gradient_checkpointing: recompute activations in the backward pass, to save memory.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        *,
        layout: Layout = "shared_prefix",
        token_budget: int = 4096,
        logprob_chunk_tokens: int = 1024,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        gradient_checkpointing: bool = False,
    ) -> None:
        self.model = model
        self.objective = objective
        self.layout: Layout = layout
        self.token_budget = token_budget
        self.logprob_chunk_tokens = logprob_chunk_tokens
        self.max_grad_norm = max_grad_norm
        disable_dropout(model)
        if gradient_checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        # Checkpointing acts in training mode only; without dropout the modes are otherwise alike.
        model.train(gradient_checkpointing)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=0.0, betas=betas, weight_decay=weight_decay, fused=True
        )
        self.reference: PreTrainedModel | None = None

    def freeze_reference(self, model: PreTrainedModel | None = None) -> None:
        """Takes a model, by default a copy of the policy as it is now, as the reference of the KL term."""
        frozen = model if model is not None else copy.deepcopy(self.model)
        self.reference = frozen.eval().requires_grad_(False)

    def update(self, rollouts: Rollouts, advantages: Advantages, *, lr: float) -> dict[str, float]:
        """Trains on the trainable rows of a step and returns its metrics (docs/metrics.md).

        Groups without a signal are left out before the forward pass, of the numerator and of every
        denominator alike, the KL term included. Without a single trainable row nothing is changed.

        Raises:
            ModelError: the gradient is not finite; that gradient is not applied.
        """
        trainable_N = advantages.trainable & (rollouts.completions.lengths > 0)
        rows = np.flatnonzero(trainable_N)
        metrics: dict[str, float] = {"train/rows": len(rows), "train/tokens": 0}
        if len(rows) == 0:
            return metrics
        weights_N = np.zeros(len(rollouts))
        weights_N[rows] = token_weights_N(rollouts.completions.lengths[rows], self.objective.aggregate)
        plan = [
            batch.to(self.model.device)
            for batch in micro_batches(
                rollouts, rows.tolist(), token_budget=self.token_budget, layout=self.layout
            )
        ]
        metrics["train/tokens"] = sum(len(batch.target_T) for batch in plan)
        metrics["train/micro_batches"] = len(plan)
        metrics["train/forward_tokens"] = sum(batch.input_ids_BL.numel() for batch in plan)
        references = [self._reference_logprobs_T(batch) for batch in plan]
        old: list[Tensor] = []
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        for epoch in range(self.objective.epochs):
            self.optimizer.zero_grad(set_to_none=True)
            sums = _Sums()
            for index, (batch, reference_T) in enumerate(zip(plan, references, strict=True)):
                logp_T, entropy_T = completion_logprobs_T(
                    self.model,
                    batch,
                    temperature=self.objective.temperature,
                    chunk_tokens=self.logprob_chunk_tokens,
                )
                if epoch == 0:
                    # The first pass is on the policy that sampled: it is the old policy, at no cost.
                    old.append(logp_T.detach())
                    sums.compare_with_sampler(logp_T, batch, rollouts)
                loss = self._loss(logp_T, old[index], reference_T, batch, advantages.values, weights_N, sums)
                sums.add("train/entropy", entropy_T)
                loss.backward()
            metrics |= sums.means() | {"train/grad_norm": self.apply_gradient()}
        return metrics

    def _loss(
        self,
        logp_T: Tensor,
        old_T: Tensor,
        reference_T: Tensor | None,
        batch: MicroBatch,
        advantages_N: FloatArray,
        weights_N: FloatArray,
        sums: _Sums,
    ) -> Tensor:
        objective = self.objective
        policy = grpo_loss(
            logp_T,
            old_T,
            torch.from_numpy(advantages_N).to(logp_T)[batch.row_T],
            torch.from_numpy(weights_N).to(logp_T)[batch.row_T],
            clip_low=objective.clip_low,
            clip_high=objective.clip_high,
            kl_beta=objective.kl_beta,
            ref_logp_T=reference_T,
        )
        sums.loss += float(policy.loss.detach())
        sums.add("train/ratio", policy.ratio_T)
        sums.add("train/clip_low", policy.clipped_low_T)
        sums.add("train/clip_high", policy.clipped_high_T)
        if policy.kl_T is not None:
            sums.add("train/kl", policy.kl_T)
        return policy.loss

    @torch.no_grad()
    def _reference_logprobs_T(self, batch: MicroBatch) -> Tensor | None:
        if self.objective.kl_beta == 0:
            return None
        if self.reference is None:
            raise ModelError("kl_beta is above 0 but there is no reference: call freeze_reference() first")
        logp_T, _ = completion_logprobs_T(
            self.reference,
            batch,
            temperature=self.objective.temperature,
            chunk_tokens=self.logprob_chunk_tokens,
        )
        return logp_T

    def apply_gradient(self) -> float:
        """Clips, checks and applies the accumulated gradient; returns its norm before clipping."""
        limit = self.max_grad_norm or float("inf")
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        if not np.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            raise ModelError(
                f"the gradient is not finite (norm {norm}): lower optim.lr, or train with model.dtype "
                "float32. This update was not applied"
            )
        self.optimizer.step()
        return norm

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state; weights are saved with the model."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self.optimizer.load_state_dict(state["optimizer"])


class _Sums:
    """Token means over a step, gathered micro-batch by micro-batch."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.totals: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.sampler_gap_max = 0.0

    def add(self, name: str, values_T: Tensor) -> None:
        self.totals[name] = self.totals.get(name, 0.0) + float(values_T.detach().double().sum())
        self.counts[name] = self.counts.get(name, 0) + len(values_T)

    def compare_with_sampler(self, logp_T: Tensor, batch: MicroBatch, rollouts: Rollouts) -> None:
        sampled_T = torch.from_numpy(rollouts.sampler_logprobs)[batch.flat_T.cpu()].to(logp_T.device)
        gap_T = (logp_T.detach() - sampled_T).abs()
        self.add("train/sampler_gap", gap_T)
        self.sampler_gap_max = max(self.sampler_gap_max, float(gap_T.max()))

    def means(self) -> dict[str, float]:
        means = {name: total / self.counts[name] for name, total in self.totals.items()}
        if "train/sampler_gap" in means:
            means["train/sampler_gap_max"] = self.sampler_gap_max
        return means | {"train/loss": self.loss}


def disable_dropout(model: torch.nn.Module) -> None:
    """Sets every dropout probability to 0, those that attention functions read included."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", 0.0)  # noqa: B010 -- Module's own __setattr__ is narrower
