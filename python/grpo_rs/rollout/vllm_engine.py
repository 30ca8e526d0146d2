"""Sampling with a vLLM engine in the trainer's own process and on its own GPU ("colocated").

Written for vLLM 0.33, against its source; never run against a real one.

vLLM's request for the log-probability of the token drawn is answered under the distribution after
temperature and limits only with `logprobs_mode="processed_logprobs"`, which `start_engine` sets. What the
limits left out it does not tell, so `log_mass` is then not a number.

Source:
    https://docs.vllm.ai: `vllm.LLM`, `SamplingParams`, `reload_weights`, LoRA adapters, sleep mode.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from grpo_rs.errors import InputError, ModelError
from grpo_rs.rollout.canary import LogprobArray, SyncError
from grpo_rs.rollout.sampler import Completion, Finish, SamplingParams, SeedArray

Save = Callable[[Path], None]
"""Writes adapters into a folder, in peft's layout."""


def start_engine(model: str, *, dtype: str, lora_rank: int = 0, sleep: bool = True, **arguments: Any) -> Any:
    """A `vllm.LLM` that can be trained beside.

    Args:
        model: folder or hub id of the policy's weights and tokenizer.
        dtype: "float32" or "bfloat16".
        lora_rank: rank of the adapters that will be handed over; 0 for whole weights.
        sleep: let the engine give its memory back between steps.
        arguments: further ones of `vllm.LLM`, such as `gpu_memory_utilization`.

    Raises:
        ModelError: vLLM is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ModelError(
            'rollout.engine "vllm" needs the package vllm: install it, or start a server in an environment '
            'of its own and set rollout.engine to "vllm_server"'
        )
    # In this process, so that weights are handed over as tensors and not through a file.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm import LLM

    adapters = {"enable_lora": True, "max_lora_rank": lora_rank} if lora_rank else {}
    return LLM(
        model=model,
        dtype=dtype,
        logprobs_mode="processed_logprobs",
        enable_sleep_mode=sleep,
        **adapters,
        **arguments,
    )


class VllmSampler:
    """Generates with a vLLM engine of this process.

    A completion has its own seed. That it does not depend on what is sampled beside it vLLM promises only
    where its batch-invariant kernels are switched on (VLLM_BATCH_INVARIANT=1).

    Args:
        llm: the engine, as `start_engine` makes it.
        stop_tokens: ids that end a completion; the one drawn is part of it.
        save_adapters: writes the policy's adapters, where only they are trained; None where all weights are.
        sleep: give the engine's memory back after each stream.
    """

    def __init__(
        self, llm: Any, stop_tokens: Sequence[int], *, save_adapters: Save | None = None, sleep: bool = True
    ) -> None:
        self.llm = llm
        self.engine = llm.llm_engine
        self.stop_tokens = sorted(set(stop_tokens))
        self.save_adapters = save_adapters
        self.sleep = sleep
        self.version = 0
        self._adapters: Any = None
        self._requests = itertools.count()

    def transfer(self, policy: PreTrainedModel, version: int) -> None:
        """Hands weights or adapters over, and drops the keys and values of the old ones.

        Raises:
            SyncError: the engine kept its cache of keys and values.
        """
        self._wake()
        if self.save_adapters is None:
            # A policy without adapters has the names of its checkpoint, which vLLM's loaders read.
            self.engine.collective_rpc(
                "reload_weights",
                kwargs={"weights_iterator": [(name, p.detach()) for name, p in policy.named_parameters()]},
            )
        else:
            self._load_adapters(self.save_adapters, version)
        if not self.engine.reset_prefix_cache():
            raise SyncError(
                "vLLM kept keys and values of the old weights: a request of another user still runs"
            )

    def _load_adapters(self, save: Save, version: int) -> None:
        from vllm.lora.request import LoRARequest

        if self._adapters is not None:
            self.engine.remove_lora(self._adapters.lora_int_id)
        with tempfile.TemporaryDirectory(prefix="grpo_rs-adapters-") as folder:
            save(Path(folder))
            # A new number for each version: what vLLM has loaded it knows by number.
            self._adapters = LoRARequest(f"policy-{version}", version + 1, folder)
            # Read at once, so that the folder can go.
            if not self.engine.add_lora(self._adapters):
                raise SyncError(f"vLLM did not load the adapters of step {version}: see its log")

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`."""
        text = {"detokenize": bool(params.stop)}
        settings = [
            [sampling_fields(params, self.stop_tokens, int(seed)) | text for seed in row] for row in seeds
        ]
        waiting: dict[str, tuple[int, int]] = {}
        version = self.version
        self._wake()
        try:
            for group, prompt in enumerate(prompts):
                for member, fields in enumerate(settings[group]):
                    waiting[self._add(prompt, fields)] = (group, member)
            while waiting:
                for output in self.engine.step():
                    if output.finished and output.request_id in waiting:
                        group, member = waiting.pop(output.request_id)
                        yield _completion(output.outputs[0], group, member, version, params)
        finally:
            if waiting:
                self.engine.abort_request(list(waiting))
            if self.sleep:
                self.llm.sleep(level=1)

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        """See `Scorer.score`: a request for each token, all at once, so that cached prefixes are used."""
        self._wake()
        text = [*prompt, *completion]
        waiting = {}
        for place in range(len(prompt), len(text)):
            fields = {"max_tokens": 1, "detokenize": False, "logprob_token_ids": [text[place]]}
            waiting[self._add(text[:place], fields)] = place
        logp_T = np.zeros(len(completion), np.float32)
        while waiting:
            for output in self.engine.step():
                if output.finished and output.request_id in waiting:
                    place = waiting.pop(output.request_id)
                    logp_T[place - len(prompt)] = output.outputs[0].logprobs[0][text[place]].logprob
        return logp_T

    def _add(self, prompt: Sequence[int], fields: Mapping[str, Any]) -> str:
        from vllm import SamplingParams as VllmParams
        from vllm.exceptions import VLLMClientError
        from vllm.sampling_params import RequestOutputKind

        name = f"grpo_rs-{next(self._requests)}"
        try:
            self.engine.add_request(
                name,
                {"prompt_token_ids": list(map(int, prompt))},
                VllmParams(**fields, output_kind=RequestOutputKind.FINAL_ONLY),
                lora_request=self._adapters,
            )
        except VLLMClientError as error:
            raise InputError(f"vLLM refused a prompt of {len(prompt)} tokens: {error}") from error
        return name

    def _wake(self) -> None:
        if self.sleep and self.engine.is_sleeping():
            self.llm.wake_up()


def sampling_fields(params: SamplingParams, stop_tokens: Sequence[int], seed: int) -> dict[str, Any]:
    """Fields of vLLM's `SamplingParams`, each one given.

    A server reads a field left out from the model's generation_config.json, whose repetition penalty or top-p
    the trainer knows nothing of.

    Raises:
        InputError: vLLM would change the temperature, or refuse it.
    """
    if 0 < params.temperature < 0.01 or params.temperature > 2:
        raise InputError(
            f"temperature is {params.temperature}: vLLM samples at 0, or from 0.01 to 2; set "
            'rollout.temperature to one of these, or rollout.engine to "torch"'
        )
    return {
        "max_tokens": params.max_new_tokens,
        "temperature": params.temperature,
        "top_k": params.top_k,
        "top_p": params.top_p,
        "min_p": params.min_p,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        # vLLM's seeds have a sign, and -1 stands for none.
        "seed": seed >> 1,
        "stop": list(params.stop),
        "include_stop_str_in_output": True,
        "skip_special_tokens": False,
        # Only the stop tokens given here, so that it says by which one it stopped.
        "ignore_eos": True,
        "stop_token_ids": list(stop_tokens),
        "logprobs": 0,
    }


def finish_of(reason: str | None, stopped_by: int | str | None) -> Finish:
    """Why a completion ended, from vLLM's `finish_reason` and `stop_reason`.

    Raises:
        ModelError: it was aborted, or failed.
    """
    if reason == "length":
        return Finish.LENGTH
    if reason == "stop":
        return Finish.STOP_STRING if isinstance(stopped_by, str) else Finish.STOP_TOKEN
    raise ModelError(f"vLLM ended a completion for the reason {reason!r}: see its log")


def _completion(output: Any, group: int, member: int, version: int, params: SamplingParams) -> Completion:
    tokens = [int(token) for token in output.token_ids]
    logprobs = [at[token].logprob for token, at in zip(tokens, output.logprobs, strict=True)]
    return Completion(
        group=group,
        member=member,
        tokens=np.array(tokens, np.int64),
        logprobs=np.array(logprobs, np.float32),
        finish=finish_of(output.finish_reason, output.stop_reason),
        version=version,
        log_mass=np.full(len(tokens), np.nan, np.float32) if params.truncates else None,
    )
