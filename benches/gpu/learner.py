"""Everything worth knowing of the learner on a GPU, in one call: is it right, how fast, in how much memory.

    python benches/gpu/learner.py --out results

Needs torch with CUDA, transformers and the grpo_rs wheel, and no network: models have random weights in the
shape of published ones. Parts:

    exact       loss and gradients of the packed layout against the padded one, float32 and bfloat16
    update      a whole optimiser step on a Qwen3-0.6B shape, 16k tokens packed, bfloat16, full fine-tuning:
                trained and forward tokens a second, peak memory, beside the estimate before it
    layouts     the same work in padded rows, in the same call
    head        peak memory of the language-model head as the vocabulary grows fourfold
    trl         TRL's own loss path on the same batch (skipped where TRL is not installed)

Each part runs in a process of its own, so that peaks do not mix and one failure leaves the others. The last
line is one JSON object; with --out it is also written to DATE-gpu_learner.json there.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from parts import GIB, QWEN3_06B, environment, finish, parser_for, parts_of, run_parts

DEVICE = "cuda"


def model(dtype: torch.dtype, **changes: Any) -> Any:
    from transformers import AutoModelForCausalLM, Qwen3Config

    torch.manual_seed(0)
    with torch.device(DEVICE):
        return AutoModelForCausalLM.from_config(Qwen3Config(**QWEN3_06B | changes), dtype=dtype)


def groups(count: int, size: int, prompt: int, completion: int, *, ragged: bool, vocabulary: int) -> Any:
    """Random prompts and completions: `count` groups of `size`."""
    from grpo_rs import Rollouts, Tokens

    random = np.random.default_rng(0)
    lengths = (
        random.integers(completion // 4, completion + 1, count * size)
        if ragged
        else np.full(count * size, completion)
    )
    completions = Tokens.from_rows([random.integers(0, vocabulary, length) for length in lengths])
    return Rollouts(
        prompts=Tokens.from_rows([random.integers(0, vocabulary, prompt) for _ in range(count)]),
        prompt_index=np.arange(count),
        completions=completions,
        group_ids=np.repeat(np.arange(count), size),
        sampler_logprobs=np.full(len(completions.flat), -12.0, np.float32),
        finished=np.ones(count * size, np.bool_),
        rewards=random.integers(0, 2, count * size).astype(np.float64),
    )


def advantages_of(rollouts: Any) -> Any:
    from grpo_rs import group_advantages

    return group_advantages(rollouts.rewards, rollouts.group_ids)


def learner(network: Any, layout: str, budget: int, *, checkpointing: bool) -> Any:
    from grpo_rs.algo.presets import preset
    from grpo_rs.learner.learner import Learner

    return Learner(
        network,
        preset("dapo"),
        layout=layout,
        token_budget=budget,
        gradient_checkpointing=checkpointing,
        master_weights="none",
    )


def measured_step(made: Any, rollouts: Any, *, repeats: int) -> dict[str, float]:
    """Median seconds of whole optimiser steps after a first one, and the peak of memory."""
    advantages = advantages_of(rollouts)
    made.update(rollouts, advantages, lr=1e-6)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        metrics = made.update(rollouts, advantages, lr=1e-6)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    median = float(np.median(seconds))
    return {
        "seconds": median,
        "forward_tokens": metrics["train/forward_tokens"],
        "trained_tokens": metrics["train/tokens"],
        "forward_tokens_per_s": metrics["train/forward_tokens"] / median,
        "trained_tokens_per_s": metrics["train/tokens"] / median,
        "peak_gib": torch.cuda.max_memory_allocated() / GIB,
    }


def part_exact(_: argparse.Namespace) -> dict[str, Any]:
    rollouts = groups(3, 4, 96, 64, ragged=True, vocabulary=4096)
    small = {
        "num_hidden_layers": 4,
        "hidden_size": 256,
        "intermediate_size": 512,
        "vocab_size": 4096,
        "head_dim": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }

    def gradient(dtype: torch.dtype, layout: str) -> torch.Tensor:
        network = model(dtype, **small)
        made = learner(network, layout, 2048, checkpointing=False)
        made.optimizer.max_grad_norm = 0.0
        made.update(rollouts, advantages_of(rollouts), lr=0.0)
        return torch.cat([p.grad.double().flatten() for p in network.parameters()])

    exact = gradient(torch.float32, "padded")
    scale = exact.norm()
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        for layout in ("shared_prefix", "padded"):
            name = f"{str(dtype).removeprefix('torch.')}/{layout}"
            found[name] = float((gradient(dtype, layout) - exact).norm() / scale)
    return {"relative_gradient_error": found}


def part_update(args: argparse.Namespace) -> dict[str, Any]:
    return _update("shared_prefix", args)


def part_layouts(args: argparse.Namespace) -> dict[str, Any]:
    return _update("padded", args)


def _update(layout: str, args: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for prompt, completion, size in ((512, 1024, 8), (2048, 1024, 8), (256, 2048, 8)):
        count = max(1, 4 * args.tokens // (prompt + completion * size))
        rollouts = groups(count, size, prompt, completion, ragged=True, vocabulary=QWEN3_06B["vocab_size"])
        made = learner(model(torch.bfloat16), layout, args.tokens, checkpointing=True)
        found[f"prompt {prompt}, completions {size} x {completion}"] = measured_step(
            made, rollouts, repeats=args.repeats
        )
        del made
        gc.collect()
        torch.cuda.empty_cache()
    return found


def part_head(_: argparse.Namespace) -> dict[str, Any]:
    from grpo_rs.algo.presets import preset
    from grpo_rs.learner.learner import Learner

    peaks = {}
    for vocabulary in (32_768, 131_072):
        network = model(torch.bfloat16, vocab_size=vocabulary, num_hidden_layers=2, tie_word_embeddings=False)
        rollouts = groups(2, 8, 64, 512, ragged=False, vocabulary=vocabulary)
        made = Learner(network, preset("dapo"), token_budget=16_384, master_weights="none")
        made.update(rollouts, advantages_of(rollouts), lr=0.0)
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        made.update(rollouts, advantages_of(rollouts), lr=0.0)
        peaks[str(vocabulary)] = (torch.cuda.max_memory_allocated() - held) / GIB
        del network, made
        gc.collect()
        torch.cuda.empty_cache()
    return {"peak_gib_over_weights": peaks}


def part_trl(args: argparse.Namespace) -> dict[str, Any]:
    from grpo_rs.testing import tiny_tokenizer
    from update_step import trl_update  # the same path as on the CPU

    network = model(torch.bfloat16)
    rollouts = groups(1, 8, 512, 1024, ragged=True, vocabulary=QWEN3_06B["vocab_size"])
    _, update = trl_update(network, tiny_tokenizer(), rollouts, checkpointing=True)
    found = {"trl": _timed(update, network, rollouts, repeats=args.repeats)}

    advantages = advantages_of(rollouts)
    made = learner(network, "shared_prefix", args.tokens, checkpointing=True)
    made.optimizer.step = lambda *_, **__: None  # TRL's side is forward and backward alone
    found["ours"] = _timed(
        lambda: made.update(rollouts, advantages, lr=0.0), network, rollouts, repeats=args.repeats
    )
    return found


def _timed(update: Callable[[], Any], network: Any, rollouts: Any, *, repeats: int) -> dict[str, float]:
    update()
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(repeats):
        network.zero_grad(set_to_none=False)
        began = time.perf_counter()
        update()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    median = float(np.median(seconds))
    return {
        "seconds": median,
        "trained_tokens_per_s": len(rollouts.completions.flat) / median,
        "peak_gib_over_weights_and_gradients": (torch.cuda.max_memory_allocated() - held) / GIB,
    }


PARTS = parts_of(globals())


def main() -> None:
    parser = parser_for(__doc__, PARTS, limit_s=150, repeats=5)
    parser.add_argument("--tokens", type=int, default=16_384, help="token budget of a micro-batch")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("no CUDA device: this measures a GPU (benches/python/update_step.py measures a CPU)")
    if args.inside:
        print(json.dumps(PARTS[args.parts[0]](args)))
        return
    result: dict[str, Any] = {"environment": environment(DEVICE), "tokens": args.tokens}
    result |= run_parts(args, ["--tokens", str(args.tokens)])
    finish("gpu_learner", result, args.out)


if __name__ == "__main__":
    main()
