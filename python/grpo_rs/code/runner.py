"""Running programs in the sandbox: the pool of workers, and what a run may use."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import os
import sys
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from grpo_rs import _core
from grpo_rs.code.cases import StdioTests, Tests
from grpo_rs.code.isolation import INTEGRITIES, Integrity, IsolationLevel, Protection, is_below
from grpo_rs.code.languages import PYTHON, Language, check_language, language_options
from grpo_rs.code.pool import configuration
from grpo_rs.code.results import CodeResults, ProgramResult, program_result
from grpo_rs.errors import InputError

# Programs submitted and not fetched yet, for each worker: enough that none waits, few enough that an endless
# input is read no further than need be.
AHEAD_PER_WORKER = 4

# Between looks at Ctrl-C.
POLL_S = 0.1

# Between looks at the results, where an event loop must not be held up.
SHORTEST_NAP_S, LONGEST_NAP_S = 0.001, 0.02

# Bounds of what an interpreter can be started with, and of what Rust counts with.
MIN_MEMORY_MB = 32
MAX_COUNT = 2**32 - 1


@dataclass(frozen=True)
class Limits:
    """What a run of a program on one test may use, and a program in all.

    Attributes:
        wall_s: wall-clock seconds; the backstop for programs that sleep. Keep it a few times `cpu_s`, or
            the verdict of a busy but correct program depends on the load of the machine.
        cpu_s: CPU seconds of all threads.
        memory_mb: address space of each process, in MiB.
        output_kb: bytes written to stdout, and as many again to stderr, in KiB.
        processes: processes at a time, the program's own included; 1 refuses every new one.
        file_mb: size of any one file that it writes, in MiB.
        disk_mb: size of all files that it writes, in MiB, where namespaces are available.
        total_cpu_s: CPU seconds of all tests of a program together; those after it are SKIPPED. None: five
            times `cpu_s`.

    Raises:
        InputError: nothing can run under these limits.
    """

    wall_s: float = 12.0
    cpu_s: float = 4.0
    memory_mb: int = 512
    output_kb: int = 8192
    processes: int = 1
    file_mb: int = 16
    disk_mb: int = 64
    total_cpu_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s", "total_cpu_s"):
            seconds = getattr(self, name)
            if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
                raise InputError(f"{name} is {seconds}: give a number of seconds above 0")
        least = {"memory_mb": MIN_MEMORY_MB, "output_kb": 0, "processes": 1, "file_mb": 0, "disk_mb": 0}
        for name, lowest in least.items():
            count = getattr(self, name)
            if not isinstance(count, int) or not lowest <= count <= MAX_COUNT:
                raise InputError(f"{name} is {count}: give a whole number from {lowest} to {MAX_COUNT}")

    def numbers(self) -> tuple[float, float, int, int, int, int, float]:
        """The same in Rust's form."""
        total_cpu_s = 5 * self.cpu_s if self.total_cpu_s is None else self.total_cpu_s
        return (
            float(self.wall_s),
            float(self.cpu_s),
            self.memory_mb,
            self.output_kb,
            self.processes,
            self.file_mb,
            float(total_cpu_s),
        )


class CodeRunner:
    """Runs programs against tests, on all cores, each test in a fresh process: for Python, of a warm one.

    The workers start with the first program and end with `close`, which `with` calls. Threads may share a
    runner. In a fork of this process it starts workers of its own.

    Args:
        limits: what each run may use.
        workers: programs at a time; None: as many as this process may use CPUs.
        python: the interpreter; by default the one that runs this. Programs have its standard library.
        packages: modules beyond it that programs may import, kept loaded for those that do.
        languages: what else programs may be in: "c", "cpp", "javascript", "rust", "java", whose tools are
            looked up in PATH, or a `Language` of your own.
        min_isolation: the least that must hold programs, else `SandboxUnavailable` is raised.
        max_isolation: the most to use of what is there, to see what a weaker machine would do.
        min_integrity: the least that tests must offer: "outside", "split" or "in_process".
        stop_at_first_failure: whether a program's tests end with the first that it does not pass; the others
            are SKIPPED, and count as failed.
        landlock_abi: the newest version of Landlock to use; None: the kernel's.
        cgroup: a folder of cgroup version 2 that this process may divide, with the memory and pids
            controllers and no processes in it: workers are then bounded there too.

    Raises:
        InputError: an argument that no runner can have.

    Example:
        >>> from grpo_rs import stdio_tests
        >>> add = "a, b = map(int, input().split()); print(a + b)"
        >>> tests = stdio_tests([("1 2", "3"), ("5 7", "12")])
        >>> with CodeRunner() as runner:  # doctest: +SKIP
        ...     runner.run([add, "print(3)"], [tests, tests]).scores.tolist()
        [1.0, 0.5]
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        workers: int | None = None,
        python: str = sys.executable,
        packages: Sequence[str] = ("numpy",),
        languages: Sequence[str | Language] = (),
        min_isolation: IsolationLevel = IsolationLevel.LANDLOCK,
        max_isolation: IsolationLevel | None = None,
        min_integrity: Integrity = "in_process",
        stop_at_first_failure: bool = False,
        landlock_abi: int | None = None,
        cgroup: str | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers is {workers}: give a number from 1 on, or None for one per CPU")
        if min_integrity not in INTEGRITIES:
            raise InputError(f"min_integrity {min_integrity!r}: give one of {', '.join(INTEGRITIES)}")
        if isinstance(packages, str):
            raise InputError(f"packages is the text {packages!r}: give a list of module names")
        self.limits = limits or Limits()
        self.workers = workers or usable_cpus()
        self.python = python
        self.min_integrity: Integrity = min_integrity
        self.languages = tuple(languages)
        self._closed = False
        self._options: dict[str, Any] = {
            "workers": workers,
            "python": python,
            "packages": tuple(packages),
            "languages": self.languages,
            "min_isolation": IsolationLevel(min_isolation),
            "max_isolation": None if max_isolation is None else IsolationLevel(max_isolation),
            "stop_at_first_failure": stop_at_first_failure,
            "landlock_abi": landlock_abi,
            "cgroup": cgroup,
        }
        self._pool = _core.CodePool(
            configuration(
                python=python,
                packages=packages,
                disk_mb=self.limits.disk_mb,
                memory_mb=self.limits.memory_mb,
                options=self._options | {"workers": self.workers, "languages": language_options(languages)},
            )
        )

    @property
    def protection(self) -> Protection:
        """Which layers hold programs here; nothing is raised where that is too little."""
        self._refuse_closed()
        layers, level, landlock_abi, reasons, sufficient = self._pool.protection()
        return Protection(dict(layers), IsolationLevel(level), landlock_abi, dict(reasons), sufficient)

    def run(
        self, programs: Sequence[str], tests: Sequence[Tests], *, language: str | Sequence[str] = PYTHON
    ) -> CodeResults:
        """Runs each program on its tests, and returns when all are done.

        Nothing a program does raises.

        Args:
            programs: their sources.
            tests: one per program. Programs in other languages than Python have stdio tests.
            language: of all programs, or one per program.

        Raises:
            SandboxUnavailable: less than `min_isolation` is there; the message says what is missing.
            InputError: the two differ in length, a language is not among the runner's, a test's integrity is
                below `min_integrity` (nothing is run then), or the runner is closed.
        """
        results: list[ProgramResult | None] = [None] * len(programs)
        with closing(self._stream(*self._checked(programs, tests, language))) as stream:
            for index, result in stream:
                results[index] = result
        return CodeResults.of(results)

    def stream(
        self, programs: Iterable[str], tests: Iterable[Tests], *, language: str | Iterable[str] = PYTHON
    ) -> Generator[tuple[int, ProgramResult], None, None]:
        """Yields (index of the program, its result) as programs finish, in any order.

        Programs and tests are read as they are needed, a few per worker ahead of the results. Closing the
        iterator cancels what it has not yielded.

        Args:
            programs: their sources; any iterable, endless or not.
            tests: one per program.
            language: of all programs, or one per program.

        Raises:
            SandboxUnavailable, InputError: as `run`, when a program is read.
        """
        self._refuse_closed()
        return self._stream(programs, tests, language)

    async def run_async(
        self, programs: Sequence[str], tests: Sequence[Tests], *, language: str | Sequence[str] = PYTHON
    ) -> CodeResults:
        """`run` for asyncio. Cancelling the task cancels what has not been run."""
        results: list[ProgramResult | None] = [None] * len(programs)
        async with aclosing(self._stream_async(*self._checked(programs, tests, language))) as stream:
            async for index, result in stream:
                results[index] = result
        return CodeResults.of(results)

    def stream_async(
        self, programs: Iterable[str], tests: Iterable[Tests], *, language: str | Iterable[str] = PYTHON
    ) -> AsyncGenerator[tuple[int, ProgramResult], None]:
        """`stream` for asyncio: an asynchronous iterator. Leave it early under `contextlib.aclosing`."""
        self._refuse_closed()
        return self._stream_async(programs, tests, language)

    def close(self) -> None:
        """Ends the workers, and what they run; a second call does nothing."""
        self._closed = True
        self._pool.close()

    def __enter__(self) -> Self:
        self._refuse_closed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Without a pool if __init__ raised.
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool.close()

    def __reduce__(self) -> tuple[functools.partial[CodeRunner], tuple[()]]:
        # Reward functions are pickled by some trainers; workers are not.
        again = functools.partial(CodeRunner, self.limits, min_integrity=self.min_integrity, **self._options)
        return again, ()

    def _stream(
        self, programs: Iterable[str], tests: Iterable[Tests], language: str | Iterable[str]
    ) -> Generator[tuple[int, ProgramResult], None, None]:
        flight = _Flight(self, programs, tests, language)
        try:
            while flight.is_on():
                result = flight.step(POLL_S)
                if result is not None:
                    yield result
        finally:
            flight.cancel()

    async def _stream_async(
        self, programs: Iterable[str], tests: Iterable[Tests], language: str | Iterable[str]
    ) -> AsyncGenerator[tuple[int, ProgramResult], None]:
        flight = _Flight(self, programs, tests, language)
        nap_s = SHORTEST_NAP_S
        try:
            while flight.is_on():
                result = flight.step(0.0)
                if result is not None:
                    nap_s = SHORTEST_NAP_S
                    yield result
                elif flight.has_room:
                    await asyncio.sleep(0)
                else:
                    await asyncio.sleep(nap_s)
                    nap_s = min(2 * nap_s, LONGEST_NAP_S)
        finally:
            flight.cancel()

    def _checked(
        self, programs: Sequence[str], tests: Sequence[Tests], language: str | Sequence[str]
    ) -> tuple[Sequence[str], Sequence[Tests], Sequence[str]]:
        self._refuse_closed()
        if len(programs) != len(tests):
            raise InputError(
                f"{len(programs)} programs but tests for {len(tests)}: give each program its tests"
            )
        languages = [language] * len(programs) if isinstance(language, str) else language
        if len(languages) != len(programs):
            raise InputError(
                f"{len(programs)} programs but languages for {len(languages)}: give one, or one per program"
            )
        for index, (of_one, its_language) in enumerate(zip(tests, languages, strict=True)):
            self._check_tests(index, of_one, its_language)
        return programs, tests, languages

    def _check_tests(self, index: int, tests: Tests, language: str) -> None:
        if not isinstance(tests, Tests):
            raise TypeError(
                f"the tests of program {index} are a {type(tests).__name__}: make them with stdio_tests, "
                "call_tests, assert_tests or unittest_tests"
            )
        check_language(language, self.languages, index)
        if language != PYTHON and not isinstance(tests, StdioTests):
            raise InputError(
                f"program {index} is in {language!r}, and its tests are a {type(tests).__name__}: programs "
                "in other languages than Python have stdio_tests"
            )
        if self.min_integrity != "in_process" and is_below(tests.integrity, self.min_integrity):
            raise InputError(
                f"the tests of program {index} offer the integrity {tests.integrity!r} at best, below "
                f"min_integrity={self.min_integrity!r}: lower that to accept them"
            )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise InputError("the runner is closed: make another")


class _Flight:
    """The programs of one stream: which are submitted, and how many are not fetched yet."""

    def __init__(
        self,
        runner: CodeRunner,
        programs: Iterable[str],
        tests: Iterable[Tests],
        language: str | Iterable[str],
    ) -> None:
        self._runner = runner
        self._limits = runner.limits.numbers()
        self._batch: _core.CodeBatch = runner._pool.batch()
        self._process = os.getpid()
        languages = itertools.repeat(language) if isinstance(language, str) else language
        self._languages = iter(languages)
        self._coming = enumerate(_pairs(programs, tests))
        self._exhausted = False
        self._pending = 0

    @property
    def has_room(self) -> bool:
        """Whether another program can be read and submitted."""
        return not self._exhausted and self._pending < AHEAD_PER_WORKER * self._runner.workers

    def is_on(self) -> bool:
        """Whether results are to come, or programs to be read."""
        return self._pending > 0 or not self._exhausted

    def step(self, wait_s: float) -> tuple[int, ProgramResult] | None:
        """Submits a program if there is room, then fetches a result: at once then, else after a wait."""
        if self.has_room:
            self._submit()
            wait_s = 0.0
        if os.getpid() != self._process:
            raise InputError(
                "a stream cannot go on in a fork of the process that began it: begin another there"
            )
        raw = self._batch.next(wait_s) if self._pending else None
        if raw is not None:
            self._pending -= 1
            return raw[0], program_result(raw[1])
        self._runner._refuse_closed()
        return None

    def cancel(self) -> None:
        """Gives up what is pending."""
        if self._pending and os.getpid() == self._process:
            self._batch.cancel()
        self._pending, self._exhausted = 0, True

    def _submit(self) -> None:
        self._runner._refuse_closed()
        item = next(self._coming, None)
        if item is None:
            self._exhausted = True
            return
        index, (program, tests) = item
        if not isinstance(program, str):
            raise TypeError(f"program {index} is a {type(program).__name__}, not a str")
        language = next(self._languages, None)
        if language is None:
            raise InputError(f"there is no language for program {index}: give one, or one per program")
        self._runner._check_tests(index, tests, language)
        self._batch.submit(index, program, tests.ready, self._limits, language)
        self._pending += 1


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pairs(programs: Iterable[str], tests: Iterable[Tests]) -> Iterator[tuple[str, Tests]]:
    try:
        yield from zip(programs, tests, strict=True)
    except ValueError as error:
        # Of zip's own; what an iterable of the caller's raises passes.
        if "zip()" not in str(error):
            raise
        raise InputError(
            f"programs and tests differ in number ({error}): give each program its tests"
        ) from None
