"""A loss or gradient that is not finite: which group caused it, and everything that is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from grpo_rs.advantages import Advantages
from grpo_rs.arrays import IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.errors import ModelError


class NonFiniteError(ModelError):
    """A loss or a gradient is not finite; the optimiser step was not taken.

    Attributes:
        term: the first number, in the order in which they are computed, that is not finite.
        facts: what JSON can hold of the group that caused it.
        arrays: its tokens and numbers, a name each; the numbers are per token, end to end.
    """

    def __init__(self, term: str, facts: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self.term = term
        self.facts = facts
        self.arrays = arrays
        super().__init__(f"{term} is not finite. This update was not applied")

    def write(self, folder: Path, name: str, *, prompt: str, completions: Sequence[str]) -> Path:
        """Writes `name`.npz with the arrays and `name`.json with the rest; returns the latter's path."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{name}.npz", allow_pickle=False, **self.arrays)
        facts = {"term": self.term, **self.facts, "prompt": prompt, "completions": list(completions)}
        path = folder / f"{name}.json"
        path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def nonfinite_error(
    rollouts: Rollouts,
    advantages: Advantages,
    rows: IntArray,
    flat_T: Tensor,
    terms: Mapping[str, Any],
    parameters: Sequence[str],
) -> NonFiniteError | None:
    """The error that a group's numbers make; None when all of them are finite.

    Args:
        rollouts, advantages: of the step.
        rows: the group's rows that are trained on.
        flat_T: the place of each of its tokens in the flat completions.
        terms: numbers by name, in the order in which they are computed; None where there are none.
        parameters: names of those whose gradient is not finite.
    """
    numbers = {
        name: np.asarray(values.detach().double().cpu() if isinstance(values, Tensor) else values, np.float64)
        for name, values in terms.items()
        if values is not None
    }
    broken = [name for name, values in numbers.items() if not np.isfinite(values).all()]
    if parameters:
        broken.append("the gradient of " + parameters[0])
    if not broken:
        return None
    group = int(rollouts.group_ids[rows[0]])
    facts = {
        "group": group,
        "problem": int(rollouts.prompt_index[group]),
        "rows": rows.tolist(),
        "not_finite": broken,
        "parameters": list(parameters),
        "rewards": _json([] if rollouts.rewards is None else rollouts.rewards[rows]),
        "advantages": _json(advantages.values[rows]),
    }
    flat = flat_T.numpy(force=True)
    arrays = {
        "prompt_tokens": rollouts.prompts[group],
        "completion_tokens": rollouts.completions.flat[flat],
        "row": np.searchsorted(rollouts.completions.offsets, flat, side="right") - 1,
        **{name.replace(" ", "_").replace("-", "_"): values for name, values in numbers.items()},
    }
    return NonFiniteError(broken[0], facts, arrays)


def _json(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
