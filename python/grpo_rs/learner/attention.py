"""Attention over a packed row in which the completions of a group share one copy of their prompt.

A row holds, end to end and without padding, each group's prompt and then its completions. A completion sees
its own group's prompt and itself; nothing else. Models reach this through the attention interface of
transformers: `use_shared_prefix` names our function in the model's configuration, and the plan of a row
travels to it as a keyword argument of the forward pass. Without a plan (sampling, evaluation) the call goes
on to the implementation that the model had before, so one model serves sampler and learner.

Three routes compute the same thing:

- CPU: every piece (a prompt, the completions of a group on their prompt, each completion on itself) is one
  call of the flash kernel, and the two pieces of a query are merged by their log-sum-exp, as in blockwise
  attention (Liu & Abbeel, arXiv:2310.01889). No key is copied for a completion and no score outside the
  pieces is computed. Backward gives each piece the merged output and log-sum-exp, which makes its gradient
  exact, and keeps nothing but query, key, value, output and log-sum-exp. Small groups, where a call costs
  more than the scores it spares, are batched under a mask instead.
- CUDA: flex attention with a block mask (never run on a GPU so far).
- elsewhere, and on a CPU whose torch has those kernels in another form: SDPA with one mask over the row.

Shapes: L = tokens of the row, H = query heads, J = key and value heads, K = head size.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import flex_attention as flex
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

from grpo_rs.learner.lora import causal_lm
from grpo_rs.planned_attention import SHARED_PREFIX, registered, unsupported, why_not_planned

PLAN = "shared_prefix_plan"
Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class PackedGroup:
    """A prompt and completions of it, in one row.

    Attributes:
        begin: where the prompt begins.
        bounds: where its completions begin, and last where the last one ends; bounds[0] ends the prompt.
    """

    begin: int
    bounds: tuple[int, ...]

    @property
    def split(self) -> int:
        """Where the prompt ends and the first completion begins."""
        return self.bounds[0]

    @property
    def end(self) -> int:
        """Where the group ends."""
        return self.bounds[-1]

    def completions(self) -> Iterator[tuple[int, int]]:
        """Begin and end of each completion that has tokens."""
        return ((b, e) for b, e in zip(self.bounds, self.bounds[1:], strict=False) if e > b)


@dataclass(frozen=True)
class AttentionPlan:
    """Who sees whom in a packed row.

    Attributes:
        groups: they cover the row, in order.
    """

    groups: tuple[PackedGroup, ...]
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def visible(self, window: int | None, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        """A function that says which query sees which key, given their places in the row."""
        if device not in self._cache:
            self._cache[device] = [torch.tensor(values, device=device) for values in self._owners()]
        group_L, completion_L, position_L = self._cache[device]

        def sees(query: Tensor, key: Tensor) -> Tensor:
            distance = position_L[query] - position_L[key]
            mine = (completion_L[key] == -1) | (completion_L[key] == completion_L[query])
            near = distance >= 0 if window is None else (distance >= 0) & (distance < window)
            seen: Tensor = (group_L[query] == group_L[key]) & mine & near
            return seen

        return sees

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned for this key the first time: every layer needs the same masks."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def _owners(self) -> tuple[list[int], list[int], list[int]]:
        """For each token its group, its completion (-1 in a prompt) and its position."""
        group_of: list[int] = []
        completion_of: list[int] = []
        position: list[int] = []
        number = 0
        for index, group in enumerate(self.groups):
            size = group.split - group.begin
            group_of += [index] * (group.end - group.begin)
            completion_of += [-1] * size
            position += range(size)
            for begin, end in group.completions():
                completion_of += [number] * (end - begin)
                position += range(size, size + end - begin)
                number += 1
        return group_of, completion_of, position


# ---- Switching a model -------------------------------------------------------------------------------------


def why_not_shared_prefix(model: PreTrainedModel) -> str | None:
    """Why a model cannot take plans, in words for the user; None if nothing is known against it."""
    return why_not_planned(causal_lm(model))


def use_shared_prefix(model: PreTrainedModel) -> None:
    """Lets a model take plans; calls without one go to the implementation it has now. Repeating is harmless.

    Raises:
        NotImplementedError: it cannot take them, with the reason.
    """
    model = causal_lm(model)
    if model.device.type == "cpu":
        flash_works()  # found out here: in a checkpointed layer what its trial saves would be counted
    former = model.config._attn_implementation
    if former.endswith(SHARED_PREFIX):
        return
    reason = why_not_shared_prefix(model)
    if reason is not None:
        raise NotImplementedError(reason)
    model.set_attn_implementation(registered(former, SHARED_PREFIX, PLAN, shared_prefix_attention))


def forward_arguments(plan: AttentionPlan, device: torch.device) -> dict[str, Any]:
    """The keyword arguments that take a plan through a model's forward pass."""
    # Models hand a mask of four dimensions on as it is; without one they would build an L x L mask.
    return {"attention_mask": torch.zeros((1, 1, 1, 1), device=device), PLAN: plan}


# ---- The attention function --------------------------------------------------------------------------------


def shared_prefix_attention(
    module: torch.nn.Module,
    query_1HLK: Tensor,
    key_1JLK: Tensor,
    value_1JLK: Tensor,
    plan: AttentionPlan,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **other: Any,
) -> Tensor:
    """Attention of a packed row, in the form that transformers' attention interface asks for.

    Args:
        module: the attention layer.
        query_1HLK, key_1JLK, value_1JLK: after rotation; H is a multiple of J.
        plan: the groups of the row.
        scaling: of the scores; None for 1 / sqrt(K).
        dropout: must be 0: the update compares log-probabilities, which dropout would make noise.
        sliding_window: a token sees this many tokens, itself included; None for all.
        is_causal: must not be False.
        other: what the interface hands to every implementation; see `unsupported`.

    Returns:
        (1, L, H, K).

    Raises:
        NotImplementedError: the model asks for something beside a scaled, causal softmax.
    """
    asked = unsupported(module, sliding_window=sliding_window, is_causal=is_causal, other=other)
    if dropout:
        asked.append("dropout")
    if asked:
        raise NotImplementedError(f"shared-prefix attention does not do {', '.join(asked)}")
    scale = query_1HLK.shape[-1] ** -0.5 if scaling is None else scaling
    match query_1HLK.device.type:
        case "cuda":
            route = flex_attention
        case "cpu" if flash_works():
            route = piecewise_attention
        case _:
            route = masked_attention
    return route(query_1HLK, key_1JLK, value_1JLK, plan, scale, sliding_window)


# ---- CPU: piece by piece -----------------------------------------------------------------------------------


def _flash(*arguments: Any, **options: Any) -> Tensors:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*arguments, **options)  # type: ignore[no-any-return]


def _flash_backward(*arguments: Any, **options: Any) -> Tensors:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(*arguments, **options)  # type: ignore[no-any-return]


@cache
def flash_works() -> bool:
    """Whether this torch has the CPU's flash kernels as we call them; warns once if not.

    They are no public interface: another version may lack them, or have them with other arguments.
    """
    random = torch.Generator().manual_seed(0)
    query, key, value, grad = (torch.randn(1, 2, 5, 8, generator=random) for _ in range(4))
    leaves = q, k, v = [t.clone().requires_grad_() for t in (query, key, value)]
    with torch.enable_grad():
        expected = scaled_dot_product_attention(q, k, v, is_causal=True)
        expected_grads = torch.autograd.grad(expected, leaves, grad)
    try:
        out, lse = _flash(query, key, value, 0.0, True, attn_mask=None, scale=8**-0.5)
        grads = _flash_backward(grad, query, key, value, out, lse, 0.0, True, attn_mask=None, scale=8**-0.5)
        torch.testing.assert_close((out, *grads), (expected.detach(), *expected_grads))
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        warnings.warn(
            f"torch {torch.__version__} lacks the CPU's flash attention in the form that the update uses "
            f"({reason}): attention is computed under a mask, which is slower",
            stacklevel=2,
        )
        return False
    return True


SMALL_GROUP = 128
"""Tokens of a group up to which it is batched with others under a mask: measured on SmolLM2's heads."""

# What is added to the score of a key that must not be seen. Finite, so that a query of which a piece shows
# nothing gets a weight of exp(-1e30) = 0 there instead of NaN.
_HIDDEN = -1e30


def piecewise_attention(
    query_1HLK: Tensor,
    key_1JLK: Tensor,
    value_1JLK: Tensor,
    plan: AttentionPlan,
    scale: float,
    window: int | None,
) -> Tensor:
    """(1, L, H, K) by the CPU's flash kernel, piece by piece; no more memory than plain attention keeps."""
    out: Tensor = _Piecewise.apply(query_1HLK, key_1JLK, value_1JLK, plan, scale, window)
    return out


class _Piecewise(torch.autograd.Function):
    """In float32 where the model is narrower: the CPU's flash kernel is no slower in it, and rounds less."""

    @staticmethod
    def forward(
        ctx: Any,
        query_1HLK: Tensor,
        key_1JLK: Tensor,
        value_1JLK: Tensor,
        plan: AttentionPlan,
        scale: float,
        window: int | None,
    ) -> Tensor:
        inputs = _inputs(query_1HLK, key_1JLK, value_1JLK)
        # Token-major in memory, as a model's projections are.
        _, heads, length, size = query_1HLK.shape
        out_1HLK = inputs[0].new_empty(1, length, heads, size).transpose(1, 2)
        lse_1HL = inputs[0].new_empty(1, length, heads).transpose(1, 2)
        for piece in _pieces(plan, window, inputs[0]):
            out, lse = piece.forward(inputs, scale)
            piece.merge(out, lse, out_1HLK, lse_1HL)
        out_1LHK = out_1HLK.transpose(1, 2).to(query_1HLK.dtype)
        ctx.save_for_backward(query_1HLK, key_1JLK, value_1JLK, out_1LHK, lse_1HL)
        ctx.plan, ctx.scale, ctx.window = plan, scale, window
        return out_1LHK

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_1LHK: Tensor) -> tuple[Tensor | None, ...]:
        query_1HLK, key_1JLK, value_1JLK, out_1LHK, lse_1HL = ctx.saved_tensors
        inputs = _inputs(query_1HLK, key_1JLK, value_1JLK)
        wide = inputs[0].dtype
        outputs = (grad_1LHK.transpose(1, 2).to(wide), out_1LHK.transpose(1, 2).to(wide), lse_1HL)
        grads = tuple(torch.zeros_like(t) for t in inputs)
        for piece in _pieces(ctx.plan, ctx.window, inputs[0]):
            piece.backward(inputs, outputs, ctx.scale, grads)
        dquery, dkey, dvalue = (grad.to(query_1HLK.dtype) for grad in grads)
        return dquery, _reduced(dkey, key_1JLK), _reduced(dvalue, value_1JLK), None, None, None


def _inputs(query_1HLK: Tensor, key_1JLK: Tensor, value_1JLK: Tensor) -> Tensors:
    """All with H heads, and at least float32."""
    repeats = query_1HLK.shape[1] // key_1JLK.shape[1]
    wide = torch.promote_types(query_1HLK.dtype, torch.float32)
    return query_1HLK.to(wide), _repeated(key_1JLK.to(wide), repeats), _repeated(value_1JLK.to(wide), repeats)


def _repeated(x_1JLK: Tensor, repeats: int) -> Tensor:
    if repeats == 1:
        return x_1JLK
    return x_1JLK.transpose(1, 2).repeat_interleave(repeats, dim=2).transpose(1, 2)


def _reduced(grad_1HLK: Tensor, like_1JLK: Tensor) -> Tensor:
    """The gradient of `_repeated`."""
    heads = like_1JLK.shape[1]
    if grad_1HLK.shape[1] == heads:
        return grad_1HLK
    reduced: Tensor = grad_1HLK.transpose(1, 2).unflatten(2, (heads, -1)).sum(3).transpose(1, 2)
    return reduced


@dataclass(frozen=True)
class _Slices:
    """Some tokens of the row on others."""

    queries: slice
    keys: slice
    causal: bool
    mask: Tensor | None
    merges: bool
    """Whether these queries saw other keys before."""

    def forward(self, inputs: Tensors, scale: float) -> Tensors:
        query, key, value = inputs
        q, k = self.queries, self.keys
        return _flash(
            query[:, :, q], key[:, :, k], value[:, :, k], 0.0, self.causal, attn_mask=self.mask, scale=scale
        )

    def merge(self, out: Tensor, lse: Tensor, out_1HLK: Tensor, lse_1HL: Tensor) -> None:
        q = self.queries
        if not self.merges:
            out_1HLK[:, :, q], lse_1HL[:, :, q] = out, lse
            return
        # Two softmaxes over different keys: each counts by its share of the common normaliser.
        share = torch.sigmoid(lse - lse_1HL[:, :, q])
        out_1HLK[:, :, q] = out_1HLK[:, :, q].lerp(out, share[..., None])
        lse_1HL[:, :, q] = torch.logaddexp(lse, lse_1HL[:, :, q])

    def backward(self, inputs: Tensors, outputs: Tensors, scale: float, grads: Tensors) -> None:
        q, k = self.queries, self.keys
        query, key, value = inputs
        grad, out, lse = (t[:, :, q] for t in outputs)
        found = _flash_backward(
            grad, query[:, :, q], key[:, :, k], value[:, :, k], out, lse, 0.0, self.causal,
            attn_mask=self.mask, scale=scale,
        )  # fmt: skip
        for total, part, where in zip(grads, found, (q, k, k), strict=True):
            total[:, :, where] += part


@dataclass(frozen=True)
class _Batch:
    """Small groups, one a row of a padded batch, under a mask."""

    index_BM: Tensor
    """Each token's place in the packed row; padding points at token 0."""
    real_BM: Tensor
    mask_B1MM: Tensor

    def _gather(self, x_1HL: Tensor) -> Tensor:
        gathered: Tensor = x_1HL[0].transpose(0, 1)[self.index_BM].transpose(1, 2)
        return gathered

    def forward(self, inputs: Tensors, scale: float) -> Tensors:
        query, key, value = (self._gather(t) for t in inputs)
        return _flash(query, key, value, 0.0, False, attn_mask=self.mask_B1MM, scale=scale)

    def merge(self, out: Tensor, lse: Tensor, out_1HLK: Tensor, lse_1HL: Tensor) -> None:
        self._scatter(out, out_1HLK)
        self._scatter(lse, lse_1HL)

    def backward(self, inputs: Tensors, outputs: Tensors, scale: float, grads: Tensors) -> None:
        query, key, value = (self._gather(t) for t in inputs)
        grad, out, lse = (self._gather(t) for t in outputs)
        grad = grad * self.real_BM[:, None, :, None]
        found = _flash_backward(
            grad, query, key, value, out, lse, 0.0, False, attn_mask=self.mask_B1MM, scale=scale
        )
        for total, part in zip(grads, found, strict=True):
            self._scatter(part, total)

    def _scatter(self, part_BHM: Tensor, total_1HL: Tensor) -> None:
        total_1HL[0].transpose(0, 1)[self.index_BM[self.real_BM]] = part_BHM.transpose(1, 2)[self.real_BM]


def _pieces(plan: AttentionPlan, window: int | None, like: Tensor) -> list[_Slices | _Batch]:
    """What to compute for a plan; the same for all layers of a window, so made once."""

    def make() -> list[_Slices | _Batch]:
        sees = plan.visible(window, like.device)
        small: dict[int, list[PackedGroup]] = {}
        pieces: list[_Slices | _Batch] = []
        for group in plan.groups:
            length = group.end - group.begin
            if length <= SMALL_GROUP:
                small.setdefault(length.bit_length(), []).append(group)
            else:
                pieces += _slices(group, window, sees, like.dtype)
        return pieces + [_batch(groups, sees, like.dtype) for groups in small.values()]

    pieces: list[_Slices | _Batch] = plan.cached(("pieces", window, like.dtype), make)
    return pieces


Sees = Callable[[Tensor, Tensor], Tensor]


def _slices(group: PackedGroup, window: int | None, sees: Sees, dtype: torch.dtype) -> Iterator[_Slices]:
    begin, split, end = group.begin, group.split, group.end
    cut = window is not None
    for first, last in ((begin, split), *group.completions()):
        own = slice(first, last)
        mask = _mask(sees, own, own, dtype) if cut and last - first > window else None  # type: ignore[operator]
        yield _Slices(own, own, causal=mask is None, mask=mask, merges=False)
    # The first token of a completion sees window - 1 tokens of the prompt, later ones fewer.
    shared = slice(max(begin, split - window + 1) if window is not None else begin, split)
    if end > split and shared.stop > shared.start:
        rows = slice(split, end)
        mask = _mask(sees, rows, shared, dtype) if cut and _longest(group) > window else None  # type: ignore[operator]
        yield _Slices(rows, shared, causal=False, mask=mask, merges=True)


def _longest(group: PackedGroup) -> int:
    """Tokens of the prompt and the longest completion."""
    return group.split - group.begin + max((e - b for b, e in group.completions()), default=0)


def _mask(sees: Sees, queries: slice, keys: slice, dtype: torch.dtype) -> Tensor:
    query = torch.arange(queries.start, queries.stop)[:, None]
    return _additive(sees(query, torch.arange(keys.start, keys.stop)), dtype)


def _additive(visible: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, _HIDDEN)


def _batch(groups: list[PackedGroup], sees: Sees, dtype: torch.dtype) -> _Batch:
    lengths_B = torch.tensor([group.end - group.begin for group in groups])
    place_M = torch.arange(int(lengths_B.max()))
    real_BM = place_M < lengths_B[:, None]
    index_BM = (torch.tensor([group.begin for group in groups])[:, None] + place_M) * real_BM
    visible_BMM = sees(index_BM[:, :, None], index_BM[:, None, :]) & real_BM[:, None, :] & real_BM[:, :, None]
    return _Batch(index_BM, real_BM, _additive(visible_BMM, dtype)[:, None])


# ---- Elsewhere ---------------------------------------------------------------------------------------------


def masked_attention(
    query_1HLK: Tensor,
    key_1JLK: Tensor,
    value_1JLK: Tensor,
    plan: AttentionPlan,
    scale: float,
    window: int | None,
) -> Tensor:
    """(1, L, H, K) by SDPA with one (L, L) mask: right on every device, at the cost of all L * L scores."""
    device = query_1HLK.device

    def make() -> Tensor:
        place = torch.arange(query_1HLK.shape[2], device=device)
        return plan.visible(window, device)(place[:, None], place)

    mask_LL = plan.cached(("mask", window, device), make)
    gqa = query_1HLK.shape[1] != key_1JLK.shape[1]
    out = scaled_dot_product_attention(
        query_1HLK, key_1JLK, value_1JLK, attn_mask=mask_LL, scale=scale, enable_gqa=gqa
    )
    return out.transpose(1, 2)


def flex_attention(
    query_1HLK: Tensor,
    key_1JLK: Tensor,
    value_1JLK: Tensor,
    plan: AttentionPlan,
    scale: float,
    window: int | None,
) -> Tensor:
    """(1, L, H, K) by compiled flex attention, which skips blocks of keys that no query sees.

    Never run on a GPU so far.
    """
    device, length = query_1HLK.device, query_1HLK.shape[2]

    def make() -> flex.BlockMask:
        sees = plan.visible(window, device)
        return flex.create_block_mask(
            lambda _batch, _head, query, key: sees(query, key), None, None, length, length, device=device
        )

    mask = plan.cached(("block mask", window, device), make)
    gqa = query_1HLK.shape[1] != key_1JLK.shape[1]
    out: Tensor = _compiled_flex()(
        query_1HLK, key_1JLK, value_1JLK, block_mask=mask, scale=scale, enable_gqa=gqa
    )
    return out.transpose(1, 2)


@cache
def _compiled_flex() -> Callable[..., Tensor]:
    # Dynamic shapes: every packed row has another length.
    return torch.compile(flex.flex_attention, dynamic=True)
