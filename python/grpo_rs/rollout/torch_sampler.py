"""The built-in sampler: the training model itself generates, completions entering and leaving as they end.

Shapes: R = completions that run, S = slots, T = tokens of a completion, V = vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.arrays import IntArray
from grpo_rs.errors import InputError, ModelError
from grpo_rs.rollout.draw import draw, logprob
from grpo_rs.rollout.packed import WORTHWHILE_STEPS, PackedLinears
from grpo_rs.rollout.padded import PaddedDecoder
from grpo_rs.rollout.sampler import Completion, Finish, SamplingParams, SeedArray, uniforms
from grpo_rs.rollout.slots import SlotDecoder, compacted, use_slots
from grpo_rs.rollout.stop import StopStrings

CACHE_BYTES = 1 << 30
"""Of the key-value cache on a CPU, where `slots` is not given; elsewhere half of the memory that is free."""

REFILL_SHARE = 0.125
"""Completions enter once this share of the slots is free: prompts are read several at a time."""


class TorchSampler:
    """Generates with a Hugging Face causal language model, in place.

    Args:
        model: the policy; its weights are read at every step, so there is nothing to synchronise.
        stop_tokens: ids that end a completion; the one drawn is part of it.
        decode: token ids to text, needed for stop strings only.
        slots: most completions decoded at once; None for as many as `CACHE_BYTES` allows.

    Attributes:
        fallback: why the model is sampled with transformers' own cache, more slowly, in words for the user;
            None where it is not.

    Raises:
        ModelError: the model keeps no key-value cache (from `stream` and `score`), or its logits are not
            finite (from `stream`).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        stop_tokens: Sequence[int],
        *,
        decode: Callable[[Sequence[int]], str] | None = None,
        slots: int | None = None,
    ) -> None:
        if slots is not None and slots < 1:
            raise InputError(f"slots is {slots}: it must be at least 1, or None to have it chosen")
        self.model = model
        self.version = 0
        config = model.config.get_text_config()
        self._context: int | None = getattr(config, "max_position_embeddings", None)
        self._stops = np.zeros(config.vocab_size, np.bool_)
        self._stops[[token for token in stop_tokens if token < config.vocab_size]] = True
        self._decode = decode
        self._slots = slots
        with _Evaluation(model):
            self.fallback, self._token_bytes = use_slots(model)

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`.

        A completion also ends, by its length, where the model's positions end. The same seeds give the same
        tokens in any company, up to what the rounding of matrix products of other sizes does to a draw that
        falls on the edge between two tokens.

        Raises:
            InputError: a prompt is empty, or leaves no position for a completion; stop strings without
                `decode`.
        """
        limits = np.full(seeds.shape, params.max_new_tokens, np.int64)
        return self.stream_limited(prompts, seeds, params, limits)

    def stream_limited(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams, limits: IntArray
    ) -> Iterator[Completion]:
        """`stream` with a length limit for each completion, int64 [P, G], each at least 1.

        For measurements at given lengths.
        """
        self._check(prompts)
        if self._context is not None:
            room = [self._context - len(prompt) for prompt in prompts]
            limits = np.minimum(limits, np.array(room, np.int64)[:, None])
        if params.stop and self._decode is None:
            raise InputError("stop strings are searched in text: give the sampler `decode`")
        stop = StopStrings(params.stop, self._decode) if params.stop and self._decode else None
        return self._generate(prompts, seeds, params, limits, stop)

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> npt.NDArray[np.float32]:
        """Log-probabilities of a given completion, step by step through the sampler's cache.

        Args:
            prompt: token ids.
            completion: token ids.

        Returns:
            float32 [T], at temperature 1 without limits.

        Raises:
            InputError: the prompt is empty, or both are longer than the model's positions.
        """
        self._check([prompt], new_tokens=len(completion))
        tokens = np.asarray(completion, np.int64)
        if not len(tokens):
            return np.zeros(0, np.float32)
        with _Evaluation(self.model):
            decoder = self._decoder(1, len(prompt), 1, len(tokens))
            (lane,) = decoder.prefill([prompt])
            decoder.enter([lane])
            given_T = torch.from_numpy(tokens).to(self.model.device)
            logps = [logprob(lane.logits_V[None], given_T[:1])]
            for t in range(1, len(tokens)):
                logps.append(logprob(decoder.step(tokens[t - 1 : t]), given_T[t : t + 1]))
            return torch.cat(logps).cpu().numpy()

    def _check(self, prompts: Sequence[Sequence[int]], new_tokens: int = 1) -> None:
        for group, prompt in enumerate(prompts):
            if not len(prompt):
                raise InputError(f"prompt {group} is empty: give at least one token")
            if self._context is not None and len(prompt) + new_tokens > self._context:
                raise InputError(
                    f"prompt {group} has {len(prompt)} tokens, and the model reads {self._context} with at "
                    f"least {new_tokens} of a completion: shorten or drop such prompts"
                )

    def _decoder(self, lanes: int, prompt_tokens: int, slots: int, new_tokens: int) -> Any:
        if self.fallback is not None:
            return PaddedDecoder(self.model)
        # The last token of a completion is never read.
        return SlotDecoder(
            self.model,
            lanes=lanes,
            prompt_tokens=prompt_tokens,
            slots=slots,
            new_tokens=max(1, new_tokens - 1),
        )

    def _slots_for(self, prompt_tokens: int, new_tokens: int, completions: int) -> int:
        slots = self._slots
        if slots is None:
            room = CACHE_BYTES
            if self.model.device.type == "cuda":
                device = self.model.device
                # What torch holds and does not use is free as well.
                unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
                room = (torch.cuda.mem_get_info(device)[0] + unused) // 2
            token_bytes = self._token_bytes or PaddedDecoder.bytes_per_token(self.model)
            slots = max(1, room // (token_bytes * (prompt_tokens + new_tokens)))
        return min(slots, completions)

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: SeedArray,
        params: SamplingParams,
        limits: IntArray,
        stop: StopStrings | None,
    ) -> Iterator[Completion]:
        if not seeds.size:
            return
        longest, new_tokens = max(map(len, prompts)), int(limits.max())
        slots = self._slots_for(longest, new_tokens, seeds.size)
        evaluation = _Evaluation(self.model)
        with evaluation:
            decoder = self._decoder(min(len(prompts), slots), longest, slots, new_tokens)
        run = _Run(decoder, prompts, seeds, params, limits, slots, self._stops, stop, self.version)
        packed = PackedLinears(self.model) if new_tokens >= WORTHWHILE_STEPS else nullcontext()
        while run.busy:
            # Whoever takes a completion may train the model before the next one is asked for.
            with evaluation, packed:
                ended = run.advance()
            yield from ended


class _Evaluation:
    """A context without gradients and dropout. Each module gets its mode back."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._modules = list(model.modules())
        self._training: list[torch.nn.Module] = []
        self._no_grad = torch.no_grad()

    def __enter__(self) -> None:
        self._no_grad.__enter__()
        self._training = [module for module in self._modules if module.training]
        for module in self._training:
            # Module.__setattr__ is slow enough to be seen where a step takes a millisecond.
            vars(module)["training"] = False

    def __exit__(self, *error: object) -> None:
        for module in self._training:
            vars(module)["training"] = True
        self._no_grad.__exit__(*error)


@dataclass
class _Group:
    """Completions of a prompt that wait or run.

    Attributes:
        group: its place in the call.
        members: those that wait.
        running: how many run.
        lane: its prompt in the decoder, once read.
    """

    group: int
    members: deque[int]
    running: int = 0
    lane: Any = None


class _Run:
    """One call of `stream`: who waits, who runs, and what they have drawn.

    A running completion has a desk, where its numbers stay, and a row of the batch, which changes as others
    leave.
    """

    def __init__(
        self,
        decoder: Any,
        prompts: Sequence[Sequence[int]],
        seeds: SeedArray,
        params: SamplingParams,
        limits: IntArray,
        slots: int,
        stops: npt.NDArray[np.bool_],
        stop: StopStrings | None,
        version: int,
    ) -> None:
        self._decoder, self._prompts, self._seeds, self._params = decoder, prompts, seeds, params
        self._limits, self._slots, self._stops, self._stop = limits, slots, stops, stop
        self._version = version
        # A decoder that nobody can join reads a prompt for as many completions as run at once.
        share = seeds.shape[1] if decoder.joins else slots
        self._waiting = deque(
            _Group(group, deque(range(first, min(first + share, seeds.shape[1]))))
            for group in range(len(prompts))
            for first in range(0, seeds.shape[1], share)
        )
        shape = (slots, int(limits.max()))
        self._tokens = np.zeros(shape, np.int64)
        self._logprobs = np.zeros(shape, np.float32)
        self._masses = np.zeros(shape, np.float32) if params.truncates else None
        self._uniforms = np.zeros(shape) if params.temperature > 0 else None
        self._counts = np.zeros(slots, np.int64)
        self._limit = np.zeros(slots, np.int64)
        self._member = np.zeros(slots, np.int64)
        self._group: list[_Group | None] = [None] * slots
        self._free = list(range(slots))[::-1]
        self._desk_R = np.zeros(0, np.int64)

    @property
    def busy(self) -> bool:
        """Something waits or runs."""
        return bool(self._waiting) or len(self._desk_R) > 0

    def advance(self) -> list[Completion]:
        """Decodes until something has ended."""
        ended: list[Completion] = []
        while self.busy and not ended:
            if self._may_enter():
                ended += self._enter()
            elif len(self._desk_R):
                desk_R = self._desk_R
                tokens_R = self._tokens[desk_R, self._counts[desk_R] - 1]
                ended += self._draw(self._decoder.step(tokens_R), desk_R)
        return ended

    def _may_enter(self) -> bool:
        if not self._waiting:
            return False
        if not len(self._desk_R):
            return True
        wanted = max(1, int(REFILL_SHARE * self._slots))
        waiting = len(self._waiting[0].members) if len(self._waiting) == 1 else wanted
        can_start = (
            self._waiting[0].lane is not None or self._decoder.free_lanes if self._decoder.joins else False
        )
        return bool(can_start) and len(self._free) >= min(wanted, waiting)

    def _enter(self) -> list[Completion]:
        """Fills the free slots, reads the prompts that are new, and draws first tokens."""
        entering: list[tuple[_Group, int]] = []
        new: list[_Group] = []
        while self._waiting and len(self._free) > len(entering):
            group = self._waiting[0]
            if group.lane is None and group not in new:
                if self._decoder.joins and len(new) == self._decoder.free_lanes:
                    break
                if not self._decoder.joins and len(self._free) < len(entering) + len(group.members):
                    break
                new.append(group)
            entering.append((group, group.members.popleft()))
            if not group.members:
                self._waiting.popleft()
        if new:
            lanes = self._decoder.prefill([self._prompts[group.group] for group in new])
            for group, lane in zip(new, lanes, strict=True):
                group.lane = lane
        # A decoder is faster where its rows are in the order of its lanes.
        entering.sort(key=lambda entry: entry[0].lane.index)
        self._decoder.enter([group.lane for group, _ in entering])
        desks = np.array([self._free.pop() for _ in entering])
        for desk, (group, member) in zip(desks, entering, strict=True):
            self._group[desk], self._member[desk] = group, member
            group.running += 1
        groups, members = np.array([group.group for group, _ in entering]), self._member[desks]
        self._limit[desks] = self._limits[groups, members]
        self._counts[desks] = 0
        if self._uniforms is not None:
            self._uniforms[desks] = uniforms(self._seeds[groups, members], self._uniforms.shape[1])
        self._desk_R = np.concatenate([self._desk_R, desks])
        logits_RV = torch.stack([group.lane.logits_V for group, _ in entering])
        for group, _ in entering:
            if not group.members:
                group.lane.logits_V = None
        return self._draw(logits_RV, desks)

    def _draw(self, logits: Tensor, desks: IntArray) -> list[Completion]:
        """Draws a token for each of some desks, the last rows of the batch; completions that end leave."""
        counts = self._counts[desks]
        if logits.device.type == "mps":
            logits = logits.float().cpu()  # drawing needs float64, which does not exist there
        uniform = None
        if self._uniforms is not None:
            uniform = torch.from_numpy(self._uniforms[desks, counts]).to(logits.device, non_blocking=True)
        found = draw(logits, self._params, uniform)
        # One transfer; tokens are exact in float64.
        token, logp, *mass = torch.stack([x.double() for x in found if x is not None]).cpu().numpy()
        if not np.isfinite(logp).all():
            raise ModelError(
                "the model's logits are not finite, so no token can be drawn: set rollout.dtype or "
                "model.dtype to float32, or lower optim.lr"
            )
        tokens = token.astype(np.int64)
        self._tokens[desks, counts] = tokens
        self._logprobs[desks, counts] = logp
        if self._masses is not None:
            self._masses[desks, counts] = mass[0]
        self._counts[desks] = counts + 1

        stopped = self._stops[tokens]
        full = counts + 1 >= self._limit[desks]
        texts = np.zeros(len(desks), np.bool_)
        if self._stop is not None:
            for i in np.flatnonzero(~stopped):
                desk = desks[i]
                texts[i] = self._stop.ended(self._tokens[desk, : counts[i] + 1])
        leaving = np.flatnonzero(stopped | texts | full)
        if not len(leaving):
            return []
        ended = []
        for i in leaving:
            finish = Finish.LENGTH
            if stopped[i] or texts[i]:
                finish = Finish.STOP_TOKEN if stopped[i] else Finish.STOP_STRING
            ended.append(self._completion(int(desks[i]), finish))
        self._leave(leaving + len(self._desk_R) - len(desks))
        return ended

    def _completion(self, desk: int, finish: Finish) -> Completion:
        group, length = self._group[desk], self._counts[desk]
        assert group is not None
        return Completion(
            group=group.group,
            member=int(self._member[desk]),
            tokens=self._tokens[desk, :length].copy(),
            logprobs=self._logprobs[desk, :length].copy(),
            finish=finish,
            version=self._version,
            log_mass=None if self._masses is None else self._masses[desk, :length].copy(),
        )

    def _leave(self, rows: IntArray) -> None:
        """Rows leave the batch, and the last ones take their places."""
        gone = np.zeros(len(self._desk_R), np.bool_)
        gone[rows] = True
        order = compacted(gone)
        done = []
        for desk in self._desk_R[rows].tolist():
            group = self._group[desk]
            assert group is not None
            self._free.append(desk)
            group.running -= 1
            if not group.running and not group.members:
                done.append(group.lane)
        self._decoder.keep(order)
        if done:
            self._decoder.release(done)
        self._desk_R = self._desk_R[order]
