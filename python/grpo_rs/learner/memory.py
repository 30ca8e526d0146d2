"""How much memory an update takes: estimated before it, tried by a probe step, measured during it.

The estimate of what autograd keeps is not a rule of thumb: the tensors that a small forward pass saves for
its backward pass are counted, and scaled by tokens.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.learner.activations import Activations, Packed
from grpo_rs.learner.layout import MicroBatch, micro_batches
from grpo_rs.learner.logprobs import LOGIT_BYTES, completion_hidden_TD
from grpo_rs.learner.resident import MEMINFO, proc_bytes, reset_peak, status_bytes, trim

if TYPE_CHECKING:
    from grpo_rs.learner.learner import Learner

# Tokens of the forward pass whose saved tensors are counted.
SAMPLE_TOKENS = 256
# Share of the free memory that an update may take: other processes, and fragments, need some.
USABLE = {"cpu": 0.7, "cuda": 0.9}
# Token budgets that "auto" chooses from: powers of two. Larger ones gain nothing any more.
SMALLEST, LARGEST = 256, {"cpu": 8192, "cuda": 65536}
# Copies of a chunk's logits in float32 that exist at once beside the logits themselves: on a GPU, scaled
# logits, probabilities and gradient; on a CPU they are made a few rows at a time.
LOGIT_COPIES = {"cpu": 0, "cuda": 3}
# Layers' worth of activations that a backward pass holds beside what was saved.
BACKWARD_LAYERS = 2


@dataclass(frozen=True)
class Shape:
    """The largest step that a run can have.

    Attributes:
        prompt_tokens: of the longest prompt.
        completion_tokens: length limit of a completion.
        group_size: completions of a prompt.
        groups: prompts of an optimiser step.
    """

    prompt_tokens: int
    completion_tokens: int
    group_size: int
    groups: int

    def rollouts(self, vocabulary: int) -> Rollouts:
        """Made-up completions of this shape, all of full length."""
        random = np.random.default_rng(0)
        rows = self.groups * self.group_size
        draw = random.integers
        completions = Tokens.from_rows([draw(0, vocabulary, self.completion_tokens) for _ in range(rows)])
        return Rollouts(
            prompts=Tokens.from_rows([draw(0, vocabulary, self.prompt_tokens) for _ in range(self.groups)]),
            prompt_index=np.arange(self.groups),
            completions=completions,
            group_ids=np.repeat(np.arange(self.groups), self.group_size),
            sampler_logprobs=np.zeros(len(completions.flat), np.float32),
            finished=np.ones(rows, np.bool_),
        )

    def largest_micro_batch(self, token_budget: int) -> int:
        """Tokens of the largest micro-batch: a completion beyond the budget has one to itself."""
        step = self.groups * (self.prompt_tokens + self.group_size * self.completion_tokens)
        return min(step, max(token_budget, self.prompt_tokens + self.completion_tokens))

    def of_tokens(self, tokens: int) -> Shape:
        """A like shape of about that many tokens: fewer groups, then fewer and shorter completions."""
        per_group = self.prompt_tokens + self.group_size * self.completion_tokens
        if per_group <= tokens:
            return Shape(
                self.prompt_tokens,
                self.completion_tokens,
                self.group_size,
                min(self.groups, tokens // per_group),
            )
        prompt = max(1, min(self.prompt_tokens, tokens // 2))
        room = max(1, tokens - prompt)
        completion = min(self.completion_tokens, room)
        return Shape(prompt, completion, max(1, room // completion), 1)


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of an update by part.

    Attributes:
        weights, gradients, optimiser, master_weights, reference: by their exact sizes.
        critic: its weights and its optimiser; its gradients and the policy's are never there together.
        activations: of `micro_batch_tokens` tokens.
        logits: of one chunk of the head.
        token_bytes: activations per token.
        micro_batch_tokens: tokens of the largest micro-batch.
    """

    weights: int
    gradients: int
    optimiser: int
    master_weights: int
    reference: int
    critic: int
    activations: int
    logits: int
    token_bytes: float
    micro_batch_tokens: int

    PARTS = (
        "weights",
        "gradients",
        "optimiser",
        "master_weights",
        "reference",
        "critic",
        "activations",
        "logits",
    )

    def parts(self) -> dict[str, int]:
        """The parts that are not empty."""
        return {name: getattr(self, name) for name in self.PARTS if getattr(self, name)}

    @property
    def total(self) -> int:
        """Their sum: the peak of an update."""
        return sum(self.parts().values())

    @property
    def to_come(self) -> int:
        """What is not there yet once the model is loaded and the learner made."""
        return self.total - self.weights - self.master_weights


def estimate_memory(learner: Learner, shape: Shape, *, token_budget: int, reference: bool) -> MemoryEstimate:
    """Peak memory of an update, before it is done.

    Args:
        learner: its model, optimiser and settings.
        shape: of the largest step.
        token_budget: most tokens of a forward pass.
        reference: whether there will be a frozen copy of the trained parameters.
    """
    model = learner.model
    trained = [p for p in model.parameters() if p.requires_grad]
    masters = sum(master.nbytes for master in learner.optimizer.masters.values())
    state_bytes = learner.optimizer.bytes_per_parameter()
    copied = model.base_model.parameters() if learner.algo.needs_critic else ()
    token_bytes = activation_bytes_per_token(learner, shape)
    tokens = shape.largest_micro_batch(token_budget)
    return MemoryEstimate(
        weights=sum(p.nbytes for p in model.parameters()),
        gradients=sum(p.nbytes for p in trained),
        optimiser=2 * sum(max(p.element_size(), 4 if masters else 0) * p.numel() for p in trained),
        master_weights=masters,
        reference=sum(p.nbytes for p in trained) if reference else 0,
        critic=int(sum(p.nbytes + state_bytes * p.numel() for p in copied if p.requires_grad)),
        activations=int(token_bytes * tokens),
        logits=_logit_bytes(learner, shape, tokens),
        token_bytes=token_bytes,
        micro_batch_tokens=tokens,
    )


def _logit_bytes(learner: Learner, shape: Shape, tokens: int) -> int:
    """Bytes of the head's largest chunk, and of the gradient of its weights before it is added up."""
    head = learner.model.get_output_embeddings().weight
    size = 4 if learner.head_float32 else head.element_size()
    vocabulary = len(head)
    chunk = min(
        tokens,
        shape.groups * shape.group_size * shape.completion_tokens,
        learner.logprob_chunk_tokens,
        max(1, LOGIT_BYTES // (size * vocabulary)),
    )
    copies = LOGIT_COPIES.get(head.device.type, LOGIT_COPIES["cuda"])
    return chunk * vocabulary * (size + 4 * copies) + (head.nbytes if head.requires_grad else 0)


def activation_bytes_per_token(learner: Learner, shape: Shape) -> float:
    """Bytes that a token's activations take at the peak of the backward pass.

    The saved tensors of a small forward pass are counted, and some layers' worth added for what the
    backward pass itself holds; with gradient checkpointing one of those is a layer computed again.
    """
    model = learner.model
    small = shape.of_tokens(SAMPLE_TOKENS)
    rollouts = small.rollouts(model.config.get_text_config().vocab_size)
    (batch, *_) = micro_batches(rollouts, range(len(rollouts)), token_budget=1 << 30, layout=learner.layout)
    batch = batch.to(model.device)
    kept = saved_bytes(learner, batch)
    layer = kept
    if learner.gradient_checkpointing:
        # Checkpointing acts in training mode only.
        model.eval()
        try:
            layer = saved_bytes(learner, batch)
        finally:
            model.train()
    layers = int(getattr(model.config.get_text_config(), "num_hidden_layers", 1))
    return (kept + BACKWARD_LAYERS * layer / layers) / batch.input_ids_BL.numel()


def saved_bytes(learner: Learner, batch: MicroBatch) -> int:
    """Bytes that autograd keeps of a forward pass below the head, without parameters."""
    counting = _Counting(learner)
    hidden_TD = completion_hidden_TD(learner.model, batch, activations=counting)
    del hidden_TD
    return sum(counting.kept.values())


class _Counting(Activations):
    """Keeps what the learner's forward passes keep, and the size of each storage once."""

    def __init__(self, learner: Learner) -> None:
        super().__init__(recompute=learner.recompute_cheap)
        self.kept: dict[int, int] = {}
        self._parameters = {p.untyped_storage().data_ptr() for p in learner.model.parameters()}
        self._alive: list[Tensor] = []  # or a freed storage's address would be counted for another's

    def _pack(self, saved: Tensor) -> Packed:
        packed = super()._pack(saved)
        if isinstance(packed, Tensor) and packed.untyped_storage().data_ptr() not in self._parameters:
            self.kept[packed.untyped_storage().data_ptr()] = packed.untyped_storage().nbytes()
            self._alive.append(packed)
        return packed


def choose_token_budget(learner: Learner, shape: Shape, *, reference: bool, free: int | None) -> int:
    """The largest token budget, a power of two, whose estimated update fits into the free memory.

    Args:
        learner: see `estimate_memory`.
        shape: of the largest step: a budget beyond all its tokens gains nothing.
        reference: see `estimate_memory`.
        free: bytes that are free now, with the model loaded; None if that cannot be told.
    """
    kind = learner.model.device.type
    budget = LARGEST.get(kind, LARGEST["cpu"])
    step_tokens = shape.groups * (shape.prompt_tokens + shape.group_size * shape.completion_tokens)
    while budget // 2 >= max(step_tokens, SMALLEST):
        budget //= 2
    if free is None:
        return budget
    estimate = estimate_memory(learner, shape, token_budget=budget, reference=reference)
    fixed = estimate.to_come - estimate.activations
    usable = USABLE.get(kind, USABLE["cpu"]) * free
    while budget > SMALLEST and fixed + estimate.token_bytes * shape.largest_micro_batch(budget) > usable:
        budget //= 2
    return budget


def probe_step(learner: Learner, shape: Shape) -> int | None:
    """A forward and backward pass on the largest micro-batch that a run can have; weights stay as they are.

    When memory runs out the learner's token budget is halved, and it is tried again.

    Returns:
        The peak of the memory meanwhile, in bytes, weights included; None where it cannot be told.

    Raises:
        ModelError: a single completion does not fit.
    """
    rollouts = shape.of_tokens(shape.largest_micro_batch(learner.token_budget)).rollouts(
        learner.model.config.get_text_config().vocab_size
    )
    peak = PeakMemory(learner)
    learner.try_backward(rollouts)
    return peak.read()


class PeakMemory:
    """The peak of a learner's memory since this was made, in bytes.

    On a CPU it is what the process grew by, on top of the tensors that the learner held before: code
    and caches of the process are not counted.

    Args:
        learner: whose memory it is.
        beside: bytes that are held beside it, by a critic.
    """

    def __init__(self, learner: Learner, *, beside: int = 0) -> None:
        self.device = learner.model.device
        self.known = True
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif self.device.type == "cpu":
            # What was freed before, as by loading the model, is not part of it.
            gc.collect()
            trim()
            self.known = reset_peak()
            self.held = held_bytes(learner) + beside
            (self.before,) = status_bytes("VmRSS")

    def read(self) -> int | None:
        """The peak so far; None where the system does not tell."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        if self.device.type != "cpu" or not self.known:
            return None
        (peak,) = status_bytes("VmHWM")
        return None if peak is None or self.before is None else self.held + peak - self.before


def held_bytes(learner: Learner) -> int:
    """Bytes of the tensors that a learner holds now."""
    parameters = list(learner.model.parameters())
    tensors = [*parameters, *(p.grad for p in parameters if p.grad is not None)]
    tensors += learner.optimizer.masters.values()
    for state in learner.optimizer.adamw.state.values():
        tensors += [value for value in state.values() if isinstance(value, Tensor)]
    reference = 0 if learner.reference is None else learner.reference.nbytes
    return sum(tensor.nbytes for tensor in tensors) + reference


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where that cannot be told."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch keeps for itself without using it is free as well.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type != "cpu":
        return None
    bounds = [*proc_bytes(MEMINFO, "MemAvailable"), _cgroup_free()]
    known = [bound for bound in bounds if bound is not None]
    return min(known) if known else None


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or in torch's allocator for the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate memory" in str(error)
        or "DefaultCPUAllocator: not enough memory" in str(error)
        or "MPS backend out of memory" in str(error)
    )


def _cgroup_free() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        caches = int(
            next(
                line.split()[1]
                for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
                if line.startswith("inactive_file ")
            )
        )
    except (OSError, ValueError, StopIteration):
        return None
    return None if limit == "max" else int(limit) - used + caches
