"""Rows of a JSONL file, in batches of bounded size, with the line that each comes from."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from grpo_rs.cli.terminal import Progress
from grpo_rs.errors import DataError

GOLD_NAMES = ("gold", "answer", "solution", "ground_truth", "target", "reference", "expected_answer")
PREDICTION_NAMES = ("pred", "prediction", "completion", "response", "output", "generation", "reply")

# Labels, and the scores of other graders.
LABELS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "1", "1.0"), True),
    **dict.fromkeys(("false", "0", "0.0", "-1", "-1.0"), False),
    **dict.fromkeys(("none", "null", ""), None),
}

# A batch is what memory holds at a time: long completions make it shorter.
MAX_BATCH_ROWS = 4096
MAX_BATCH_BYTES = 8 << 20


class SourceNumber(float):
    """A float that remembers how it was written: `2.50` says more than `2.5`."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Row:
    """One line of a file.

    Attributes:
        place: file and line, for messages.
        line: counted from 1.
        columns: the JSON object.
    """

    place: str
    line: int
    columns: dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a file, by its name.

    Attributes:
        name: the key, or keys joined by dots.
        option: what the user calls it by on the command line.
    """

    name: str
    option: str

    @classmethod
    def choose(cls, option: str, given: str | None, names: Sequence[str], first: Row) -> Self:
        """The column that was asked for, else the first of the usual names that the file has."""
        if given is not None:
            return cls(given, option)
        for name in names:
            if name in first.columns:
                return cls(name, option)
        raise DataError(
            f"{first.place} has none of the columns {', '.join(names)}; it has {_listed(first)}: "
            f"name one with {option} COLUMN"
        )

    def value(self, row: Row) -> Any:
        """What the row holds there."""
        if self.name in row.columns:
            return row.columns[self.name]
        value: Any = row.columns
        for key in self.name.split("."):
            if not isinstance(value, dict) or key not in value:
                raise DataError(
                    f"{row.place} has no column {self.name!r}; it has {_listed(row)}: "
                    f"name another with {self.option} COLUMN"
                )
            value = value[key]
        return value

    def text(self, row: Row) -> str:
        """The same as text: null is empty, a number is as it was written."""
        value = self.value(row)
        if isinstance(value, str):
            return value
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, int | float):
            return str(value)
        raise DataError(
            f"{row.place}: column {self.name!r} holds a {type(value).__name__}, not a text or a number"
        )

    def label(self, row: Row) -> bool | None:
        """The same as a verdict; null says nothing."""
        value = self.value(row)
        word = str(value).strip().lower()
        if word not in LABELS:
            raise DataError(
                f"{row.place}: column {self.name!r} holds {str(value)[:40]!r}; it must be true or 1 for "
                "correct, false, 0 or -1 for incorrect, null for unknown"
            )
        return LABELS[word]


def batches(file: str, progress: Progress) -> Iterator[list[Row]]:
    """The rows of a file, or of stdin for `-`; empty lines are left out.

    Raises:
        DataError: a line that is not a JSON object, or no rows at all.
    """
    name = "stdin" if file == "-" else file
    found = False
    with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines:
        batch, size = list[Row](), 0
        for number, line in enumerate(lines, start=1):
            progress.bytes_read += len(line)
            if not line.strip():
                continue
            batch.append(_row(name, number, line))
            size += len(line)
            if len(batch) == MAX_BATCH_ROWS or size >= MAX_BATCH_BYTES:
                yield batch
                found, batch, size = True, [], 0
    if batch:
        yield batch
    elif not found:
        raise DataError(f"{name} has no rows: give a file with a JSON object a line")


def file_size(file: str) -> int | None:
    """Bytes of a regular file."""
    path = Path(file)
    return path.stat().st_size if file != "-" and path.is_file() else None


def _row(name: str, number: int, line: bytes) -> Row:
    place = f"{name}, line {number}"
    try:
        columns = json.loads(line.decode("utf-8-sig"), parse_float=SourceNumber)
    except UnicodeDecodeError as error:
        raise DataError(f"{place} is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{place} is not JSON: {error.msg}, at character {error.pos + 1}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not JSON that can be read: {error}") from None
    if not isinstance(columns, dict):
        raise DataError(f"{place} is not a JSON object: each line must be {{...}} with named columns")
    return Row(place, number, columns)


def _listed(row: Row) -> str:
    return ", ".join(map(repr, row.columns)) or "no columns"
