"""A process that runs one reward function, so that a call that hangs can be ended.

The parent starts it with `COMMAND`. It answers over a socket: first how the import went, then each batch.
A second socket, on which nothing is ever written, ties its life to the parent's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import threading
import traceback
from typing import Any, Literal, NamedTuple

from grpo_rs.arrays import FloatArray
from grpo_rs.errors import InputError
from grpo_rs.rewards.base import Completions
from grpo_rs.rewards.combine import checked_scores, load_function

# Arguments: the parent's sys.path as JSON, the reward's name, "module:function", the two sockets.
COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from grpo_rs.rewards.worker import main; main()"
)


class Answer(NamedTuple):
    """What the process says to a batch, or first of all to the import.

    Attributes:
        kind: "scores": in `scores`; "raised": the function, or its import, did; "refused": what it returned
            cannot be used.
        scores: float64, one per completion.
        message: one line.
        trace: the traceback as text.
    """

    kind: Literal["scores", "raised", "refused"]
    scores: FloatArray | None = None
    message: str = ""
    trace: str = ""


def main() -> None:
    """Imports the function and answers until the parent has gone."""
    from multiprocessing.connection import Connection  # here: it would make `import grpo_rs` heavier

    name, path = sys.argv[2:4]
    connection = Connection(int(sys.argv[4]))
    die_with(socket.socket(fileno=int(sys.argv[5])))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent has gone
        try:
            reward = load_function(path)
        except BaseException as error:
            connection.send(raised(error))
            return
        connection.send(Answer("scores"))
        while True:
            connection.send(answer(name, reward, connection.recv()))


def answer(name: str, reward: Any, completions: Completions) -> Answer:
    """Calls a reward; nothing that it does raises."""
    try:
        returned = reward(completions)
    except BaseException as error:  # SystemExit too: it means this call, not this process
        return raised(error)
    return returns(name, returned, len(completions))


def raised(error: BaseException) -> Answer:
    """The answer of a function that raised."""
    return Answer("raised", None, one_line(error), "".join(traceback.format_exception(error)))


def returns(name: str, returned: Any, count: int) -> Answer:
    """The answer of a function that returned, checked as `checked_scores` does."""
    try:
        return Answer("scores", checked_scores(name, returned, count))
    except InputError as error:
        return Answer("refused", None, str(error))


def one_line(error: BaseException) -> str:
    """The exception's type, and the first line of its message."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def die_with(lifeline: socket.socket) -> None:
    """Ends this process and all of its group when the other end of the socket closes.

    On Linux the kernel sends SIGKILL, which works while a function holds the GIL.
    """
    if hasattr(fcntl, "F_SETSIG"):
        descriptor = os.dup(lifeline.fileno())  # open for as long as the process lives
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgid(0))
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)

    def wait() -> None:
        # Not recv: while one waits there, Linux sends no signal.
        select.select([lifeline], [], [])
        os._exit(1)

    # Elsewhere; and where the parent had gone before the signal was arranged for.
    threading.Thread(target=wait, daemon=True).start()
