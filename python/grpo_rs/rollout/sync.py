"""Weights on their way from the trainer to a sampler that has its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.rollout.canary import Canary, Gap, LogprobArray, Scorer, SyncError, forward_logprobs
from grpo_rs.rollout.sampler import Completion, SamplingParams, SeedArray
from grpo_rs.rollout.torch_sampler import TorchSampler

Transfer = Callable[[PreTrainedModel, int], None]
"""Hands the weights of a policy to a sampler; the number is their version."""

# Numbers of each tensor that are compared after a hand-over. A step changes weights everywhere, so a tensor
# that was forgotten differs in some of them.
COMPARED = 1 << 16


class WeightCopy:
    """A second model to sample with: in another number type, or while the first is being updated.

    Adapters are copied as adapters, beside weights that stay as they are, and in their own number type, which
    is float32 even where the weights are not. Merged into bfloat16 weights, or rounded to them, steps smaller
    than a weight's last bit would be lost.

    Args:
        policy: the model to copy. Gradients and the optimiser's state are not copied.
        dtype: of the copy's parameters; None for the policy's own. Adapters keep theirs, and so does whatever
            has another type than the policy, and buffers: positions computed from bfloat16 frequencies are
            wrong.

    Attributes:
        model: the copy.
    """

    def __init__(self, policy: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
        parameters = list(policy.parameters())
        # Of a policy with adapters only they are trained.
        adapted = not all(parameter.requires_grad for parameter in parameters)

        def dtype_of(parameter: Tensor) -> torch.dtype:
            own = parameter.dtype != policy.dtype or (adapted and parameter.requires_grad)
            return parameter.dtype if own or dtype is None else dtype

        # deepcopy finds each parameter in the memo, so tied ones stay tied, and none is ever held twice.
        memo = {
            id(parameter): torch.nn.Parameter(
                parameter.detach().to(dtype_of(parameter), copy=True),
                requires_grad=False,
            )
            for parameter in parameters
        }
        self.model: PreTrainedModel = copy.deepcopy(policy, memo).eval()

    @torch.no_grad()
    def transfer(self, policy: PreTrainedModel, version: int) -> None:
        """Copies every weight in place, and looks whether it is there.

        Raises:
            SyncError: the policy has other tensors than when it was copied, or the copy differs from it.
        """
        self._copy(policy)
        wrong = self.differences(policy)
        if wrong:
            raise SyncError(
                f"{len(wrong)} tensors of the sampler's copy are not those of the policy at step {version}, "
                f"among them {wrong[0]}: weights that are made anew at every call, or changed by a hook, "
                'cannot be copied; sample with the policy itself (rollout.dtype = "auto", rollout.ahead = 0)'
            )

    def _copy(self, policy: PreTrainedModel) -> None:
        theirs = _tensors(policy)
        for name, mine in _tensors(self.model).items():
            if name in theirs and mine.shape == theirs[name].shape:
                mine.copy_(theirs[name])

    @torch.no_grad()
    def differences(self, policy: PreTrainedModel) -> list[str]:
        """Names of tensors that the copy and the policy do not share in value, shape or existence."""
        mine, theirs = _tensors(self.model), _tensors(policy)
        return sorted(
            name
            for name in mine.keys() | theirs.keys()
            if name not in mine or name not in theirs or not _equal(mine[name], theirs[name])
        )


class SyncedSampler:
    """A sampler with weights of its own, which are handed over and then proven to be the trainer's.

    Args:
        inner: the sampler.
        transfer: hands it a policy's weights: `WeightCopy.transfer`, or the method of a back end.
        canary: compares log-probabilities after every hand-over; None where that proves nothing.

    Attributes:
        gap: what the canary found last.
    """

    def __init__(self, inner: Scorer, transfer: Transfer, canary: Canary | None) -> None:
        self.inner = inner
        self.transfer = transfer
        self.canary = canary
        self.version = inner.version
        self.gap: Gap | None = None
        self._streams = 0

    @property
    def fallback(self) -> str | None:
        """Why the built-in engine samples with the cache of transformers; None where it does not."""
        return self.inner.fallback if isinstance(self.inner, TorchSampler) else None

    def sync(self, policy: PreTrainedModel, version: int) -> None:
        """Hands over the weights, which are `version` optimiser steps old, and checks them.

        Raises:
            SyncError: the sampler does not have them; or it is in the middle of a stream, whose completions
                would be drawn half with the old weights and half with the new.
        """
        if self._streams:
            raise SyncError(
                "weights cannot be handed over while completions stream: exhaust or close the stream"
            )
        self.transfer(policy, version)
        self.version = self.inner.version = version
        if self.canary is not None:
            self.gap = self.canary.check(self.inner, forward_logprobs(policy))

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`."""
        self._streams += 1
        try:
            yield from self.inner.stream(prompts, seeds, params)
        finally:
            self._streams -= 1

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        """See `Scorer.score`."""
        return self.inner.score(prompt, completion)


def _tensors(model: PreTrainedModel) -> dict[str, Tensor]:
    """Parameters and buffers, each once; buffers that are not saved too."""
    return dict(chain(model.named_parameters(), model.named_buffers()))


def _equal(mine: Tensor, theirs: Tensor) -> bool:
    if mine.shape != theirs.shape:
        return False
    stride = max(1, mine.numel() // COMPARED)
    return torch.equal(mine.flatten()[::stride], theirs.flatten()[::stride].to(mine))
