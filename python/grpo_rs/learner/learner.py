"""The update: packed forward, objective, exact denominators, backward, AdamW.

Shapes: N = completions, T = completion tokens end to end: of a micro-batch, of an optimiser step, or (as
"flat" arrays, aligned with `Rollouts.completions.flat`) of the whole batch of rollouts.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.advantages import Advantages
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.objective import PolicyLoss, TokenBatch, policy_loss
from grpo_rs.arrays import BoolArray, FloatArray, IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.errors import InputError, ModelError
from grpo_rs.learner.activations import Activations
from grpo_rs.learner.layout import Layout, MicroBatch, micro_batches
from grpo_rs.learner.logprobs import Coefficients, completion_logprobs_T, completion_square_sums_T
from grpo_rs.learner.lora import causal_lm
from grpo_rs.learner.memory import out_of_memory
from grpo_rs.learner.nonfinite import NonFiniteError, nonfinite_error
from grpo_rs.learner.optimizer import DecayOn, MasterWeights, PolicyOptimizer
from grpo_rs.learner.reference import Reference
from grpo_rs.outcomes import MathOutcome
from grpo_rs.statistics import off_policy_metrics

ResultT = TypeVar("ResultT")


class Learner:
    """Holds the policy's optimiser and, when there is a KL term, the frozen reference.

    Args:
        model: the policy, with or without adapters; trained in place, with dropout switched off, since a
            ratio between two passes with different dropout is noise.
        algo: what is minimised.
        temperature: of the sampler; divides the logits here too.
        completion_limit: longest completion that the sampler draws; the constant of the aggregation
            "constant" when `algo.aggregate_length` is None.
        layout: how rows are laid out; see `probe_layout`.
        token_budget: most tokens of a forward pass, padding included. Halved when memory runs out.
        logprob_chunk_tokens: completion tokens per pass through the language-model head.
        head_float32: run the head in float32 whatever the model's number type.
        betas, epsilon, weight_decay, decay_on, max_grad_norm, master_weights: see `PolicyOptimizer`.
        gradient_checkpointing: recompute activations in the backward pass, to save memory.
        recompute_cheap: recompute only those that cost no matrix product; see `Activations`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        algo: Algo,
        *,
        temperature: float = 1.0,
        completion_limit: int | None = None,
        layout: Layout = "shared_prefix",
        token_budget: int = 4096,
        logprob_chunk_tokens: int = 1024,
        head_float32: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decay_on: DecayOn = "matrices",
        max_grad_norm: float = 1.0,
        master_weights: MasterWeights = "float32",
        gradient_checkpointing: bool = False,
        recompute_cheap: bool = False,
    ) -> None:
        self.model = causal_lm(model)
        self.algo = algo
        self.temperature = temperature
        self.completion_limit = completion_limit
        self.layout: Layout = layout
        self.token_budget = token_budget
        self.logprob_chunk_tokens = logprob_chunk_tokens
        self.head_float32 = head_float32
        self.gradient_checkpointing = gradient_checkpointing
        self.recompute_cheap = recompute_cheap
        disable_dropout(self.model)
        if gradient_checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})
        # Checkpointing acts in training mode only; without dropout the modes are otherwise alike.
        self.model.train(gradient_checkpointing)
        self.optimizer = PolicyOptimizer(
            self.model,
            betas=betas,
            epsilon=epsilon,
            weight_decay=weight_decay,
            decay_on=decay_on,
            max_grad_norm=max_grad_norm,
            master_weights=master_weights,
        )
        self.reference: Reference | None = None

    # ---- The reference -----------------------------------------------------------------------------------

    def freeze_reference(self, model: PreTrainedModel | None = None) -> None:
        """Takes the policy as it is now as the reference of the KL term, or another model like it.

        Raises:
            ModelError: the other model has other parameters.
        """
        source = self.model if model is None else causal_lm(model)
        self.reference = (
            Reference.of(source)
            if source is self.model
            else Reference(self.model, dict(source.named_parameters()))
        )

    def refer_to_base(self) -> None:
        """Takes the policy with its adapters off as the reference: it needs no memory.

        Raises:
            ModelError: the policy has no adapters.
        """
        self.reference = Reference(self.model, None)

    # ---- Log-probabilities ---------------------------------------------------------------------------------

    def logprobs(self, rollouts: Rollouts, rows: Sequence[int] | None = None) -> FloatArray:
        """Log-probabilities of completions under the policy as it is now.

        Args:
            rollouts: the completions.
            rows: which of them; all by default.

        Returns:
            float64, aligned with `rollouts.completions.flat`; NaN for tokens of other rows.
        """
        return self.logprobs_under(self.model, rollouts, rows)

    def reference_logprobs(self, rollouts: Rollouts, rows: Sequence[int] | None = None) -> FloatArray:
        """The same under the frozen reference.

        Raises:
            ModelError: there is none.
        """
        if self.reference is None:
            raise ModelError(
                "this objective has a KL term but there is no reference: call freeze_reference() first"
            )
        with self.reference.in_place() as model:
            return self.logprobs_under(model, rollouts, rows)

    @torch.no_grad()
    def logprobs_under(
        self, model: PreTrainedModel, rollouts: Rollouts, rows: Sequence[int] | None = None
    ) -> FloatArray:
        """The same under any model that shares the policy's vocabulary and layout: a teacher."""
        chosen = np.arange(len(rollouts)) if rows is None else np.asarray(rows, np.int64)

        def forward() -> FloatArray:
            flat = np.full(len(rollouts.completions.flat), np.nan)
            for batch in self.plan(rollouts, chosen):
                logp_T, _ = self.forward(batch, model)
                flat[batch.flat_T.numpy(force=True)] = logp_T.double().numpy(force=True)
            return flat

        return self.fitting(forward, rollouts, chosen)

    @torch.no_grad()
    def square_sums(self, rollouts: Rollouts) -> tuple[FloatArray, FloatArray]:
        """What the baseline "optimal_token" asks for, under the policy as it is now.

        Returns:
            The log-probability of each token, and the sum of squared probabilities of the distribution that
            it came from: float64, aligned with `rollouts.completions.flat`.
        """
        rows = np.arange(len(rollouts))

        def forward() -> tuple[FloatArray, FloatArray]:
            logp, squares = (np.full(len(rollouts.completions.flat), np.nan) for _ in range(2))
            for batch in self.plan(rollouts, rows):
                found = completion_square_sums_T(
                    self.model,
                    batch,
                    temperature=self.temperature,
                    chunk_tokens=self.logprob_chunk_tokens,
                    head_float32=self.head_float32,
                )
                for flat, values_T in zip((logp, squares), found, strict=True):
                    flat[batch.flat_T.numpy(force=True)] = values_T.double().numpy(force=True)
            return logp, squares

        return self.fitting(forward, rollouts, rows)

    # ---- The update ----------------------------------------------------------------------------------------

    def update(
        self,
        rollouts: Rollouts,
        advantages: Advantages,
        *,
        lr: float,
        old_logp: FloatArray | None = None,
        reference_logp: FloatArray | None = None,
    ) -> dict[str, float]:
        """Trains on the trainable rows of a step and returns its metrics (docs/metrics.md).

        Rows that are not trainable are left out before the forward pass, of the numerator and of every
        denominator alike, the KL term included. Without a single trainable row nothing is changed. Each of
        `algo.epochs` passes takes `algo.minibatches` optimiser steps, each on an equal share of the
        groups; denominators are exact over the rows of one optimiser step.

        Args:
            rollouts: what was sampled, with its rewards.
            advantages: of the same rows.
            lr: learning rate of these optimiser steps.
            old_logp: from `logprobs` before the update, where the caller has it already.
            reference_logp: from `reference_logprobs`, likewise.

        Raises:
            NonFiniteError: a loss or a gradient is not finite; that optimiser step was not taken.
            ModelError: there is no reference, or a single completion does not fit into memory.
        """
        rows = np.flatnonzero(advantages.trainable & (rollouts.completions.lengths > 0))
        metrics: dict[str, float] = {"train/rows": 0, "train/tokens": 0}
        if len(rows) == 0:
            return metrics
        acting_N = self._acting_N(rollouts, advantages)
        windows = [
            _Window(counted, counted[acting_N[counted]])
            for counted in optimiser_windows(rollouts.group_ids, rows, self.algo.minibatches)
        ]
        windows = [window for window in windows if len(window.rows)]
        if not windows:
            return metrics
        rows = np.concatenate([window.rows for window in windows])
        metrics["train/rows"] = len(rows)
        metrics["train/tokens"] = int(rollouts.completions.lengths[rows].sum())
        if self.algo.needs_reference and self.algo.kl_in == "loss" and reference_logp is None:
            reference_logp = self.reference_logprobs(rollouts, rows.tolist())
        data = _Batch(rollouts, advantages, self._flat(old_logp), self._flat(reference_logp))
        # The first optimiser step is on the weights that sampled: its own forward pass gives the old
        # log-probabilities, at no cost. Those of the later steps are needed before the weights move.
        if self.algo.needs_old and data.old is None:
            later = np.concatenate([np.zeros(0, np.int64), *(window.rows for window in windows[1:])])
            data.old = self._flat(self.logprobs(rollouts, later.tolist()))
            data.unmoved = None if data.old is None else data.old.clone()
        for epoch in range(self.algo.epochs):
            sums = _Sums()
            for index, window in enumerate(windows):
                self._optimiser_step(data, replace(window, first=epoch == index == 0), sums, lr)
        return metrics | sums.means() | data.sampler_gap()

    def _acting_N(self, rollouts: Rollouts, advantages: Advantages) -> BoolArray:
        """Which rows have a gradient: the others count in denominators and need no forward pass."""
        acting_N = np.ones(len(rollouts), np.bool_)
        if self.algo.overlong_filter:
            acting_N &= rollouts.finished
        if not self._moves_without_advantage:
            lengths = rollouts.completions.lengths
            row_T = np.repeat(np.arange(len(rollouts)), lengths)
            acting_N &= np.bincount(row_T[advantages.per_token(lengths) != 0], minlength=len(rollouts)) > 0
        return acting_N

    @property
    def _moves_without_advantage(self) -> bool:
        """Whether a token of advantage 0 may have a gradient, or move that of others."""
        algo = self.algo
        return (
            (algo.needs_reference and algo.kl_in == "loss")
            or algo.needs_whole_step
            or algo.gate in ("dro", "real")
            or algo.k2_anchor > 0
            or algo.entropy_bonus > 0
            or algo.nll_coef > 0
        )

    def _optimiser_step(self, data: _Batch, window: _Window, sums: _Sums, lr: float) -> None:
        def accumulate() -> _Sums:
            # Out of memory, this begins again with smaller micro-batches: nothing was applied yet.
            self.optimizer.zero_grad()
            self.optimizer.allocate()
            found = _Sums()
            plan = self.plan(data.rollouts, window.rows)
            found.forward_tokens = sum(batch.input_ids_BL.numel() for batch in plan)
            found.padding_tokens = sum(batch.padding for batch in plan)
            found.micro_batches = len(plan)
            window.weights_N = self._weights(data, window)
            whole = self.algo.needs_whole_step or self.algo.needs_whole_groups
            if whole and len(plan) > 1:
                self._two_passes(data, window, plan, found)
            else:
                for batch in plan:
                    logp_T, entropy_T = self.forward(
                        batch, coefficients=self._coefficients(data, window, batch)
                    )
                    loss = self._objective(data, window, batch, logp_T, entropy_T, found)
                    loss.backward()
            return found

        try:
            found = self.fitting(accumulate, data.rollouts, window.rows)
        except ModelError:
            raise
        except InputError as error:
            # The objective refuses to compare with what is not finite.
            raise self._diagnosis(data, window, otherwise=error) from None
        norm = self.optimizer.grad_norm()
        if not (np.isfinite(found.loss) and np.isfinite(norm)):
            raise self._diagnosis(data, window)
        self.optimizer.step(lr, norm=norm)
        sums.join(found, norm)

    def _two_passes(self, data: _Batch, window: _Window, plan: list[MicroBatch], sums: _Sums) -> None:
        """For objectives that couple the tokens of different micro-batches.

        A pass without gradients gives the log-probabilities of the whole optimiser step; the objective on
        them gives each token's coefficient dL / dlog pi; a second pass back-propagates coefficient * log pi,
        micro-batch by micro-batch. The gradient is that of the loss on all tokens at once.
        """
        with torch.no_grad():
            passes = [self.forward(batch) for batch in plan]
        whole = _join(plan)
        logp_T = torch.cat([logp for logp, _ in passes]).requires_grad_()
        entropy_T = torch.cat([entropy for _, entropy in passes]).requires_grad_()
        loss = self._objective(data, window, whole, logp_T, entropy_T, sums)
        coefficients = torch.autograd.grad(loss, (logp_T, entropy_T), allow_unused=True)
        sizes = [len(batch.target_T) for batch in plan]
        of_logp, of_entropy = (
            [None] * len(plan) if coefficient is None else coefficient.split(sizes)
            for coefficient in coefficients
        )
        for batch, for_logp_T, for_entropy_T in zip(plan, of_logp, of_entropy, strict=True):
            known = None if for_logp_T is None else _known(for_logp_T)
            logp_T, entropy_T = self.forward(batch, coefficients=known)
            surrogate = logp_T.new_zeros(())
            if for_logp_T is not None:
                surrogate = surrogate + (for_logp_T * logp_T).sum()
            if for_entropy_T is not None and entropy_T.requires_grad:
                surrogate = surrogate + (for_entropy_T * entropy_T).sum()
            if surrogate.requires_grad:
                surrogate.backward()

    def _coefficients(self, data: _Batch, window: _Window, batch: MicroBatch) -> Coefficients | None:
        """The loss's slope in the log-probabilities of some tokens, if they alone tell."""
        if not self.algo.token_local:
            return None

        def coefficients(logp_C: Tensor, entropy_C: Tensor, chunk: slice) -> Tensor:
            part = replace(batch, row_T=batch.row_T[chunk], flat_T=batch.flat_T[chunk])
            if window.first:
                data.remember(part.flat_T, logp_C, needs_old=self.algo.needs_old)
            with torch.enable_grad():
                leaf_C = logp_C.detach().requires_grad_()
                loss = self._loss(data, window, part, leaf_C, entropy_C).loss
            # Without a gradient at all, as where every token is dropped, there is nothing to differentiate.
            return torch.autograd.grad(loss, leaf_C)[0] if loss.requires_grad else torch.zeros_like(leaf_C)

        return coefficients

    def _objective(
        self,
        data: _Batch,
        window: _Window,
        batch: MicroBatch,
        logp_T: Tensor,
        entropy_T: Tensor,
        sums: _Sums,
    ) -> Tensor:
        if window.first:
            data.remember(batch.flat_T, logp_T.detach(), needs_old=self.algo.needs_old)
        if self.algo.masks and not self.algo.masked_in_denominator:
            kept_T = self._loss(data, window, batch, logp_T.detach(), entropy_T.detach()).metrics["kept"]
            kept_N = np.bincount(
                batch.row_T.numpy(force=True), kept_T.numpy(force=True), minlength=len(data.rollouts)
            )
            window.weights_N = self._weights(data, window, kept_N.astype(np.int64))
        result = self._loss(data, window, batch, logp_T, entropy_T)
        sums.loss += float(result.loss.detach())
        for name, values_T in {"entropy": entropy_T, **result.metrics}.items():
            sums.add(f"train/{name}", values_T)
        return result.loss

    def _loss(
        self, data: _Batch, window: _Window, batch: MicroBatch, logp_T: Tensor, entropy_T: Tensor
    ) -> PolicyLoss:
        rollouts = data.rollouts
        # A completion's tokens stand together: numbering them by appearance numbers them in order.
        rows_N, row_T = torch.unique_consecutive(batch.row_T, return_inverse=True)
        index_N = rows_N.numpy(force=True)
        flat_T = batch.flat_T.numpy(force=True)

        def per_token(values: Any) -> Tensor:
            return torch.as_tensor(values).to(logp_T)

        return policy_loss(
            self.algo,
            TokenBatch(
                logp_T=logp_T,
                advantage_T=per_token(data.token_advantages[flat_T]),
                weight_T=per_token(window.weights_N[batch.row_T.numpy(force=True)]),
                row_T=row_T,
                old_logp_T=None if data.old is None else data.old[batch.flat_T].to(logp_T),
                rollout_logp_T=per_token(rollouts.policy_logprobs[flat_T]),
                ref_logp_T=None if data.reference is None else data.reference[batch.flat_T].to(logp_T),
                entropy_T=entropy_T,
                group_N=torch.as_tensor(rollouts.group_ids[index_N]).to(row_T),
                failed_N=torch.as_tensor(data.failed[index_N]).to(row_T.device),
                truncated_N=torch.as_tensor(~rollouts.finished[index_N]).to(row_T.device),
            ),
        )

    def _weights(self, data: _Batch, window: _Window, kept_N: IntArray | None = None) -> FloatArray:
        """The weight of each token of a row, over the rows of one optimiser step; 0 for other rows.

        Args:
            data, window: what is trained on.
            kept_N: int64, one per row of the rollouts: tokens that no mask dropped; all by default.
        """
        rows, lengths_N = window.counted, data.rollouts.completions.lengths
        if kept_N is None:
            kept_N = lengths_N * (data.rollouts.finished if self.algo.overlong_filter else 1)
        weights_N = np.zeros(len(data.rollouts))
        weights_N[rows] = token_weights_N(
            self.algo,
            lengths_N[rows],
            data.rollouts.group_ids[rows],
            limit=self.completion_limit,
            kept_N=kept_N[rows],
        )
        return weights_N

    # ---- Forward passes, and memory ----------------------------------------------------------------------

    def plan(self, rollouts: Rollouts, rows: IntArray) -> list[MicroBatch]:
        """The micro-batches of some rows, on the model's device."""
        return [
            batch.to(self.model.device)
            for batch in micro_batches(
                rollouts, rows.tolist(), token_budget=self.token_budget, layout=self.layout
            )
        ]

    def forward(
        self,
        batch: MicroBatch,
        model: PreTrainedModel | None = None,
        *,
        temperature: float | None = None,
        coefficients: Coefficients | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies of a micro-batch's completion tokens, (T,) each.

        Args:
            batch: from `plan`.
            model: another one of the same layout and vocabulary; the policy by default.
            temperature: another one than the sampler's.
            coefficients: a guess at dL / dlog-probability, to save time; see `head_logprobs`.
        """
        return completion_logprobs_T(
            self.model if model is None else model,
            batch,
            temperature=self.temperature if temperature is None else temperature,
            chunk_tokens=self.logprob_chunk_tokens,
            head_float32=self.head_float32,
            entropy_gradient=self.algo.needs_entropy_gradient,
            coefficients=coefficients,
            activations=Activations(recompute=self.recompute_cheap),
        )

    def fitting(self, work: Callable[[], ResultT], rollouts: Rollouts, rows: IntArray) -> ResultT:
        """Does work that can be begun again, with half the token budget each time memory runs out."""
        lengths = rollouts.prompts.lengths[rollouts.group_ids[rows]] + rollouts.completions.lengths[rows]
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self.token_budget <= int(lengths.max(initial=1)):
                    raise ModelError(
                        f"memory ran out on single completions of up to {lengths.max()} tokens, prompt "
                        "included: set learner.gradient_checkpointing, lower rollout.max_new_tokens or "
                        "learner.logprob_chunk_tokens, train adapters (model.lora_rank), or take "
                        f"model.dtype bfloat16 ({str(error).splitlines()[0]})"
                    ) from error
            # After the except block, whose traceback holds on to the tensors.
            self.token_budget //= 2
            self.optimizer.zero_grad()
            gc.collect()
            if self.model.device.type == "cuda":
                torch.cuda.empty_cache()

    def try_backward(self, rollouts: Rollouts) -> None:
        """A forward and backward pass over each micro-batch; weights and optimiser stay as they are."""
        rows = np.arange(len(rollouts))

        def backward() -> None:
            for batch in self.plan(rollouts, rows):
                logp_T, _ = self.forward(batch)
                logp_T.sum().backward()

        self.fitting(backward, rollouts, rows)
        self.optimizer.zero_grad()

    def _flat(self, values: FloatArray | None) -> Tensor | None:
        dtype = torch.promote_types(self.model.dtype, torch.float32)
        # A copy: the first optimiser step writes its own log-probabilities into it.
        return None if values is None else torch.tensor(values, dtype=dtype, device=self.model.device)

    # ---- What is not finite ------------------------------------------------------------------------------

    def _diagnosis(self, data: _Batch, window: _Window, otherwise: InputError | None = None) -> InputError:
        """The error that names the group whose numbers are not finite, with a pass of its own for each.

        Args:
            data, window: what was trained on.
            otherwise: the error when all numbers of all groups are finite.
        """
        groups = data.rollouts.group_ids[window.rows]
        for group in dict.fromkeys(groups.tolist()):
            rows = window.rows[groups == group]
            self.optimizer.zero_grad()
            plan = self.plan(data.rollouts, rows)
            with torch.no_grad():
                passes = [self.forward(batch) for batch in plan]
            logp_T, entropy_T = (torch.cat(part) for part in zip(*passes, strict=True))
            whole = _join(plan)
            if window.first:
                # The step may have ended before it came to this group.
                data.remember(whole.flat_T, logp_T, needs_old=self.algo.needs_old)
            try:
                loss = self._loss(data, window, whole, logp_T, entropy_T).loss
            except InputError:
                loss = None
            if loss is not None and bool(torch.isfinite(loss)):
                # Micro-batch by micro-batch: a group may be more than fits at once. On a copy: weights may be
                # set anew from what a mask keeps of this group.
                self._two_passes(data, replace(window), plan, _Sums())
            broken = [
                name
                for name, parameter in self.model.named_parameters()
                if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all())
            ]
            flat = whole.flat_T
            terms = {
                "log-probability": logp_T,
                "old log-probability": None if data.old is None else data.old[flat],
                "reference log-probability": None if data.reference is None else data.reference[flat],
                "sampler log-probability": data.rollouts.policy_logprobs[flat.numpy(force=True)],
                "advantage": data.token_advantages[flat.numpy(force=True)],
                "entropy": entropy_T,
                "loss": None if loss is None else loss.reshape(1),
            }
            error = nonfinite_error(data.rollouts, data.advantages, rows, flat, terms, broken)
            if error is not None:
                self.optimizer.zero_grad()
                return error
        self.optimizer.zero_grad()
        if otherwise is not None:
            return otherwise
        return NonFiniteError("the sum over the groups of an optimiser step", {}, {})

    # ---- State -------------------------------------------------------------------------------------------

    def apply_gradient(self, lr: float) -> float:
        """Checks, clips and applies the accumulated gradient; returns its norm before clipping.

        Raises:
            ModelError: the gradient is not finite; it was not applied.
        """
        norm = self.optimizer.grad_norm()
        if not np.isfinite(norm):
            self.optimizer.zero_grad()
            raise ModelError(
                f"the gradient is not finite (norm {norm}): lower the learning rate, or train with "
                "model.dtype float32. This update was not applied"
            )
        self.optimizer.step(lr, norm=norm)
        return norm

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state and the token budget in force; weights are saved with the model."""
        return {"optimizer": self.optimizer.state_dict(), "token_budget": self.token_budget}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.token_budget = state["token_budget"]


def optimiser_windows(group_ids: IntArray, rows: IntArray, minibatches: int) -> list[IntArray]:
    """The rows of each optimiser step of a pass: groups are kept whole, and shared out evenly, in order.

    With fewer groups than minibatches each group gets a step of its own.
    """
    groups = np.array(list(dict.fromkeys(group_ids[rows].tolist())))
    shares = [share for share in np.array_split(groups, minibatches) if len(share)]
    return [rows[np.isin(group_ids[rows], share)] for share in shares]


@dataclass
class _Batch:
    """A batch of rollouts with what is known of it; tensors are flat, on the model's device."""

    rollouts: Rollouts
    advantages: Advantages
    old: Tensor | None
    reference: Tensor | None
    unmoved: Tensor | None = None
    """Log-probabilities under the weights before the update, NaN where they were not needed."""

    def remember(self, flat_T: Tensor, logp_T: Tensor, *, needs_old: bool) -> None:
        """Takes the first optimiser step's own log-probabilities as those of the old policy."""
        if self.unmoved is None:
            size = len(self.rollouts.completions.flat)
            self.unmoved = torch.full((size,), torch.nan, dtype=logp_T.dtype, device=logp_T.device)
        self.unmoved[flat_T] = logp_T
        if needs_old:
            if self.old is None:
                self.old = torch.full_like(self.unmoved, torch.nan)
            self.old[flat_T] = logp_T

    @cached_property
    def token_advantages(self) -> FloatArray:
        """float64, each token's advantage."""
        return self.advantages.per_token(self.rollouts.completions.lengths)

    @cached_property
    def failed(self) -> BoolArray:
        """bool, one per row: it did not solve its task, by the verifier or else by a reward of 0 or less."""
        if self.rollouts.outcomes is not None:
            return np.not_equal(self.rollouts.outcomes, MathOutcome.CORRECT)
        if self.rollouts.rewards is not None:
            return ~(self.rollouts.rewards > 0)
        return self.advantages.values < 0

    def sampler_gap(self) -> dict[str, float]:
        """How far the learner's log-probabilities were from the sampler's before the update."""
        if self.unmoved is None:
            return {}
        learner = self.unmoved.double().numpy(force=True)
        sampler = self.rollouts.policy_logprobs
        gap = np.abs(learner - sampler)
        gap = gap[~np.isnan(gap)]
        used = np.isfinite(learner) & np.isfinite(sampler)
        offsets = np.concatenate([[0], np.cumsum(used)])[self.rollouts.completions.offsets]
        found = off_policy_metrics(learner[used], sampler[used], offsets)
        return {
            "train/sampler_gap": float(gap.mean()),
            "train/sampler_gap_max": float(gap.max()),
            "train/sampler_kl": found["kl"],
            "train/sampler_k3": found["k3_kl"],
            "train/sampler_ess_token": found["ess_token_fraction"],
            "train/sampler_ess_sequence": found["ess_sequence_fraction"],
        }


@dataclass
class _Window:
    """What one optimiser step is made of."""

    counted: IntArray
    """Rows that count in its denominators."""
    rows: IntArray
    """Those of them that may have a gradient."""
    first: bool = False
    """On weights that have not moved since the rollouts were sampled."""
    weights_N: FloatArray = field(default_factory=lambda: np.zeros(0))
    """What a token of each row of the rollouts counts."""


@dataclass
class _Sums:
    """Token means over a pass, gathered micro-batch by micro-batch."""

    loss: float = 0.0
    steps: int = 0
    norms: float = 0.0
    forward_tokens: int = 0
    padding_tokens: int = 0
    micro_batches: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, values_T: Tensor) -> None:
        self._count(name, float(values_T.detach().double().sum()), len(values_T))

    def join(self, step: _Sums, norm: float) -> None:
        """Adds one optimiser step."""
        self.loss += step.loss
        self.steps += 1
        self.norms += norm
        self.forward_tokens += step.forward_tokens
        self.padding_tokens += step.padding_tokens
        self.micro_batches += step.micro_batches
        for name, total in step.totals.items():
            self._count(name, total, step.counts[name])

    def _count(self, name: str, total: float, tokens: int) -> None:
        self.totals[name] = self.totals.get(name, 0.0) + total
        self.counts[name] = self.counts.get(name, 0) + tokens

    def means(self) -> dict[str, float]:
        return {
            "train/optimiser_steps": self.steps,
            "train/micro_batches": self.micro_batches,
            "train/forward_tokens": self.forward_tokens,
            "train/padding_tokens": self.padding_tokens,
            **{name: total / self.counts[name] for name, total in self.totals.items()},
            "train/loss": self.loss / self.steps,
            "train/grad_norm": self.norms / self.steps,
        }


def _known(coefficients_T: Tensor) -> Coefficients:
    return lambda _logp, _entropy, chunk: coefficients_T[chunk]


def _join(plan: list[MicroBatch]) -> MicroBatch:
    """The tokens of several micro-batches as one; only its fields of completion tokens have a meaning."""
    first = plan[0]
    return MicroBatch(
        **{
            **vars(first),
            **{
                name: torch.cat([getattr(batch, name) for batch in plan])
                for name in ("state_T", "target_T", "row_T", "flat_T")
            },
        }
    )


def disable_dropout(model: torch.nn.Module) -> None:
    """Sets every dropout probability to 0, those that attention functions read included."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", 0.0)  # noqa: B010 -- Module's own __setattr__ is narrower
