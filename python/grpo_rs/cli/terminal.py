"""What the command prints: results to stdout; errors and progress to stderr, progress on a terminal only."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

# Codes of ANSI terminals.
BOLD, RED = "1", "31"
REDRAW_S = 0.1
BAR_WIDTH = 24
MAX_SHOWN = 120


class Terminal:
    """Where results and messages go.

    Args:
        out: results.
        err: errors and progress.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self.out = out
        self.err = err

    def print(self, text: str = "") -> None:
        """A line of results."""
        self._write(self.out, text)

    def error(self, text: str) -> None:
        """What went wrong, on one line."""
        self._write(self.err, f"{_coloured(self.err, RED, 'error:')} {text}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column to the left, numbers to the right."""
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for number, row in enumerate([head, *rows]):
            cells = [
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            line = "  ".join(cells).rstrip()
            self.print(_coloured(self.out, BOLD, line) if number == 0 else line)

    def _write(self, stream: TextIO, text: str) -> None:
        # A model may write what the terminal's encoding has not.
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


class Progress:
    """A bar on stderr while a file is read, if stderr is a terminal.

    Args:
        terminal: whose stderr it is drawn on.
        total: bytes of the file; None if nobody knows.
    """

    def __init__(self, terminal: Terminal, total: int | None) -> None:
        self.bytes_read = 0
        self.rows = 0
        self._err = terminal.err
        self._shown = terminal.err.isatty()
        self._total = total
        self._begin = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._err.write("\r\x1b[K")
            self._err.flush()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begin

    def advance(self, rows: int) -> None:
        """Notes rows that are done, and draws if it is time."""
        self.rows += rows
        now = time.monotonic()
        if self._shown and now - self._drawn >= REDRAW_S:
            self._drawn = now
            rate = f"{self.rows:,} rows, {self.rows / self.seconds:,.0f} rows/s"
            self._err.write(f"\r\x1b[K{self._bar()}{rate}")
            self._err.flush()

    def _bar(self) -> str:
        if not self._total:
            return ""
        share = min(self.bytes_read / self._total, 1.0)
        full = round(share * BAR_WIDTH)
        return f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {share:4.0%}  "


def shown(text: str) -> str:
    """A text on one line, without what would move the cursor, and not too long."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"


def percent(part: int, whole: int) -> str:
    """A share; 100.0% only if it is all."""
    share = 100 * part / whole if whole else 0.0
    return f"{min(share, 99.9) if part < whole else share:.1f}%"


def _coloured(stream: TextIO, code: str, text: str) -> str:
    # https://no-color.org: set, and not empty
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{code}m{text}\x1b[0m"
