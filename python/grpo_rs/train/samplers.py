"""The sampler that a configuration asks for."""

from __future__ import annotations

from functools import partial

import torch

from grpo_rs.errors import ConfigError
from grpo_rs.rollout.canary import TOLERANCE, Canary, Scorer, canary_tokens
from grpo_rs.rollout.sync import SyncedSampler, Transfer, WeightCopy
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.rollout.transformers_cb import ContinuousBatchingSampler
from grpo_rs.rollout.vllm_engine import VllmSampler, start_engine
from grpo_rs.rollout.vllm_server import VllmServerSampler
from grpo_rs.train.config import Config
from grpo_rs.train.models import Policy


def make_sampler(config: Config, policy: Policy) -> SyncedSampler:
    """A sampler of the policy; `SyncedSampler.sync` hands it the weights before it is first used.

    Raises:
        ConfigError: settings that contradict each other.
        ModelError: a package is missing, or no server answers.
    """
    rollout = config.rollout
    if rollout.params().truncates and rollout.engine != "torch":
        raise ConfigError(
            f"rollout.top_k, top_p and min_p with rollout.engine {rollout.engine!r}: it does not tell how "
            "much probability they left out, which importance ratios need. Leave them out, or set "
            'rollout.engine to "torch"'
        )
    model = policy.model
    wanted: torch.dtype = model.dtype if rollout.dtype == "auto" else getattr(torch, rollout.dtype)

    inner: Scorer
    transfer: Transfer
    match rollout.engine:
        case "torch" | "transformers_cb":
            own = rollout.ahead > 0 or wanted is not model.dtype
            copy = WeightCopy(model, wanted) if own else None
            made: type[TorchSampler] | type[ContinuousBatchingSampler] = (
                TorchSampler if rollout.engine == "torch" else ContinuousBatchingSampler
            )
            sampled = copy.model if copy else model
            inner = made(
                sampled,
                policy.stop_tokens,
                decode=partial(policy.text, special=True),
                slots=rollout.slots or None,
            )
            if copy is None:
                # Nothing is handed over, so nothing can be stale.
                return SyncedSampler(inner, lambda _, __: None, None)
            transfer = copy.transfer
        case "vllm":
            llm = start_engine(
                config.model.path,
                dtype=str(wanted).removeprefix("torch."),
                lora_rank=config.model.lora_rank,
            )
            engine_sampler = VllmSampler(
                llm, policy.stop_tokens, save_adapters=policy.save if policy.adapters else None
            )
            inner, transfer = engine_sampler, engine_sampler.transfer
        case "vllm_server":
            assert rollout.server_url is not None, "checked with the configuration"
            server = VllmServerSampler(
                rollout.server_url, policy.stop_tokens, save=policy.save, adapters=policy.adapters is not None
            )
            inner, transfer = server, server.transfer
    tolerance = max(TOLERANCE[model.dtype], TOLERANCE[wanted])
    return SyncedSampler(inner, transfer, Canary(canary_tokens(policy.tokenizer), tolerance))
