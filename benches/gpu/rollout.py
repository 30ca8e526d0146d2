"""Sampling on a GPU, in one call: how fast, in how much memory, and how near to the trainer's numbers.

    python benches/gpu/rollout.py --out results
    python benches/gpu/rollout.py --device cpu --tiny         # tries the plumbing

Needs torch (with CUDA, unless `--device cpu`), transformers and the grpo_rs wheel, and no network: a model of
random weights in the shape of Qwen3-0.6B, 64 prompts x 8 completions x 512 tokens, bfloat16. Parts:

    ours        the built-in engine
    generate    transformers' `generate`, 64 completions at a time (--batch), as trainers without an engine do
    continuous  transformers' continuous batching, set up once and warmed up before it is timed
    ragged      ours and `generate` when completions end after a geometric number of tokens, a quarter of
                the most in the mean: so many tokens are stop tokens
    exact       the built-in engine's log-probabilities of what it drew, and of a fixed text, beside one plain
                forward pass: max and mean difference, in the part's number type and in float32

Each part runs in a process of its own, so that peaks do not mix and one failure leaves the others. The last
line is one JSON object; with --out it is also written to DATE-gpu_rollout.json there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from parts import GIB, QWEN3_06B, environment, finish, parser_for, parts_of, run_parts

TINY = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
NO_STOP = 0  # an id that the prompts leave out; its output is suppressed, so that all lengths are the same


def network(args: argparse.Namespace, dtype: torch.dtype | None = None, **changes: Any) -> Any:
    from transformers import AutoModelForCausalLM, Qwen3Config

    torch.manual_seed(0)
    shape = TINY if args.tiny else QWEN3_06B
    with torch.device(args.device):
        made = AutoModelForCausalLM.from_config(
            Qwen3Config(**shape | changes), dtype=dtype or getattr(torch, args.dtype)
        )
    made.requires_grad_(False)
    return made.eval()


def prompts(args: argparse.Namespace) -> list[list[int]]:
    """Ragged: half of the longest to the longest."""
    random = np.random.default_rng(0)
    vocabulary = (TINY if args.tiny else QWEN3_06B)["vocab_size"]
    lengths = random.integers(args.prompt // 2, args.prompt + 1, args.prompts)
    return [random.integers(1, vocabulary, length).tolist() for length in lengths]


def seeds(args: argparse.Namespace, repeat: int = 0) -> Any:
    from grpo_rs.rollout.sampler import completion_seeds

    return completion_seeds(repeat, np.arange(args.prompts), args.group)


def synchronize(args: argparse.Namespace) -> None:
    if args.device == "cuda":
        torch.cuda.synchronize()


def timed(args: argparse.Namespace, run: Callable[[int], int]) -> dict[str, Any]:
    """`run(repeat)` returns the number of tokens it made. Its first call warms up and is given apart."""
    began = time.perf_counter()
    run(0)
    synchronize(args)
    first = time.perf_counter() - began
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds, rates = [], []
    for repeat in range(args.repeats):
        began = time.perf_counter()
        tokens = run(repeat)
        synchronize(args)
        seconds.append(time.perf_counter() - began)
        rates.append(tokens / seconds[-1])
    return {
        "tokens_per_s": statistics.median(rates),
        "seconds": seconds,
        "first_seconds": first,
        "tokens": tokens,
        "peak_gib": torch.cuda.max_memory_allocated() / GIB if args.device == "cuda" else None,
    }


def ours(args: argparse.Namespace, model: Any, stop: list[int]) -> Callable[[int], int]:
    from grpo_rs.rollout.sampler import SamplingParams
    from grpo_rs.rollout.torch_sampler import TorchSampler

    sampler, asked = TorchSampler(model, stop), prompts(args)

    def run(repeat: int) -> int:
        rows = sampler.stream(asked, seeds(args, repeat), SamplingParams(args.tokens))
        return sum(len(row.tokens) for row in rows)

    return run


def generate(args: argparse.Namespace, model: Any, stop: list[int]) -> Callable[[int], int]:
    asked = prompts(args)

    @torch.no_grad()
    def run(repeat: int) -> int:
        torch.manual_seed(repeat)
        tokens, groups = 0, max(1, args.batch // args.group)
        for first in range(0, len(asked), groups):
            batch = asked[first : first + groups]
            width = max(map(len, batch))
            ids = torch.zeros((len(batch), width), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, prompt in enumerate(batch):
                ids[row, width - len(prompt) :] = torch.tensor(prompt)
                mask[row, width - len(prompt) :] = 1
            made = model.generate(
                ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=args.tokens,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                num_return_sequences=args.group,
                eos_token_id=stop,
                pad_token_id=0,
            )[:, width:]
            ended = torch.isin(made, torch.tensor(stop, device=made.device))
            before = ended.cumsum(-1) - ended.long()  # stop tokens drawn before
            tokens += int((before == 0).sum())
        return tokens

    return run


def part_ours(args: argparse.Namespace) -> dict[str, Any]:
    return timed(args, ours(args, never_stopping(network(args)), [NO_STOP]))


def part_generate(args: argparse.Namespace) -> dict[str, Any]:
    return timed(args, generate(args, never_stopping(network(args)), [NO_STOP]))


def part_continuous(args: argparse.Namespace) -> dict[str, Any]:
    from transformers import ContinuousBatchingConfig, GenerationConfig

    model, asked = never_stopping(network(args)), prompts(args)
    settings = GenerationConfig(
        max_new_tokens=args.tokens,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        num_return_sequences=args.group,
        eos_token_id=[NO_STOP],
    )
    longest = args.prompt + args.tokens
    size = {"num_blocks": args.prompts * args.group * (longest // 256 + 2)} if args.device == "cpu" else {}

    def run(repeat: int) -> int:
        made = model.generate_batch(
            asked,
            settings,
            ContinuousBatchingConfig(return_logprobs=True, seed=repeat, **size),
            persistent_manager=True,
        )
        return sum(len(row.generated_tokens) for row in made.values())

    try:
        return timed(args, run)
    finally:
        model.destroy_cached_continuous_batching_manager()


def part_ragged(args: argparse.Namespace) -> dict[str, Any]:
    # Flat logits draw all tokens almost equally often: this many of them end one after 1/4 in the mean.
    model = network(args)
    model.model.norm.weight.mul_(0.05)
    vocabulary = model.config.vocab_size
    stop = list(range(1, 1 + max(1, round(vocabulary * 4 / args.tokens))))
    return {
        "ours": timed(args, ours(args, model, stop)),
        "generate": timed(args, generate(args, model, stop)),
    }


def part_exact(args: argparse.Namespace) -> dict[str, Any]:
    from grpo_rs.rollout.canary import Gap, forward_logprobs
    from grpo_rs.rollout.sampler import SamplingParams, completion_seeds
    from grpo_rs.rollout.torch_sampler import TorchSampler

    found: dict[str, Any] = {}
    asked = prompts(args)[:8]
    for dtype in dict.fromkeys((args.dtype, "float32")):
        # Logits that differ by some nats: with nearly equal ones every rounding would pass, and with tied
        # embeddings of random weights a token predicts itself.
        model = network(args, getattr(torch, dtype), tie_word_embeddings=False)
        model.model.norm.weight.mul_(4)
        sampler, trainer = TorchSampler(model, [NO_STOP]), forward_logprobs(model)
        rows = list(
            sampler.stream(asked, completion_seeds(0, np.arange(len(asked)), 4), SamplingParams(args.tokens))
        )
        gaps = [Gap.between(row.logprobs, trainer(asked[row.group], row.tokens)) for row in rows]
        found[dtype] = {
            "drawn": {"max": max(gap.max for gap in gaps), "mean": float(np.mean([gap.mean for gap in gaps]))}
        }
        if hasattr(sampler, "score"):
            scored = [
                Gap.between(sampler.score(asked[r.group], r.tokens), trainer(asked[r.group], r.tokens))
                for r in rows[:8]
            ]
            found[dtype]["scored"] = {"max": max(gap.max for gap in scored)}
    return found


def never_stopping(model: Any) -> Any:
    """The stop token's logit far below the others, by the one row of the head that makes it."""
    model.lm_head.register_forward_hook(_without_stop)
    return model


def _without_stop(_: Any, __: Any, logits: torch.Tensor) -> torch.Tensor:
    logits[..., NO_STOP] = -1e4
    return logits


PARTS = parts_of(globals())


def main() -> None:
    parser = parser_for(__doc__, PARTS, limit_s=200, repeats=2)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and few, short completions")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--group", type=int, default=8, help="completions of a prompt")
    parser.add_argument("--prompt", type=int, default=256, help="tokens of the longest prompt")
    parser.add_argument("--tokens", type=int, default=512, help="new tokens of a completion, at most")
    parser.add_argument("--batch", type=int, default=64, help="completions that `generate` makes at once")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device: --device cpu --tiny tries the plumbing")
    if args.tiny:
        args.prompts, args.group, args.prompt, args.tokens, args.batch = 4, 2, 16, 24, 4
        args.repeats = 1
    if args.inside:
        print(json.dumps(PARTS[args.parts[0]](args)))
        return
    shape = {name: getattr(args, name) for name in ("prompts", "group", "prompt", "tokens", "batch", "dtype")}
    result: dict[str, Any] = {"environment": environment(args.device), **shape}
    passed = [f"--{name}={value}" for name, value in (shape | {"device": args.device}).items()]
    result |= run_parts(args, [*passed, "--tiny"] if args.tiny else passed)
    rates = {part: result.get(part, {}).get("tokens_per_s") for part in ("ours", "generate", "continuous")}
    if all(rates.values()):
        result["ours_over_generate"] = rates["ours"] / rates["generate"]
        result["ours_over_continuous"] = rates["ours"] / rates["continuous"]
    finish("gpu_rollout", result, args.out)


if __name__ == "__main__":
    main()
