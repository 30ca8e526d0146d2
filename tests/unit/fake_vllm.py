"""What of vLLM 0.33 the samplers use, with a tiny model behind it: an engine, and a server.

Fields and methods have the names, types and meaning of vLLM's source; one that it does not have is an error.
"""

import dataclasses
import json
import threading
import types
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file


@dataclass
class SamplingParams:
    """vllm.SamplingParams: the fields that are sent, with vLLM's defaults."""

    n: int = 1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    stop: list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int | None = 16
    logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    detokenize: bool = True
    skip_special_tokens: bool = True
    include_stop_str_in_output: bool = False
    output_kind: object = None

    def __post_init__(self):
        assert 0 <= self.temperature <= 2 and self.max_tokens >= 1 and self.n == 1
        assert self.seed is None or 0 <= self.seed < 2**63
        assert not self.stop or self.detokenize, "stop strings are only supported when detokenize is True"


@dataclass
class LoRARequest:
    """vllm.lora.request.LoRARequest."""

    lora_name: str
    lora_int_id: int
    lora_path: str = ""


class VLLMClientError(Exception):
    """vllm.exceptions.VLLMClientError, which is no ValueError."""


class VLLMValidationError(VLLMClientError):
    """vllm.exceptions.VLLMValidationError."""


def install(monkeypatch):
    """Makes `import vllm` find the classes above."""
    package = types.ModuleType("vllm")
    package.SamplingParams = SamplingParams
    parameters = types.ModuleType("vllm.sampling_params")
    parameters.RequestOutputKind = types.SimpleNamespace(FINAL_ONLY=2)
    exceptions = types.ModuleType("vllm.exceptions")
    exceptions.VLLMClientError = VLLMClientError
    lora = types.ModuleType("vllm.lora.request")
    lora.LoRARequest = LoRARequest
    modules = {
        "vllm": package,
        "vllm.sampling_params": parameters,
        "vllm.lora": types.ModuleType("vllm.lora"),
    }
    for name, module in {**modules, "vllm.exceptions": exceptions, "vllm.lora.request": lora}.items():
        monkeypatch.setitem(__import__("sys").modules, name, module)


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: list[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class Sequence:
    """One request: a token each step."""

    def __init__(self, model, tokenizer, prompt, params):
        self.model, self.tokenizer, self.prompt, self.params = model, tokenizer, prompt, params
        self.random = np.random.default_rng(params.seed)
        self.tokens, self.logprobs, self.reason, self.stopped_by = [], [], None, None

    @torch.no_grad()
    def step(self):
        params = self.params
        logits_V = self.model(torch.tensor([self.prompt + self.tokens])).logits[0, -1].double()
        greedy = params.temperature == 0
        logp_V = (logits_V / (1 if greedy else params.temperature)).log_softmax(-1).numpy()
        if not greedy:
            order = np.argsort(-logp_V)
            kept = order[: params.top_k or None]
            share = np.exp(logp_V[kept]) / np.exp(logp_V[kept]).sum()
            kept = kept[: np.searchsorted(share.cumsum(), params.top_p - 1e-9) + 1]
            kept = kept[np.exp(logp_V[kept]) >= params.min_p * np.exp(logp_V[kept[0]])]
            masked = np.full_like(logp_V, -np.inf)
            masked[kept] = logp_V[kept] - np.log(np.exp(logp_V[kept]).sum())
            logp_V = masked
        token = int(np.argmax(logp_V)) if greedy else int(self.random.choice(len(logp_V), p=np.exp(logp_V)))
        wanted = [token, *(params.logprob_token_ids or [])]
        wanted += [int(t) for t in np.argsort(-logp_V)[: params.logprobs or 0]]
        self.tokens.append(token)
        self.logprobs.append({t: Logprob(float(logp_V[t])) for t in dict.fromkeys(wanted)})
        text = self.tokenizer.decode(self.tokens) if params.detokenize else ""
        found = [stop for stop in params.stop or [] if stop in text]
        if token in (params.stop_token_ids or []):
            self.reason, self.stopped_by = "stop", token
        elif token == 1 and not params.ignore_eos:
            self.reason = "stop"
        elif found:
            self.reason, self.stopped_by = "stop", found[0]
        elif len(self.tokens) == params.max_tokens:
            self.reason = "length"

    def output(self):
        wanted = self.params.logprobs is not None or self.params.logprob_token_ids
        return CompletionOutput(
            0, "", self.tokens, None, self.logprobs if wanted else None, self.reason, self.stopped_by
        )


def load_adapters(model, folder):
    """Reads adapters in peft's layout into an adapted model."""
    assert json.loads(Path(folder, "adapter_config.json").read_text())["peft_type"] == "LORA"
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in load_file(Path(folder, "adapter_model.safetensors")).items():
            name = name.removeprefix("base_model.model.").replace(".weight", ".default.weight")
            own[name].copy_(tensor)


def load_weights(model, weights):
    """What vLLM's loaders do with names of a Hugging Face checkpoint."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in weights:
            own[name].copy_(tensor)


class Engine:
    """`vllm.LLM` and its `llm_engine` in one."""

    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.llm_engine, self.running, self.loaded, self.calls = self, {}, {}, []
        self.asleep = False

    def add_request(self, request_id, prompt, params, arrival_time=None, lora_request=None):
        assert not self.asleep and isinstance(request_id, str)
        if len(prompt["prompt_token_ids"]) + 1 > self.model.config.max_position_embeddings:
            raise VLLMValidationError("The decoder prompt is longer than the maximum model length")
        assert lora_request is None or lora_request.lora_int_id in self.loaded
        self.running[request_id] = Sequence(self.model, self.tokenizer, prompt["prompt_token_ids"], params)
        return f"{request_id}-internal"

    def step(self):
        for sequence in self.running.values():
            sequence.step()
        done = [name for name, sequence in self.running.items() if sequence.reason]
        return [
            types.SimpleNamespace(request_id=name, outputs=[self.running.pop(name).output()], finished=True)
            for name in done
        ]

    def abort_request(self, request_ids, internal=False):
        for name in request_ids:
            del self.running[name]

    def collective_rpc(self, method, timeout=None, args=(), kwargs=None):
        assert method == "reload_weights" and not self.asleep
        load_weights(self.model, kwargs["weights_iterator"])
        self.calls.append("reload_weights")

    def reset_prefix_cache(self, reset_running_requests=False, reset_connector=False):
        self.calls.append("reset_prefix_cache")
        return not self.running

    def add_lora(self, request):
        load_adapters(self.model, request.lora_path)
        self.loaded[request.lora_int_id] = request
        return True

    def remove_lora(self, lora_id):
        return self.loaded.pop(lora_id, None) is not None

    def sleep(self, level=1, mode="abort"):
        self.asleep = True

    def wake_up(self, tags=None):
        self.asleep = False

    def is_sleeping(self):
        return self.asleep


COMPLETION_FIELDS = {
    "model", "prompt", "n", "max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty",
    "presence_penalty", "frequency_penalty", "seed", "stop", "stop_token_ids", "include_stop_str_in_output",
    "ignore_eos", "skip_special_tokens", "logprobs", "logprob_token_ids", "return_tokens_as_token_ids",
    "return_token_ids", "return_weight_versions",
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """`vllm serve` with `--logprobs-mode processed_logprobs`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, model, tokenizer, *, processed=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.model, self.tokenizer, self.processed = model, tokenizer, processed
        self.adapters, self.version, self.seen, self.failures = {}, "default", [], []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def completions(self, body):
        assert set(body) <= COMPLETION_FIELDS, set(body) - COMPLETION_FIELDS
        # What is left out, a server reads from the model's generation_config.json.
        assert {"temperature", "top_p", "top_k", "min_p", "repetition_penalty"} <= set(body)
        if body["model"] != "tiny" and body["model"] not in self.adapters:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
        if len(body["prompt"]) + 1 > self.model.config.max_position_embeddings:
            return 400, {"error": {"message": "maximum context length"}}
        names = {field.name for field in dataclasses.fields(SamplingParams)}
        fields = {key: value for key, value in body.items() if key in names}
        if not self.processed:
            fields["temperature"] = 1.0
        with self.lock:
            sequence = Sequence(self.model, self.tokenizer, body["prompt"], SamplingParams(**fields))
            while not sequence.reason:
                sequence.step()
        output = sequence.output()
        choice = {
            "index": 0,
            "text": "",
            "finish_reason": output.finish_reason,
            "stop_reason": output.stop_reason,
            "token_ids": output.token_ids if body.get("return_token_ids") else None,
            "logprobs": {
                "token_logprobs": [
                    at[t].logprob for t, at in zip(output.token_ids, output.logprobs, strict=True)
                ],
                "top_logprobs": [
                    {f"token_id:{t}": max(p.logprob, -9999.0) for t, p in at.items()}
                    for at in output.logprobs
                ],
            },
            "weight_versions": [{"version": self.version, "start": 0, "end": len(output.token_ids)}],
        }
        return 200, {"choices": [choice]}

    def answer(self, path, body):
        self.seen.append(path)
        if self.failures:
            return self.failures.pop(0), {"error": {"message": "busy"}}
        match path:
            case "/v1/models":
                return 200, {"data": [{"id": "tiny"}]}
            case "/v1/completions":
                return self.completions(body)
            case "/v1/load_lora_adapter":
                assert set(body) <= {"lora_name", "lora_path", "load_inplace", "is_3d_lora_weight"}
                load_adapters(self.model, body["lora_path"])
                self.adapters[body["lora_name"]] = body["lora_path"]
                return 200, f"Success: LoRA adapter '{body['lora_name']}' added successfully."
            case "/v1/unload_lora_adapter":
                del self.adapters[body["lora_name"]]
                return 200, "Success: removed."
            case "/collective_rpc":
                assert body["method"] == "reload_weights"
                folder = Path(body["kwargs"]["weights_path"])
                load_weights(self.model, load_file(folder / "model.safetensors").items())
                return 200, {"results": [None]}
            case "/reset_prefix_cache":
                return 200, {"success": True}
            case "/update_weight_version":
                self.version = body["new_version"]
                return 200, {"success": True, "new_version": self.version}
        return 404, {"detail": "Not Found"}


class Handler(BaseHTTPRequestHandler):
    def reply(self, body):
        status, answer = self.server.answer(self.path, body)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply(None)

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.reply(json.loads(self.rfile.read(length)) if length else None)

    def log_message(self, *_):
        pass
