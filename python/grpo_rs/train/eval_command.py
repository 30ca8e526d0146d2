"""What `grpo-rs eval` does: finds the model, the problems and the settings, and evaluates."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from grpo_rs.errors import ConfigError, ModelError
from grpo_rs.math import Extract, MathPolicy, PolicyName
from grpo_rs.rewards import MathReward
from grpo_rs.rollout.sampler import SamplingParams
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.train.checkpoint import RunDirectory, read_json
from grpo_rs.train.config import Config, config_from_dict
from grpo_rs.train.data import Problem, load_problems, read_problems
from grpo_rs.train.evaluate import evaluate
from grpo_rs.train.models import Policy, load_policy
from grpo_rs.train.results import Comparison, Evaluation, compare

# Length limit of a completion, for a model whose training says nothing of it.
MAX_NEW_TOKENS = 512
# How files of results end.
RESULTS = ".jsonl"


@dataclass(frozen=True)
class EvalOptions:
    """What was asked for; None for the run's own value, or the usual one where there is no run.

    Attributes:
        model: "tiny", a folder, a .gguf file, pkg://, a hub id; a run directory or a checkpoint in one; or a
            file of results.
        against: the same, to compare with.
        data: a file of problems or a data set; None for those that the run held out.
        split: of such a data set.
        prompt_column, gold_column, system, template, chat: see `DataConfig`.
        samples: completions of a problem.
        temperature, top_k, top_p, min_p, max_new_tokens: see `SamplingParams`.
        max_prompts: most problems, the first ones.
        batch_size: completions generated at once.
        seed: of the completions.
        extract, policy: of the verifier.
        device, dtype: see `ModelConfig`.
        out: file of results to write for the model.
    """

    model: str
    against: str | None = None
    data: str | None = None
    split: str | None = None
    prompt_column: str | None = None
    gold_column: str | None = None
    system: str | None = None
    template: str | None = None
    chat: str | None = None
    samples: int | None = None
    temperature: float | None = None
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    max_new_tokens: int | None = None
    max_prompts: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    extract: Extract | None = None
    policy: PolicyName | None = None
    device: str | None = None
    dtype: str | None = None
    out: Path | None = None

    @property
    def asking(self) -> str:
        """The model whose run says what is asked: the first, unless that is a file of results."""
        return self.against if self.against is not None and self.model.endswith(RESULTS) else self.model


@dataclass(frozen=True)
class Evaluated:
    """A model, or a file of results, and its evaluation.

    Attributes:
        name: of the model: its folder or file.
        settings: by which it was evaluated; empty for a file of results.
        evaluation: the results.
    """

    name: str
    settings: dict[str, Any]
    evaluation: Evaluation


@dataclass(frozen=True)
class Report:
    """What `grpo-rs eval` prints.

    Attributes:
        model: what was evaluated.
        against: what it was compared with.
        comparison: from that to the model.
    """

    model: Evaluated
    against: Evaluated | None
    comparison: Comparison | None

    def values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        found = {"model": self.model.name, **self.model.settings, **self.model.evaluation.summary()}
        if self.against is not None and self.comparison is not None:
            found["against"] = {
                "model": self.against.name,
                **self.against.settings,
                **self.against.evaluation.summary(),
            }
            found["comparison"] = self.comparison.summary()
        return found


def run(options: EvalOptions, progress: Callable[[str, int, int], None]) -> Report:
    """Evaluates a model, and compares it with another.

    Args:
        options: what was asked for.
        progress: called with a model's name, the number of its problems done, and of all.

    Raises:
        InputError: something cannot be used; the message says how to mend it.
    """
    if all(side is None or side.endswith(RESULTS) for side in (options.model, options.against)):
        ignored = [
            f"--{field.name.replace('_', '-')}"
            for field in fields(options)
            if field.name not in ("model", "against", "out") and getattr(options, field.name) != field.default
        ]
        if ignored:
            raise ConfigError(
                f"{', '.join(ignored)}: files of results are read as they are, and nothing is evaluated; "
                "leave that out, or name a model"
            )
    # What can be read at once is read before what takes long.
    results = options.against is not None and options.against.endswith(RESULTS)
    against = _evaluated(str(options.against), options, progress) if results else None
    model = _evaluated(options.model, options, progress)
    if options.out is not None:
        model.evaluation.write(options.out)
    if options.against is None:
        return Report(model, None, None)
    against = against or _evaluated(options.against, options, progress)
    return Report(model, against, compare(against.evaluation, model.evaluation))


def _evaluated(model: str, options: EvalOptions, progress: Callable[[str, int, int], None]) -> Evaluated:
    if model.endswith(RESULTS):
        return Evaluated(model, {}, Evaluation.read(Path(model)))
    run, checkpoint = _find(model)
    # Both models are asked the same: what is not given comes from the run of one.
    asking, _ = (run, checkpoint) if model == options.asking else _find(options.asking)
    config = _config(model, run, asking, options)
    policy = load_policy(config.model, seed=config.run.seed, checkpoint=checkpoint)
    problems = _problems(config, policy, options)
    samples = options.samples or (asking.eval.samples if asking else 1)
    temperature = options.temperature
    if temperature is None:
        temperature = 0.0 if samples == 1 else config.eval.temperature
    params = SamplingParams(
        config.rollout.max_new_tokens,
        temperature,
        options.top_k,
        options.top_p,
        options.min_p,
        config.rollout.stop,
    )
    seed = config.run.seed if options.seed is None else options.seed
    name = str(checkpoint or model)
    # The run's own form, "auto" resolved for its own problems, also where other data is asked.
    extract = options.extract or (asking or config).answer_form()
    evaluation = evaluate(
        policy,
        TorchSampler(policy.model, policy.stop_tokens, decode=partial(policy.text, special=True)),
        problems,
        params=params,
        samples=samples,
        batch_size=config.eval.batch_size,
        verifier=MathReward(extract, policy=MathPolicy.named(config.rewards.policy)),
        seed=seed,
        progress=lambda done: progress(name, done, len(problems)),
    )
    settings = {
        "data": options.data or ("held out by the run" if asking else config.data.task),
        "max_new_tokens": params.max_new_tokens,
        "temperature": params.temperature,
        "top_k": params.top_k,
        "top_p": params.top_p,
        "min_p": params.min_p,
        "stop": params.stop,
        "seed": seed,
        "extract": extract,
        "policy": config.rewards.policy,
    }
    del policy
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return Evaluated(name, settings, evaluation)


def _find(model: str) -> tuple[Config | None, Path | None]:
    """The configuration and the weights of a run of grpo_rs; nothing of any other model.

    Raises:
        ModelError: the run has no weights yet.
    """
    path = Path(model)
    if not path.is_dir():
        return None, None
    if _is_run(path):
        run = RunDirectory(path)
        checkpoint = path / "final" if (path / "final").is_dir() else run.latest()
        if checkpoint is None:
            raise ModelError(f"the run in {model} has no checkpoint yet: wait for its first, or name a model")
        return _of_run(path), checkpoint
    for folder in (path.resolve().parent, path.resolve().parent.parent):
        if _is_run(folder):
            return _of_run(folder), path
    return None, None


def _of_run(folder: Path) -> Config:
    """The configuration of a run. It may be of a version that refused less: nothing is trained here."""
    return config_from_dict(read_json(folder / "config.json"), trains=False)


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run directory: models have a config.json too."""
    try:
        values = read_json(folder / "config.json")
    except (OSError, json.JSONDecodeError):
        return False
    return isinstance(values, dict) and {"model", "rollout", "algo"} <= values.keys()


def _config(model: str, run: Config | None, asking: Config | None, options: EvalOptions) -> Config:
    """The model of one run, and the problems, lengths and verifier of the one that asks."""
    values = (asking or Config()).model_dump(mode="json")
    values["model"] = run.model.model_dump(mode="json") if run else {"path": model}
    if asking is None and (options.asking != "tiny" or options.data is not None):
        if options.data is None:
            raise ConfigError(
                f"{options.asking} is no run directory, so there are no held-out problems: name some with "
                "--data FILE"
            )
        values["rollout"]["max_new_tokens"] = MAX_NEW_TOKENS
    changes: dict[str, dict[str, Any]] = {
        "model": {"device": options.device, "dtype": options.dtype},
        "data": {
            "train": options.data,
            "prompt_column": options.prompt_column,
            "gold_column": options.gold_column,
            "system": options.system,
            "template": options.template,
            "chat": options.chat,
        },
        "rollout": {"max_new_tokens": options.max_new_tokens},
        "rewards": {"policy": options.policy},
        "eval": {"max_prompts": options.max_prompts, "batch_size": options.batch_size},
    }
    for section, given in changes.items():
        values[section] |= {name: value for name, value in given.items() if value is not None}
    if options.data is not None:
        values["data"] |= {"eval": None, "solution_column": None}
    return config_from_dict(values, trains=False)


def _problems(config: Config, policy: Policy, options: EvalOptions) -> list[Problem]:
    if options.data is None:
        return load_problems(config, policy).held_out[: config.eval.max_prompts]
    problems = read_problems(options.data, options.split or config.data.eval_split, config, policy)
    return problems[: options.max_prompts]
