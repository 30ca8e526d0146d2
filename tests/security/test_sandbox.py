"""Programs that attack, through `CodeRunner`: each must be stopped by the mechanism that is there for it.

EACCES is Landlock, EPERM and ENOSYS are seccomp, FORBIDDEN is seccomp's harder answer (SIGSYS). "It
failed" is not enough: a program may fail for a reason that the next one has not. Rust's tests in
rust/grpo-sandbox/tests/it try many more.
"""

import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import grpo_rs as g
import pytest
from grpo_rs import CodeOutcome, CodeRunner, Limits, stdio_tests

pytestmark = pytest.mark.skipif(
    not CodeRunner().protection.sufficient, reason="the kernel lacks Landlock or seccomp"
)

LIMITS = Limits(wall_s=10.0, cpu_s=1.0, memory_mb=128, output_kb=64, processes=1, file_mb=1)
SIGSYS, SIGKILL = 31, 9


def run(program, stdin="", expected="", limits=LIMITS):
    (case,) = CodeRunner(limits).run([program], [stdio_tests([(stdin, expected)])])[0].cases
    return case


def refusal(attempt):
    """The name of the error that an expression meets, or what it got through with."""
    case = run(
        "import ctypes, errno, os, socket, subprocess, sys\n"
        f"try: print('got through:', {attempt})\n"
        "except OSError as error: print(errno.errorcode[error.errno])"
    )
    assert case.exit_code == 0, case
    return case.stdout.strip()


def test_an_honest_program_passes_under_these_limits():
    """Without this every test below could pass because nothing runs at all."""
    case = run("print(sum(map(int, input().split())))", "1 2\n", "3\n")
    assert case.outcome is CodeOutcome.PASSED


# ---- files ----------------------------------------------------------------------------------------------


def test_reading_outside_is_refused_by_landlock():
    with tempfile.NamedTemporaryFile("w", suffix=".secret") as secret:
        secret.write("secret")
        secret.flush()
        for attempt in (
            f"open({secret.name!r}).read()",
            f"(os.symlink({secret.name!r}, 'link'), open('link').read())",
            "open('/etc/passwd').read()",
            f"open('/proc/{os.getpid()}/environ').read()",
            "open('/proc/self/status').read()",
            "os.listdir('/')",
            "os.listdir('..')",
            f"open({str(Path(__file__).resolve())!r}).read()",
        ):
            assert refusal(attempt) == "EACCES", attempt


def test_writing_outside_is_refused_by_landlock():
    with tempfile.TemporaryDirectory() as folder:
        victim = Path(folder) / "victim"
        victim.write_text("untouched")
        Path(folder).chmod(0o777)
        victim.chmod(0o666)
        for attempt in (
            f"open({str(victim)!r}, 'w')",
            f"open({str(victim)!r}, 'a')",
            f"os.remove({str(victim)!r})",
            f"os.mkdir({folder + '/new'!r})",
            "open('/dev/shm/dropped', 'w')",
            "open('../dropped', 'w')",
            "open(os.__file__, 'a')",
        ):
            assert refusal(attempt) == "EACCES", attempt
        assert refusal(f"os.truncate({str(victim)!r}, 0)") == "EPERM"
        assert refusal(f"os.chmod({str(victim)!r}, 0)") == "EPERM"
        assert victim.read_text() == "untouched"
        assert list(Path(folder).iterdir()) == [victim]


def test_what_a_program_writes_is_its_own_and_gone_afterwards():
    program = "import os; open('mine', 'w').write('x'); print(os.getcwd(), os.listdir('.'))"
    first, second = run(program), run(program)
    folder, listing = first.stdout.split(" ", 1)
    assert listing.strip() == "['mine']"  # and nothing from an earlier run
    assert second.stdout.split(" ", 1)[1] == listing
    assert not Path(folder).exists()


def test_a_file_that_grows_too_large_is_stopped_by_its_limit():
    # Python ignores SIGXFSZ, so the write meets EFBIG.
    assert refusal("open('big', 'wb').write(bytes(2 << 20))") == "EFBIG"


# ---- network, processes, secrets ------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_no_sockets(family):
    assert refusal(f"socket.socket(socket.{family}, socket.SOCK_DGRAM)") == "EPERM"


def test_a_listening_server_is_not_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        assert refusal(f"socket.create_connection({server.getsockname()!r})") == "EPERM"
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_new_processes():
    assert refusal("os.fork()") == "EPERM"
    assert refusal("os.posix_spawn(sys.executable, [sys.executable], {})") == "EPERM"
    assert refusal("subprocess.run(['/bin/true'])") == "EPERM"
    # Nor may it become another program.
    assert refusal("os.execv('/bin/sh', ['sh', '-c', 'echo through'])") == "EACCES"


def test_no_signals_to_others():
    for pid in (os.getpid(), 1, -1):
        assert refusal(f"os.kill({pid}, 0)") == "EPERM", pid


def test_nothing_of_the_callers_environment_or_descriptors_is_there(monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    with tempfile.TemporaryFile() as secret:
        os.set_inheritable(secret.fileno(), True)
        case = run(
            "import os\n"
            "def is_open(fd):\n"
            "    try: os.fstat(fd)\n"
            "    except OSError: return False\n"
            "    return True\n"
            "print(sorted(os.environ))\n"
            "print([fd for fd in range(512) if is_open(fd)])"
        )
    environment, descriptors = case.stdout.splitlines()
    assert "API_KEY" not in case.stdout
    # The sandbox's own settings, and what Python adds to them.
    assert environment in ("['PYTHONHASHSEED', 'PYTHONUTF8']", "['LC_CTYPE', 'PYTHONHASHSEED', 'PYTHONUTF8']")
    assert descriptors == "[0, 1, 2]"


@pytest.mark.parametrize("call", ["ptrace", "unshare", "mount", "bpf", "io_uring_setup"])
def test_calls_that_only_attacks_make_end_the_program(call):
    numbers = {"ptrace": 101, "unshare": 272, "mount": 165, "bpf": 321, "io_uring_setup": 425}
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86-64")
    case = run(f"import ctypes; print(ctypes.CDLL(None).syscall({numbers[call]}, 0, 0, 0, 0, 0))")
    assert case.outcome is CodeOutcome.FORBIDDEN
    assert case.signal == SIGSYS
    assert case.stdout == ""


# ---- resources ------------------------------------------------------------------------------------------


def test_an_infinite_loop_meets_the_cpu_limit():
    begin = time.monotonic()
    case = run("while True: pass")
    assert case.outcome is CodeOutcome.CPU_EXCEEDED
    assert LIMITS.cpu_s <= case.cpu_s < LIMITS.cpu_s + 0.5
    assert time.monotonic() - begin < LIMITS.wall_s


def test_sleeping_meets_the_wall_clock():
    case = run("import time; time.sleep(60)", limits=Limits(wall_s=0.5, cpu_s=0.4))
    assert case.outcome is CodeOutcome.TIMED_OUT
    assert case.signal == SIGKILL
    assert 0.5 <= case.wall_s < 5


def test_signals_do_not_save_a_program():
    program = (
        "import signal\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: pass"
    )
    assert run(program).outcome is CodeOutcome.CPU_EXCEEDED


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_output_flood_is_cut(stream):
    case = run(f"import sys\nwhile True: sys.{stream}.write('x' * 4096)")
    assert case.outcome is CodeOutcome.OUTPUT_EXCEEDED
    assert len(case.stdout) + len(case.stderr) <= LIMITS.output_kb << 10


def test_memory_meets_its_limit():
    case = run("x = bytearray(1 << 30)")
    assert case.outcome is CodeOutcome.MEMORY_EXCEEDED
    assert case.stderr.rstrip().endswith("MemoryError")
    hoard = run("x = []\nwhile True: x.append(bytearray(1 << 20))")
    assert hoard.outcome is CodeOutcome.MEMORY_EXCEEDED
    assert hoard.peak_bytes is None or hoard.peak_bytes <= LIMITS.memory_mb << 20


def test_a_crash_is_the_programs_own():
    case = run("import ctypes; ctypes.string_at(0)")
    assert case.outcome is CodeOutcome.KILLED_BY_SIGNAL
    assert case.signal == 11


# ---- the verdict ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forgery",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "print('PASSED')",
        "class Any(str):\n    def __eq__(self, other): return True\nprint(Any('x'))",
        "import builtins; builtins.print = lambda *a: None",
    ],
    ids=["_exit", "exit", "claim", "equal", "patch"],
)
def test_an_exit_code_or_a_claim_is_never_a_pass(forgery):
    case = run(forgery, expected="42")
    assert case.outcome is CodeOutcome.WRONG_OUTPUT
    assert case.exit_code == 0


def test_the_expected_output_does_not_reach_the_program():
    """Arguments, input, files and the frames that called it hold no trace of what the judge compares with."""
    program = (
        "import os, sys\n"
        "frame, seen = sys._getframe(), [sys.argv, sys.orig_argv, sys.stdin.read(), dict(os.environ)]\n"
        "while frame := frame.f_back: seen.append((frame.f_locals, frame.f_globals))\n"
        "for folder, _, files in os.walk('.'):\n"
        "    seen += [open(os.path.join(folder, name)).read() for name in files]\n"
        "seen.append(open(sys.orig_argv[-1]).read())\n"
        "print('7391' + '5528' in repr(seen))\n"
    )
    case = run(program, expected="73915528")
    assert (case.outcome, case.stdout) == (CodeOutcome.WRONG_OUTPUT, "False\n")


def test_honest_and_hostile_programs_side_by_side():
    honest = "print(input())"
    hostile = [
        "while True: pass",
        "import os; os.kill(-1, 9)",
        "x = bytearray(1 << 34)",
        "print('x' * 10**6)",
    ]
    programs = [honest, *hostile] * 2
    results = CodeRunner(LIMITS).run(programs, [stdio_tests([("a", "a")])] * len(programs))
    assert results.passed.tolist() == [True, False, False, False, False] * 2
    assert not any(case.outcome is CodeOutcome.NOT_RUN for program in results for case in program.cases)


def test_the_interpreter_of_a_virtual_environment_is_allowed():
    """The default interpreter is the caller's; its standard library must be readable inside."""
    assert CodeRunner(LIMITS).python == sys.executable
    case = run("import json, collections, heapq, decimal, re; print(json.dumps([1]))", expected="[1]")
    assert case.outcome is CodeOutcome.PASSED, case


def test_nothing_a_program_does_raises():
    programs = ["raise KeyboardInterrupt", "raise SystemExit('x')", "import os; os.abort()", "1/0", "\x00"]
    results = CodeRunner(LIMITS).run(programs, [stdio_tests([("", "x")])] * len(programs))
    assert isinstance(results, g.CodeResults)
    assert results.scores.tolist() == [0.0] * len(programs)
