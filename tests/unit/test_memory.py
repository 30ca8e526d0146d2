"""The estimate of an update's memory, the token budget that is chosen by it, and what reads the system."""

import numpy as np
import pytest
import torch
from grpo_rs.algo.presets import preset
from grpo_rs.learner import logprobs, memory
from grpo_rs.learner.attention import forward_arguments, use_shared_prefix
from grpo_rs.learner.layout import micro_batches
from grpo_rs.learner.learner import Learner
from grpo_rs.learner.lora import adapters_off, causal_lm, is_adapted
from grpo_rs.learner.memory import Shape, choose_token_budget, estimate_memory, probe_step
from grpo_rs.learner.reference import Reference
from grpo_rs.testing import tiny_model

SHAPE = Shape(prompt_tokens=20, completion_tokens=10, group_size=4, groups=50)  # 60 tokens a group


def learner(dtype=torch.float32, **arguments):
    model = tiny_model(0, hidden_size=64, num_layers=4, num_heads=4).to(dtype)
    return Learner(model, preset("dapo"), **arguments)


def test_shapes_of_fewer_tokens():
    assert SHAPE.of_tokens(10_000) == SHAPE
    assert SHAPE.of_tokens(200) == Shape(20, 10, 4, 3)
    assert SHAPE.of_tokens(45) == Shape(20, 10, 2, 1)
    assert Shape(1000, 500, 4, 1).of_tokens(100) == Shape(50, 50, 1, 1)
    rollouts = SHAPE.of_tokens(200).rollouts(16)
    assert (len(rollouts), len(rollouts.prompts)) == (12, 3)
    assert set(rollouts.completions.lengths) == {10}


def test_exact_parts():
    full = learner()
    numbers = sum(p.numel() for p in full.model.parameters())
    found = estimate_memory(full, SHAPE, token_budget=256, reference=True)
    assert found.parts() | {"activations": 0, "logits": 0} == {
        "weights": 4 * numbers, "gradients": 4 * numbers, "optimiser": 8 * numbers, "reference": 4 * numbers,
        "activations": 0, "logits": 0,
    }  # fmt: skip
    assert found.total == sum(found.parts().values())
    half = learner(torch.bfloat16)
    found = estimate_memory(half, SHAPE, token_budget=256, reference=False)
    assert (found.weights, found.gradients) == (2 * numbers, 2 * numbers)
    assert (found.optimiser, found.master_weights, found.reference) == (8 * numbers, 4 * numbers, 0)
    plain = learner(torch.bfloat16, master_weights="none")
    assert estimate_memory(plain, SHAPE, token_budget=256, reference=False).optimiser == 4 * numbers


def test_activations_are_what_autograd_keeps():
    """Counted here by walking the graph instead, on a larger micro-batch."""
    found = learner()
    per_token = memory.activation_bytes_per_token(found, SHAPE)
    rollouts = SHAPE.of_tokens(1024).rollouts(16)
    (batch,) = micro_batches(rollouts, range(len(rollouts)), token_budget=1 << 30, layout="shared_prefix")
    kept = {}
    use_shared_prefix(found.model)

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        hidden = found.model.base_model(
            input_ids=batch.input_ids_BL,
            position_ids=batch.position_ids_BL,
            use_cache=False,
            **forward_arguments(batch.plan, batch.input_ids_BL.device),
        ).last_hidden_state
    parameters = {p.data_ptr() for p in found.model.parameters()}
    size = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in parameters)
    assert hidden.requires_grad
    assert per_token * batch.input_ids_BL.numel() == pytest.approx(size, rel=0.6)
    assert per_token * batch.input_ids_BL.numel() > size


def test_checkpointing_keeps_less():
    plain = memory.activation_bytes_per_token(learner(), SHAPE)
    checkpointed = learner(gradient_checkpointing=True)
    assert memory.activation_bytes_per_token(checkpointed, SHAPE) < 0.75 * plain
    assert checkpointed.model.training


def test_a_budget_is_the_largest_that_fits():
    found = learner()

    def choose(free):
        return choose_token_budget(found, SHAPE, reference=False, free=free)

    assert choose(None) == choose(1 << 40) == 4096  # the 3,000 tokens of the step, rounded up
    assert choose(0) == memory.SMALLEST
    estimate = estimate_memory(found, SHAPE, token_budget=1024, reference=False)
    needed = (estimate.to_come + 1) / memory.USABLE["cpu"]
    assert choose(int(needed) + 1) == 1024
    assert choose(int(0.95 * needed)) == 512
    smaller = Shape(20, 10, 4, 2)
    assert choose_token_budget(found, smaller, reference=False, free=None) == memory.SMALLEST


def test_a_completion_beyond_the_budget_is_probed_and_counted_whole(monkeypatch):
    long = Shape(prompt_tokens=40, completion_tokens=160, group_size=4, groups=2)
    assert [long.largest_micro_batch(budget) for budget in (64, 256, 4096)] == [200, 256, 1360]
    found, sizes = learner(token_budget=64), []
    estimate = estimate_memory(found, long, token_budget=64, reference=False)
    assert estimate.micro_batch_tokens == 200
    inner = logprobs.completion_logprobs_T

    def counted(network, batch, **arguments):
        sizes.append(batch.input_ids_BL.numel())
        return inner(network, batch, **arguments)

    monkeypatch.setattr("grpo_rs.learner.learner.completion_logprobs_T", counted)
    probe_step(found, long)
    assert max(sizes) >= 190


def test_what_is_there_already_is_not_to_come():
    found = learner(torch.bfloat16)
    estimate = estimate_memory(found, SHAPE, token_budget=256, reference=False)
    assert estimate.total - estimate.to_come == memory.held_bytes(found)


def test_the_probe_leaves_everything_as_it_was(monkeypatch):
    found = learner(token_budget=512)
    before = {name: value.clone() for name, value in found.model.state_dict().items()}
    peak = probe_step(found, SHAPE)
    assert peak is None or peak > 0
    assert all(torch.equal(before[name], value) for name, value in found.model.state_dict().items())
    assert all(p.grad is None for p in found.model.parameters())
    assert not found.optimizer.adamw.state
    inner = logprobs.completion_logprobs_T

    def exhausted(network, batch, **arguments):
        if batch.input_ids_BL.numel() > 128:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(network, batch, **arguments)

    monkeypatch.setattr("grpo_rs.learner.learner.completion_logprobs_T", exhausted)
    probe_step(found, SHAPE)
    assert found.token_budget == 128


def test_the_peak_sees_what_is_freed_again():
    found = learner()
    peak = memory.PeakMemory(found)
    weights = sum(p.nbytes for p in found.model.parameters())
    if peak.read() is None:
        pytest.skip("this system does not tell")
    np.ones(1 << 24)  # 128 MiB
    assert weights + (100 << 20) < peak.read() < weights + (200 << 20)
    assert memory.PeakMemory(found).read() < weights + (64 << 20)


def test_what_a_learner_holds():
    found = learner(torch.bfloat16)
    numbers = sum(p.numel() for p in found.model.parameters())
    assert memory.held_bytes(found) == (2 + 4) * numbers
    found.freeze_reference()
    found.try_backward(SHAPE.of_tokens(200).rollouts(16))
    for p in found.model.parameters():
        p.grad = torch.zeros_like(p)
    found.apply_gradient(1e-3)
    assert memory.held_bytes(found) == pytest.approx((2 + 4 + 2 + 8) * numbers, rel=1e-3)


def test_free_memory():
    free = memory.free_memory(torch.device("cpu"))
    assert free is None or 0 < free < 1 << 50
    assert memory.free_memory(torch.device("meta")) is None


# ---- Adapters --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")
def test_adapters_are_switched_off_and_the_reference_can_be_refreshed():
    peft = pytest.importorskip("peft")
    base = tiny_model(0, hidden_size=64, num_layers=2, num_heads=4)
    wrapped = peft.get_peft_model(
        tiny_model(0, hidden_size=64, num_layers=2, num_heads=4),
        peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    found = Learner(wrapped, preset("grpo"))
    assert causal_lm(wrapped) is found.model is causal_lm(found.model)
    assert is_adapted(found.model) and not is_adapted(base)
    assert all("lora_" in n for n, p in found.model.named_parameters() if p.requires_grad)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, p in found.model.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.1)
    rollouts = SHAPE.of_tokens(200).rollouts(16)
    found.refer_to_base()
    assert found.reference.nbytes == 0
    plain = Learner(base, preset("dapo")).logprobs(rollouts)
    np.testing.assert_allclose(found.reference_logprobs(rollouts), plain, atol=1e-6)
    adapted = found.logprobs(rollouts)
    assert np.abs(adapted - plain).max() > 1e-2
    # Afterwards the adapters act, and are trained, as before.
    assert all(p.requires_grad == ("lora_" in n) for n, p in found.model.named_parameters())
    found.freeze_reference()
    assert 0 < found.reference.nbytes < 0.2 * sum(p.nbytes for p in base.parameters())
    with torch.no_grad():
        for name, p in found.model.named_parameters():
            if "lora_B" in name:
                p.zero_()
    np.testing.assert_array_equal(found.reference_logprobs(rollouts), adapted)
    np.testing.assert_allclose(found.logprobs(rollouts), plain, atol=1e-6)
    with adapters_off(found.model):
        pass
    with pytest.raises(Exception, match="needs the weights"):
        Reference(base, None)
