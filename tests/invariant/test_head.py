"""Chunked log-probabilities and entropies are those of the full logits, values and gradients."""

import math

import pytest
import torch
from grpo_rs.errors import ModelError
from grpo_rs.learner import logprobs
from grpo_rs.learner.logprobs import head_logprobs
from torch.utils._python_dispatch import TorchDispatchMode

TOKENS, HIDDEN, VOCABULARY = 11, 6, 23


def operands(dtype=torch.float64, *, bias=False, vocabulary=VOCABULARY, tokens=TOKENS, seed=0):
    random = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(HIDDEN, vocabulary, bias=bias, dtype=dtype)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random))
    hidden = torch.randn(tokens, HIDDEN, generator=random).to(dtype).requires_grad_()
    target = torch.randint(0, vocabulary, (tokens,), generator=random)
    return hidden, head, target


def reference(hidden, head, target, *, temperature=1.0, softcap=None, keep=None):
    """All the logits at once, by autograd."""
    logits = head(hidden)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    logits = logits / temperature
    if keep is not None:
        logits = torch.where(keep, logits, -1e9)
    logp = logits.log_softmax(-1)
    return logp.gather(-1, target[:, None])[:, 0], -(logp.exp() * logp).sum(-1)


def gradients(logp, entropy, hidden, head, weights):
    for tensor in (hidden, *head.parameters()):
        tensor.grad = None
    loss = (logp * weights[0]).sum()
    if weights[1] is not None:
        loss = loss + (entropy * weights[1]).sum()
    loss.backward()
    return [hidden.grad, *(p.grad for p in head.parameters())]


@pytest.mark.parametrize("chunk", [1, 4, TOKENS, 1 << 20])
@pytest.mark.parametrize("entropy_gradient", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.7},
        {"softcap": 2.0},
        {"softcap": 2.0, "temperature": 1.3},
        {"bias": True},
        {"keep": True},
    ],
    ids=str,
)
def test_values_and_gradients_are_those_of_the_full_logits(options, entropy_gradient, chunk, monkeypatch):
    monkeypatch.setattr(logprobs, "BLOCK_BYTES", 4 * VOCABULARY * 3)  # several blocks to a chunk
    options = dict(options)
    hidden, head, target = operands(bias=options.pop("bias", False))
    keep = None
    if options.pop("keep", False):
        keep = torch.rand(TOKENS, VOCABULARY, generator=torch.Generator().manual_seed(1)) < 0.5
        keep[torch.arange(TOKENS), target] = True
    random = torch.Generator().manual_seed(2)
    weights = [torch.randn(TOKENS, generator=random, dtype=torch.float64) for _ in range(2)]
    if not entropy_gradient:
        weights[1] = None
    expected = reference(hidden, head, target, keep=keep, **options)
    found = head_logprobs(
        hidden, head, target, chunk_tokens=chunk, keep_TV=keep, entropy_gradient=entropy_gradient, **options
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert found[1].requires_grad == entropy_gradient
    torch.testing.assert_close(
        gradients(*found, hidden, head, weights),
        gradients(*expected, hidden, head, weights),
        rtol=1e-9,
        atol=1e-10,
    )


def products(monkeypatch):
    """Counts passes through the head."""
    calls, inner = [], logprobs._product
    monkeypatch.setattr(logprobs, "_product", lambda *operands: calls.append(1) or inner(*operands))
    return calls


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7}, {"softcap": 2.0, "temperature": 1.3}, {"bias": True}, {"keep": True}],
    ids=str,
)
def test_gradients_of_the_forward_pass_are_the_backward_passs(options, dtype, right, monkeypatch):
    """With the right guess nothing is computed twice; with a wrong one everything is, to the same end."""
    monkeypatch.setattr(logprobs, "BLOCK_BYTES", 4 * VOCABULARY * 2)
    options = dict(options)
    hidden, head, target = operands(dtype, bias=options.pop("bias", False))
    keep = None
    if options.pop("keep", False):
        keep = torch.rand(TOKENS, VOCABULARY, generator=torch.Generator().manual_seed(1)) < 0.5
        keep[torch.arange(TOKENS), target] = True
    weights = torch.randn(TOKENS, generator=torch.Generator().manual_seed(2), dtype=dtype)
    weights[[1, 6]] = 0.0

    def coefficients(logp, entropy, chunk):
        assert logp.shape == entropy.shape == (chunk.stop - chunk.start,)
        guess = (weights * torch.linspace(1, 1 + 1e-7, TOKENS, dtype=dtype))[chunk]
        return guess if right and dtype == torch.float32 else weights[chunk] * (1.0 if right else 1.01)

    expected = reference(hidden, head, target, keep=keep, **options)
    gradient = gradients(*expected, hidden, head, [weights, None])
    calls = products(monkeypatch)
    found = head_logprobs(
        hidden, head, target, chunk_tokens=4, keep_TV=keep, coefficients=coefficients, **options
    )
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(found, expected, **tolerance)
    torch.testing.assert_close(gradients(*found, hidden, head, [weights, None]), gradient, **tolerance)
    assert len(calls) == (3 if right else 6)


def test_a_guess_of_what_is_not_a_number_is_not_taken():
    hidden, head, target = operands()
    logp, _ = head_logprobs(hidden, head, target, coefficients=lambda logp, *_: logp * torch.nan)
    logp.sum().backward()
    assert torch.isfinite(head.weight.grad).all()


def test_without_a_gradient_nothing_is_guessed():
    hidden, head, target = operands()
    with torch.no_grad():
        head_logprobs(hidden, head, target, coefficients=lambda *_: pytest.fail("asked"))


@pytest.mark.parametrize("coefficients", [None, lambda logp, *_: torch.ones_like(logp)], ids=["none", "ones"])
def test_a_second_backward_is_the_first(coefficients):
    """The kept chunk, and the guess, are used up by the first one."""
    hidden, head, target = operands()
    logp, _ = head_logprobs(hidden, head, target, chunk_tokens=5, coefficients=coefficients)
    first = torch.autograd.grad(logp.sum(), [hidden, head.weight], retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(logp.sum(), [hidden, head.weight]), first)


def test_a_frozen_head_costs_no_weight_gradient_and_no_second_product(monkeypatch):
    hidden, head, target = operands()
    weights = torch.linspace(-1, 1, TOKENS, dtype=torch.float64)
    (expected,) = torch.autograd.grad((reference(hidden, head, target)[0] * weights).sum(), hidden)
    head.requires_grad_(requires_grad=False)
    calls = products(monkeypatch)
    logp, _ = head_logprobs(hidden, head, target, chunk_tokens=4)
    (logp * weights).sum().backward()
    assert head.weight.grad is None
    torch.testing.assert_close(hidden.grad, expected, rtol=1e-9, atol=1e-10)
    assert len(calls) == 3


def test_a_target_that_was_not_kept_has_probability_zero():
    hidden, head, target = operands()
    keep = torch.ones(TOKENS, VOCABULARY, dtype=torch.bool)
    keep[3, target[3]] = False
    logp, entropy = head_logprobs(hidden, head, target, keep_TV=keep)
    assert logp[3] == -math.inf
    assert torch.isfinite(entropy).all()


def test_bfloat16_gradients_of_the_forward_pass_are_no_further_from_the_truth():
    """Tokens of probability near 1 among them, where onehot - p is a small difference."""
    hidden, head, target = operands(torch.bfloat16, vocabulary=500, tokens=200)
    with torch.no_grad():
        target[::2] = head(hidden * 20).argmax(-1)[::2]
    weights = torch.linspace(-1, 1, 200)
    wide = torch.nn.Linear(HIDDEN, 500, bias=False, dtype=torch.float64)
    with torch.no_grad():
        wide.weight.copy_(head.weight)
    wide_hidden = (hidden.detach() * 20).double().requires_grad_()
    (reference(wide_hidden, wide, target)[0] * weights).sum().backward()
    truth = [wide_hidden.grad, wide.weight.grad]

    def distances(coefficients):
        leaf = (hidden.detach() * 20).requires_grad_()
        logp, _ = head_logprobs(leaf, head, target, chunk_tokens=64, coefficients=coefficients)
        found = torch.autograd.grad((logp * weights).sum(), [leaf, head.weight])
        return [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, truth, strict=True)]

    at_once = distances(lambda _logp, _entropy, chunk: weights[chunk])
    later = distances(None)
    assert all(a <= 1.1 * b for a, b in zip(at_once, later, strict=True))
    assert max(at_once) < 0.02


@pytest.mark.parametrize("chunk", [64, 256])
def test_bfloat16_coefficients_are_not_rounded_before_the_product(chunk):
    """Logits are small, so that their own rounding does not hide that of the coefficients."""
    random = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(32, 300, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(0.02 * torch.randn(parameter.shape, generator=random))
    hidden = torch.randn(256, 32, generator=random).bfloat16().requires_grad_()
    target = torch.randint(0, 300, (256,), generator=random)
    weights = torch.randn(256, generator=random)
    exact = [tensor.detach().double().requires_grad_() for tensor in (hidden, head.weight, head.bias)]
    logp = torch.nn.functional.linear(*exact).log_softmax(-1).gather(-1, target[:, None])[:, 0]
    truth = torch.autograd.grad((logp * weights).sum(), exact)

    def distances(coefficients):
        logp, _ = head_logprobs(hidden, head, target, chunk_tokens=chunk, coefficients=coefficients)
        found = torch.autograd.grad((logp * weights).sum(), [hidden, head.weight, head.bias])
        return [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, truth, strict=True)]

    at_once = distances(lambda _logp, _entropy, chunk: weights[chunk])
    assert all(a <= 1.1 * b for a, b in zip(at_once, distances(None), strict=True))


@pytest.mark.parametrize("wide", [False, True])
def test_bfloat16_sums_in_float32(wide):
    """Products in bfloat16 give logits good to 8 bits; sums over the vocabulary must not lose more."""
    hidden, head, target = operands(torch.bfloat16, vocabulary=5000)
    logp, entropy = head_logprobs(hidden, head, target, head_float32=wide, chunk_tokens=4)
    assert logp.dtype == entropy.dtype == torch.float32
    logits = head(hidden) if not wide else torch.nn.functional.linear(hidden.float(), head.weight.float())
    exact = logits.double().log_softmax(-1)
    torch.testing.assert_close(logp.double(), exact.gather(-1, target[:, None])[:, 0], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(entropy.double(), -(exact.exp() * exact).sum(-1), rtol=1e-4, atol=1e-4)
    logp.sum().backward()
    assert hidden.grad.dtype == head.weight.grad.dtype == torch.bfloat16


class Largest(TorchDispatchMode):
    """The most bytes that any new tensor holds, those of given shapes left out."""

    def __init__(self, *ignored):
        super().__init__()
        self.ignored, self.bytes = set(ignored), 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        out = function(*arguments, **(keywords or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor) and tuple(tensor.shape) not in self.ignored:
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return out


def test_memory_does_not_grow_with_the_vocabulary(monkeypatch):
    monkeypatch.setattr(logprobs, "LOGIT_BYTES", 1 << 16)
    sizes = []
    for vocabulary in (1000, 4000):
        hidden, head, target = operands(torch.float32, vocabulary=vocabulary, tokens=200)
        shape = (vocabulary, HIDDEN)
        # Weight and its gradient are the model's own and grow with it.
        with Largest(shape, shape[::-1]) as largest:
            logp, _ = head_logprobs(hidden, head, target)
            logp.sum().backward()
        sizes.append(largest.bytes)
    assert max(sizes) <= 1 << 16
    assert sizes[1] <= 1.05 * sizes[0]


def test_a_head_with_an_adapter_is_refused():
    class Adapter(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    hidden, _, target = operands()
    with pytest.raises(ModelError, match="Adapter, not a plain linear layer"):
        head_logprobs(hidden, Adapter(HIDDEN, VOCABULARY), target)


def test_an_empty_batch_is_no_error():
    hidden, head, _ = operands()
    logp, entropy = head_logprobs(hidden[:0], head, torch.zeros(0, dtype=torch.int64))
    assert logp.shape == entropy.shape == (0,)
    assert logp.sum().item() == 0
