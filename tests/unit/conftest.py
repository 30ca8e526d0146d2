"""A stand-in for the pool of workers, for what Python does around it: no process, no kernel, no waiting."""

import threading
import time

import pytest
from grpo_rs import CodeOutcome, _core

LANDLOCK = 2


class FakeTests:
    """What tests were made ready: the number of cases, and all arguments."""

    def __init__(self, kind, units, *arguments):
        self.kind, self.units, self.arguments = kind, units, arguments
        self.integrity = {"split": "split", "unittest": "in_process"}.get(kind, "outside")
        type(self).made.append(self)

    made = []  # noqa: RUF012  (set anew for every test)

    @classmethod
    def stdio(cls, cases, *rest):
        return cls("stdio", len(cases), cases, *rest)

    @classmethod
    def calls(cls, cases):
        return cls("calls", len(cases), cases)

    @classmethod
    def split(cls, source, setup, entry_point, names, unit_lines):
        return cls("split", len(unit_lines), source, setup, entry_point, names)

    @classmethod
    def unittest(cls, source, setup):
        return cls("unittest", 1, source, setup)


class FakePool:
    """A program is the names of its outcomes, one per test, the last for those that remain.

    `never` does not end, `LATE` ends after all others, and `BOOM` is a fault of ours.
    """

    made = []  # noqa: RUF012  (set anew for every test)

    def __init__(self, config):
        self.config, self.batches, self.closed = config, [], 0
        self.lock = threading.Lock()
        type(self).made.append(self)

    def protection(self):
        layers = {"seccomp": True, "rlimits": True, "landlock": True, "namespaces": False}
        sufficient = self.config["min_isolation"] <= LANDLOCK
        return layers, LANDLOCK, 7, {"namespaces": "unshare: operation not permitted"}, sufficient

    def batch(self):
        self.batches.append(FakeBatch(self.config))
        return self.batches[-1]

    def close(self):
        self.closed += 1


class FakeBatch:
    def __init__(self, config):
        self.config, self.submitted, self.done = config, [], []
        self.cancelled = self.looks = 0

    @property
    def pending(self):
        return len(self.done)

    def submit(self, index, source, tests, limits, language="python"):
        assert len(limits) == 7
        self.submitted.append((index, source, tests, limits))
        if "never" not in source:
            self.done.append((index, result(source, tests)))

    def next(self, timeout_s):
        self.looks += 1
        patient = timeout_s or self.looks % 4 == 0
        early = [entry for entry in self.done if "LATE" not in entry[1][3]]
        for entry in early or (self.done if patient else ()):
            self.done.remove(entry)
            index, (cases, integrity, isolation, note) = entry
            return index, (cases, integrity, isolation, note.removeprefix("LATE"))
        if timeout_s:
            time.sleep(min(timeout_s, 0.01))
        return None

    def cancel(self):
        self.cancelled += 1
        self.done.clear()


def result(source, tests):
    if "BOOM" in source:
        return [], tests.integrity, LANDLOCK, "the sandbox did not answer"
    words = [word for word in source.split() if hasattr(CodeOutcome, word)] or ["PASSED"]
    names = (words + words[-1:] * tests.units)[: tests.units]
    cases = [
        (
            CodeOutcome[name].value,
            tests.integrity,
            0 if name == "PASSED" else 1,
            None,
            "out\n",
            "err\n",
            "ValueError" if name == "RUNTIME_ERROR" else None,
            3 if name == "RUNTIME_ERROR" else None,
            0.004,
            0.002,
            1 << 20,
            "" if name == "PASSED" else f"message of {name}",
        )
        for name in names
    ]
    return cases, tests.integrity, LANDLOCK, "LATE" if "LATE" in source else ""


def extract(text, language):
    assert language == "python"
    blocks = text.split("```python\n")[1:]
    return blocks[-1].partition("```")[0] if blocks else None


@pytest.fixture
def fake_core(monkeypatch):
    """The module `_core` with the stand-ins in it."""
    FakePool.made, FakeTests.made = [], []
    for name, stand_in in (("CodePool", FakePool), ("CodeTests", FakeTests), ("extract_program", extract)):
        monkeypatch.setattr(_core, name, stand_in, raising=False)
    return FakePool
