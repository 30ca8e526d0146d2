"""Sampling with transformers' own continuous batching: a paged cache, prompts prefilled once a group.

What it cannot do, it says so: it has one random generator for all completions, so a completion depends on
what is sampled beside it, and a resumed run draws others than an uninterrupted one would have; it has no
texts that end a completion, so what comes after one is sampled and then cut off; and it does not tell what
top-k, top-p and min-p left out, so `log_mass` is then not a number.

Source:
    https://huggingface.co/docs/transformers/continuous_batching, version 5.23.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from grpo_rs.errors import InputError, ModelError
from grpo_rs.planned_attention import plain_name
from grpo_rs.rollout.canary import LogprobArray, forward_logprobs
from grpo_rs.rollout.sampler import Completion, Finish, SamplingParams, SeedArray

# Completions decoded at once, unless told otherwise.
SLOTS = 256
# Tokens of a page of the cache.
PAGE = 64


class ContinuousBatchingSampler:
    """Generates with a Hugging Face causal language model, in place.

    Args:
        model: the policy, or a copy of it. While completions stream its attention is switched to one that
            transformers' paged cache has.
        stop_tokens: ids that end a completion; the one drawn is part of it.
        decode: token ids to text; needed for `SamplingParams.stop` only.
        slots: most completions decoded at once: bounds the memory of the cache.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        stop_tokens: Sequence[int],
        *,
        decode: Callable[[Sequence[int]], str] | None = None,
        slots: int | None = None,
    ) -> None:
        self.model = model
        self.stop_tokens = sorted(set(stop_tokens))
        self.decode = decode
        self.slots = slots or SLOTS
        self.version = 0

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`. All seeds together seed one generator, torch's.

        Sampling rests while the caller holds a completion, so that he can use the model.

        Raises:
            ModelError: transformers cannot batch this model continuously, or failed to; or there are stop
                texts and no `decode`.
        """
        if params.stop and self.decode is None:
            raise ModelError("rollout.stop needs text: give the sampler a function that decodes tokens")
        self._check(prompts, params)
        if not seeds.size:
            return
        version, missing = self.version, seeds.size
        with self._manager(prompts, seeds, params) as manager:
            while missing:
                results = _finished(manager)
                missing -= len(results)
                # transformers switches the model's configuration around each of its own steps. Whoever used
                # the model meanwhile would get wrong numbers, and could leave it without its causal mask.
                with manager.pause():
                    running = self.model.config._attn_implementation
                    try:
                        for result in results:
                            yield self._completion(result, version, params)
                    finally:
                        # A forward pass of the caller's may have named an attention of ours, which
                        # transformers would take for one that has no pages.
                        self.model.set_attn_implementation(running)

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        """See `Scorer.score`: by a forward pass of the sampler's weights.

        transformers gives no way to put a given completion through its paged cache.
        """
        return forward_logprobs(self.model)(prompt, completion)

    @contextmanager
    def _manager(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Any]:
        """Runs transformers' thread. A new one each time: an old one's cache holds keys of older weights."""
        drawn: dict[str, Any] = {"do_sample": False}
        if params.temperature > 0:
            drawn = {
                "do_sample": True,
                "temperature": float(params.temperature),
                "top_k": params.top_k,
                "top_p": params.top_p,
                "min_p": params.min_p or None,
            }
        # transformers splits a group off its prompt's last token but one: a prompt of one token has none.
        forked = seeds.shape[1] if min(map(len, prompts)) > 1 else 1
        generation = GenerationConfig(
            max_new_tokens=params.max_new_tokens,
            num_return_sequences=forked,
            eos_token_id=self.stop_tokens,
            **drawn,
        )
        slots = min(self.slots, seeds.size)
        longest = max(map(len, prompts)) + params.max_new_tokens
        batching = ContinuousBatchingConfig(
            page_size=PAGE,
            # A page more than a completion fills, for the one that its group shares.
            num_blocks=slots * (math.ceil(longest / PAGE) + 1),
            max_requests_per_batch=slots,
            return_logprobs=True,
            drop_unsupported_processors=False,
            seed=int(np.bitwise_xor.reduce(seeds, axis=None) >> np.uint64(1)),
        )
        training = self.model.training
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices), self._plain_attention():
            try:
                begin: Any = self.model.init_continuous_batching
                manager = begin(generation, batching)
            except ValueError as error:
                raise ModelError(
                    f"transformers cannot batch this model continuously: {error}; set rollout.engine to "
                    '"torch"'
                ) from error
            try:
                # Before the thread starts: what is drawn must not depend on when a prompt arrives.
                for group, prompt in enumerate(prompts):
                    for member in range(0, seeds.shape[1], forked):
                        manager.add_request(
                            list(map(int, prompt)),
                            request_id=f"{group}/{member}",
                            max_new_tokens=params.max_new_tokens,
                        )
                manager.start()
                yield manager
            finally:
                if manager.is_running():
                    manager.stop(block=True, hard_stop=True)
                manager.destroy()
                self.model.train(training)

    @contextmanager
    def _plain_attention(self) -> Iterator[None]:
        """Without the attention functions of ours, whose names continuous batching refuses."""
        former = self.model.config._attn_implementation
        self.model.set_attn_implementation(plain_name(former))
        try:
            yield
        finally:
            self.model.set_attn_implementation(former)

    def _check(self, prompts: Sequence[Sequence[int]], params: SamplingParams) -> None:
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        for place, prompt in enumerate(prompts):
            if not len(prompt):
                raise InputError(f"prompt {place} is empty: give at least one token")
            if context is not None and len(prompt) + params.max_new_tokens > context:
                raise InputError(
                    f"prompt {place} has {len(prompt)} tokens, and {params.max_new_tokens} new ones do not "
                    f"fit into the model's {context}: shorten one of the two"
                )

    def _completion(self, result: Any, version: int, params: SamplingParams) -> Completion:
        # "group/member" of the request; what was forked off it is "group/member__child#0" and so on.
        request, _, child = result.request_id.partition("__child#")
        group, member = map(int, request.split("/"))
        tokens = np.array(result.generated_tokens, np.int64)
        logprobs = np.array(result.logprobs, np.float32)
        stopped = bool(tokens[-1] in self.stop_tokens)
        finish = Finish.STOP_TOKEN if stopped else Finish.LENGTH
        end = self._stop_length(result.generated_tokens, params.stop)
        if end is not None and not (stopped and end == len(tokens)):
            tokens, logprobs, finish = tokens[:end], logprobs[:end], Finish.STOP_STRING
        return Completion(
            group=group,
            member=member + (int(child) + 1 if child else 0),
            tokens=tokens,
            logprobs=logprobs,
            finish=finish,
            version=version,
            log_mass=np.full(len(tokens), np.nan, np.float32) if params.truncates else None,
        )

    def _stop_length(self, tokens: Sequence[int], stop: Sequence[str]) -> int | None:
        """Tokens up to the one that completes a stop text; None without one."""
        if not stop:
            return None
        decode = self.decode
        assert decode is not None

        def stopped(length: int) -> bool:
            text = decode(tokens[:length])
            return any(end in text for end in stop)

        length = bisect.bisect_left(range(len(tokens) + 1), True, key=stopped)
        return length if length <= len(tokens) else None


def _finished(manager: Any) -> list[Any]:
    """Waits until completions have ended, and takes all that have."""
    results: list[Any] = []
    while not results or not manager.output_router.output_queue.empty():
        result = manager.get_result(timeout=1.0)
        if result is not None and result.error is not None:
            raise ModelError(f"transformers' continuous batching failed: {result.error}")
        if result is not None:
            results.append(result)
        elif not manager.is_running():
            raise ModelError(
                "transformers' continuous batching ended before its completions: "
                f"{manager.background_thread_status.fatal_error}"
            )
    return results
