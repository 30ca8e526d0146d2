"""The critic's update is the formula, however the step is cut, packed or padded.

The reference below knows none of the critic's code: one completion at a time through the backbone, the
squared errors summed in Python.
"""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from grpo_rs import Rollouts, Tokens
from grpo_rs.algo.advantages import compute_advantages
from grpo_rs.algo.knobs import Algo
from grpo_rs.errors import CheckpointError, InputError, ModelError
from grpo_rs.learner import critic as critic_module
from grpo_rs.learner.activations import Activations
from grpo_rs.learner.critic import Critic
from grpo_rs.learner.learner import Learner
from grpo_rs.testing import tiny_model
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.log import METRICS
from grpo_rs.train.loop import train
from safetensors.torch import load_file

PROMPTS = [[3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13, 3], [4, 4, 4]]
LENGTHS = [5, 2, 7, 1, 3, 4, 6, 2, 0, 3, 1]
GROUPS = [0, 2, 0, 1, 2, 0, 1, 2, 1, 3, 3]  # ragged and interleaved
ROWS = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]  # row 7 has no reward; row 8 is empty
TOKENS = sum(LENGTHS[row] for row in ROWS)


def rollouts(order=range(len(LENGTHS))):
    random = np.random.default_rng(0)
    rows = [random.integers(1, 15, length) for length in LENGTHS]
    completions = Tokens.from_rows([rows[i] for i in order])
    return Rollouts(
        prompts=Tokens.from_rows(PROMPTS),
        prompt_index=np.arange(len(PROMPTS)),
        completions=completions,
        group_ids=np.array([GROUPS[i] for i in order]),
        sampler_logprobs=np.zeros(len(completions.flat), np.float32),
        finished=np.ones(len(completions), bool),
    )


def targets(order=range(len(LENGTHS))):
    """Any finite number on every token; NaN where there is no reward."""
    random = np.random.default_rng(1)
    rows = [random.normal(size=length) for length in LENGTHS]
    rows[7][:] = np.nan
    return np.concatenate([rows[i] for i in order])


def policy(seed=1):
    return tiny_model(seed, hidden_size=32, num_layers=2, num_heads=2).double()


def bare(network=None, **knobs):
    """A critic with a head of zeros; arguments that are no knobs are the learner's."""
    arguments = {"max_grad_norm": 0.0} | {k: knobs.pop(k) for k in [*knobs] if k not in Algo.model_fields}
    return Critic(Learner(network or policy(), Algo(preset="ppo", **knobs), **arguments))


def critic(**arguments):
    built = bare(**arguments)
    # A head of zeros gives the backbone no gradient: give it some weights.
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        built.model.head.weight.copy_(torch.randn(1, 32, generator=generator).double() / 4)
        built.model.head.bias.fill_(0.1)
    return built


def update(built, *, order=range(len(LENGTHS)), old_values=None, lr=0.0):
    """The gradients that the optimiser meets, which are freed after it."""
    found = {}

    def keep(*_):
        for name, parameter in built.model.named_parameters():
            found[name] = parameter.grad.clone()

    handle = built.optimizer.adamw.register_step_pre_hook(keep)
    rows = [list(order).index(row) for row in ROWS]
    result = built.update(rollouts(order), rows, targets(order), old_values, lr=lr)
    handle.remove()
    return result, found


def reference_values(built, row):
    table = rollouts()
    prompt, completion = PROMPTS[GROUPS[row]], table.completions[row].tolist()
    hidden_LD = built.model.backbone(torch.tensor([prompt + completion])).last_hidden_state[0]
    states = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
    score_T = torch.stack(
        [hidden_LD[s] @ built.model.head.weight[0] + built.model.head.bias[0] for s in states]
    )
    if built.algo.value_bounds is None:
        return score_T
    low, high = built.algo.value_bounds
    return low + (high - low) * (0.5 + torch.atan(score_T) / torch.pi)


def reference_gradients(built, old=None):
    clip = built.algo.value_clip
    flat, offsets = targets(), rollouts().completions.offsets
    loss = torch.zeros((), dtype=torch.float64)
    for row in ROWS:
        if LENGTHS[row] == 0:
            continue
        for at, value in enumerate(reference_values(built, row), start=offsets[row]):
            error = (value - flat[at]) ** 2
            if old is not None and clip is not None:
                nearest = min(max(value, old[at] - clip), old[at] + clip) if torch.is_tensor(value) else value
                error = max(error, (nearest - flat[at]) ** 2)
            loss = loss + 0.5 * error / TOKENS
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in built.model.named_parameters()}
    built.model.zero_grad(set_to_none=True)
    return loss.item(), gradients


def assert_same(found, expected):
    # The weights are float64, but Llama's norms and rotations round to float32 inside.
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7, msg=lambda m: f"{name}: {m}")


@pytest.mark.parametrize("layout", ["shared_prefix", "padded"])
@pytest.mark.parametrize("bounds", [None, (-1.0, 2.0)])
def test_values_are_those_of_each_completion_alone(layout, bounds):
    built = critic(value_bounds=bounds, layout=layout, token_budget=20)
    found, offsets = built.values(rollouts(), ROWS), rollouts().completions.offsets
    for row in range(len(LENGTHS)):
        part = found[offsets[row] : offsets[row + 1]]
        if row not in ROWS:
            assert not part.any()
        elif len(part):
            expected = reference_values(built, row).detach().numpy()
            np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", ["shared_prefix", "padded"])
@pytest.mark.parametrize("bounds", [None, (-1.0, 2.0)])
def test_the_gradient_is_the_formula(layout, bounds):
    built = critic(value_bounds=bounds, layout=layout)
    loss, expected = reference_gradients(built)
    result, found = update(built)
    assert result.metrics["critic/loss"] == pytest.approx(loss, rel=1e-5)
    assert_same(found, expected)


def test_the_clip_is_around_the_old_values():
    """Old values to either side: some tokens lose their gradient, and the loss is the larger error."""
    built = critic(value_clip=0.3)
    old = built.values(rollouts(), ROWS) + np.random.default_rng(3).normal(scale=0.5, size=len(targets()))
    loss, expected = reference_gradients(built, old)
    result, found = update(built, old_values=old)
    assert 0 < result.metrics["critic/clip"] < 1
    assert result.metrics["critic/loss"] == pytest.approx(loss, rel=1e-5)
    assert_same(found, expected)
    free, _ = reference_gradients(critic(value_clip=None))
    assert loss > free


@pytest.mark.parametrize(
    "cut",
    [
        {"token_budget": 1},  # every completion alone
        {"token_budget": 12},
        {"token_budget": 25, "layout": "padded"},
        {"gradient_checkpointing": True},
    ],
    ids=str,
)
def test_no_cut_changes_the_gradient(cut):
    whole, expected = update(critic(token_budget=10_000))
    parts, found = update(critic(**cut))
    for name, value in whole.metrics.items():
        assert parts.metrics[name] == pytest.approx(value, rel=1e-4), name
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-5, atol=1e-6)
    assert_same(found, expected)


def test_the_order_of_rows_does_not_matter():
    order = [10, 3, 5, 0, 8, 2, 9, 7, 1, 6, 4]
    _, expected = update(critic())
    _, found = update(critic(), order=order)
    assert_same(found, expected)


def test_values_read_off_the_update_are_those_before_it():
    built = critic(critic_epochs=3)
    before = built.values(rollouts(), ROWS)
    result, _ = update(built, lr=0.05)
    np.testing.assert_array_equal(result.values, before)
    assert np.abs(built.values(rollouts(), ROWS) - before).max() > 0.01
    # Giving them changes nothing, in the weights either.
    other = critic(critic_epochs=3)
    update(other, old_values=before, lr=0.05)
    for one, two in zip(built.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_minibatches_are_steps_on_whole_groups_with_their_own_denominators():
    built = critic(minibatches=2)
    before = built.values(rollouts(), ROWS)
    steps = []
    built.optimizer.adamw.register_step_pre_hook(lambda *_: steps.append(built.model.head.bias.grad.item()))
    result = built.update(rollouts(), ROWS, targets(), lr=0.01)
    np.testing.assert_array_equal(result.values, before)
    assert len(steps) == 2
    # The bias's gradient is the mean error of the minibatch: groups in order of appearance are 0, 2 | 1, 3.
    first = [row for row in ROWS if GROUPS[row] in (0, 2)]
    offsets = rollouts().completions.offsets
    at = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in first])
    assert steps[0] == pytest.approx((before - targets())[at].mean(), rel=1e-5)


def test_later_epochs_are_clipped():
    built = critic(critic_epochs=4, value_clip=0.01)
    result, _ = update(built, lr=0.05)
    assert result.metrics["critic/clip"] > 0.5


def test_it_learns_what_can_be_learned():
    """A return that depends on the prompt alone is fitted: the explained variance goes to 1."""
    built = bare(policy().float(), value_clip=None, max_grad_norm=1.0)
    table = rollouts()
    returns = np.repeat([[0.0, 1.0, -1.0, 0.5][g] for g in GROUPS], LENGTHS)
    seen = [built.update(table, ROWS, returns, lr=3e-3).metrics for _ in range(60)]
    assert seen[0]["critic/value"] == 0.0
    assert seen[0]["critic/explained_variance"] == pytest.approx(0.0, abs=1e-6)
    assert seen[-1]["critic/explained_variance"] > 0.95
    assert seen[-1]["critic/loss"] < seen[0]["critic/loss"] / 10


def test_bounded_values_start_in_the_middle_and_stay_inside():
    built = bare(value_bounds=(0.0, 1.0))
    values = built.values(rollouts(), [0, 1])
    np.testing.assert_allclose(values[:7], 0.5)
    with torch.no_grad():
        built.model.head.bias.fill_(1e6)
    values = built.values(rollouts(), [0, 1])
    assert ((values[:7] > 0.99) & (values[:7] <= 1.0)).all()


def test_the_policy_is_left_alone():
    network = policy()
    before = copy.deepcopy(network.state_dict())
    built = bare(network)
    built.update(rollouts(), ROWS, targets(), lr=0.1)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    owned = {parameter.data_ptr() for parameter in built.model.parameters()}
    assert not owned & {parameter.data_ptr() for parameter in network.parameters()}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_beside_adapters_it_shares_the_frozen_weights_and_has_adapters_of_its_own(tmp_path):
    peft = pytest.importorskip("peft")

    def adapted():
        lora = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_alpha=64)
        return bare(peft.get_peft_model(policy(), lora))

    built = adapted()
    network = built.learner.model
    before = copy.deepcopy(network.state_dict())
    owned = {p.data_ptr(): p.requires_grad for p in network.parameters()}
    for name, parameter in built.model.named_parameters():
        assert parameter.requires_grad == ("lora" in name or name.startswith("head")), name
        assert (parameter.data_ptr() in owned) != parameter.requires_grad, name
    values = built.values(rollouts(), ROWS)
    for _ in range(3):
        built.update(rollouts(), ROWS, targets(), lr=0.05)
    assert not np.allclose(built.values(rollouts(), ROWS), values)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    built.save(tmp_path)
    other = adapted()
    other.load(tmp_path)
    np.testing.assert_array_equal(other.values(rollouts(), ROWS), built.values(rollouts(), ROWS))


def test_its_memory_is_what_its_tensors_take():
    built = bare(policy().bfloat16())  # with float32 master weights
    built.update(rollouts(), ROWS, targets(), lr=0.1)
    optimizer = built.optimizer
    tensors = [*built.model.parameters(), *optimizer.masters.values()]
    for state in optimizer.adamw.state.values():
        tensors += [value for value in state.values() if value.dim()]
    assert built.nbytes == sum(tensor.nbytes for tensor in tensors)


def saved_bytes(built, monkeypatch):
    """What autograd keeps of the forward pass on the whole step."""
    sizes = []
    (batch,) = built.learner.plan(rollouts(), np.array(ROWS))

    class Counting(Activations):
        def _pack(self, saved):
            packed = super()._pack(saved)
            sizes.append(packed.nbytes if isinstance(packed, torch.Tensor) else 0)
            return packed

    monkeypatch.setattr(critic_module, "Activations", Counting)
    built.model(batch)
    return sum(sizes)


def test_what_is_kept_is_the_learners_choice(monkeypatch):
    plain = saved_bytes(critic(), monkeypatch)
    assert saved_bytes(critic(gradient_checkpointing=True), monkeypatch) < plain / 2
    assert saved_bytes(critic(recompute_cheap=True), monkeypatch) < 0.8 * plain


def test_gradients_are_freed_after_the_step():
    built = critic()
    built.update(rollouts(), ROWS, targets(), lr=0.1)
    assert all(parameter.grad is None for parameter in built.model.parameters())


def test_the_head_is_float32_over_a_bfloat16_backbone():
    built = bare(policy().bfloat16())
    assert built.model.head.weight.dtype == torch.float32
    assert {p.dtype for p in built.model.backbone.parameters()} == {torch.bfloat16}
    built.update(rollouts(), ROWS, targets(), lr=0.1)
    assert built.values(rollouts(), ROWS).any()


def test_gradient_clipping():
    built = critic(max_grad_norm=0.01)
    result, found = update(built)
    assert result.metrics["critic/grad_norm"] > 0.01
    norm = torch.stack([gradient.square().sum() for gradient in found.values()]).sum().sqrt()
    assert float(norm) == pytest.approx(0.01, rel=1e-3)


def test_saved_and_loaded_it_goes_on_bit_for_bit(tmp_path):
    one = critic()
    one.update(rollouts(), ROWS, targets(), lr=0.01)
    one.save(tmp_path)
    state = copy.deepcopy(one.state_dict())
    other = bare()
    other.load(tmp_path)
    other.load_state_dict(state)
    for built in (one, other):
        built.update(rollouts(), ROWS, targets(), lr=0.01)
    for mine, its in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_what_is_no_critic_says_so(tmp_path):
    built = critic()
    with pytest.raises(CheckpointError, match="holds no critic"):
        built.load(tmp_path)
    built.save(tmp_path)
    narrow = bare(tiny_model(hidden_size=16, num_layers=2, num_heads=2))
    with pytest.raises(CheckpointError, match="not one of this model"):
        narrow.load(tmp_path)


def test_bad_input_is_refused_before_anything_moves():
    built = critic()
    with pytest.raises(InputError, match="row 7 are not finite"):
        built.update(rollouts(), range(len(LENGTHS)), targets(), lr=0.1)
    with pytest.raises(InputError, match="one per completion token"):
        built.update(rollouts(), ROWS, targets()[:-1], lr=0.1)
    with pytest.raises(InputError, match="old_values of row 0 are not finite"):
        built.update(rollouts(), ROWS, targets(), np.full(len(targets()), np.nan), lr=0.1)


def test_a_gradient_that_is_not_finite_stops_and_leaves_the_weights():
    built = critic()
    before = built.model.head.weight.detach().clone()
    huge = np.where(np.isnan(targets()), np.nan, 1e300)
    with pytest.raises(ModelError, match="not finite"):
        built.update(rollouts(), ROWS, huge, lr=1.0)
    assert torch.equal(before, built.model.head.weight)
    assert all(parameter.grad is None for parameter in built.model.parameters())


def test_no_rows_change_nothing():
    built = critic()
    before = built.model.head.weight.detach().clone()
    result = built.update(rollouts(), [8], targets(), lr=1.0)
    assert result.metrics == {} and not result.values.any()
    assert torch.equal(before, built.model.head.weight)


# ---- Returns -----------------------------------------------------------------------------------------


def scored():
    rewards = np.array([row / 4 - 1 for row in range(len(LENGTHS))])
    rewards[7] = np.nan
    return replace(rollouts(), rewards=rewards)


def reference_gae(values, gamma, lam_of):
    """The definition: the exponentially weighted sum of all later deltas."""
    table = scored()
    found = np.zeros(len(values))
    for row in ROWS:
        begin, end = table.completions.offsets[row : row + 2]
        rewards, after = np.zeros(end - begin), np.append(values[begin + 1 : end], 0.0)
        if end == begin:
            continue
        rewards[-1] = table.rewards[row]
        deltas = rewards + gamma * after - values[begin:end]
        decay = gamma * lam_of(end - begin)
        for t in range(end - begin):
            found[begin + t] = sum(decay**k * delta for k, delta in enumerate(deltas[t:]))
    return found


@pytest.mark.parametrize(
    ("knobs", "lam", "lam_of_returns"),
    [
        ({}, lambda _: 1.0, 1.0),
        ({"gamma": 0.9}, lambda _: 1.0, 1.0),
        ({"gamma": 0.9, "lam": 0.8}, lambda _: 0.8, 0.8),
        ({"lam": 0.0}, lambda _: 0.0, 0.0),
        # The advantages' lambda depends on the length; the critic's targets are Monte-Carlo returns.
        ({"gamma": 0.9, "lam_length_alpha": 0.4}, lambda length: max(0, 1 - 1 / (0.4 * length)), 1.0),
    ],
    ids=str,
)
def test_what_is_learned_and_what_is_handed_to_the_policy(knobs, lam, lam_of_returns):
    built, other = critic(scale="none", **knobs), critic(scale="none", **knobs)
    before = built.values(rollouts(), ROWS)
    gamma = knobs.get("gamma", 1.0)

    def advantages_of(values):
        return compute_advantages(built.algo, scored(), values=values)

    advantages, metrics = built.learn(scored(), advantages_of, lr=0.01)
    expected = reference_gae(before, gamma, lam)
    np.testing.assert_allclose(advantages.token_values, expected, rtol=1e-6, atol=1e-9)
    assert np.flatnonzero(advantages.trainable).tolist() == ROWS
    returns = before + reference_gae(before, gamma, lambda _: lam_of_returns)
    other.update(rollouts(), ROWS, returns, before, lr=0.01)
    for mine, its in zip(built.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-6, atol=1e-9)
    assert metrics["critic/value"] == pytest.approx(before[~np.isnan(targets())].mean())


# ---- In the trainer ----------------------------------------------------------------------------------

SETTINGS = {
    "algo": {
        "preset": "ppo",
        "epochs": 2,
        "minibatches": 2,
        "critic_epochs": 2,
        "critic_lr": 1e-3,
        "critic_warmup_steps": 2,
        "kl": "k1",
        "kl_beta": 0.01,
        "kl_in": "reward",
        "lam": 0.95,
    },
    "data": {"held_out": 16, "digits": 1},
    "rollout": {"prompts_per_step": 8, "group_size": 4},
    "warmup": {"max_steps": 40, "target_accuracy": 1.0, "check_every": 40},
    "optim": {"lr": 2e-3},
    "checkpoint": {"every": 1, "keep": 9},
    "run": {"steps": 5, "threads": 1},
}


def config(out, **run):
    return config_from_dict(SETTINGS | {"run": SETTINGS["run"] | {"out": str(out)} | run})


def lines(path):
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith(("time/", "tokens_per_s"))} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("ppo") / "run"
    train(config(out))
    return out


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_run_that_is_continued_is_the_run_that_was_not_stopped(tmp_path, whole, stop_after):
    out = tmp_path / "run"
    assert train(config(out, stop_after=stop_after)).summary is None
    assert train(config(out), resume=True).summary is not None
    assert lines(out) == lines(whole)
    for file in ("model.safetensors", "critic.safetensors"):
        mine, its = (load_file(path / "checkpoints" / "step-000005" / file) for path in (out, whole))
        assert mine.keys() == its.keys()
        for name, tensor in its.items():
            assert torch.equal(mine[name], tensor), name
    mine, its = (
        torch.load(path / "checkpoints" / "step-000005" / "trainer.pt", weights_only=True)["random"]
        for path in (out, whole)
    )
    # A reward of the user's own may draw from them; so does the making of a critic.
    assert torch.equal(mine["torch"], its["torch"])
    assert mine["python"] == its["python"] and mine["numpy"] == its["numpy"]


def test_the_policy_rests_while_the_critic_warms_up(whole):
    def weights(step, file):
        return load_file(whole / "checkpoints" / f"step-{step:06d}" / file)

    assert torch.equal(*(weights(s, "model.safetensors")["model.norm.weight"] for s in (0, 2)))
    assert not torch.equal(*(weights(s, "model.safetensors")["model.norm.weight"] for s in (2, 3)))
    assert not torch.equal(*(weights(s, "critic.safetensors")["head.weight"] for s in (0, 1)))
    rows = lines(whole)
    assert [row["train/rows"] for row in rows] == [0, 0, 32, 32, 32]
    for row in rows:
        assert np.isfinite([row[name] for name in row if name.startswith("critic/")]).all()
        assert row["reward/mean"] > 0  # or nothing was tested
        assert row["critic/loss"] > 0


def test_every_metric_of_the_critic_is_documented(whole):
    names = {name for row in lines(whole) for name in row if name.startswith("critic/")}
    assert {"critic/loss", "critic/explained_variance"} <= names
    for name in names:
        assert name in METRICS, name


def test_the_final_model_is_the_policy_alone(whole):
    assert not (whole / "final" / "critic.safetensors").exists()


@pytest.mark.parametrize("preset", ["vapo", "bpco", "sao"])
def test_the_other_presets_with_a_critic_train_on_one_completion_of_each_prompt(tmp_path, preset):
    settings = SETTINGS | {
        "algo": {"preset": preset, "critic_lr": 1e-3, "critic_warmup_steps": 1},
        "rollout": {"prompts_per_step": 16, "group_size": 1},
        "checkpoint": {"every": 0},
        "run": {"steps": 3, "threads": 1, "out": str(tmp_path / "run")},
    }
    assert train(config_from_dict(settings)).summary is not None
    rows = lines(tmp_path / "run")
    assert [row["train/rows"] for row in rows] == [0, 16, 16]
    for row in rows:
        assert row["critic/loss"] > 0
        assert np.isfinite([row.get("train/loss", 0.0), row["critic/grad_norm"]]).all()
    if preset == "bpco":
        assert rows[0]["critic/value"] == 0.5  # the middle of its bounds
