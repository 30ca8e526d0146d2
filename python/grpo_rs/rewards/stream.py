"""Rewards of a step's completions, computed while others are still being sampled."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from grpo_rs.arrays import FloatArray, IntArray
from grpo_rs.errors import InputError
from grpo_rs.math import MathVerdicts
from grpo_rs.rewards.base import Completions
from grpo_rs.rewards.calls import Call, CallFailed, Stopped, call_of
from grpo_rs.rewards.combine import Scored, WeightedSum
from grpo_rs.rewards.math import MathReward

# Completions that end within such a time are scored together: a wake-up of a thread costs more than the
# verdict on a short completion.
GATHER_S = 0.02

# A function with a deadline is given few completions at first, and more as it proves fast.
FIRST_BATCH = 8

# So many calls in a row without an answer are no matter of the completions.
MAX_TIMEOUTS_IN_A_ROW = 16

# Between looks at whether somebody still waits for the scores.
STOP_POLL_S = 0.1

# For rewards to notice that nobody waits for them any more. Programs in a sandbox end by their own limits.
CLOSE_S = 2.0

# Waiting for rewards is worth a sentence beyond this, and this share of the time that sampling took.
SLOW_S, SLOW_SHARE = 1.0, 0.1

# Of the verdicts, where the verifier has no weight and so no name.
VERIFIER = "verifier"


@dataclass
class RewardUse:
    """What a step had of one reward.

    Attributes:
        completions: scored, or tried.
        seconds: in calls, those at the same time counted each.
        slowest_s: seconds of a completion, of the slowest call; a batch counts by its mean.
        failed: completions left without a score because the function raised.
        timed_out: because it did not answer in time.
        left_running: calls that could not be ended, since the run began.
        example: the first failure, with its completion's key.
        trace: its traceback, if there is one.
    """

    completions: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    failed: int = 0
    timed_out: int = 0
    left_running: int = 0
    example: str = ""
    trace: str = ""

    def plus(self, later: RewardUse) -> RewardUse:
        """Both together."""
        return RewardUse(
            self.completions + later.completions,
            self.seconds + later.seconds,
            max(self.slowest_s, later.slowest_s),
            self.failed + later.failed,
            self.timed_out + later.timed_out,
            max(self.left_running, later.left_running),
            self.example or later.example,
            self.trace if self.example else later.trace,
        )


@dataclass(frozen=True)
class RewardReport:
    """How the rewards of a step went.

    Attributes:
        rewards: by name.
        sampling_s: seconds from the first completion's submission to `finish`.
        waited_s: seconds that `finish` then waited.
    """

    rewards: dict[str, RewardUse]
    sampling_s: float
    waited_s: float

    @classmethod
    def joined(cls, reports: Sequence[Self]) -> Self:
        """One report of a step that was scored in several rounds."""
        uses: dict[str, RewardUse] = {}
        for report in reports:
            for name, use in report.rewards.items():
                uses[name] = use if name not in uses else uses[name].plus(use)
        return cls(uses, sum(r.sampling_s for r in reports), sum(r.waited_s for r in reports))

    def refuse_total_failure(self) -> None:
        """Stops the run if a reward could score no completion, for the function's fault.

        Raises:
            InputError: naming it, with the first failure.
        """
        for name, use in self.rewards.items():
            if use.completions and use.failed + use.timed_out == use.completions:
                raise InputError(
                    f"reward {name!r} failed on every completion of the step, {use.completions} in all. "
                    f"The first: {use.example}\n{use.trace}".rstrip()
                )

    def metrics(self) -> dict[str, float]:
        """For metrics.jsonl."""
        values = {"time/rewards_waited": self.waited_s}
        for name, use in self.rewards.items():
            values[f"time/reward/{name}"] = use.seconds
            values[f"rewards/{name}/failed"] = float(use.failed)
            values[f"rewards/{name}/timed_out"] = float(use.timed_out)
        return values

    def sentences(self) -> list[str]:
        """What the user should know: nothing where all went well."""
        found = []
        for name, use in self.rewards.items():
            if use.failed or use.timed_out:
                ways = [f"raised on {use.failed}"] * bool(use.failed)
                ways += [f"did not answer in time on {use.timed_out}"] * bool(use.timed_out)
                found.append(
                    f"reward {name!r} {' and '.join(ways)} of {use.completions} completions, which are left "
                    f"out. The first: {use.example}"
                )
            if use.left_running:
                found.append(
                    f"reward {name!r}: calls still running that could not be ended: {use.left_running}"
                )
        if self.waited_s > max(SLOW_S, SLOW_SHARE * self.sampling_s):
            name, use = max(self.rewards.items(), key=lambda pair: pair[1].seconds)
            found.append(
                f"waited {self.waited_s:.1f} s for rewards after {self.sampling_s:.1f} s of sampling: "
                f"{name!r} took {use.seconds:.1f} s for {use.completions} completions, "
                f"{use.slowest_s:.2f} s for the slowest"
            )
        return found


@dataclass(frozen=True)
class StepScores:
    """The rewards of a step, in the order of the keys.

    Attributes:
        keys: int64 [N], ascending.
        completions: that were scored.
        scored: their rewards; NaN where one could not be had.
        verdicts: of the maths verifier; None without one.
        report: how it went.
    """

    keys: IntArray
    completions: Completions
    scored: Scored
    verdicts: MathVerdicts | None
    report: RewardReport


class RewardPool:
    """What rewards run in, for as long as a run lasts: threads, event loops, worker processes.

    A reward is called, by its attributes (see `Reward`):

    - shipped ones, and others that are `bounded`: on a thread, several batches at a time;
    - `async def`: on an event loop, several batches at a time; cancelled at the deadline;
    - a function named in `paths`: in a process of its own, which imports it, and which is killed at the
      deadline with all that it started, and replaced;
    - any other function: on a thread, which is left behind at the deadline; at most three times.

    Args:
        rewards: the weighted sum.
        verifier: whose verdicts are wanted, whether or not it has a weight. Where it is one of the rewards
            itself, it is called once.
        deadline_s: seconds in which a completion must be scored; None: no limit. A batch is given as many
            for all: if it does not answer, its completions are tried one by one.
        paths: "module:function" by the name of the reward.

    Raises:
        InputError: the deadline is not above 0, or `paths` has a name that no reward has.
    """

    def __init__(
        self,
        rewards: WeightedSum,
        verifier: MathReward | None = None,
        *,
        deadline_s: float | None = 60.0,
        paths: Mapping[str, str] | None = None,
    ) -> None:
        if deadline_s is not None and not 0 < deadline_s < float("inf"):
            raise InputError(f"deadline_s is {deadline_s}: give seconds above 0, or None for no limit")
        paths = paths or {}
        unknown = paths.keys() - rewards.rewards.keys()
        if unknown:
            raise InputError(f"paths of {sorted(unknown)}: the rewards are {sorted(rewards.rewards)}")
        self.rewards = rewards
        self.verifier = verifier
        self.deadline_s = deadline_s
        self._executor = ThreadPoolExecutor(max_workers=64, thread_name_prefix="rewards")
        self._sources = [
            _Source(
                name,
                call_of(name, reward, paths.get(name)),
                deadline_s,
                whole_batch=getattr(reward, "whole_batch", False),
                verifier=verifier if reward is verifier else None,
            )
            for name, reward in rewards.rewards.items()
        ]
        if verifier is not None and not any(source.verifier for source in self._sources):
            call = call_of(VERIFIER, verifier, None)
            self._sources.append(_Source(VERIFIER, call, None, verifier=verifier, is_weighted=False))

    def score(self, completions: Completions) -> StepScores:
        """Scores what is there already, as one step with the keys 0, 1, 2...

        Raises:
            InputError: as `StreamingScorer.finish`.
        """
        with StreamingScorer(self) as scorer:
            for key, text in enumerate(completions.texts):
                prompt = completions.prompts[key] if completions.prompts else ""
                row = completions.rows[key] if completions.rows else {}
                scorer.submit(key, text, completions.golds[key], prompt, row)
            return scorer.finish()

    def close(self) -> None:
        """Ends threads, loops and processes."""
        for source in self._sources:
            source.call.close()
        self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StreamingScorer:
    """Scores the completions of one step while others are still being sampled; used under `with`.

    A score does not depend on how completions were cut into batches, as long as the rewards keep to the
    contract of `Reward`. A function that raises is called again for each completion of the batch alone; those
    it still raises on cannot be scored, and neither can those it does not answer for in time.

    Args:
        pool: that the rewards run in. Steps may overlap.

    Example:
        >>> from grpo_rs.rewards import MathReward, RewardPool, StreamingScorer, WeightedSum
        >>> math = MathReward()
        >>> with RewardPool(WeightedSum({"math": math}, {"math": 1.0}), math) as pool:
        ...     with StreamingScorer(pool) as scorer:
        ...         for key, text in ((1, "so 5"), (0, "so 4")):  # as they end
        ...             scorer.submit(key, text, gold="5", prompt="2 + 3?")
        ...         step = scorer.finish()
        >>> step.keys.tolist(), step.scored.total.tolist(), step.verdicts[0].answer
        ([0, 1], [0.0, 1.0], '4')
    """

    def __init__(self, pool: RewardPool) -> None:
        self._pool = pool
        self._items: dict[int, _Item] = {}
        self._lanes = [_Lane(self, source) for source in pool._sources]
        self._changed = threading.Condition()
        self._missing: dict[int, int] = {}  # rewards that a completion waits for
        self._outstanding = 0  # their sum
        self._just_done: list[int] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()  # no more completions will come
        self._stop = threading.Event()  # nobody wants the scores
        self._began = time.perf_counter()

    def submit(
        self, key: int, text: str, gold: str, prompt: str = "", row: Mapping[str, Any] | None = None
    ) -> None:
        """Hands over a completion, and returns at once.

        Args:
            key: of the completion, any whole number that no other of the step has.
            text: the completion, decoded.
            gold: the reference answer.
            prompt: as the model read it.
            row: of the data set, with every column.

        Raises:
            InputError: the key is taken, or `finish` was called.
        """
        if self._ended.is_set():
            raise InputError("the step's scores are finished: make another StreamingScorer")
        if key in self._items:
            raise InputError(f"completion {key} was submitted before: give each its own key")
        if not self._items:
            self._began = time.perf_counter()
        item = _Item(key, text, gold, prompt, {} if row is None else row)
        self._items[key] = item
        with self._changed:
            self._missing[key] = len(self._lanes)
            self._outstanding += len(self._lanes)
            for lane in self._lanes:
                lane.add(item)

    def done(self) -> list[int]:
        """The keys of completions whose every reward has come in since the last call; never waits.

        A `whole_batch` reward comes in with `finish` alone.
        """
        with self._changed:
            keys, self._just_done = self._just_done, []
        return keys

    def result(self, key: int) -> Scored:
        """The rewards of a completion that `done` has given, as arrays of one entry.

        Raises:
            InputError: they are not there yet.
        """
        with self._changed:
            if self._missing.get(key) != 0:
                raise InputError(f"completion {key} has not been scored yet: ask for those that done() gives")
        return self._pool.rewards.combine({lane.source.name: lane.row(key) for lane in self._weighted()})

    def finish(self, *, refuse: bool = True, should_stop: Callable[[], bool] = lambda: False) -> StepScores:
        """Waits for what is missing.

        Args:
            refuse: raise if a reward could score no completion at all; False where these are but a part of
                the step, whose joined report is asked instead.
            should_stop: asked now and then while there is something to wait for.

        Raises:
            Stopped: `should_stop` said so.
            InputError: a reward returned what it must not, did not answer many times in a row, or could
                score no completion at all because it failed; its name and the first failure are in the
                message.
            Exception: what a `bounded` reward raised.
        """
        called = time.perf_counter()
        with self._changed:
            self._ended.set()
            for lane in self._lanes:
                lane.end()
            while not self._changed.wait_for(
                lambda: self._error is not None or not self._outstanding, STOP_POLL_S
            ):
                if should_stop():
                    raise Stopped
            if self._error is not None:
                raise self._error
        waited = time.perf_counter() - called
        for lane in self._lanes:
            lane.use.left_running = lane.source.call.left_running
        keys = np.array(sorted(self._items), np.int64)
        completions = _batch([self._items[key] for key in keys.tolist()])
        parts = {lane.source.name: lane.in_order(keys) for lane in self._weighted()}
        verdicts = [lane.verdicts(keys) for lane in self._lanes if lane.source.verifier]
        uses = {lane.source.name: lane.use for lane in self._lanes}
        report = RewardReport(uses, called - self._began, waited)
        if refuse:
            report.refuse_total_failure()
        scored = self._pool.rewards.combine(parts)
        return StepScores(keys, completions, scored, verdicts[0] if verdicts else None, report)

    def close(self) -> None:
        """Ends what is not finished: cancels, kills, or leaves it to end by itself where it is bounded."""
        with self._changed:
            self._stop.set()
            self._ended.set()
            self._changed.wait_for(lambda: not any(lane.active for lane in self._lanes), CLOSE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _weighted(self) -> list[_Lane]:
        return [lane for lane in self._lanes if lane.source.is_weighted]


class _Item(NamedTuple):
    """A completion to be scored."""

    key: int
    text: str
    gold: str
    prompt: str
    row: Mapping[str, Any]


def _batch(items: Sequence[_Item]) -> Completions:
    return Completions(
        texts=[item.text for item in items],
        golds=[item.gold for item in items],
        prompts=[item.prompt for item in items],
        rows=[item.row for item in items],
    )


class _Source:
    """A reward, and what was learnt of its speed; lasts as long as its pool."""

    def __init__(
        self,
        name: str,
        call: Call,
        deadline_s: float | None,
        *,
        whole_batch: bool = False,
        verifier: MathReward | None = None,
        is_weighted: bool = True,
    ) -> None:
        self.name = name
        self.call = call
        self.deadline_s = deadline_s if call.has_deadline else None
        self.whole_batch = whole_batch
        self.verifier = verifier
        self.is_weighted = is_weighted
        # Most completions of a call; None for any number.
        self.batch_size = None if self.deadline_s is None else FIRST_BATCH
        self.timeouts_in_a_row = 0

    def limit_s(self, count: int) -> float | None:
        """The deadline of a call."""
        if self.deadline_s is None:
            return None
        return self.deadline_s * count if self.whole_batch else self.deadline_s

    def answered(self, count: int, seconds: float) -> None:
        """Notes a call that came back: the next may have more completions if it was far from its deadline."""
        self.timeouts_in_a_row = 0
        if self.deadline_s is None or self.batch_size is None:
            return
        if seconds > self.deadline_s / 2:
            self.batch_size = max(1, count // 2)
        elif count >= self.batch_size and seconds < self.deadline_s / 8:
            self.batch_size *= 2

    def timed_out(self, count: int) -> None:
        """Notes a call that did not.

        Raises:
            InputError: it was one too many.
        """
        self.timeouts_in_a_row += 1
        self.batch_size = max(1, count // 2)
        if self.timeouts_in_a_row >= MAX_TIMEOUTS_IN_A_ROW:
            raise InputError(
                f"reward {self.name!r} did not answer within {self.deadline_s:g} s, {self.timeouts_in_a_row} "
                "times in a row: see whether what it asks is there, or give it more time"
            )


class _Lane:
    """One reward's part in a step. Its methods are called under the scorer's lock, but for `_work`.

    Attributes:
        active: threads that work for it.
    """

    def __init__(self, scorer: StreamingScorer, source: _Source) -> None:
        self.scorer = scorer
        self.source = source
        self.use = RewardUse()
        self.active = 0
        self._scores: dict[int, float] = {}
        self._verdicts: list[tuple[list[int], MathVerdicts]] = []
        self._pending: deque[_Item] = deque()
        self._retries: deque[_Item] = deque()  # of a batch that raised, each to be tried by itself
        # Of a batch that did not answer: each by itself, and with no call beside it that might hold it up.
        self._suspects: deque[_Item] = deque()
        self._alone = False  # such a one is being tried
        self._gathering = False  # one of the threads will take what is pending

    def add(self, item: _Item) -> None:
        """Sees to it that a completion is scored soon."""
        self._pending.append(item)
        if not self.source.whole_batch:
            self._start_gathering()

    def end(self) -> None:
        """No more completions will come."""
        if self._pending:
            self._start_gathering()

    def row(self, key: int) -> FloatArray:
        """The score of one completion, float64 [1]."""
        return np.array([self._scores[key]])

    def in_order(self, keys: IntArray) -> FloatArray:
        """The scores, float64."""
        return np.array([self._scores[key] for key in keys.tolist()], np.float64)

    def verdicts(self, keys: IntArray) -> MathVerdicts:
        """What is behind them."""
        assert self.source.verifier is not None
        if not len(keys):
            return self.source.verifier.verdicts(_batch([]))
        place = np.argsort([key for piece, _ in self._verdicts for key in piece])
        return MathVerdicts.concatenate([verdicts for _, verdicts in self._verdicts]).take(place)

    def _start_gathering(self) -> None:
        if not (self._gathering or self._alone) and self.active < self.source.call.concurrency:
            self._gathering = True
            self.active += 1
            self.scorer._pool._executor.submit(self._work)

    def _work(self) -> None:
        scorer, lock = self.scorer, self.scorer._changed
        try:
            while True:
                if self._pending:
                    scorer._ended.wait(GATHER_S)
                with lock:
                    self._gathering = False
                    items = self._take()
                    if not items:
                        break
                    if self._pending or self._retries:
                        self._start_gathering()
                self._score(items)
                with lock:
                    self._alone = False
                    if self._gathering or not self._has_more():
                        break
                    self._gathering = True
        except Stopped:
            pass
        except BaseException as error:
            with lock:
                scorer._error = scorer._error or error
        with lock:
            self.active -= 1
            if not self.active and self._has_more():
                self._start_gathering()  # each of the last threads saw another at work
            lock.notify_all()

    def _has_more(self) -> bool:
        if self.scorer._stop.is_set() or self.scorer._error is not None:
            return False
        return bool(self._pending or self._retries or self._suspects)

    def _take(self) -> list[_Item]:
        """The next completions to be scored together."""
        if not self._has_more():
            return []
        if self._pending:
            count = len(self._pending)
            if self.source.whole_batch:
                self._pending = deque(sorted(self._pending))
            elif self.source.batch_size is not None:
                count = min(count, self.source.batch_size)
            return [self._pending.popleft() for _ in range(count)]
        if self._retries:
            return [self._retries.popleft()]
        if self._suspects and self.active == 1:
            self._alone = True
            return [self._suspects.popleft()]
        return []

    def _score(self, items: list[_Item]) -> None:
        source, lock = self.source, self.scorer._changed
        batch = _batch(items)
        began = time.perf_counter()
        verdicts, failure = None, None
        try:
            if source.verifier is not None:
                verdicts = source.verifier.verdicts(batch)
                scores = verdicts.scores.astype(np.float64)
            else:
                scores = source.call(batch, source.limit_s(len(items)), self.scorer._stop)
        except CallFailed as failed:
            failure, scores = failed, np.full(len(items), np.nan)
        seconds = time.perf_counter() - began
        with lock:
            self.use.seconds += seconds
            self.use.slowest_s = max(self.use.slowest_s, seconds / len(items))
            if failure is None or not failure.timed_out:
                source.answered(len(items), seconds)
            else:
                source.timed_out(len(items))
            if failure is not None:
                tried_alone = self._alone or source.call.concurrency == 1 or not failure.timed_out
                if not (source.whole_batch or (len(items) == 1 and tried_alone)):
                    (self._suspects if failure.timed_out else self._retries).extend(items)
                    return
                self._note(items, failure)
            if verdicts is not None:
                self._verdicts.append(([item.key for item in items], verdicts))
            self._deliver(items, scores)

    def _note(self, items: list[_Item], failure: CallFailed) -> None:
        if failure.timed_out:
            self.use.timed_out += len(items)
        else:
            self.use.failed += len(items)
        if not self.use.example:
            self.use.example, self.use.trace = f"completion {items[0].key}: {failure}", failure.trace

    def _deliver(self, items: list[_Item], scores: FloatArray) -> None:
        scorer = self.scorer
        self.use.completions += len(items)
        for item, score in zip(items, scores.tolist(), strict=True):
            self._scores[item.key] = score
            scorer._missing[item.key] -= 1
            if not scorer._missing[item.key]:
                scorer._just_done.append(item.key)
        scorer._outstanding -= len(items)
        if not scorer._outstanding:
            scorer._changed.notify_all()
