"""Log-probabilities of completion tokens under a Hugging Face causal language model.

The language-model head runs on completion tokens only, in chunks that are computed again in the
backward pass, so the (tokens x vocabulary) logits of a whole step never exist at once.

Shapes: B = rows, L = width, D = hidden size, V = vocabulary, T = completion tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from grpo_rs.learner.layout import MicroBatch


def completion_logprobs_T(
    model: PreTrainedModel, batch: MicroBatch, *, temperature: float, chunk_tokens: int
) -> tuple[Tensor, Tensor]:
    """Log-probability of each completion token, and the entropy of the distribution it came from.

    Args:
        model: a causal language model whose logits are `lm_head(hidden)`; `probe_layout` checks that.
        batch: the layout, on the model's device.
        temperature: divides the logits, as in the sampler. Entropy and log-probabilities include it.
        chunk_tokens: tokens per pass through the head; bounds the memory of the logits.

    Returns:
        Two (T,) tensors, float32 or the model's float64: log-probabilities (differentiable) and entropies in
        nats (detached).
    """
    hidden_BLD = model.base_model(
        input_ids=batch.input_ids_BL,
        position_ids=batch.position_ids_BL,
        attention_mask=_additive(batch.attention_mask, model.dtype),
        use_cache=False,
    ).last_hidden_state
    hidden_TD = hidden_BLD.flatten(0, 1)[batch.state_T]
    head = model.get_output_embeddings()
    if len(hidden_TD) <= chunk_tokens:
        return _chunk_logprobs(head, hidden_TD, batch.target_T, temperature)
    chunks = [
        checkpoint(_chunk_logprobs, head, hidden_CD, target_C, temperature, use_reentrant=False)
        for hidden_CD, target_C in zip(
            hidden_TD.split(chunk_tokens), batch.target_T.split(chunk_tokens), strict=True
        )
    ]
    return torch.cat([logp for logp, _ in chunks]), torch.cat([entropy for _, entropy in chunks])


def _chunk_logprobs(
    head: torch.nn.Module, hidden_CD: Tensor, target_C: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    logits_CV = head(hidden_CD)
    # At least float32: a sum over a vocabulary of bfloat16 numbers is wrong in the second digit.
    logits_CV = logits_CV.to(torch.promote_types(logits_CV.dtype, torch.float32))
    if temperature != 1.0:
        logits_CV = logits_CV / temperature
    normaliser_C = logits_CV.logsumexp(-1)
    logp_C = logits_CV.gather(-1, target_C[:, None])[:, 0] - normaliser_C
    with torch.no_grad():
        # H = log Z - sum_v p_v z_v
        probs_CV = (logits_CV - normaliser_C[:, None]).exp_()
        entropy_C = normaliser_C - torch.linalg.vecdot(probs_CV, logits_CV)
    return logp_C, entropy_C


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A (B, L) padding mask as it is; a (B, 1, L, L) mask as what is added to the attention scores."""
    if mask.dim() == 2:
        return mask
    # Not -inf: attention kernels turn a row of -inf into NaN.
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(
        ~mask, torch.finfo(dtype).min
    )
