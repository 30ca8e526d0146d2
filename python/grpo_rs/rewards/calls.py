"""The ways in which a reward function is called: directly, on a thread, on an event loop, in a process.

A `Call` outlives a step. What it is given in `stop` is an event that ends the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from grpo_rs.arrays import FloatArray
from grpo_rs.errors import InputError
from grpo_rs.rewards.base import Completions
from grpo_rs.rewards.combine import checked_scores
from grpo_rs.rewards.worker import COMMAND, Answer, answer, one_line, raised, returns

# Between looks at `stop`.
POLL_S = 0.05

# A function that could not be ended so many times is not called again.
MAX_LEFT_RUNNING = 3

# For a cancelled coroutine to end, and a worker to import its function: a model may have to be loaded.
CANCEL_S = 1.0
IMPORT_S = 600.0


class CallFailed(Exception):
    """The user's function raised, or did not come back in time.

    Attributes:
        timed_out: which of the two.
        trace: the traceback as text; empty if there is none.
    """

    def __init__(self, message: str, trace: str = "", *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.trace = trace
        self.timed_out = timed_out


class Stopped(Exception):
    """The caller no longer wants the scores."""


class Call(ABC):
    """Calls a reward.

    Attributes:
        concurrency: calls at a time.
        has_deadline: whether one can be set, and what the function raises becomes `CallFailed`.
        left_running: calls that could not be ended.
    """

    concurrency = 1
    has_deadline = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.left_running = 0

    @abstractmethod
    def __call__(
        self, completions: Completions, deadline_s: float | None, stop: threading.Event
    ) -> FloatArray:
        """Float64, one score per completion.

        Raises:
            CallFailed: the function raised, or the deadline passed.
            Stopped: `stop` was set.
            InputError: the function returned what it must not, or cannot be called.
        """

    def close(self) -> None:  # noqa: B027  (most keep nothing)
        """Ends what the call keeps."""

    def _result(self, got: Answer) -> FloatArray:
        if got.kind == "refused":
            raise InputError(got.message)
        if got.kind == "raised":
            raise CallFailed(got.message, got.trace)
        assert got.scores is not None
        return got.scores

    def _refuse_runaway(self) -> None:
        if self.left_running >= MAX_LEFT_RUNNING:
            raise InputError(
                f"reward {self.name!r} was left running {self.left_running} times, since it did not answer "
                'by its deadline and cannot be ended: give it as "module:function" without `in_process`, so '
                "that it runs in a process that can be, or mend it"
            )


class DirectCall(Call):
    """Calls a reward that is bounded where it stands."""

    concurrency = 4
    has_deadline = False

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function

    def __call__(
        self, completions: Completions, deadline_s: float | None, stop: threading.Event
    ) -> FloatArray:
        """See `Call`."""
        return checked_scores(self.name, self.function(completions), len(completions))


class ThreadCall(Call):
    """Calls a Python function on a thread, which is left behind at the deadline."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function

    def __call__(
        self, completions: Completions, deadline_s: float | None, stop: threading.Event
    ) -> FloatArray:
        """See `Call`."""
        self._refuse_runaway()
        box: list[Answer] = []
        ended = threading.Event()

        def run() -> None:
            box.append(answer(self.name, self.function, completions))
            ended.set()

        threading.Thread(target=run, name=f"reward {self.name}", daemon=True).start()
        try:
            wait_for(ended.wait, deadline_s, stop)
        except CallFailed:
            self.left_running += 1
            raise
        return self._result(box[0])


class LoopCall(Call):
    """Awaits an async function on an event loop in a thread; cancels it at the deadline.

    The loop is the function's own, so that one that blocks its loop holds up no other.
    """

    concurrency = 8

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __call__(
        self, completions: Completions, deadline_s: float | None, stop: threading.Event
    ) -> FloatArray:
        """See `Call`."""
        self._refuse_runaway()
        box: list[Answer] = []
        ended = threading.Event()

        async def run() -> None:
            try:
                returned = await self.function(completions)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                box.append(raised(error))
            else:
                box.append(returns(self.name, returned, len(completions)))
            finally:
                ended.set()

        with self._lock:
            loop = self._running_loop()
            future = asyncio.run_coroutine_threadsafe(run(), loop)
        try:
            wait_for(ended.wait, deadline_s, stop)
        except (CallFailed, Stopped):
            future.cancel()
            if not ended.wait(CANCEL_S):
                self.left_running += 1
                with self._lock:
                    if self._loop is loop:
                        self._loop = None
            raise
        if not box:
            raise CallFailed("CancelledError: the function cancelled itself")
        return self._result(box[0])

    def close(self) -> None:
        """Cancels what runs, and ends the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(CANCEL_S)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run_loop, args=(self._loop,), name=f"reward {self.name}", daemon=True
            )
            self._thread.start()
        return self._loop


class WorkerCall(Call):
    """Calls a function, known by its path, in a process that is killed at the deadline."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.path = path
        # Of the process, which one step at a time may use.
        self._lock = threading.Lock()
        self._imported = False
        self._start()

    def __call__(
        self, completions: Completions, deadline_s: float | None, stop: threading.Event
    ) -> FloatArray:
        """See `Call`."""
        wait_for(lambda seconds: self._lock.acquire(timeout=seconds), None, stop)
        try:
            if not self._imported:
                got = self._receive(IMPORT_S, stop)
                if got.kind != "scores":
                    raise InputError(
                        f"reward {self.name!r} cannot be imported in its process: {got.message}\n{got.trace}"
                    )
                self._imported = True
            self._send(completions)
            return self._result(self._receive(deadline_s, stop))
        finally:
            self._lock.release()

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        from multiprocessing import Pipe  # here: it would make `import grpo_rs` heavier

        self._connection, theirs = Pipe()
        self._lifeline, other_end = socket.socketpair()
        fds = (theirs.fileno(), other_end.fileno())
        with theirs, other_end:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, json.dumps(sys.path), self.name, self.path, *map(str, fds)],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                # A group of its own: Ctrl-C is the parent's, and what the function starts ends with it.
                process_group=0,
            )
        self._imported = False

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        self._lifeline.close()

    def _send(self, completions: Completions) -> None:
        try:
            self._connection.send(completions)
        except OSError:
            raise self._died() from None
        except Exception as error:  # pickle raises anything
            raise InputError(
                f"reward {self.name!r}: its completions cannot be sent to its process ({one_line(error)}); "
                "leave such columns out, or give the function the attribute `in_process`"
            ) from error

    def _receive(self, deadline_s: float | None, stop: threading.Event) -> Answer:
        try:
            wait_for(self._connection.poll, deadline_s, stop)
        except (CallFailed, Stopped):
            # In whatever state it is, the next call gets another.
            self._end()
            self._start()
            raise
        try:
            got = self._connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        assert isinstance(got, Answer)
        return got

    def _died(self) -> CallFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CANCEL_S)
        code = self._process.returncode
        self._end()
        self._start()
        return CallFailed(f"its process ended, {_ending(code)}")


def call_of(name: str, reward: Callable[..., Any], path: str | None) -> Call:
    """The way in which a reward is called.

    Args:
        name: of the reward, for messages.
        reward: the function.
        path: "module:function", if that is how it was given.
    """
    if getattr(reward, "bounded", False):
        return DirectCall(name, reward)
    if inspect.iscoroutinefunction(reward) or inspect.iscoroutinefunction(type(reward).__call__):
        return LoopCall(name, reward)
    if path is None or getattr(reward, "in_process", False):
        return ThreadCall(name, reward)
    return WorkerCall(name, path)


def wait_for(ready: Callable[[float], bool], deadline_s: float | None, stop: threading.Event) -> None:
    """Waits until `ready`, which is given seconds to wait, says so.

    Raises:
        CallFailed: the deadline passed.
        Stopped: `stop` was set.
    """
    end = None if deadline_s is None else time.monotonic() + deadline_s
    while True:
        left = POLL_S if end is None else min(POLL_S, end - time.monotonic())
        if ready(max(0.0, left)):
            return
        if stop.is_set():
            raise Stopped
        if left <= 0:
            raise CallFailed(f"no answer within {deadline_s:g} s", timed_out=True)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"with status {code}"
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"
