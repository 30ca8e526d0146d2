"""Sampling the next step while this one updates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from types import TracebackType
from typing import Self

import torch

from grpo_rs.train.collect import Batch, Collector, Sampled


class BackgroundCollector:
    """Collects a batch on a thread of its own, one at a time; used under `with`.

    The collector's sampler must have weights of its own: the policy's are being changed.

    Args:
        collector: is left alone by others while a batch is in flight.
        device: of the sampler's weights.
    """

    def __init__(self, collector: Collector, device: torch.device) -> None:
        self._collector = collector
        self._device = device
        # Threads of torch are counted for each thread of Python.
        self._executor = ThreadPoolExecutor(
            1, "sampling", initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
        )
        self._cancelled = threading.Event()
        self._future: Future[Batch] | None = None

    def start(self, begun: Sampled) -> None:
        """Begins to collect the next batch."""
        assert self._future is None, "one batch is in flight already"
        stream = None
        if self._device.type == "cuda":
            # On a stream of its own, behind the copying of the weights.
            stream = torch.cuda.Stream(self._device)
            stream.wait_stream(torch.cuda.current_stream(self._device))
        self._future = self._executor.submit(self._collect, begun, stream)

    def take(self) -> Batch | None:
        """The batch in flight, waited for; None where there is none.

        Raises:
            Exception: what went wrong on the thread.
        """
        if self._future is None:
            return None
        future, self._future = self._future, None
        return future.result()

    def wait(self) -> None:
        """Waits until nothing is being sampled. What goes wrong is for `take` to tell."""
        if self._future is not None:
            self._future.exception()

    def sampled(self) -> Sampled | None:
        """What the batch in flight has sampled, waited for: its weights are not kept in a checkpoint."""
        self.wait()
        return None if self._future is None else self._collector.sampled

    def _collect(self, begun: Sampled, stream: torch.cuda.Stream | None) -> Batch:
        untimed: Callable[[str], nullcontext[None]] = lambda _phase: nullcontext()  # noqa: E731
        with nullcontext() if stream is None else torch.cuda.stream(stream):
            batch = self._collector.collect(begun, measure=untimed, should_stop=self._cancelled.is_set)
        if stream is not None:
            # The weights may be overwritten from here on.
            stream.synchronize()
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancelled.set()
        self._executor.shutdown()
