"""TRL's own loss, called with its options, beside `from_trl` with the same options."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from grpo_rs.algo.aggregate import token_weights_N
from grpo_rs.algo.aliases import ALIASES, ELSEWHERE, TRL, from_trl
from grpo_rs.algo.objective import TokenBatch, policy_loss
from grpo_rs.algo.presets import preset

pytest.importorskip("trl")
pytestmark = pytest.mark.filterwarnings("ignore")

LENGTHS_N = np.array([5, 3, 1, 4, 2, 5])
GROUP_N = np.array([0, 0, 0, 1, 1, 1])
LIMIT = 8
# Fields of GRPOConfig that say nothing about the objective, by the words in their names.
OTHER = (
    "model_init", "trust_remote", "router_aux", "disable_dropout", "cast_lm_head", "num_generations_eval",
    "ds3_", "shuffle_dataset", "pad_to", "generation_batch", "top_p", "top_k", "min_p", "generation_kwargs",
    "chat_template", "repetition", "cache_impl", "vllm_mode", "vllm_model", "vllm_enable", "vllm_structured",
    "vllm_server", "vllm_group", "vllm_gpu", "vllm_max", "vllm_tensor", "max_tool", "log_", "num_completions",
    "use_transformers", "transformers_", "temperature",
)  # fmt: skip


def defaults():
    from transformers import TrainingArguments
    from trl import GRPOConfig

    base = {field.name for field in dataclasses.fields(TrainingArguments)}
    return {field.name: field.default for field in dataclasses.fields(GRPOConfig) if field.name not in base}


def test_every_option_of_trl_is_known():
    unknown = [
        name
        for name in defaults()
        if name not in ALIASES and not any(name.startswith(word) for word in OTHER)
    ]
    assert not unknown


def test_the_preset_is_trls_defaults():
    options = {name: value for name, value in defaults().items() if name in TRL and name not in ELSEWHERE}
    assert len(options) > 25
    assert from_trl(**options) == preset("trl")
    assert defaults()["loss_type"] == "dapo"


def trl_loss(options, inputs, logp_BT):
    """`GRPOTrainer._compute_loss` on a stand-in for the trainer, with vLLM's log-probabilities."""
    from trl import GRPOTrainer

    args = SimpleNamespace(**(defaults() | {"steps_per_generation": 1} | options))
    accelerator = SimpleNamespace(
        num_processes=1,
        sync_gradients=True,
        device="cpu",
        gather=lambda x: x,
        reduce=lambda x, reduction: x,
        pad_across_processes=lambda x, **_: x,
    )
    high = args.epsilon if args.epsilon_high is None else args.epsilon_high
    trainer = SimpleNamespace(
        args=args, accelerator=accelerator, model=SimpleNamespace(training=True), epsilon_low=args.epsilon,
        epsilon_high=high, max_completion_length=LIMIT, current_gradient_accumulation_steps=1, use_vllm=True,
        aux_loss_enabled=False, _entropy_bonus_enabled=args.entropy_coef != 0, _metrics=_Metrics(),
        get_off_policy_mask=GRPOTrainer.get_off_policy_mask, get_gamma_weights=GRPOTrainer.get_gamma_weights,
        _get_per_token_logps_and_entropies=lambda *_, **__: (logp_BT, inputs["entropy"], None),
        **{name: getattr(args, name) for name in (
            "beta", "loss_type", "importance_sampling_level", "top_entropy_quantile", "entropy_coef",
            "off_policy_mask_threshold", "use_adaptive_entropy", "vllm_importance_sampling_correction",
        )},
    )  # fmt: skip
    trainer.get_high_entropy_mask = lambda *a: GRPOTrainer.get_high_entropy_mask(trainer, *a)
    difference_BT = (inputs["old_per_token_logps"] - inputs["sampling_per_token_logps"]) * inputs[
        "completion_mask"
    ]
    mode = args.vllm_importance_sampling_mode
    if mode.startswith("sequence"):
        difference_BT = difference_BT.sum(-1, keepdim=True)
    weight_BT = difference_BT.exp()
    low, high = args.vllm_importance_sampling_clip_min, args.vllm_importance_sampling_clip_max
    if mode.endswith("truncate"):
        weight_BT = weight_BT.clamp(low, high)
    else:
        outside_BT = (weight_BT > high) | (weight_BT < (low or 0.0))
        weight_BT = weight_BT.masked_fill(outside_BT, 0.0)
    inputs = inputs | {"importance_sampling_ratio": weight_BT}
    return GRPOTrainer._compute_loss(trainer, None, inputs)


class _Metrics(dict):
    def __missing__(self, key):
        self[key] = _Metrics() if key in ("train", "eval") else []
        return self[key]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss_type": "grpo", "beta": 0.04},
        {"loss_type": "grpo", "beta": 0.04, "use_bias_correction_kl": False},
        {"loss_type": "bnpo"},
        {"loss_type": "dr_grpo", "scale_rewards": False, "epsilon": 0.1},
        {"loss_type": "cispo", "epsilon_high": 1.28},
        {"loss_type": "sapo", "sapo_temperature_neg": 1.4},
        {"loss_type": "vespo", "vllm_importance_sampling_mode": "token_truncate"},
        {"loss_type": "luspo", "importance_sampling_level": "sequence", "epsilon": 0.02,
         "epsilon_high": 0.03},
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.02, "epsilon_high": None},
        {"epsilon_high": 0.28, "delta": 1.5},
        {"top_entropy_quantile": 0.4},
        {"off_policy_mask_threshold": 0.1, "beta": 0.01},
        {"entropy_coef": 0.01},
        {"vllm_importance_sampling_mode": "token_mask", "vllm_importance_sampling_clip_min": 0.9,
         "vllm_importance_sampling_clip_max": 1.1},
        {"vllm_importance_sampling_mode": "sequence_truncate", "vllm_importance_sampling_clip_max": 1.05},
        {"vllm_importance_sampling_mode": "sequence_mask", "vllm_importance_sampling_clip_max": 1.05},
        {"vllm_importance_sampling_correction": False, "vllm_importance_sampling_mode": "sequence_mask"},
    ],
    ids=lambda options: "-".join(f"{name}={value}" for name, value in options.items()) or "defaults",
)  # fmt: skip
def test_loss_and_gradient_are_trls(options):
    generator = torch.Generator().manual_seed(11)
    rows, width = len(LENGTHS_N), int(LENGTHS_N.max())
    mask_BT = torch.arange(width) < torch.tensor(LENGTHS_N)[:, None]

    def draw(spread):
        return torch.randn(rows, width, generator=generator, dtype=torch.float64) * spread

    old_BT = -1.5 + draw(0.4)
    logp_BT = (old_BT + draw(0.3)).requires_grad_()
    other = {"sampling_per_token_logps": old_BT + draw(0.1), "ref_per_token_logps": old_BT + draw(0.2)}
    entropy_BT = draw(1.0).abs()
    advantage_B = torch.tensor([1.0, -1.0, 0.3, -0.6, -0.6, 1.2], dtype=torch.float64)
    blank_BT = torch.zeros(rows, width, dtype=torch.int64)
    inputs = {
        "prompt_ids": blank_BT, "prompt_mask": blank_BT, "completion_ids": blank_BT,
        "completion_mask": mask_BT.int(), "advantages": advantage_B, "old_per_token_logps": old_BT,
        "entropy": entropy_BT, "num_items_in_batch": mask_BT.sum(), **other,
    }  # fmt: skip
    theirs = trl_loss(options, inputs, logp_BT)
    [their_grad_BT] = torch.autograd.grad(theirs, logp_BT)

    algo = from_trl(**options)
    lengths_N = torch.tensor(LENGTHS_N)
    leaf_T = logp_BT.detach()[mask_BT].requires_grad_()
    batch = TokenBatch(
        logp_T=leaf_T,
        advantage_T=advantage_B.repeat_interleave(lengths_N),
        weight_T=torch.tensor(token_weights_N(algo, LENGTHS_N, GROUP_N, limit=LIMIT)).repeat_interleave(
            lengths_N
        ),
        row_T=torch.arange(rows).repeat_interleave(lengths_N),
        old_logp_T=old_BT[mask_BT],
        rollout_logp_T=other["sampling_per_token_logps"][mask_BT],
        ref_logp_T=other["ref_per_token_logps"][mask_BT],
        entropy_T=entropy_BT[mask_BT],
        group_N=torch.tensor(GROUP_N),
    )
    ours = policy_loss(algo, batch).loss
    ours.backward()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(leaf_T.grad, their_grad_BT[mask_BT], rtol=1e-6, atol=1e-9)
    assert leaf_T.grad.abs().sum() > 0
