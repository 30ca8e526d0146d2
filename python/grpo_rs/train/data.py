"""Problems to train on and problems held out: generated, or from files with named columns."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grpo_rs import testing
from grpo_rs.arrays import IntArray
from grpo_rs.errors import DataError
from grpo_rs.math import MathPolicy, unreadable_golds
from grpo_rs.train.config import Config, DataConfig
from grpo_rs.train.models import Policy

# Streams of random numbers: each use of the run's seed has a number of its own.
ORDER_STREAM, SPLIT_STREAM = 1, 2

Message = dict[str, str]


@dataclass(frozen=True)
class Problem:
    """A prompt and what a correct answer to it is.

    Attributes:
        text: the prompt as the model reads it, chat template applied.
        tokens: the same as token ids.
        gold: the reference answer.
        solution: a completion to imitate in the supervised warm-up, if there is one.
        columns: the data set's row, for custom rewards.
        question: the prompt as the data set has it; chat messages as JSON.
    """

    text: str
    tokens: list[int]
    gold: str
    solution: str | None
    columns: dict[str, Any]
    question: str


@dataclass(frozen=True)
class Problems:
    """The two sides of a data set; no prompt is on both."""

    train: list[Problem]
    held_out: list[Problem]
    notes: list[str]


class PromptOrder:
    """The order in which problems are trained on: a new permutation every epoch.

    The order is a function of the seed and the position alone, so a position is all that a checkpoint
    needs.

    Args:
        size: number of problems.
        seed: of the permutations.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed

    def take(self, position: int, count: int) -> IntArray:
        """Indices of the `count` problems from `position` on, across epochs if need be."""
        places = np.arange(position, position + count)
        epochs = places // self.size
        order = {
            epoch: np.random.default_rng((self.seed, ORDER_STREAM, epoch)).permutation(self.size)
            for epoch in np.unique(epochs).tolist()
        }
        return np.array(
            [order[e][p % self.size] for e, p in zip(epochs.tolist(), places.tolist(), strict=True)],
            np.int64,
        )


def load_problems(config: Config, policy: Policy) -> Problems:
    """Reads, splits, renders and checks the problems of a run.

    Raises:
        DataError: no problems, a missing column, a gold that the verifier cannot read, a prompt that
            does not fit the model's context.
    """
    data, notes = config.data, list[str]()
    solution_column = data.solution_column
    if data.train is None:
        solution_column = solution_column or "solution"
        train_rows, held_rows = _addition_rows(data, solution_column, config.run.seed)
    else:
        train_rows = _read(data.train, data, data.split)
        held_rows = _read(data.eval, data, data.eval_split) if data.eval else []
        if not held_rows:
            train_rows, held_rows = _split(train_rows, data, config.run.seed)
    problems = Problems(
        [_problem(row, data, solution_column, policy) for row in train_rows],
        [_problem(row, data, solution_column, policy) for row in held_rows],
        notes,
    )
    unknown = policy.tokenizer.unk_token_id
    lost = sum(unknown in problem.tokens for problem in problems.train) if unknown is not None else 0
    if lost:
        notes.append(f"{lost} training prompts have characters that the tokenizer does not know")
    held_texts = {problem.text for problem in problems.held_out}
    clean = [problem for problem in problems.train if problem.text not in held_texts]
    if len(clean) < len(problems.train):
        notes.append(f"{len(problems.train) - len(clean)} training problems left out: also held out")
    problems = Problems(clean, problems.held_out, notes)
    _check(problems, config, policy)
    return problems


def read_problems(source: str, split: str, config: Config, policy: Policy) -> list[Problem]:
    """Reads and renders all problems of a file or data set, to evaluate on; golds may be unreadable.

    Raises:
        DataError: as `load_problems`, but for golds.
    """
    data = config.data
    problems = [_problem(row, data, data.solution_column, policy) for row in _read(source, data, split)]
    _check_lengths(problems, config, policy)
    return problems


def _addition_rows(
    data: DataConfig, solution_column: str, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    total = 10 ** (2 * data.digits)
    if data.held_out >= total:
        raise DataError(f"data.held_out is {data.held_out}, but there are only {total} sums: lower it")

    def row(problem: testing.Sum) -> dict[str, Any]:
        values = {"a": problem.a, "b": problem.b, "units": problem.units, "answer": problem.answer}
        try:
            prompt, solution = data.question.format(**values), data.solution.format(**values)
        except (KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"data.question and data.solution are format strings over a, b, units and answer: {error!r}"
            ) from None
        return {
            data.prompt_column: prompt,
            data.gold_column: str(problem.answer),
            solution_column: solution,
        }

    train, held_out = testing.addition(data.digits, held_out=data.held_out, seed=seed)
    return [row(problem) for problem in train], [row(problem) for problem in held_out]


def _read(source: str, data: DataConfig, split: str) -> list[dict[str, Any]]:
    suffix = Path(source).suffix
    if suffix in {".jsonl", ".parquet"} and not Path(source).is_file():
        raise DataError(f"data file {source} does not exist")
    if suffix == ".jsonl":
        rows = list(_read_jsonl(Path(source)))
    elif suffix == ".parquet":
        if importlib.util.find_spec("pyarrow") is None:
            raise DataError("reading parquet needs pyarrow: pip install 'grpo_rs[data]'")
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(source).to_pylist()
    else:
        rows = _read_datasets(source, data, split)
    if not rows:
        raise DataError(f"{source} has no rows: give a file with at least one problem")
    for column in (data.prompt_column, data.gold_column, data.solution_column):
        missing = column is not None and next((i for i, row in enumerate(rows) if column not in row), None)
        if missing is not None and missing is not False:
            raise DataError(
                f"row {missing} of {source} has no column {column!r}; it has "
                f"{', '.join(map(repr, rows[missing]))}: set data.prompt_column and data.gold_column"
            )
    return rows


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number} is not a JSON object")
            yield row


def _read_datasets(source: str, data: DataConfig, split: str) -> list[dict[str, Any]]:
    if importlib.util.find_spec("datasets") is None:
        raise DataError(
            f"{source!r} is not a .jsonl or .parquet file; to load it as a data set: "
            "pip install 'grpo_rs[data]'"
        )
    import datasets

    try:
        if Path(source).is_dir() and (Path(source) / "dataset_info.json").exists():
            loaded = datasets.load_from_disk(source)
        else:
            loaded = datasets.load_dataset(source, data.subset, split=split)
    except (OSError, ValueError, ConnectionError) as error:
        raise DataError(f"the datasets library cannot load {source!r}: {error}") from error
    return [dict(row) for row in loaded]


def _split(
    rows: list[dict[str, Any]], data: DataConfig, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if data.held_out >= len(rows):
        raise DataError(
            f"data.held_out is {data.held_out}, but {data.train} has only {len(rows)} problems: lower "
            "it, or give the held-out problems as data.eval"
        )
    order = np.random.default_rng((seed, SPLIT_STREAM)).permutation(len(rows)).tolist()
    return [rows[i] for i in order[data.held_out :]], [rows[i] for i in order[: data.held_out]]


def _problem(row: dict[str, Any], data: DataConfig, solution_column: str | None, policy: Policy) -> Problem:
    prompt = row[data.prompt_column]
    text = _render(prompt, data, policy)
    tokens = policy.tokenizer.encode(text, add_special_tokens=not uses_chat(data, policy))
    solution = row.get(solution_column) if solution_column else None
    question = prompt if isinstance(prompt, str) else json.dumps(list(prompt), ensure_ascii=False)
    return Problem(text, tokens, str(row[data.gold_column]), solution, row, question)


def uses_chat(data: DataConfig, policy: Policy) -> bool:
    """Whether prompts go through the tokenizer's chat template.

    Raises:
        DataError: they have to, and there is none.
    """
    has_template = policy.tokenizer.chat_template is not None
    if data.chat == "always" and not has_template:
        raise DataError('data.chat is "always", but the tokenizer has no chat template: set it to "never"')
    return has_template and data.chat != "never" and data.template is None


def _render(prompt: str | Sequence[Message], data: DataConfig, policy: Policy) -> str:
    if data.template is not None:
        if isinstance(prompt, str):
            return data.template.format(question=prompt)
        raise DataError("data.template goes around prompts that are strings; these are chat messages")
    if not uses_chat(data, policy):
        if isinstance(prompt, str) and data.system is None:
            return prompt
        raise DataError(
            "chat messages and data.system need a chat template, which this tokenizer has not or "
            'data.chat = "never" switches off: give prompts as strings'
        )
    messages = list(prompt) if not isinstance(prompt, str) else [{"role": "user", "content": prompt}]
    if data.system is not None:
        messages = [{"role": "system", "content": data.system}, *messages]
    rendered = policy.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert isinstance(rendered, str)
    return rendered


def _check(problems: Problems, config: Config, policy: Policy) -> None:
    if not problems.train:
        raise DataError("no training problem is left: every prompt is held out too. Lower data.held_out")
    everything = problems.train + problems.held_out
    if config.rewards.math:
        golds = [problem.gold for problem in everything]
        unreadable = unreadable_golds(golds, policy=MathPolicy.named(config.rewards.policy))
        if unreadable:
            shown = "; ".join(f"{everything[i].gold!r} ({why})" for i, why in list(unreadable.items())[:3])
            raise DataError(
                f"{len(unreadable)} of {len(everything)} golds cannot be read, for example {shown}: mend "
                f"column {config.data.gold_column!r}, or set rewards.math to 0"
            )
    _check_lengths(everything, config, policy)


def _check_lengths(problems: Sequence[Problem], config: Config, policy: Policy) -> None:
    longest = max(problems, key=lambda problem: len(problem.tokens))
    if not min(len(problem.tokens) for problem in problems):
        raise DataError("a prompt has no token: give every problem a prompt that is not empty")
    room = (policy.context or 1 << 30) - config.rollout.max_new_tokens
    if len(longest.tokens) > room:
        raise DataError(
            f"a prompt has {len(longest.tokens)} tokens, but the model's context of {policy.context} "
            f"leaves {room} beside rollout.max_new_tokens: shorten it ({longest.text[:60]!r}...), lower "
            "rollout.max_new_tokens, or take a model with a longer context"
        )
