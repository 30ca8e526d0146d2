"""Log-probabilities of completion tokens under a Hugging Face causal language model.

The language-model head runs on completion tokens only and in chunks: the (tokens x vocabulary) logits of more
than a chunk never exist, forward or backward.

Shapes: B = rows, L = width, D = hidden size, V = vocabulary, T = completion tokens, C = tokens of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from grpo_rs.errors import ModelError
from grpo_rs.learner.activations import Activations
from grpo_rs.learner.attention import forward_arguments, use_shared_prefix
from grpo_rs.learner.layout import MicroBatch
from grpo_rs.learner.lora import causal_lm
from grpo_rs.learner.resident import make_room

LOGIT_BYTES = 1 << 27
"""Most bytes of a chunk's logits, so that memory does not grow with the vocabulary."""

BLOCK_BYTES = 1 << 20
"""Bytes of logits that softmax passes work on at a time on a CPU: they stay in its cache."""

Coefficients = Callable[[Tensor, Tensor, slice], Tensor]
"""From the log-probabilities (C,) and entropies (C,) of some tokens, and which tokens of the batch they are,
to dL / dlog-probability (C,)."""

ROUNDINGS = 16
"""Units of rounding by which a gradient may differ from the one that was expected."""

IMPOSSIBLE = -1e30
"""Stands for the logarithm of probability 0 in products with that 0, which would make NaN of -inf."""


def completion_logprobs_T(
    model: PreTrainedModel,
    batch: MicroBatch,
    *,
    temperature: float,
    chunk_tokens: int,
    head_float32: bool = False,
    entropy_gradient: bool = False,
    coefficients: Coefficients | None = None,
    activations: Activations | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each completion token, and the entropy of the distribution it came from.

    Args:
        model: a causal language model whose logits are its output embeddings' of the last hidden state,
            perhaps soft-capped; `probe_layout` checks that.
        batch: the layout, on the model's device.
        temperature: divides the logits, as in the sampler. Entropy and log-probabilities include it.
        chunk_tokens: most tokens per pass through the head; see `head_logprobs`.
        head_float32: the head's product in float32, whatever the model's number type.
        entropy_gradient: entropies are differentiable too, for an entropy bonus.
        coefficients: a guess at the gradient that will come back; see `head_logprobs`.
        activations: see `completion_hidden_TD`.

    Returns:
        Two (T,) tensors, float32 or the model's float64: log-probabilities (differentiable) and entropies in
        nats (detached unless `entropy_gradient`).
    """
    return head_logprobs(
        completion_hidden_TD(model, batch, activations=activations),
        model.get_output_embeddings(),
        batch.target_T,
        temperature=temperature,
        chunk_tokens=chunk_tokens,
        head_float32=head_float32,
        entropy_gradient=entropy_gradient,
        coefficients=coefficients,
        softcap=getattr(model.config.get_text_config(), "final_logit_softcapping", None),
    )


def completion_hidden_TD(
    model: PreTrainedModel, batch: MicroBatch, *, activations: Activations | None = None
) -> Tensor:
    """The last hidden state that predicts each completion token, (T, D), differentiable.

    Args:
        model: a causal language model, or any model with such a `base_model` (a value head, say).
        batch: the layout, on the model's device.
        activations: what becomes of them until the backward pass; by default all are kept.
    """
    if batch.plan is None:
        arguments: dict[str, Any] = {"attention_mask": batch.padding_mask_BL}
    else:
        use_shared_prefix(model)
        arguments = forward_arguments(batch.plan, batch.input_ids_BL.device)
    with activations or Activations():
        hidden_BLD: Tensor = (
            causal_lm(model)
            .base_model(
                input_ids=batch.input_ids_BL, position_ids=batch.position_ids_BL, use_cache=False, **arguments
            )
            .last_hidden_state
        )
    return hidden_BLD.flatten(0, 1).index_select(0, batch.state_T)


def head_logprobs(
    hidden_TD: Tensor,
    head: torch.nn.Module,
    target_T: Tensor,
    *,
    temperature: float = 1.0,
    chunk_tokens: int = 1 << 30,
    head_float32: bool = False,
    entropy_gradient: bool = False,
    coefficients: Coefficients | None = None,
    softcap: float | None = None,
    keep_TV: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The logarithm of softmax(softcap(W h + b) / temperature)[target], and that distribution's entropy.

    The tokens are gone through in chunks of at most `chunk_tokens` tokens and `LOGIT_BYTES` bytes of logits.
    A token's gradients are a number, dL / dlogp, times what its logits alone determine:

        dL/dh = dL/dlogp (onehot - p) W        dL/dW = dL/dlogp (onehot - p) h^T

    so with `coefficients`, or where the head is frozen, the forward pass has both while it has the logits,
    and no logits are kept or computed again. Otherwise, and if the backward pass brings other numbers than
    `coefficients` said, it computes each chunk's logits again, except for the last chunk's, which may have
    been kept from the forward pass.

    Args:
        hidden_TD: hidden states that predict the targets.
        head: the model's output embeddings: a weight (V, D) and maybe a bias (V,).
        target_T: int64, the tokens.
        temperature: divides the logits.
        chunk_tokens: most tokens of a chunk.
        head_float32: the product in float32 for narrower hidden states.
        entropy_gradient: entropies are differentiable too; gradients are then left to the backward pass.
        coefficients: a guess at dL / dlogp. A wrong one costs time and changes nothing.
        softcap: c of logits c * tanh(z / c), before the temperature (Gemma 2).
        keep_TV: bool, tokens that the sampler could have drawn (top-p, top-k); the others get probability 0
            (DeepSeek-V3.2, arXiv:2512.02556). A target that is not kept has log-probability -inf.

    Returns:
        Two (T,) tensors in float32, or float64 for float64 hidden states: log-probabilities, and entropies in
        nats.
    """
    options = _options(
        hidden_TD,
        head,
        chunk_tokens,
        temperature=temperature,
        float32=head_float32,
        entropy_gradient=entropy_gradient,
        softcap=softcap,
        keep_TV=keep_TV,
        coefficients=coefficients,
    )
    logp_T, entropy_T = _HeadLogprobs.apply(hidden_TD, head.weight, head.bias, target_T, options)
    return logp_T, entropy_T


@torch.no_grad()
def completion_square_sums_T(
    model: PreTrainedModel,
    batch: MicroBatch,
    *,
    temperature: float,
    chunk_tokens: int,
    head_float32: bool = False,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each completion token, and sum_v p_v^2 of the distribution it came from.

    With them |d logp / d logits|^2 = 1 - 2 p + sum_v p_v^2 is known, which the optimal token baseline weights
    rewards by (arXiv:2602.07078).

    Args:
        model, batch, temperature, chunk_tokens, head_float32: see `completion_logprobs_T`.

    Returns:
        Two (T,) tensors, float32 or the model's float64, without a gradient.
    """
    hidden_TD, head = completion_hidden_TD(model, batch), model.get_output_embeddings()
    softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    options = _options(
        hidden_TD, head, chunk_tokens, temperature=temperature, float32=head_float32, softcap=softcap
    )
    hidden, weight, bias = _operands(hidden_TD, head.weight, head.bias, options)
    logp_T, square_T = (hidden.new_empty(len(hidden), dtype=_wide(hidden.dtype)) for _ in range(2))
    logits_CV = _logit_buffer(hidden, weight, options)
    for chunk in options.chunks(len(hidden)):
        _product(hidden[chunk], weight, bias, logits_CV)
        for block, rows in _blocks(chunk, logits_CV):
            z_CV = options.scaled(logits_CV[rows], block)
            logp_T[block], _, _, p_CV = _statistics(z_CV, batch.target_T[block])
            square_T[block] = p_CV.square_().sum(-1)
    return logp_T, square_T


@dataclass(frozen=True)
class _Options:
    chunk: int
    """Tokens of a chunk."""
    temperature: float
    float32: bool = False
    entropy_gradient: bool = False
    softcap: float | None = None
    keep_TV: Tensor | None = None
    coefficients: Coefficients | None = None
    at_once: bool = False
    """Gradients in the forward pass."""

    def chunks(self, tokens: int) -> Iterator[slice]:
        return (slice(begin, min(begin + self.chunk, tokens)) for begin in range(0, tokens, self.chunk))

    def scaled(self, logits_CV: Tensor, where: slice) -> Tensor:
        """The logits that the softmax sees, at least float32; the tensor itself where nothing changes."""
        z_CV = logits_CV.to(_wide(logits_CV.dtype))
        if self.softcap is not None:
            z_CV = (z_CV / self.softcap).tanh_().mul_(self.softcap)
        if self.temperature != 1.0:
            z_CV = z_CV / self.temperature
        if self.keep_TV is not None:
            z_CV = z_CV.masked_fill(~self.keep_TV[where], -torch.inf)
        return z_CV

    def unscaled_(self, grad_CV: Tensor, logits_CV: Tensor) -> Tensor:
        """The gradient of `scaled`, in place; what is not kept has probability 0 and so no gradient."""
        if self.temperature != 1.0:
            grad_CV.div_(self.temperature)
        if self.softcap is not None:
            capped_CV = (logits_CV.to(grad_CV.dtype) / self.softcap).tanh_()
            grad_CV.mul_(1 - capped_CV.square_())
        return grad_CV


def _options(hidden_TD: Tensor, head: torch.nn.Module, chunk_tokens: int, **chosen: Any) -> _Options:
    """The options of a pass through a head, with the chunk that they leave room for."""
    if not isinstance(head, torch.nn.Linear) or type(head).forward is not torch.nn.Linear.forward:
        raise ModelError(
            f"the language-model head is a {type(head).__name__}, not a plain linear layer, so its logits "
            "cannot be computed in chunks: leave it out of the adapter's target modules"
        )
    product = _wide(hidden_TD.dtype) if chosen["float32"] else hidden_TD.dtype
    fit = max(1, min(chunk_tokens, LOGIT_BYTES // (product.itemsize * len(head.weight))))
    chunks = max(1, -(-len(hidden_TD) // fit))
    options = _Options(max(1, -(-len(hidden_TD) // chunks)), **chosen)
    told = options.coefficients is not None or not any(p.requires_grad for p in head.parameters())
    return replace(options, at_once=told and torch.is_grad_enabled() and not options.entropy_gradient)


def _wide(dtype: torch.dtype) -> torch.dtype:
    # A sum over a vocabulary of bfloat16 numbers is wrong in the second digit.
    return torch.promote_types(dtype, torch.float32)


class _HeadLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_TD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        target_T: Tensor,
        options: _Options,
    ) -> tuple[Tensor, Tensor]:
        hidden, weight, bias = _operands(hidden_TD, weight_VD, bias_V, options)
        wide = _wide(hidden.dtype)
        logp_T, entropy_T, lse_T = (hidden.new_empty(len(hidden), dtype=wide) for _ in range(3))
        at_once = options.at_once and any(ctx.needs_input_grad)
        slope_TD = torch.empty_like(hidden) if at_once and ctx.needs_input_grad[0] else None
        guess = _Guess(weight, bias, options, ctx.needs_input_grad, lse_T) if at_once else None
        logits_CV = _logit_buffer(hidden, weight, options)
        for chunk in options.chunks(len(hidden)):
            _product(hidden[chunk], weight, bias, logits_CV)
            for block, rows in _blocks(chunk, logits_CV):
                raw_CV = logits_CV[rows]
                z_CV = options.scaled(raw_CV, block)
                logp_T[block], entropy_T[block], lse_T[block], p_CV = _statistics(z_CV, target_T[block])
                if at_once:
                    p_CV.neg_()[torch.arange(len(p_CV), device=p_CV.device), target_T[block]] += 1
                    raw_CV.copy_(options.unscaled_(p_CV, raw_CV))
            slope_CV = logits_CV[: chunk.stop - chunk.start]
            if slope_TD is not None:
                torch.mm(slope_CV, weight, out=slope_TD[chunk])
            if guess is not None:
                guess.add(slope_CV, hidden[chunk], logp_T[chunk], entropy_T[chunk], chunk)
        # The last chunk's logits stay for the backward pass, which comes next: nothing else needs the room.
        ctx.kept = None if at_once or not any(ctx.needs_input_grad) else logits_CV
        ctx.guess = guess
        ctx.options = options
        ctx.save_for_backward(hidden_TD, weight_VD, bias_V, target_T, lse_T, entropy_T, slope_TD)
        if not options.entropy_gradient:
            ctx.mark_non_differentiable(entropy_T)
        return logp_T, entropy_T

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_logp_T: Tensor, grad_entropy_T: Tensor) -> tuple[Tensor | None, ...]:
        hidden_TD, weight_VD, bias_V, target_T, lse_T, entropy_T, slope_TD = ctx.saved_tensors
        options: _Options = ctx.options
        guess, ctx.guess = ctx.guess, None
        if guess is not None and guess.holds(grad_logp_T):
            dhidden_TD = None if slope_TD is None else slope_TD * grad_logp_T[:, None]
            return _returned(dhidden_TD, guess.dweight_VD, guess.dbias_V, (hidden_TD, weight_VD, bias_V))
        guess = None  # a wrong one makes room for the right gradient
        hidden, weight, bias = _operands(hidden_TD, weight_VD, bias_V, options)
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        dhidden_TD = torch.empty_like(hidden) if needs_hidden else None
        dweight_VD = _Sum(weight) if needs_weight else None
        dbias_V = hidden.new_zeros(len(weight), dtype=_wide(hidden.dtype)) if needs_bias else None
        logits_CV, ctx.kept = ctx.kept, None
        kept = logits_CV is not None
        if logits_CV is None:
            logits_CV = _logit_buffer(hidden, weight, options)
        for chunk in reversed(list(options.chunks(len(hidden)))):
            if not kept:
                _product(hidden[chunk], weight, bias, logits_CV)
            kept = False
            for block, rows in _blocks(chunk, logits_CV):
                raw_CV = logits_CV[rows]
                grad_CV = _logit_gradient(
                    options.scaled(raw_CV, block),
                    target_T[block],
                    lse_T[block],
                    grad_logp_T[block],
                    grad_entropy_T[block] if options.entropy_gradient else None,
                    entropy_T[block],
                )
                raw_CV.copy_(options.unscaled_(grad_CV, raw_CV))
            grad_CV = logits_CV[: chunk.stop - chunk.start]
            if dhidden_TD is not None:
                torch.mm(grad_CV, weight, out=dhidden_TD[chunk])
            if dweight_VD is not None:
                dweight_VD.add(grad_CV, hidden[chunk])
            if dbias_V is not None:
                dbias_V += grad_CV.sum(0, dtype=dbias_V.dtype)
        return _returned(dhidden_TD, dweight_VD, dbias_V, (hidden_TD, weight_VD, bias_V))


class _Guess:
    """Gradients of the head under the numbers that `coefficients` expects from the backward pass."""

    def __init__(
        self,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        options: _Options,
        needs: tuple[bool, ...],
        like_T: Tensor,
    ) -> None:
        _, needs_weight, needs_bias = needs[:3]
        self.coefficients = options.coefficients
        self.dweight_VD = _Sum(weight_VD) if needs_weight else None
        self.dbias_V = (
            torch.zeros_like(bias_V, dtype=like_T.dtype) if needs_bias and bias_V is not None else None
        )
        self.expected_T = torch.empty_like(like_T)

    def add(
        self, slope_CV: Tensor, hidden_CD: Tensor, logp_C: Tensor, entropy_C: Tensor, chunk: slice
    ) -> None:
        """Adds a chunk; `slope_CV` is d logp / d logits."""
        if self.dweight_VD is None and self.dbias_V is None:
            return  # a frozen head takes whatever comes
        assert self.coefficients is not None
        expected_C = self.coefficients(logp_C, entropy_C, chunk)
        self.expected_T[chunk] = expected_C
        if self.dweight_VD is not None:
            # In float32, and then rounded once.
            self.dweight_VD.add(slope_CV, (hidden_CD * expected_C[:, None]).to(hidden_CD.dtype))
        if self.dbias_V is not None:
            self.dbias_V += (slope_CV * expected_C[:, None]).sum(0)

    def holds(self, grad_logp_T: Tensor) -> bool:
        """Whether the backward pass brought those numbers, but for rounding."""
        if self.dweight_VD is None and self.dbias_V is None:
            return True
        near = ROUNDINGS * torch.finfo(grad_logp_T.dtype).eps
        # Never so of what is not a number.
        return bool(((grad_logp_T - self.expected_T).abs() <= near * grad_logp_T.abs()).all())


def _logit_buffer(hidden: Tensor, weight: Tensor, options: _Options) -> Tensor:
    rows = min(options.chunk, len(hidden))
    if hidden.is_cpu:
        make_room(rows * len(weight) * hidden.element_size() + weight.nbytes)
    return hidden.new_empty(rows, len(weight))


def _returned(
    dhidden_TD: Tensor | None,
    dweight_VD: _Sum | None,
    dbias_V: Tensor | None,
    likes: tuple[Tensor, Tensor, Tensor | None],
) -> tuple[Tensor | None, ...]:
    """The gradients as autograd wants them: in the operands' number types."""
    hidden_TD, weight_VD, bias_V = likes
    return (
        None if dhidden_TD is None else dhidden_TD.to(hidden_TD.dtype),
        None if dweight_VD is None else dweight_VD.total(weight_VD.dtype),
        None if dbias_V is None or bias_V is None else dbias_V.to(bias_V.dtype),
        None,
        None,
    )


class _Sum:
    """Sum over chunks of gradient^T @ hidden, in float32 from the second chunk on."""

    def __init__(self, weight: Tensor) -> None:
        self.like = weight
        self.sum_VD: Tensor | None = None

    def add(self, grad_CV: Tensor, hidden_CD: Tensor) -> None:
        wide = _wide(self.like.dtype)
        if self.sum_VD is None:
            self.sum_VD = grad_CV.mT @ hidden_CD
        elif self.like.dtype == wide:
            self.sum_VD.addmm_(grad_CV.mT, hidden_CD)
        else:
            self.sum_VD = self.sum_VD.to(wide).add_(grad_CV.mT @ hidden_CD)

    def total(self, dtype: torch.dtype) -> Tensor | None:
        return None if self.sum_VD is None else self.sum_VD.to(dtype)


def _operands(
    hidden_TD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, options: _Options
) -> tuple[Tensor, Tensor, Tensor | None]:
    if not options.float32:
        return hidden_TD, weight_VD, bias_V
    wide = _wide(hidden_TD.dtype)
    return hidden_TD.to(wide), weight_VD.to(wide), None if bias_V is None else bias_V.to(wide)


def _product(hidden_CD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, out_CV: Tensor) -> None:
    """Computes hidden @ weight^T + bias into a buffer that all chunks share."""
    out_CV = out_CV[: len(hidden_CD)]
    torch.mm(hidden_CD, weight_VD.mT, out=out_CV)
    if bias_V is not None:
        out_CV += bias_V


def _blocks(chunk: slice, logits_CV: Tensor) -> Iterator[tuple[slice, slice]]:
    """A chunk in blocks of rows, counted in the step and in the chunk: passes over a block stay in cache."""
    size = chunk.stop - chunk.start
    step = size if logits_CV.device.type != "cpu" else max(1, BLOCK_BYTES // (4 * logits_CV.shape[1]))
    for begin in range(0, size, step):
        end = min(begin + step, size)
        yield slice(chunk.start + begin, chunk.start + end), slice(begin, end)


def _statistics(z_CV: Tensor, target_C: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probability of the targets, entropy, log of the sum of exponentials, and probabilities (C, V)."""
    top_C1 = z_CV.amax(-1, keepdim=True)
    shifted_CV = z_CV - top_C1
    exp_CV = shifted_CV.exp()
    sum_C = exp_CV.sum(-1)
    log_sum_C = sum_C.log()
    logp_C = shifted_CV.gather(-1, target_C[:, None])[:, 0] - log_sum_C
    # H = log Z - sum_v p_v z_v; what has probability 0 adds 0, not 0 * inf.
    weighted_C = shifted_CV.clamp_(min=IMPOSSIBLE).mul_(exp_CV).sum(-1)
    p_CV = exp_CV.div_(sum_C[:, None])
    return logp_C, log_sum_C - weighted_C / sum_C, log_sum_C + top_C1[:, 0], p_CV


def _logit_gradient(
    z_CV: Tensor,
    target_C: Tensor,
    lse_C: Tensor,
    grad_logp_C: Tensor,
    grad_entropy_C: Tensor | None,
    entropy_C: Tensor,
) -> Tensor:
    """(onehot - p) dlogp - p (log p + H) dH."""
    logp_CV = z_CV - lse_C[:, None]
    if grad_entropy_C is None:
        grad_CV = logp_CV.exp_().mul_(-grad_logp_C[:, None])
    else:
        p_CV = logp_CV.exp()
        logp_CV.clamp_(min=IMPOSSIBLE)
        grad_CV = logp_CV.add_(entropy_C[:, None]).mul_(-grad_entropy_C[:, None])
        grad_CV = grad_CV.sub_(grad_logp_C[:, None]).mul_(p_CV)
    return grad_CV.scatter_add_(-1, target_C[:, None], grad_logp_C[:, None])
