"""The attacks in payloads/: reading them, and judging what became of one.

payloads/README.md explains the header of a payload.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

PAYLOADS = Path(__file__).resolve().parent / "payloads"
REQUIRED = ("id", "category", "kind", "attempts", "detect", "refused-by", "bare")
OPTIONAL = ("group", "routes", "prelude", "generate", "expected", "legit-passes")
MECHANISMS = ("landlock", "namespaces", "seccomp", "rlimit", "limit", "kernel", "verdict", "nothing-there")
KINDS = ("any", "fn", "stdio", "stdio2")
GROUPS = ("quick", "burn", "wait", "many")
# Levels with answers of their own, written before the mechanism.
MARKED_LEVELS = ("abi1", "unprivileged")
NAMESPACES = 3
OUTCOMES = frozenset(
    (
        *("WRONG_OUTPUT", "RUNTIME_ERROR", "TIMED_OUT", "CPU_EXCEEDED", "MEMORY_EXCEEDED", "OUTPUT_EXCEEDED"),
        *("KILLED_BY_SIGNAL", "FORBIDDEN", "NO_PROGRAM", "NO_ENTRY_POINT", "BAD_REPLY", "COMPILE_ERROR"),
    )
)
WITHOUT_NAMESPACES = ("landlock", "abi1")
NOT_SCORABLE = frozenset(("NOT_RUN", "TESTS_INVALID", "CANCELLED"))
# What follows a payload that is not about values: an answer that is wrong.
WRONG_ANSWER = """
def add(a, b): return -12345
class Solution:
    def add(self, a, b): return -12345
"""
ROUTES = {
    "any": ("calls", "stdio", "lowered", "split_eq"),
    "fn": ("calls", "split_eq", "close", "lowered", "split_abs", "split_truth", "split_in"),
    "stdio": ("stdio", "stdio_exact", "stdio_tokens", "stdio_floats"),
    "stdio2": ("stdio2",),
}
# Payloads that use up a limit run on as few routes as show it.
SLOW_ROUTES = 2


@dataclass(frozen=True)
class Payload:
    header: dict[str, str]
    body: str
    path: Path

    @property
    def id(self):
        return self.header["id"]

    @property
    def group(self):
        return self.header.get("group", "quick")

    @property
    def needs_x86_64(self):
        return bool(re.search(r"\b(sc|syscall)\(", self.body))

    def routes(self):
        if "routes" in self.header:
            return tuple(self.header["routes"].split(", "))
        routes = ROUTES[self.header["kind"]]
        if "expected" in self.header:
            return routes[:1]
        return routes if self.group == "quick" else routes[:SLOW_ROUTES]

    def program(self, places):
        """The text to run, with `places` (name -> value) for the @NAMES@ in it."""
        text = self.body
        if self.header.get("generate") == "yes":
            space = {}
            exec(compile(text, str(self.path), "exec"), space)
            text = space["SOURCE"]
        elif self.header.get("prelude") != "no":
            text = "".join(prelude(name) for name in self._preludes()) + text
            if self.header["kind"] == "any":
                text += WRONG_ANSWER
        for name, value in {**places, "ID": self.id, "NONCE": self.id}.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def _preludes(self):
        return ("_prelude", "_channel") if self.header.get("prelude") == "channel" else ("_prelude",)


def prelude(name):
    return (PAYLOADS / f"{name}.py").read_text(encoding="utf-8")


def load(path):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    header = {}
    while match := re.fullmatch(r"# ([a-z-]+): (.+)\n", lines[len(header)]):
        header[match[1]] = match[2]
    return Payload(header, "".join(lines[len(header) :]), path)


def load_all():
    return [load(path) for path in sorted(PAYLOADS.glob("*/*.py"))]


# ---- judging --------------------------------------------------------------------------------------------


def alternatives(refused_by):
    """(level or None, mechanism, answers) of each `|` part; of each set in answers, a word must be met."""
    for part in refused_by.split("|"):
        words = part.split(None, 1)
        level = words[0] if words[0] in MARKED_LEVELS else None
        if level:
            words = words[1].split(None, 1)
        mechanism, answers = words
        yield level, mechanism, [set(answer.strip().split("/")) for answer in answers.split(",")]


def expected_answers(refused_by, level, isolation):
    """Who should refuse at this level, and with which answers."""
    parts = list(alternatives(refused_by))
    for marked, mechanism, answers in parts:
        if marked == level:
            return mechanism, answers
    unmarked = [(mechanism, answers) for marked, mechanism, answers in parts if marked is None]
    for mechanism, answers in unmarked:
        if mechanism == "namespaces" and isolation >= NAMESPACES:
            return mechanism, answers
    return next(part for part in unmarked if part[0] != "namespaces" or len(unmarked) == 1)


def problems(payload, record, level):
    """What is wrong with how one attack went on one route; empty when the named mechanism refused it.

    A record is what driver.py writes: route, outcomes (names, a test each), met, evidence, isolation.
    """
    found = [f"evidence: {text}" for text in record["evidence"]]
    outcomes, met = record["outcomes"], set(record["met"])
    allowed_passes = int(payload.header.get("legit-passes", 0))
    if outcomes.count("PASSED") > allowed_passes or all(outcome == "PASSED" for outcome in outcomes):
        found.append(f"tests passed: {outcomes}")
    found += [f"not scored: {outcome}" for outcome in outcomes if outcome in NOT_SCORABLE]
    mechanism, answers = expected_answers(payload.header["refused-by"], level, record["isolation"])
    if not _answered(answers, outcomes, met, split=record["route"].startswith("split")):
        wanted = ", ".join("/".join(sorted(answer)) for answer in answers)
        found.append(
            f"{mechanism} should have answered {wanted}, but: met {sorted(met)}, outcomes {outcomes}"
        )
    return found


def _answered(answers, outcomes, met, *, split):
    allowed = set().union(*answers)
    ended = {outcome for outcome in outcomes if outcome not in ("PASSED", "SKIPPED")}
    words = allowed - OUTCOMES - {"SIGSYS"}
    if ended and ended <= {"FORBIDDEN"} and "SIGSYS" in allowed:
        return met <= words
    by_outcome = bool(ended) and ended <= (allowed & OUTCOMES)
    if not words or by_outcome:
        return by_outcome
    if split and not met:  # what a solution prints is not always kept beside the tester's verdict
        return True
    return bool(met) and met <= words and all(answer & met for answer in answers if answer & words)


def applies(payload, level):
    """Whether a level can run it: several processes need namespaces, which count them."""
    return payload.group != "many" or level not in WITHOUT_NAMESPACES


def supported(payload):
    """Whether this machine has the system calls that a payload names by number."""
    return os.uname().machine == "x86_64" or not payload.needs_x86_64
