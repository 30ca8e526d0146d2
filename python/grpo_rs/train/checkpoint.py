"""The run directory and its checkpoints: each is written whole or not at all.

A checkpoint is built in a hidden folder beside its place, flushed to disk, and renamed: a process
killed at any moment leaves the last good one. Folder of a run:

    config.json  versions.json  metrics.jsonl  completions.jsonl  summary.json
    reference/step-N/       weights of the frozen policy of the KL term, if there is one, frozen after step N
    audit.json              the lines of the step-0 audit
    evaluations/            step-N.jsonl: every answer of the evaluation after step N, with its verdict
    nonfinite/              tokens and numbers of a group whose loss or gradient was not finite
    checkpoints/step-N/     weights and tokenizer in Hugging Face layout, the critic's weights if there is
                            one, and the trainer's state
    final/                  the trained model in Hugging Face layout
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from grpo_rs.batch import Rollouts
from grpo_rs.errors import CheckpointError
from grpo_rs.train.collect import Sampled
from grpo_rs.train.config import Config, config_from_dict, flatten
from grpo_rs.train.log import json_value

# What may differ between a run and its continuation: none of it changes the result, but for slow rewards, and
# for the bounds that a run may have to be given when they have left it no prompt.
FREE_ON_RESUME = {
    "run.out",
    "run.stop_after",
    "run.name",
    "checkpoint.every",
    "checkpoint.keep",
    "rollout.server_url",
    "rollout.drop_above",
    "rollout.drop_below",
    "rewards.deadline_s",
}
STATE_FORMAT = 3
DATA_HASH = "data_sha256"
WEIGHTS = "reference.safetensors"
_NAME = re.compile(r"step-(\d+)(\+rollouts)?")
_HIDDEN = ".writing-"


@dataclass
class TrainerState:
    """Where a run stands; everything else follows from it, the configuration and the weights.

    Attributes:
        step: GRPO steps done.
        position: problems looked at by the steps done; `PromptQueue` turns it into the next ones.
        phase_seconds: wall seconds by phase, over all sessions of the run.
        generated_tokens, trained_tokens: totals over the run.
        fates: tokens by what became of them, over the run; see `Fate`.
        wasted_s: wall seconds of sampling that were spent on what was not trained on.
        pending_position, pending_rounds: of the completions in rollouts.npz; see `Sampled`.
        accuracy_before: held-out greedy accuracy before the first GRPO step.
        warmup: what the supervised warm-up did.
        reference_step: step after which the reference was frozen; None if it is the model without adapters.
        memory: estimated and measured peak of the first update.
        file_sizes: bytes of the run's line files at this moment: later lines belong to lost steps.
    """

    step: int = 0
    position: int = 0
    phase_seconds: dict[str, float] = field(default_factory=dict)
    generated_tokens: int = 0
    trained_tokens: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    wasted_s: float = 0.0
    pending_position: int = 0
    pending_rounds: int = 0
    accuracy_before: float | None = None
    warmup: dict[str, Any] | None = None
    reference_step: int | None = None
    memory: dict[str, Any] | None = None
    file_sizes: dict[str, int] = field(default_factory=dict)


class RunDirectory:
    """The folder of one run.

    Args:
        path: the folder; made if need be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.evaluations = path / "evaluations"

    def begin(self, config: Config, versions: dict[str, Any]) -> None:
        """Starts a new run here.

        Raises:
            CheckpointError: a run is here already; nothing is overwritten.
        """
        if (self.path / "config.json").exists():
            raise CheckpointError(
                f"{self.path} holds a run already: add --resume to continue it, or choose another "
                "folder with --run.out"
            )
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "versions.json", versions)
        write_json(self.path / "config.json", config.model_dump(mode="json"))

    def check(self, config: Config) -> None:
        """Checks that a configuration continues the run that is here.

        Raises:
            CheckpointError: there is no run here, or its configuration differs.
        """
        if not (self.path / "config.json").exists():
            raise CheckpointError(f"{self.path} holds no run to continue: leave out --resume")
        before = flatten(config_from_dict(read_json(self.path / "config.json")))
        now = flatten(config)
        differing = [
            f"{key} was {before[key]!r}, is {now[key]!r}"
            for key in now
            if now[key] != before[key] and key not in FREE_ON_RESUME
        ]
        if differing:
            raise CheckpointError(
                f"the run in {self.path} has another configuration: {'; '.join(differing)}. Give the same "
                f"values, or start a new run from its weights: --model.path {self.checkpoints}/step-..."
            )

    def continue_in(self, versions: dict[str, Any]) -> list[str]:
        """Takes the run up again; returns what differs from the environment that it began in.

        Raises:
            CheckpointError: the problems are not the ones that the run began with.
        """
        old = read_json(self.path / "versions.json")
        if old[DATA_HASH] != versions[DATA_HASH]:
            raise CheckpointError(
                "the problems have changed since this run began: restore the data files, or start a new "
                f"run from its weights: --model.path {self.checkpoints}/step-..."
            )
        for leftover in [*self.path.glob(f"{_HIDDEN}*"), *self.checkpoints.glob(f"{_HIDDEN}*")]:
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        return [
            f"{key} was {old.get(key)!r}, is {value!r}: the continuation may differ in rounding"
            for key, value in versions.items()
            if old.get(key) != value
        ]

    def complete(self) -> list[Path]:
        """The complete checkpoints, oldest first."""
        found = [
            (int(match[1]), bool(match[2]), path)
            for path in self.checkpoints.glob("step-*")
            if (match := _NAME.fullmatch(path.name))
        ]
        return [path for _, _, path in sorted(found)]

    def latest(self) -> Path | None:
        """The newest complete checkpoint; None when the run was ended before its first."""
        found = self.complete()
        return found[-1] if found else None

    def save_reference(self, step: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Writes the weights of a reference that was frozen after a step."""
        place = self.reference(step)
        shutil.rmtree(place, ignore_errors=True)  # of steps that will be done again
        with atomic_folder(place) as folder:
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)

    def load_reference(self, step: int) -> dict[str, torch.Tensor]:
        """The weights of the reference that was frozen after a step.

        Raises:
            CheckpointError: they are not there.
        """
        try:
            return load_file(self.reference(step) / WEIGHTS)
        except OSError as error:
            raise CheckpointError(f"{self.reference(step)} is not there: {error}") from error

    def reference(self, step: int) -> Path:
        """Where such a reference is."""
        return self.path / "reference" / f"step-{step:06d}"

    def prune(self, keep: int) -> None:
        """Deletes all but the newest `keep` checkpoints."""
        for path in self.complete()[:-keep]:
            # Renamed first: a half-deleted checkpoint must not look whole.
            hidden = path.with_name(f"{_HIDDEN}old-{path.name}")
            path.rename(hidden)
            shutil.rmtree(hidden)
        kept = {read_json(path / "state.json").get("reference_step") for path in self.complete()}
        for path in (self.path / "reference").glob("step-*"):
            if int(path.name.removeprefix("step-")) < min(
                (step for step in kept if step is not None), default=0
            ):
                shutil.rmtree(path)


def save_checkpoint(
    run: RunDirectory,
    state: TrainerState,
    *,
    save_model: Callable[[Path], None],
    learner_state: dict[str, Any],
    critic_state: dict[str, Any] | None,
    tracker_state: Mapping[str, np.ndarray[Any, Any]] | None,
    queue_state: Mapping[str, np.ndarray[Any, Any]],
    pending: Sampled | None,
    line_files: list[Path],
) -> Path:
    """Writes everything that continuing bit for bit needs.

    Args:
        run: where to.
        state: where the run stands; what files hold is noted in it here.
        save_model: writes model and tokenizer into a folder.
        learner_state: the optimiser's.
        critic_state: that of the critic's optimiser, if there is one.
        tracker_state: the pass rates of the baseline "tracker", if it is used.
        queue_state: what is known of the prompts.
        pending: what is sampled but not yet trained on, if there is something.
        line_files: metrics.jsonl and the like; flushed, and their sizes recorded.
    """
    for file in line_files:
        with file.open("ab") as handle:
            os.fsync(handle.fileno())
    state.file_sizes = {file.name: file.stat().st_size for file in line_files}
    rollouts = None if pending is None else pending.rollouts
    state.pending_position, state.pending_rounds = 0, 0
    if pending is not None and rollouts is not None:
        state.pending_position, state.pending_rounds = pending.position, pending.rounds
    name = f"step-{state.step:06d}" + ("+rollouts" if rollouts is not None else "")
    place = run.checkpoints / name
    if place.exists():
        return place
    with atomic_folder(place) as folder:
        save_model(folder)
        saved = {"learner": learner_state, "random": random_states(), "queue": _tensors(queue_state)}
        if critic_state is not None:
            saved["critic"] = critic_state
        if tracker_state is not None:
            saved["tracker"] = _tensors(tracker_state)
        torch.save(saved, folder / "trainer.pt")
        if rollouts is not None:
            np.savez(folder / "rollouts.npz", allow_pickle=False, **rollouts.arrays())
        write_json(folder / "state.json", {"format": STATE_FORMAT, **asdict(state)})
    return place


def load_checkpoint(path: Path) -> tuple[TrainerState, dict[str, Any], Sampled]:
    """Where the run stands, states by name (learner, critic, tracker, queue, random), pending completions.

    Raises:
        CheckpointError: the folder is not a checkpoint of this version.
    """
    try:
        values = read_json(path / "state.json")
        if values.pop("format") != STATE_FORMAT:
            raise CheckpointError(f"{path} was written by another version of grpo_rs")
        saved = torch.load(path / "trainer.pt", weights_only=True)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not a whole checkpoint: {error}") from error
    state = TrainerState(**values)
    pending = Sampled(state.position)
    if (path / "rollouts.npz").exists():
        with np.load(path / "rollouts.npz") as arrays:
            rollouts = Rollouts.from_arrays(arrays)
        pending = Sampled(state.pending_position, rollouts, state.pending_rounds)
    return state, saved, pending


def _tensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


@contextmanager
def atomic_folder(place: Path) -> Iterator[Path]:
    """A hidden folder that becomes `place` at the end of the block, flushed to disk; or never."""
    hidden = place.with_name(f"{_HIDDEN}{os.getpid()}-{place.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        yield hidden
        for file in sorted(hidden.rglob("*"), reverse=True):
            _flush(file)
        _flush(hidden)
        hidden.rename(place)
        _flush(place.parent)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def random_states() -> dict[str, Any]:
    """The global random states, as values that `torch.load(weights_only=True)` accepts."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(words), gauss],
        "numpy": [np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Restores what `random_states` gave."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state(("MT19937", np.array(keys, np.uint32), position, has_gauss, cached))


def write_json(path: Path, value: Any) -> None:
    """Writes a file whole or not at all; numbers that JSON cannot hold become null."""
    hidden = path.with_name(f"{_HIDDEN}{os.getpid()}-{path.name}")
    hidden.write_text(json.dumps(json_value(value), indent=2) + "\n", encoding="utf-8")
    _flush(hidden)
    hidden.replace(path)
    _flush(path.parent)


def read_json(path: Path) -> Any:
    """Reads what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
