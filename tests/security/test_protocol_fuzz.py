"""Programs that write noise, or all but true frames, where their answers are read.

None may pass for it, hang, or reach the verdict of the next program.
"""

import os
import random

import pytest
from grpo_rs import (
    CodeOutcome,
    CodeRunner,
    Limits,
    _core,
    assert_tests,
    call_tests,
    stdio_tests,
    unittest_tests,
)

pytestmark = pytest.mark.timeout(300)

SEED = int(os.environ.get("GRPO_RS_FUZZ_SEED", "4"))
CASES = int(os.environ.get("GRPO_RS_FUZZ_CASES", "110"))
LIMITS = Limits(wall_s=1.5, cpu_s=1.0, output_kb=256)
# Never among what a forged answer holds.
EXPECTED = 73_915_528
HONEST = f"def f(*_): return {EXPECTED}\nif __name__ == '__main__': print(f())"
WRONG = "def f(*_): return 5\n"

TESTS = {
    "stdio": stdio_tests([("", str(EXPECTED))]),
    "calls": call_tests("f", [((1,), EXPECTED), ((2,), EXPECTED)]),
    "split": assert_tests(f"for i in range(2):\n    assert f(i) == {EXPECTED}\nassert f([i]) == {EXPECTED}"),
    "unittest": unittest_tests(
        "import unittest\nclass T(unittest.TestCase):\n"
        f"    def test_one(self): self.assertEqual(f(1), {EXPECTED})\n"
        f"    def test_two(self): self.assertEqual(f(2), {EXPECTED})\n"
    ),
}

VALUES = [
    None,
    True,
    5,
    -1,
    2**70,
    1.5,
    "",
    "f",
    b"x",
    [],
    [1, [2]],
    (),
    {"a": 1},
    {1, 2},
    1 + 2j,
    float("nan"),
]
MESSAGES = [
    ("ready",),
    ("ok", 5),
    ("ok", True),
    ("ok",),
    ("ok", 5, {0: [1]}),
    ("raise", "ValueError", "text", 1, ["ValueError", "Exception", "object"]),
    ("raise", "AssertionError", "", 10**30),
    ("missing", "f"),
    ("opaque", "f"),
    ("handle", 0, "f"),
    ("handle", -1, "f"),
    ("value", True),
    ("callable", "f"),
    ("class", "f"),
    ("module", "os"),
    ("callback", 0, (), {}),
    ("pass", 1),
    ("pass", "test_one"),
    ("pass", "test_two"),
    ("done", 2),
    ("done", 2, b"\0" * 32),
    ("done", -1, 3),
    ("done", 0),
    ("done", 0, b""),
    ("none",),
    ("lost",),
    ("\0handle", 0),
    ("\0name", "eval"),
    (),
    5,
]


def framed(body):
    return len(body).to_bytes(4, "little") + body


def frame(chance):
    """One frame, whole or changed."""
    match chance.randrange(8):
        case 0:
            return chance.randbytes(chance.randrange(1, 200))
        case 1:
            return framed(chance.randbytes(chance.randrange(40)))
        case 2:
            message = chance.choice([("ok", chance.choice(VALUES)), tuple(chance.choices(VALUES, k=3))])
        case _:
            message = chance.choice(MESSAGES)
    whole = bytearray(framed(_core.encode_value(message)))
    match chance.randrange(6):
        case 0:  # flipped bits
            for _ in range(chance.randrange(1, 4)):
                whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        case 1:  # torn
            del whole[chance.randrange(len(whole)) :]
        case 2:  # a length of another frame, or of none
            whole[:4] = chance.choice([0, 1, len(whole), 2**31, 2**32 - 1, 10**6]).to_bytes(4, "little")
        case 3:  # an inner length or tag
            position = chance.randrange(4, len(whole))
            whole[position : position + 4] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
    return bytes(whole)


def attack(chance):
    """A program that answers wrongly, and writes frames beside it."""
    noise = b"".join(frame(chance) for _ in range(chance.choice([1, 1, 2, 3, 5, 40])))
    # To answer after noise may leave somebody waiting for the rest of a frame until the limit: seldom.
    place = chance.choices(["exit", "in a call", "go on", "descriptors"], [10, 6, 1, 4])[0]
    write = f"import os\nnoise = bytes.fromhex({noise.hex()!r})\n"
    every = "for fd in range(3, 10):\n    try: os.write(fd, noise)\n    except OSError: pass\n"
    end = "os._exit(0)\n"
    match place:
        case "exit":
            return write + WRONG + "os.write(4, noise)\n" + end
        case "in a call":
            return write + f"def f(*_):\n    os.write(4, noise)\n    {end}" + WRONG.replace("f(", "g(")
        case "go on":
            return write + WRONG + "os.write(4, noise)\n"
        case _:
            return write + WRONG + every + end


@pytest.fixture(scope="module")
def runner():
    with CodeRunner(LIMITS, workers=1) as runner:
        if not runner.protection.sufficient:
            pytest.skip(f"no sandbox here: {runner.protection.reasons}")
        yield runner


@pytest.mark.parametrize("mode", TESTS)
def test_noise_earns_nothing_and_reaches_nobody(runner, mode):
    chance = random.Random(f"{SEED} {mode}")
    programs = [attack(chance) for _ in range(CASES)]
    between = [HONEST if index % 2 else attack for attack in programs for index in range(2)]
    results = runner.run(between, [TESTS[mode]] * len(between))
    for program, result in zip(between, results, strict=True):
        if program == HONEST:
            assert result.passed, result
        else:
            # Its own doing, and a verdict on it: neither a pass nor a fault of ours.
            assert result.passed is False, (program, result)
            assert not all(case.outcome is CodeOutcome.PASSED for case in result.cases)
            if mode != "unittest":
                assert result.score == 0.0, (program, result)
    assert len({result.outcome for result in results}) >= 3


@pytest.mark.parametrize("mode", TESTS)
def test_a_flood_of_frames_is_bounded(runner, mode):
    """Each could become a result in this process: 256 KiB of empty frames are 65,536."""
    program = "import os\nwhile True: os.write(4, bytes(1 << 16))"
    (result,) = runner.run([program], [TESTS[mode]])
    assert result.passed is False
    assert len(result.cases) < 20


@pytest.mark.parametrize("claim", [("none",), ("done", 0), ("done", 0, b"\0" * 32), ("lost",)])
def test_no_program_gets_away_without_a_score(runner, claim):
    """A claim that there are no tests would make its verdict one that counts for nothing."""
    noise = framed(_core.encode_value(claim))
    program = f"import os\nos.write(4, bytes.fromhex({noise.hex()!r}))\nos._exit(0)"
    for tests in TESTS.values():
        (result,) = runner.run([program], [tests])
        assert result.score == 0.0, result


def test_a_frame_deeper_than_any_value_is_refused(runner):
    value = _core.encode_value([None])
    # A list of one item, within itself as often as the bytes allow.
    inner = _core.encode_value(None)
    head = value[: len(value) - len(inner)]
    nested = _core.encode_value(("ok", None))[: -len(inner)] + head * 20_000 + inner
    program = (
        "import os\n"
        f"def f(*_):\n    body = bytes.fromhex({nested.hex()!r})\n"
        "    os.write(4, len(body).to_bytes(4, 'little') + body)\n    os._exit(0)"
    )
    (result,) = runner.run([program], [TESTS["calls"]])
    assert result.passed is False
    assert runner.run([HONEST], [TESTS["calls"]])[0].passed
