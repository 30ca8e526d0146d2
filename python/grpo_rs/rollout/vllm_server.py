"""Sampling with vLLM servers, over their OpenAI-compatible HTTP interface.

Written for vLLM 0.33, against its source; never run against a real one. Start it where it sees the folder
that weights are handed over in:

    VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --logprobs-mode processed_logprobs
    VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve MODEL --logprobs-mode processed_logprobs --enable-lora

The first takes whole weights (developer mode has the routes for it), the second adapters. Neither belongs on
an open network: whoever reaches the server can replace its weights.

Source:
    https://docs.vllm.ai: OpenAI-compatible server, LoRA adapters, weight versions.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import shutil
import socket
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from transformers import PreTrainedModel

from grpo_rs.errors import InputError, ModelError
from grpo_rs.rollout.canary import LogprobArray, SyncError
from grpo_rs.rollout.sampler import Completion, SamplingParams, SeedArray
from grpo_rs.rollout.vllm_engine import finish_of, sampling_fields

# Requests in flight, one a completion; the server batches them as it can.
CONNECTIONS = 512
# Seconds between attempts to reach a server.
PAUSES = (0.5, 2.0, 8.0)
# Statuses of a server that may answer the next time.
BUSY = (429, 502, 503)


@dataclass
class _Line:
    """The requests of a stream, or of everything else.

    Attributes:
        open: connections in use.
        closed: nothing is to be asked any more.
    """

    open: set[http.client.HTTPConnection] = field(default_factory=set)
    closed: threading.Event = field(default_factory=threading.Event)


class VllmServerSampler:
    """Generates with a vLLM server.

    Every request is one completion, so that each has its own seed and comes as soon as it has ended. That a
    completion does not depend on what is sampled beside it vLLM promises only where its batch-invariant
    kernels are switched on (VLLM_BATCH_INVARIANT=1).

    Args:
        url: such as "http://localhost:8000".
        stop_tokens: ids that end a completion; the one drawn is part of it.
        save: writes the policy's weights, or its adapters alone, into a folder, in Hugging Face layout.
        adapters: `save` writes adapters.
        folder: where weights are handed over, on a disk that the server sees; None for the system's folder of
            temporary files.
        timeout_s: for the answer to one request.
        pauses: seconds between attempts to reach the server.
    """

    def __init__(
        self,
        url: str,
        stop_tokens: Sequence[int],
        *,
        save: Callable[[Path], None],
        adapters: bool,
        folder: Path | None = None,
        timeout_s: float = 600.0,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.url = url if "//" in url else f"http://{url}"
        self.stop_tokens = sorted(set(stop_tokens))
        self.save = save
        self.adapters = adapters
        self.folder = folder
        self.timeout_s = timeout_s
        self.pauses = tuple(pauses)
        self.version = 0
        self._drop_old: Callable[[], object] | None = None
        self._line = _Line()  # of all requests but a stream's
        served = self._ask("GET", "/v1/models")["data"]
        self.model: str = served[0]["id"]
        self._handed_over: int | None = None
        self._check_logprobs_mode()

    def transfer(self, _: PreTrainedModel, version: int) -> None:
        """Writes the weights or adapters to disk and lets the server read them.

        Raises:
            SyncError: the server refused, or kept keys and values of the old weights.
        """
        folder = Path(tempfile.mkdtemp(prefix="grpo_rs-weights-", dir=self.folder))
        # The server may read the folder again, until there is another one.
        drop = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.save(folder)
        if self.adapters:
            self._load_adapters(folder, version)
        else:
            self._load_weights(folder, version)
        self._handed_over = version
        self._drop_old, drop_older = drop, self._drop_old
        if drop_older is not None:
            drop_older()

    def _load_adapters(self, folder: Path, version: int) -> None:
        # Adapters of each version have a name of their own: a request for others than these is refused, and
        # keys and values are cached by that name.
        old = None if self._handed_over is None else _adapters_name(self._handed_over)
        self._ask(
            "POST",
            "/v1/load_lora_adapter",
            {"lora_name": _adapters_name(version), "lora_path": str(folder), "load_inplace": True},
            hint="start the server with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1",
        )
        if old not in (None, _adapters_name(version)):
            self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": old})

    def _load_weights(self, folder: Path, version: int) -> None:
        hint = "start the server with VLLM_SERVER_DEV_MODE=1"
        arguments = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
        self._ask("POST", "/collective_rpc", arguments, hint=hint)
        if not self._ask("POST", "/reset_prefix_cache", hint=hint).get("success"):
            raise SyncError(
                "the vLLM server kept keys and values of the old weights: other requests still run"
            )
        self._ask("POST", "/update_weight_version", {"new_version": str(version)}, hint=hint)

    def stream(
        self, prompts: Sequence[Sequence[int]], seeds: SeedArray, params: SamplingParams
    ) -> Iterator[Completion]:
        """See `Sampler.stream`.

        Raises:
            ModelError: the server cannot be reached, failed, or has other weights than were handed over.
        """
        version = self.version
        bodies = {
            (group, member): self._body(prompt, sampling_fields(params, self.stop_tokens, int(seed)))
            for group, prompt in enumerate(prompts)
            for member, seed in enumerate(seeds[group])
        }
        line = _Line()
        pool = ThreadPoolExecutor(min(CONNECTIONS, max(1, len(bodies))), "grpo_rs-vllm")
        futures: dict[Future[dict[str, Any]], tuple[int, int]] = {
            pool.submit(self._ask, "POST", "/v1/completions", body, line=line): place
            for place, body in bodies.items()
        }
        try:
            for future in as_completed(futures):
                group, member = futures[future]
                yield self._completion(future.result()["choices"][0], group, member, version, params)
        finally:
            _hang_up(line, pool, futures)

    def score(self, prompt: Sequence[int], completion: Sequence[int]) -> LogprobArray:
        """See `Scorer.score`: a request for each token, all at once, so that cached prefixes are used."""
        text = [int(token) for token in (*prompt, *completion)]
        bodies = [
            self._body(
                text[:place],
                {"max_tokens": 1, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
                 "repetition_penalty": 1.0, "logprobs": 1, "logprob_token_ids": [text[place]],
                 "return_tokens_as_token_ids": True},
            )
            for place in range(len(prompt), len(text))
        ]  # fmt: skip
        with ThreadPoolExecutor(min(CONNECTIONS, len(bodies)), "grpo_rs-vllm") as pool:
            answers = list(pool.map(lambda body: self._ask("POST", "/v1/completions", body), bodies))
        return np.array(
            [
                answer["choices"][0]["logprobs"]["top_logprobs"][0][f"token_id:{token}"]
                for answer, token in zip(answers, text[len(prompt) :], strict=True)
            ],
            np.float32,
        )

    def _body(self, prompt: Sequence[int], fields: Mapping[str, Any]) -> dict[str, Any]:
        named = self.adapters and self._handed_over is not None
        return {
            "model": _adapters_name(self._handed_over or 0) if named else self.model,
            "prompt": [int(token) for token in prompt],
            "n": 1,
            "return_token_ids": True,
            "return_weight_versions": True,
            **fields,
        }

    def _completion(
        self, choice: Mapping[str, Any], group: int, member: int, version: int, params: SamplingParams
    ) -> Completion:
        if self._handed_over is not None and not self.adapters:
            spans = {span["version"] for span in choice.get("weight_versions") or []}
            if spans != {str(self._handed_over)}:
                raise ModelError(
                    f"the vLLM server drew a completion with the weights {sorted(spans)}, not with those of "
                    f"step {self._handed_over} that it was given: it was started anew, or another trainer "
                    "uses it. Give each run a server of its own, and continue with --resume"
                )
        tokens = np.array(choice["token_ids"], np.int64)
        return Completion(
            group=group,
            member=member,
            tokens=tokens,
            logprobs=np.array(choice["logprobs"]["token_logprobs"], np.float32),
            finish=finish_of(choice["finish_reason"], choice.get("stop_reason")),
            version=version,
            log_mass=np.full(len(tokens), np.nan, np.float32) if params.truncates else None,
        )

    def _check_logprobs_mode(self) -> None:
        """Asks for one distribution at two temperatures: only processed log-probabilities differ."""

        def two_best(temperature: float) -> list[float]:
            fields = {"max_tokens": 1, "temperature": temperature, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
                      "repetition_penalty": 1.0, "seed": 0, "logprobs": 2,
                      "return_tokens_as_token_ids": True}  # fmt: skip
            answer = self._ask("POST", "/v1/completions", self._body([self.stop_tokens[0]], fields))
            return sorted(answer["choices"][0]["logprobs"]["top_logprobs"][0].values(), reverse=True)[:2]

        cold, hot = two_best(0.5), two_best(2.0)
        if math.isclose(cold[0], hot[0], rel_tol=1e-3) and math.isclose(cold[1], hot[1], rel_tol=1e-3):
            raise ModelError(
                "the vLLM server gives log-probabilities without the temperature: start it with "
                "--logprobs-mode processed_logprobs"
            )

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        hint: str = "",
        line: _Line | None = None,
    ) -> dict[str, Any]:
        """One request; tried again while the server cannot be reached or is busy.

        Raises:
            InputError: the server refused the request (status 400).
            ModelError: it cannot be reached, does not answer in time, or failed; or the line was closed.
        """
        line = line or self._line
        failure = ""
        for pause in (*self.pauses, None):
            if line.closed.is_set():
                raise ModelError(f"{self.url}{path}: not asked any more, because the stream was closed")
            try:
                status, answer = self._send(method, path, body, line)
            except TimeoutError as error:
                raise ModelError(
                    f"{self.url}{path}: no answer within {self.timeout_s:g} s; lower rollout.max_new_tokens "
                    "or rollout.prompts_per_step, or look whether the server hangs"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                failure = str(error) or type(error).__name__
            else:
                if status == 200:
                    return json.loads(answer) if answer[:1] == b"{" else {}
                failure = f"status {status}, {answer[:500].decode(errors='replace')}"
                if status == 400:
                    raise InputError(f"{self.url}{path} refused the request: {failure}")
                if status not in BUSY:
                    raise ModelError(f"{self.url}{path} failed: {failure}" + (f"; {hint}" if hint else ""))
            if pause is not None:
                line.closed.wait(pause)
        raise ModelError(
            f"no vLLM server answers at {self.url}{path} ({failure}): start one, and give its address in "
            "rollout.server_url"
        )

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, line: _Line) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "localhost", parts.port, timeout=self.timeout_s)
        line.open.add(connection)
        try:
            data = None if body is None else json.dumps(body).encode()
            headers = {} if data is None else {"Content-Type": "application/json"}
            connection.request(method, parts.path.rstrip("/") + path, data, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            line.open.discard(connection)
            connection.close()


def _hang_up(line: _Line, pool: ThreadPoolExecutor, futures: Iterable[Future[dict[str, Any]]]) -> None:
    """Ends what still runs: the server stops a request when its connection goes."""
    line.closed.set()
    pool.shutdown(wait=False, cancel_futures=True)
    # Again and again: a request that had begun may not have had a socket yet.
    while not all(future.done() for future in futures):
        for connection in list(line.open):
            if (sock := connection.sock) is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        time.sleep(0.01)
    pool.shutdown()


def _adapters_name(version: int) -> str:
    return f"policy-{version}"
