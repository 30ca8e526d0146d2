"""The Python half of the sandbox's processes, forked without a sandbox: what a child runs and answers."""

import ast
import json
import os
import pickle
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
from grpo_rs import _core

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "python" / "grpo_rs" / "code" / "child" / "harness.py"
SHARED = Path(os.environ.get("GRPO_SHARED_DATA", ROOT.parent / "shared" / "data"))
IOSTYLES = SHARED / "code" / "iostyles"

STDIO, CALLS, TESTER, UNITTEST = range(4)


class Run(NamedTuple):
    status: int
    stdout: str
    stderr: str
    frames: list


class Zygote:
    """A `harness_driver.py`, and the jobs that it can be sent."""

    def __init__(self, preload=(), python=sys.executable):
        driver = Path(__file__).with_name("harness_driver.py")
        command = [python, "-s", "-P", "-S", "-B", driver, HARNESS, CORE, sysconfig.get_path("purelib")]
        environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, cwd="/")
        self.missing = self.ask({"preload": list(preload)})

    def ask(self, job):
        pickle.dump(job, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(30) == 0

    def child(self, job):
        status, stdout, stderr, frames = self.ask(job)
        return Run(status, stdout.decode(), stderr.decode(), list(values(frames)))

    def program(self, source, stdin=""):
        payload = textwrap.dedent(source).encode("utf-8", "surrogatepass")
        return self.child({"mode": STDIO, "payload": payload, "stdin": stdin.encode(), "requests": b""})

    def calls(self, source, *requests, stdin=""):
        """The replies to requests; the first one says whether the source could be executed."""
        payload = _core.encode_value({"source": textwrap.dedent(source)})
        frames = b"".join(frame(request) for request in requests)
        return self.child({"mode": CALLS, "payload": payload, "stdin": stdin.encode(), "requests": frames})

    def call(self, source, name, *args, **kwargs):
        """The reply to a single call."""
        return self.calls(source, ("call", name, args, kwargs)).frames[1]

    def split(self, solution, tests, *, entry_point=None, names=(), setup="", **more):
        work = {
            "tests": textwrap.dedent(tests),
            "setup": textwrap.dedent(setup),
            "entry_point": entry_point,
            "names": list(names),
            "handles": True,
            **more,
        }
        solution = {"source": textwrap.dedent(solution)}
        job = {"solution": _core.encode_value(solution), "tests": _core.encode_value(work)}
        return self.child(job)

    def unittests(self, source, tests, setup="", nonce=b"nonce"):
        work = {
            "source": textwrap.dedent(source),
            "tests": textwrap.dedent(tests),
            "setup": textwrap.dedent(setup),
            "nonce": nonce,
        }
        payload = _core.encode_value(work)
        return self.child({"mode": UNITTEST, "payload": payload, "stdin": b"", "requests": b""})


CORE = _core.__file__


def frame(value):
    data = _core.encode_value(value)
    return len(data).to_bytes(4, "little") + data


def values(frames):
    while frames:
        length = int.from_bytes(frames[:4], "little")
        assert len(frames) >= 4 + length
        yield _core.decode_value(frames[4 : 4 + length])
        frames = frames[4 + length :]


@pytest.fixture(scope="module")
def zygote():
    zygote = Zygote(["random", "collections", "threading", "traceback", "unittest", "no_such_module"])
    assert zygote.missing == ["no_such_module"]
    yield zygote
    zygote.close()


# ---- whole programs -------------------------------------------------------------------------------------


def test_a_program_reads_and_prints(zygote):
    assert zygote.program("a, b = map(int, input().split())\nprint(a + b)", "2 3\n") == (0, "5\n", "", [])


def test_a_program_is_main(zygote):
    source = """
        import dataclasses, pickle, sys, typing
        __file__, __name__, sys.argv
        assert sys.modules["__main__"].__dict__ is globals()
        assert __builtins__ is sys.modules["builtins"]
        @dataclasses.dataclass
        class Point:
            x: "int"
        assert pickle.loads(pickle.dumps(Point(3))) == Point(3)
        assert typing.get_type_hints(Point) == {"x": int}
        if __name__ == "__main__":
            print(__file__, sys.argv, sorted(globals()))
    """
    run = zygote.program(source)
    assert run.stderr == ""
    usual = ["builtins", "cached", "doc", "file", "loader", "name", "package", "spec"]
    usual += ["annotations"] if sys.version_info < (3, 14) else []
    own = ["Point", "dataclasses", "pickle", "sys", "typing"]
    names = sorted([f"__{name}__" for name in usual] + own)
    assert run.stdout == f"program.py ['program.py'] {names}\n"


@pytest.mark.parametrize(
    ("source", "stdout"),
    [
        (
            "import sys; print([line for line in sys.stdin], sys.stdin.readline() == '')",
            "['a\\n', 'b\\n', 'c'] True",
        ),
        ("import sys; print(input(), sys.stdin.buffer.read())", "a b''"),  # as in CPython: read ahead
        ("import sys; print(sys.stdin.buffer.readline(), list(sys.stdin.buffer))", "b'a\\n' [b'b\\n', b'c']"),
        ("import os; print(os.read(0, 100), open(0).read() == '')", "b'a\\nb\\nc' True"),
        ("print(open('/dev/stdin').read().split())", "['a', 'b', 'c']"),
        ("import fileinput; print([line for line in fileinput.input()])", "['a\\n', 'b\\n', 'c']"),
        ("import io, sys; print(io.TextIOWrapper(sys.stdin.buffer).readlines())", "['a\\n', 'b\\n', 'c']"),
        ("import sys; sys.stdin.close(); print(sys.stdin.closed)", "True"),
        ("import sys; print(sys.stdin, sys.stdout.encoding)", None),
        ("import sys; sys.stdout.buffer.write(b'x'); sys.stdout.flush(); print('y')", "xy"),
        ("import os; print('1', flush=True); os.write(1, b'2'); print('3')", "1\n23"),
        ("out = open(1, 'w', closefd=False); out.write('never closed')", "never closed"),
        ("import sys, io; print('before'); sys.stdout = io.StringIO(); print('lost')", "before"),
        ("import sys; print('before'); sys.stdout.close()", "before"),
        ("print(open(0).read().split(), end='')", "['a', 'b', 'c']"),
        ("import atexit; atexit.register(print, 'at exit'); print('main')", "main\nat exit"),
        (
            "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\nprint('main')",
            "main\nthread",
        ),
        ("class A:\n    def __del__(self): print('deleted')\na = A(); print('main')", "main\ndeleted"),
        (
            "from math import *\nfrom builtins import *\nimport builtins\nbuiltins.len = builtins.str = None",
            "",
        ),
        ("import gc; print(gc.isenabled())", "True"),
        ("def f():\n    global x\n    x = 3\nf(); print(x)", "3"),
        ("\ufeffprint('after a mark')", "after a mark"),
        ("# coding: latin-1\nprint('\u00e9')", "\u00e9"),
    ],
)
def test_idioms(zygote, source, stdout):
    run = zygote.program(source, "a\nb\nc")
    assert (run.status, run.stderr, run.frames) == (0, "", [])
    if stdout is not None:
        assert run.stdout.rstrip("\n") == stdout


def test_streams_look_like_the_interpreters(zygote):
    source = "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr): print(s, s.line_buffering, s.errors)"
    assert zygote.program(source).stdout.splitlines() == [
        "<_io.TextIOWrapper name='<stdin>' mode='r' encoding='utf-8'> False strict",
        "<_io.TextIOWrapper name='<stdout>' mode='w' encoding='utf-8'> False strict",
        "<_io.TextIOWrapper name='<stderr>' mode='w' encoding='utf-8'> True backslashreplace",
    ]


@pytest.mark.parametrize(
    ("source", "status", "stderr"),
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit(True)", 1, ""),
        ("import sys; sys.exit('a reason')", 1, "a reason\n"),
        ("raise SystemExit", 0, ""),
        ("exit(2)", 2, ""),
        ("quit()", 0, ""),
        ("import os; os._exit(4)", 4, ""),
        ("import threading, sys; t = threading.Thread(target=sys.exit); t.start(); t.join()", 0, ""),
        ("import os; os.closerange(0, 100)", 0, ""),
    ],
)
def test_exit_status(zygote, source, status, stderr):
    assert zygote.program(source) == (status, "", stderr, [])


UNCAUGHT = """\
def divide(a, b):
    return a / b

print("shown")
divide(1, 0)
"""


def test_an_uncaught_exception(zygote):
    run = zygote.program(UNCAUGHT)
    assert (run.status, run.stdout) == (1, "shown\n")
    assert run.frames == [("raise", "ZeroDivisionError", "division by zero", 2)]
    shown = [line for line in run.stderr.splitlines() if set(line.strip()) - {"~", "^"}]
    assert shown == [
        "Traceback (most recent call last):",
        '  File "program.py", line 5, in <module>',
        "    divide(1, 0)",
        '  File "program.py", line 2, in divide',
        "    return a / b",
        "ZeroDivisionError: division by zero",
    ]


CRASHES = {
    "syntax": "x = 1\nif x\n    pass\n",
    "cause": "try:\n    {}[1]\nexcept KeyError as error:\n    raise ValueError('no') from error\n",
    "context": "try:\n    {}[1]\nexcept KeyError:\n    [][1]\n",
    "group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n",
    "recursion": "def f(): f()\nf()\n",
    "hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__, file=sys.stderr)\n1 / 0\n",
    "at exit": "import atexit\natexit.register(lambda: 1 / 0)\n",
    "thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start(); t.join()\n",
    "own class": "class Odd(Exception):\n    def __str__(self): return 1\nraise Odd\n",
}


@pytest.mark.parametrize("source", CRASHES.values(), ids=CRASHES)
def test_crashes_are_printed_as_by_the_interpreter(zygote, source, tmp_path):
    (tmp_path / "program.py").write_text(source)
    command = [sys.executable, "program.py"]
    real = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    def lines(stderr):
        """Without source lines, addresses and the real file's folder."""
        lines = stderr.replace(f"{tmp_path}/", "").splitlines()
        hidden = ("    ", "  [Previous line repeated")
        return [line.partition(" at 0x")[0] for line in lines if not line.startswith(hidden)]

    run = zygote.program(source)
    assert run.status == real.returncode
    assert lines(run.stderr) == lines(real.stderr)
    assert "harness" not in run.stderr


@pytest.mark.parametrize("source", ["if x\n", "x = '\0'", "x = '\ud800'", "(" * 1000, "f(**a, *b"])
def test_what_is_no_program_is_a_syntax_error(zygote, source):
    run = zygote.program(source)
    assert run.status == 1
    [(kind, name, _, _)] = run.frames
    assert (kind, name) == ("raise", "SyntaxError")


def test_an_uncaught_keyboard_interrupt(zygote):
    run = zygote.program("raise KeyboardInterrupt")
    assert run.status == 130
    assert run.frames == [("raise", "KeyboardInterrupt", "", 1)]


def test_the_recursion_limit_is_the_programs_own(zygote, tmp_path):
    source = """
        deepest = 0
        def f(n):
            global deepest
            deepest = n
            f(n + 1)
        try:
            f(1)
        except RecursionError:
            print(deepest)
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(source))
    command = [sys.executable, tmp_path / "program.py"]
    real = int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    assert real <= int(zygote.program(source).stdout) <= real + 5


def test_deep_recursion_in_a_thread(zygote):
    source = """
        import sys, threading
        threading.stack_size(1 << 27)
        sys.setrecursionlimit(10**6)
        def f(n):
            return 0 if n == 0 else 1 + f(n - 1)
        threading.Thread(target=lambda: print(f(50000))).start()
    """
    assert zygote.program(source).stdout == "50000\n"


def test_runs_start_from_one_random_state_and_share_nothing(zygote):
    source = """
        import collections, random
        print(random.random(), hasattr(collections, "mark"))
        collections.mark = 1
    """
    first = zygote.program(source)
    assert first.stdout.endswith(" False\n")
    assert zygote.program(source) == first


def test_large_output_is_complete(zygote):
    run = zygote.program("import sys; print(sys.stdin.read().upper())", "x" * 3_000_000)
    assert run.stdout == "X" * 3_000_000 + "\n"


@pytest.mark.skipif(not IOSTYLES.is_dir(), reason="the shared data are absent")
def test_forty_idioms():
    zygote = Zygote(["numpy", "fileinput"])
    cases = json.loads((IOSTYLES / "tests.json").read_text())
    programs = sorted(IOSTYLES.glob("*.py"))
    wrong = [
        program.name
        for program in programs
        for case in cases[:3]
        if zygote.program(program.read_text(), case["input"]).stdout.split() != case["output"].split()
    ]
    zygote.close()
    assert (len(programs), wrong) == (40, [])


# ---- calls ----------------------------------------------------------------------------------------------


def test_calls_are_answered_in_order(zygote):
    source = """
        count = 0
        def add(a, b=1): return a + b
        def next():
            global count
            count += 1
            return count
    """
    run = zygote.calls(
        source, ("call", "add", (1, 2), {}), ("call", "add", (1,), {"b": 5}), *[("call", "next", (), {})] * 2
    )
    assert run == (0, "", "", [("ready",), ("ok", 3), ("ok", 6), ("ok", 1), ("ok", 2)])


@pytest.mark.parametrize(
    "value",
    [
        (1, [2.5, {"a": {1, 2}}]),
        {(1, 2): None},
        2**200,
        "\ud800",
        b"\0",
        -0.0,
        frozenset({1}),
        range(3),
        ...,
        int,
    ],
)
def test_values_come_back_as_they_are(zygote, value):
    reply = zygote.call("def same(x): return x", "same", value)
    assert reply == ("ok", value)
    assert type(reply[1]) is type(value)


def test_the_guard_of_a_main_program_does_not_run(zygote):
    source = "import sys\nprint(__name__, sys.modules[__name__].f is f if 'f' in globals() else '')\n"
    source += "def f(): return __name__\nif __name__ == '__main__': raise SystemExit"
    run = zygote.calls(source, ("call", "f", (), {}))
    assert run.frames == [("ready",), ("ok", "solution")]
    assert run.stdout == "solution \n"


SOLUTION_CLASS = """
class Solution:
    def __init__(self): self.calls = 0
    def add(self, a, b):
        self.calls += 1
        return a + b + self.calls
    @staticmethod
    def static(x): return x
    @classmethod
    def named(cls): return cls.__name__
class Strict:
    def __init__(self, needed): pass
    @staticmethod
    def static(x): return -x
"""


@pytest.mark.parametrize(
    ("target", "args", "reply"),
    [
        ("add", (1, 2), ("ok", 4)),
        ("Solution.add", (1, 2), ("ok", 4)),
        ("Solution.static", (3,), ("ok", 3)),
        ("named", (), ("ok", "Solution")),
        ("Strict.static", (3,), ("ok", -3)),
        ("Strict.other", (), ("missing", "Strict.other")),
        ("missing", (), ("missing", "missing")),
        ("Solution", (), ("opaque", "Solution")),
    ],
)
def test_targets(zygote, target, args, reply):
    assert zygote.calls(SOLUTION_CLASS, *[("call", target, args, {})] * 2).frames[1:] == [reply, reply]


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        ("raise ValueError('no')", ("raise", "ValueError", "no", 2)),
        ("import sys; sys.exit(0)", ("raise", "SystemExit", "0", 2)),
        ("raise KeyboardInterrupt", ("raise", "KeyboardInterrupt", "", 2)),
        ("return f()", ("raise", "RecursionError", None, 2)),
        ("return input()", ("raise", "EOFError", "EOF when reading a line", 2)),
        (
            "raise type('Odd', (Exception,), {'__str__': None})",
            ("raise", "Odd", "<exception str() failed>", 2),
        ),
        ("return [0] * 10**15", ("raise", "MemoryError", "", 2)),
    ],
)
def test_exceptions(zygote, body, reply):
    answer = zygote.call(f"def f():\n    {body}", "f")
    assert (*answer[:2], reply[2] and answer[2], answer[3]) == (*reply[:2], reply[2], reply[3])
    assert answer[1] in answer[4]
    assert answer[4][-2:] == ["BaseException", "object"]


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("x = 1\nraise KeyError('k')", ("raise", "KeyError", "'k'", 2)),
        ("import sys\nsys.exit(0)", ("raise", "SystemExit", "0", 2)),
        ("def f(:", ("raise", "SyntaxError", "invalid syntax (solution.py, line 1)", 1)),
    ],
)
def test_a_source_that_cannot_be_executed(zygote, source, reply):
    assert zygote.calls(source, ("call", "f", (), {})).frames == [reply]


@pytest.mark.parametrize(
    "expression",
    ["object()", "(i for i in [1])", "map(str, [1])", "{}.keys()", "f", "__import__('sys')", "deep()"],
)
def test_what_has_no_value_is_opaque(zygote, expression):
    source = f"""
        def deep(n=300):
            return [deep(n - 1)] if n else []
        def f(): return {expression}
    """
    assert zygote.call(source, "f")[0] == "opaque"


def test_subclasses_of_builtins_are_what_they_hold(zygote):
    source = """
        import collections, enum
        class Liar(int):
            def __eq__(self, other): return True
            def __repr__(self): return "42"
            def __int__(self): return 42
            __hash__ = int.__hash__
        class List(list):
            def __iter__(self): return iter([7])
        Pair = collections.namedtuple("Pair", "a b")
        class Colour(enum.IntEnum):
            RED = 5
        def f(): return [Liar(3), List([1]), Pair(1, 2), Colour.RED, collections.Counter("aa")]
    """
    assert zygote.call(source, "f") == ("ok", [3, [1], (1, 2), 5, {"a": 2}])


def test_arguments_are_written_back_only_when_asked(zygote):
    source = "def f(a, b, *, c): a.append(b); c.clear(); return 0"
    args = ("f", ([1], 2), {"c": {1: 2}})
    run = zygote.calls(source, ("call", *args), ("call!", *args))
    assert run.frames[1:] == [("ok", 0), ("ok", 0, {0: [1, 2], "c": {}})]


def test_a_call_that_changes_nothing_writes_nothing_back(zygote):
    assert zygote.calls("def f(a): return a", ("call!", "f", ([1],), {})).frames[1] == ("ok", [1])


def test_names_are_described(zygote):
    source = SOLUTION_CLASS + "import math\nlimit = 3\nclass Mine(ValueError): pass\nobj = object()"
    names = ["limit", "add", "math", "Strict", "Mine", "nothing", "obj"]
    assert zygote.calls(source, *[("get", name) for name in names]).frames[1:] == [
        ("value", 3),
        ("callable", "add"),
        ("module", "math"),
        ("class", "Strict", []),
        ("class", "Mine", ["Mine", "ValueError", "Exception", "BaseException", "object"]),
        ("missing", "nothing"),
        ("opaque", "object"),
    ]


def test_handles(zygote):
    source = """
        class P:
            def __init__(self, x): self.x = x
            def twice(self): return 2 * self.x
    """
    run = zygote.calls(
        source,
        ("handles",),
        ("call", "P", (4,), {}),
        ("attr", 0, "x"),
        ("attr", 0, "twice"),
        ("attr", 0, "other"),
        ("call", ("handle", 0, "twice"), (), {}),
        ("call", ("handle", 0), (), {}),
    )
    assert run.frames[1:-1] == [
        ("ok", None),
        ("handle", 0, "P"),
        ("value", 4),
        ("callable", "twice"),
        ("missing", "other"),
        ("ok", 8),
    ]
    assert run.frames[-1][:2] == ("raise", "TypeError")


def test_a_program_that_ruins_builtins_is_still_answered(zygote):
    source = """
        import builtins, sys
        def f():
            for name in ("len", "isinstance", "type", "str", "list", "enumerate", "zip", "print"):
                delattr(builtins, name)
            sys.stdout = None
            return [1, {2: (3,)}]
    """
    run = zygote.calls(source, ("call", "f", (), {}), ("call", "f", (), {}))
    assert run.frames[1] == ("ok", [1, {2: (3,)}])
    assert run.frames[2][:2] == ("raise", "AttributeError")
    assert run.status == 0


def test_what_a_solution_prints_is_on_stdout(zygote):
    run = zygote.calls("print('load')\ndef f(): print('call')", ("call", "f", (), {}))
    assert run == (0, "load\ncall\n", "", [("ready",), ("ok", None)])


# ---- tests in one process, the solution in another -------------------------------------------------------


def test_units_pass_fail_and_go_on(zygote):
    tests = """
        assert add(1, 2) == 3
        assert add(1, 2) == 4
        assert add(1, 2) == 5, "not five"
        total = 0
        for i in range(3):
            total += add(i, 1)
            assert total > 0
        assert add("a", 2)
        assert total == 6
    """
    run = zygote.split("def add(a, b): return a + b", tests, names=["add"])
    assert run.frames == [
        ("pass", 2),
        ("fail", 3, "assert add(1, 2) == 4"),
        ("fail", 4, "not five"),
        ("pass", 6),
        ("solution", 9, "TypeError", 'can only concatenate str (not "int") to str'),
        ("pass", 10),
        ("done", 6),
    ]
    assert (run.status, run.stderr) == (0, "")


CHECK = """
METADATA = {}
def check(candidate):
    offset = 1
    assert candidate(1) == 1 + offset
    assert candidate(1) == 3
    offset = 2
    for i in range(3):
        assert candidate(i) == i + offset - 1
    assert candidate(0) == 1
"""


def test_the_statements_of_check_are_units(zygote):
    frames = [("pass", 5), ("fail", 6, "assert candidate(1) == 3"), ("pass", 8), ("pass", 10), ("done", 4)]
    assert zygote.split("def f(x): return x + 1", CHECK, entry_point="f").frames == frames
    called = CHECK + "check(f)\n"
    assert zygote.split("def f(x): return x + 1", called, entry_point="f", names=["f"]).frames == frames
    assert zygote.split("def f(x): return x + 1", called, names=["f"]).frames == frames


@pytest.mark.parametrize(
    ("tests", "frames"),
    [
        ("def run(g):\n    assert g(1) == 2\nrun(f)", ["fail", "done"]),
        ("def check(g):\n    run(g)\ndef run(g):\n    assert g(1) == 2", ["fail", "done"]),
        ("def check(g):\n    if g(1) == 1:\n        return\n    assert False", ["pass", "done"]),
        (
            "x = f(1)\nassert x == 1\ny = f()\nassert x == 1\nassert y",
            ["pass", "solution", "solution", "done"],
        ),
        ("x = 3", ["error", "done"]),
        ("assert 1 = 2", ["error", "done"]),
        ("import no_such_module\nassert f(1) == 1\nassert f(1) == 1", ["error", "error", "done"]),
        ("assert f(1) == undefined", ["error", "done"]),
        ("assert undefined == f(1)\nassert f(1) == 1", ["error", "pass", "done"]),
        ("assert f(object()) == 1", ["error", "done"]),
        ("assert f(1)[0] == 1", ["fail", "done"]),
        ("assert len(f(1)) == 1", ["fail", "done"]),
        ("assert [][1]", ["error", "done"]),
        ("import sys\nassert f(1)\nsys.exit()\nassert f(1)", ["pass", "fail", "done"]),
        ("try:\n    f()\n    assert False\nexcept TypeError:\n    pass", ["pass", "done"]),
        ("from __future__ import annotations\nassert f(1) == 1", ["pass", "done"]),
        ("if __name__ == '__main__':\n    assert f(1) == 1", ["pass", "done"]),
    ],
)
def test_what_tests_come_to(zygote, tests, frames):
    run = zygote.split("def f(x): return x", tests, entry_point="f", names=["f"])
    assert [frame[0] for frame in run.frames] == frames
    assert run.frames[-1] == ("done", len(frames) - 1)


def test_units_may_be_named_by_their_lines(zygote):
    tests = "def holds(x):\n    assert f(x) == x\nholds(1)\nassert f(1) == 1\nf(\n    2, 3)\n"
    run = zygote.split("def f(x): return x", tests, names=["f"], unit_lines=[3, 5])
    assert [frame[:2] for frame in run.frames] == [("pass", 3), ("solution", 5), ("done", 2)]
    run = zygote.split("def f(x): return x", "assert 1 = 2\n\nassert 2", names=["f"], unit_lines=[1, 3])
    assert [frame[0] for frame in run.frames] == ["error", "error", "done"]


@pytest.mark.parametrize(
    ("solution", "frame"),
    [
        ("def f(:", ("solution", 1, "SyntaxError", "invalid syntax (solution.py, line 1)")),
        ("1 / 0", ("solution", 1, "ZeroDivisionError", "division by zero")),
        ("import sys; sys.exit()", ("solution", 1, "SystemExit", "")),
        ("def g(x): return x", ("solution", 1, "NameError", "name 'f' is not defined")),
        ("def f(x): raise AssertionError('mine')", ("solution", 1, "AssertionError", "mine")),
        ("class E(KeyError): pass\ndef f(x): raise E", ("solution", 1, "KeyError", "")),
        ("class E(Exception): pass\ndef f(x): raise E(3)", ("solution", 1, "Exception", "3")),
        ("import os\ndef f(x): os._exit(0)", ("lost", 1)),
        ("import os\nos._exit(0)", ("lost", 1)),
        ("import os\ndef f(x): os.write(4, b'\\xff' * 8)", ("lost", 1)),
        ("import os\ndef f(x): os.write(4, b'\\1\\0\\0\\0?')", ("lost", 1)),
    ],
)
def test_solutions_that_fail(zygote, solution, frame):
    frames = zygote.split(solution, "assert f(1) == 1\nassert True", entry_point="f", names=["f"]).frames
    assert frames[0] == frame
    assert frames[-1] == (frame if frame[0] == "lost" else ("done", 2))


def test_the_loss_of_the_solution_cannot_be_swallowed(zygote):
    tests = "try:\n    assert f()\nexcept:\n    pass\nassert True\n"
    assert zygote.split("import os\ndef f(): os._exit(0)", tests, names=["f"]).frames == [("lost", 1)]


@pytest.mark.parametrize(
    "solution",
    [
        "class A:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
        "    __hash__ = None\ndef f(x): return A()",
        "class A(int):\n    def __eq__(self, other): return True\ndef f(x): return A()",
        "class A(str):\n    def __eq__(self, other): return True\ndef f(x): return A()",
        "from unittest.mock import ANY\ndef f(x): return ANY",
        "def f(x): return ('\\0handle', 0, 'A')",
        "def f(x): return ('\\0reference', 0)",
        "def f(x): return ('\\0',)",
        "import builtins\nbuiltins.abs = lambda x: 0\ndef abs(x): return 0\ndef f(x): return 5",
        "def abs(x): return 0\ndef f(x): return 5",
        "import unittest.mock as math\ndef f(x): return 5",
        "def f(x): raise __import__('unittest').SkipTest",
        "class A(BaseException): pass\ndef f(x): raise A",
        "def f(x): raise GeneratorExit",
        "import sys\nsys.settrace(lambda *a: None)\ndef f(x): return sys._getframe().f_back.f_locals",
        "import gc\ndef f(x): return [o for o in gc.get_objects() if type(o) is float]",
        "def f(x):\n    import os\n    os.write(4, b'')\n    return None",
    ],
)
def test_forgeries(zygote, solution):
    tests = """
        import math
        assert abs(f(2) - 1.25) < 1e-6
        assert f(2) == 1.25
        assert not f(2) != 1.25
        assert math.isclose(f(2), 1.25)
        assert f(2) in (1.25, 7.5)
    """
    frames = zygote.split(solution, tests, entry_point="f", names=["abs", "f", "math"]).frames
    assert [frame[0] for frame in frames if frame[0] in ("pass", "error")] == []


def test_the_prompts_helpers_are_the_prompts(zygote):
    setup = """
        from typing import List
        def helper(x):
            return 2 * x
        def f(x: List[int]) -> int:
            \"\"\"To be written.\"\"\"
        def g(x):
            raise NotImplementedError
    """
    solution = "def helper(x): return 0\ndef f(x): return x + 1\ndef g(x): return -x"
    tests = "assert helper(f(1)) == 4\nassert g(1) == -1"
    assert [
        frame[0] for frame in zygote.split(solution, tests, names=["helper", "f", "g"], setup=setup).frames
    ] == [
        "pass",
        "pass",
        "done",
    ]
    check = "def check(c):\n    assert helper(c(1)) == 4"
    frames = zygote.split(solution, check, entry_point="f", names=["helper", "f"], setup=setup).frames
    assert frames == [("pass", 2), ("done", 1)]


def test_a_builtins_name_is_the_solutions_where_the_tests_want_nothing_else(zygote):
    assert zygote.split("def sum(a, b): return a * b", "assert sum(2, 5) == 10", names=["sum"]).frames[0] == (
        "pass",
        1,
    )


def passes(run):
    assert run.stderr == ""
    assert run.frames[-1][0] == "done"
    return [frame for frame in run.frames[:-1] if frame[0] != "pass"] == []


def test_arguments_changed_by_the_solution(zygote):
    solution = """
        def grow(items, *, seen): items.append(9); seen.add(9); return items
        def sort(rows): rows.sort(); return rows[0]
        def deep(table): table["a"][0].clear(); table["b"] = [table["a"]]; return None
        def fill(data): data[:] = b"xyz"; return data
        def rotate(line): line.rotate(1)
        def fails(items): items.clear(); raise ValueError
        def nested(pair): pair[1].append(0)
    """
    tests = """
        from collections import deque
        items, seen = [1], set()
        assert grow(items, seen=seen) is items
        assert (items, seen) == ([1, 9], {9})
        a, b = [3], [1]
        rows = [a, b]
        assert sort(rows) is b and rows[0] is b and rows[1] is a and (a, b) == ([3], [1])
        inner = [1, 2]
        table = {"a": [inner]}
        assert deep(table) is None
        assert inner == [] and table == {"a": [[]], "b": [[[]]]} and table["b"][0] is table["a"]
        data, line = bytearray(b"abc"), deque([1, 2])
        assert fill(data) is data and data == b"xyz"
        rotate(line)
        assert line == deque([2, 1])
        try:
            fails(items)
            assert False
        except ValueError:
            assert items == []
        pair = (1, [2])
        nested(pair)
        assert pair == (1, [2, 0])
    """
    assert passes(
        zygote.split(solution, tests, names=["grow", "sort", "deep", "fill", "rotate", "fails", "nested"])
    )


OBJECTS = """
    class Node:
        kind = "node"
        def __init__(self, value, next=None):
            self.value, self.next = value, next
        def __repr__(self): return f"Node({self.value})"
        def __len__(self): return 0
        def __eq__(self, other): return True
        def __add__(self, other): return Node(self.value + getattr(other, "value", other))
        def __radd__(self, other): return other + self.value
        def __lt__(self, other): return self.value < other.value
        def __getitem__(self, index): return [self.value][index]
        def __contains__(self, value): return value == self.value
        def __iter__(self): yield self.value
        def __call__(self): return self.value
        def double(self): self.value *= 2; return self
        def __enter__(self): return self.value
        def __exit__(self, kind, error, traceback): return kind is KeyError
        @classmethod
        def of(cls, *values): return [cls(value) for value in values]
    class Low(ValueError):
        pass
    def last(node):
        while node.next is not None: node = node.next
        return node
    def count(): yield from range(3)
    def low(): raise Low("too low")
    def apply(function, *args): return function(*args)
    def by(items, key): return sorted(items, key=key)
    limit = 10
    table = {"node": Node(7), ("\\0", 1): 2}
"""


@pytest.mark.parametrize(
    "expression",
    [
        "a - 1 == 0",
        "1 - a == 0",
        "abs(a) == 0",
        "a < 5",
        "5 > a",
        "not a + 1",
        "int(a) == 0",
        "round(a) == 0",
        "-a == 0",
    ],
)
def test_an_object_of_the_solution_never_meets_an_expected_number(zygote, expression):
    """It would be told what is expected, and answer with whatever makes the assert hold."""
    operators = "sub rsub add abs lt gt le ge int float index round neg bool eq"
    methods = "\n".join(f"    def __{name}__(self, *others): return 0" for name in operators.split())
    source = f"class Liar:\n{methods}\n    __hash__ = None\n"
    run = zygote.split(source, f"a = Liar()\nassert {expression}", names=["Liar"])
    assert not passes(run), run.frames


def test_objects_stay_with_the_solution(zygote):
    tests = """
        import copy
        a = Node(1)
        b = Node(2, a)
        assert a.value == 1 and b.next is a and b.next == a and b.next.value == 1
        assert last(b) is a and last(Node(3, b)) is a
        assert not a == b and a != b and a != 1 and not a == 1 and bool(a) and a in {a}
        assert str(a) == "Node(1)" and len(a) == 0
        assert (a + b).value == 3
        assert a < b and not b < a and min(b, a) is a and sorted([b, a])[0] is a
        assert a[0] == 1 and list(a) == [1] and a() == 1
        assert a.double().double() is a and a.value == 4
        a.value = 9
        assert a.value == 9 and copy.copy(a).value == 9 and copy.deepcopy([a])[0] is not a
        assert isinstance(a, Node) and not isinstance(1, Node) and callable(Node) and Node.kind == "node"
        assert [node.value for node in Node.of(4, 5)] == [4, 5] and Node.double(Node(2)).value == 4
        assert list(count()) == [0, 1, 2] and limit == 10
        assert table["node"].value == 7 and table["\\0", 1] == 2
        with a as value:
            assert value == 9
        with a:
            raise KeyError
            assert False
        try:
            a.missing
            assert False
        except AttributeError:
            pass
        try:
            low()
            assert False
        except Low as error:
            assert str(error) == "too low" and isinstance(error, ValueError)
        assert apply(low.__class__, 1) if False else True
    """
    names = ["Node", "Low", "last", "count", "low", "limit", "table", "apply"]
    run = zygote.split(OBJECTS, tests, names=names)
    assert passes(run), run.frames


def test_functions_of_the_tests_are_called_back(zygote):
    tests = """
        seen = []
        def note(x):
            seen.append(x)
            return x + limit
        assert apply(note, 1) == 11 and seen == [1]
        assert by([3, 1, 2], lambda x: -x) == [3, 2, 1] and by(["b", "A"], key=str.lower) == ["A", "b"]
        assert apply(apply, note, 5) == 15 and apply(lambda: apply(note, 6)) == 16
        try:
            apply(lambda: {}["k"])
            assert False
        except KeyError:
            pass
    """
    run = zygote.split(OBJECTS, tests, names=["apply", "by", "limit"])
    assert passes(run), run.frames


def test_modules_are_the_tests_own(zygote):
    run = zygote.split(
        "import sys, math\ndef f(x): return sys.getsizeof(x)",
        "assert f(1) == sys.getsizeof(1)",
        names=["f", "sys"],
    )
    assert run.frames == [("pass", 1), ("done", 1)]


# ---- unittest ---------------------------------------------------------------------------------------------


def test_unittest_methods(zygote):
    tests = """
        import unittest
        from unittest.mock import patch
        from solution import *
        import solution
        class TestAdd(unittest.TestCase):
            def test_pass(self): self.assertEqual(add(1, 2), 3)
            def test_fail(self): self.assertEqual(add(1, 2), 4)
            def test_error(self): add()
            def test_exit(self): leave()
            def test_patch(self):
                with patch("solution.offset", 5):
                    self.assertEqual(add(1, 2), 8)
            @unittest.skip("later")
            def test_skip(self): pass
            def test_skipped_by_the_solution(self): skip()
            @unittest.expectedFailure
            def test_expected(self): self.fail()
            def test_parts(self):
                for i in range(3):
                    with self.subTest(i=i):
                        self.assertLess(i, 1)
        class TestSetUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls): 1 / 0
            def test_never(self): pass
        if __name__ == "__main__":
            unittest.main()
    """
    source = """
        import unittest, sys
        offset = 0
        def add(a, b): return a + b + offset
        def leave(): sys.exit(0)
        def skip(): raise unittest.SkipTest("mine")
        class Easy(unittest.TestCase):
            def test_mine(self): pass
    """
    run = zygote.unittests(source, tests, nonce=b"123")
    *frames, done = run.frames
    assert {
        test.partition(".")[2]: (kind, message) for kind, test, message in frames if "TestAdd" in test
    } == {
        "test_pass": ("pass", ""),
        "test_fail": ("fail", "3 != 4"),
        "test_error": ("error", "TypeError: add() missing 2 required positional arguments: 'a' and 'b'"),
        "test_exit": ("error", "SystemExit: 0"),
        "test_patch": ("pass", ""),
        "test_skip": ("skip", "later"),
        "test_skipped_by_the_solution": ("skip", "mine"),
        "test_expected": ("pass", ""),
        "test_parts": ("fail", "TestAdd.test_parts (i=1): 1 not less than 1"),
    }
    assert [frame[0] for frame in frames if "TestAdd" not in frame[1]] == ["error"]
    assert done == ("done", 10, b"123")
    assert (run.status, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "tests", "frames"),
    [
        ("", "x = 1", [("done", 0, b"nonce")]),
        ("1 / 0", "", [("raise", "ZeroDivisionError", "division by zero", 1)]),
        ("", "1 / 0", [("error", "tests", "ZeroDivisionError: division by zero"), ("done", 1, b"nonce")]),
        (
            "import unittest\nclass Mine(unittest.TestCase):\n    def test(self): pass",
            "from solution import *",
            [("done", 0, b"nonce")],
        ),
    ],
)
def test_unittest_files_without_results(zygote, source, tests, frames):
    assert zygote.unittests(source, tests).frames == frames


# ---- the data sets ----------------------------------------------------------------------------------------


def names_in(source):
    return sorted({node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)})


def all_pass(frames):
    return [frame[0] for frame in frames] == ["pass"] * (len(frames) - 1) + ["done"] and len(frames) > 1


@pytest.mark.skipif(not IOSTYLES.is_dir(), reason="the shared data are absent")
def test_humaneval_references_pass_their_tests_unlowered(zygote):
    tasks = [json.loads(line) for line in (SHARED / "code" / "HumanEval.jsonl").read_text().splitlines()]
    failed = []
    for task in tasks:
        prompt, tests = task["prompt"], task["test"]
        solution = prompt + task["canonical_solution"]
        names = names_in(tests)
        run = zygote.split(solution, tests, entry_point=task["entry_point"], names=names, setup=prompt)
        if not all_pass(run.frames):
            failed.append(task["task_id"])
    assert (len(tasks), failed) == (164, [])


@pytest.mark.skipif(not IOSTYLES.is_dir(), reason="the shared data are absent")
def test_mbpp_references_pass_their_tests_unlowered(zygote):
    tasks = [json.loads(line) for line in (SHARED / "code" / "mbpp.jsonl").read_text().splitlines()]
    failed = []
    for task in tasks:
        tests = "\n".join(task["test_list"])
        run = zygote.split(task["code"], tests, names=names_in(tests), setup=task["test_setup_code"])
        if not all_pass(run.frames):
            failed.append(task["task_id"])
    # Their setup uses a class that no reference defines.
    assert (len(tasks), failed) == (974, [367, 927])
