"""Whatever state the trainer's process is in, verdicts are right, and its end leaves nothing behind.

Each test is a script that a Python of its own runs, as most of these states cannot be taken back.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

pytestmark = [pytest.mark.usefixtures("sandbox"), pytest.mark.timeout(300)]

BEGIN = """
import json, os, resource, signal, sys, threading, time
from grpo_rs import (
    CodeOutcome, CodeRunner, InputError, IsolationLevel, Limits, SandboxUnavailable, call_tests, stdio_tests
)
ADD = "a, b = map(int, input().split()); print(a + b)"
SUMS = stdio_tests([("1 2", "3"), ("5 7", "12")])
ANY = stdio_tests([("", "")])

def works(runner, count=4):
    results = runner.run([ADD, "print(3)"] * count, [SUMS] * (2 * count))
    assert results.scores.tolist() == [1.0, 0.5] * count, [result.note for result in results]
    return True

def printed(runner, program):
    return runner.run([program], [ANY])[0].cases[0].stdout
"""
FULL, LANDLOCK = "None", "IsolationLevel.LANDLOCK"
LEVELS = pytest.mark.parametrize("level", [FULL, LANDLOCK], ids=["full", "landlock"])


def script(code):
    return BEGIN + textwrap.dedent(code)


def drive(code, *, variables=None, timeout=120, **options):
    """Runs a script to its end and returns what it wrote to stdout; nothing else may go wrong."""
    done = subprocess.run(
        [sys.executable, "-c", script(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | (variables or {}),
        **options,
    )
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stdout, done.stderr)
    return done.stdout


# ---- signals and children -------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "reap"])
def test_children_that_are_reaped_by_the_kernel_or_by_a_handler(handler):
    drive(f"""
        def reap(*_):
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pass
        signal.signal(signal.SIGCHLD, {handler})
        for _ in range(3):
            with CodeRunner(workers=2) as runner:
                assert works(runner)
                children = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()
                try:
                    os.kill(int(children[0]), signal.SIGKILL)
                except (ChildProcessError, ProcessLookupError):
                    pass
                assert works(runner)
    """)


def test_a_thread_that_reaps_everything():
    drive("""
        over = threading.Event()
        def reap():
            while not over.is_set():
                try:
                    os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    pass
                time.sleep(0.0005)
        thread = threading.Thread(target=reap)
        thread.start()
        for _ in range(4):
            with CodeRunner(workers=2) as runner:
                assert works(runner)
                children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
                os.kill(int(children[0]), signal.SIGKILL)
                assert works(runner)
        over.set()
        thread.join()
    """)


def test_blocked_and_handled_signals_stay_the_trainers():
    program = (
        "import signal; print(signal.pthread_sigmask(0, []), [signal.getsignal(n) for n in (10, 12, 15)])"
    )
    out = drive(f"""
        with CodeRunner(workers=1) as runner:
            normal = printed(runner, {program!r})
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        with CodeRunner(workers=1) as runner:
            print(printed(runner, {program!r}) == normal, "set()" in normal)
    """)
    assert out == "True True\n"


# ---- descriptors ----------------------------------------------------------------------------------------


def test_thousands_of_descriptors_are_not_inherited():
    program = """
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
import os
print([fd for fd in range(8192) if is_open(fd)])
"""
    out = drive(f"""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 6000), hard))
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(3000)]
        for fd in files: os.set_inheritable(fd, True)
        with CodeRunner(workers=2) as runner:
            assert works(runner)
            print(printed(runner, {program!r}))
    """)
    assert set(json.loads(out)) <= {0, 1, 2, 4}


@pytest.mark.parametrize("closed", [(0,), (2,), (1, 2), (0, 1, 2)])
def test_a_trainer_without_standard_streams(tmp_path, closed):
    """And whatever writes to their numbers later does not reach the sandbox."""
    code = f"""
        try:
            with CodeRunner(workers=2) as runner:
                assert works(runner)
                for fd in {closed}:
                    for write in (lambda: os.write(fd, b"x" * 4096), lambda: os.read(fd, 1)):
                        if not os.path.exists(f"/proc/self/fd/{{fd}}"):
                            continue
                        try:
                            os.set_blocking(fd, False)
                            write()
                        except OSError:
                            pass
                assert works(runner)
            verdict = "works"
        except BaseException as error:
            verdict = repr(error)
        open(sys.argv[1], "w").write(verdict)
    """
    subprocess.run(
        [sys.executable, "-c", script(code), tmp_path / "verdict"],
        check=True,
        timeout=120,
        preexec_fn=lambda: [os.close(fd) for fd in closed],
    )
    assert (tmp_path / "verdict").read_text() == "works"


@LEVELS
def test_too_few_descriptors_are_a_clear_error_and_leave_nothing(tree, own_tmp, level):
    out = drive(f"""
        import warnings
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with CodeRunner(workers=1, max_isolation={level}) as runner:
            assert works(runner)
        least = len(os.listdir("/proc/self/fd"))
        seen = []
        for room in range(-1, 16):
            runner = CodeRunner(workers=1, max_isolation={level}, min_isolation=IsolationLevel.LANDLOCK)
            resource.setrlimit(resource.RLIMIT_NOFILE, (least + room, hard))
            try:
                result = runner.run([ADD], [SUMS])[0]
                seen.append("works" if result.passed else result.note)
            except SandboxUnavailable as error:
                seen.append(str(error))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                runner.close()
        assert len(os.listdir("/proc/self/fd")) == least
        assert not open(f"/proc/self/task/{{os.getpid()}}/children").read()
        print(json.dumps(seen))
    """)
    seen = json.loads(out)
    refused = [text for text in seen if text != "works"]
    assert refused
    assert seen[len(refused) :] == ["works"] * (len(seen) - len(refused)) != []
    assert all("many open files" in text for text in refused), refused
    assert list(own_tmp.iterdir()) == []


# ---- environment, folders -------------------------------------------------------------------------------


def test_the_trainers_environment_does_not_matter_and_is_not_seen(tmp_path):
    for name in ("sitecustomize", "usercustomize", "random", "startup", "re"):
        (tmp_path / f"{name}.py").write_text("import sys; sys.exit('the trainer\\'s own file was loaded')")
    out = drive(f"""
        os.environ |= {{
            "PYTHONHOME": {str(tmp_path)!r},
            "PYTHONPATH": {str(tmp_path)!r},
            "PYTHONSTARTUP": {str(tmp_path / "startup.py")!r},
            "PYTHONINSPECT": "1",
            "PYTHONVERBOSE": "1",
            "PYTHONWARNINGS": "error",
            "PYTHONOPTIMIZE": "2",
            "PYTHONMALLOC": "debug",
            "LD_PRELOAD": "/nowhere.so",
            "LD_LIBRARY_PATH": {str(tmp_path)!r},
            "LC_ALL": "C",
            "API_KEY": "secret",
        }}
        os.environ |= {{f"LONG_{{i}}": "x" * 100_000 for i in range(20)}}
        os.chdir({str(tmp_path)!r})
        with CodeRunner(workers=2) as runner:
            assert works(runner)
            program = "import os, random, sys; print(sorted(os.environ), sys.flags.optimize, __debug__)"
            print(printed(runner, program))
            # Inherited by the children of the trainer that come after.
            os.environ.pop("PYTHONINSPECT")
    """)
    assert out.strip().endswith("] 0 True")
    assert "secret" not in out
    assert "API_KEY" not in out
    assert "LONG_" not in out


@LEVELS
def test_a_working_folder_that_is_gone(tmp_path, level):
    drive(
        f"""
        folder = {str(tmp_path / "gone")!r}
        os.mkdir(folder)
        os.chdir(folder)
        os.rmdir(folder)
        with CodeRunner(workers=2, max_isolation={level}) as runner:
            assert works(runner)
        """
    )


@pytest.mark.parametrize("kind", ["spaces", "link", "relative", "umask"])
def test_folders_for_temporary_files(tmp_path, kind):
    """Where there is no file system of its own, programs have a folder in TMPDIR."""
    real = tmp_path / ("a b\tä" if kind == "spaces" else "real")
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    named = {"link": str(tmp_path / "link"), "relative": "real"}.get(kind, str(real))
    out = drive(
        f"""
        os.umask({0 if kind == "umask" else 0o22})
        with CodeRunner(workers=2, max_isolation=IsolationLevel.LANDLOCK) as runner:
            assert works(runner)
            print(json.dumps([os.stat(os.path.join({str(real)!r}, name)).st_mode
                              for name in os.listdir({str(real)!r})]))
            assert printed(runner, "open('x', 'w').write('1'); print(open('x').read())") == "1\\n"
        """,
        variables={"TMPDIR": named},
        cwd=tmp_path,
    )
    modes = json.loads(out)
    assert modes
    assert {stat.S_IMODE(mode) for mode in modes} == {0o700}
    assert list(real.iterdir()) == []


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "/proc"])
def test_no_folder_for_temporary_files_is_a_clear_error(folder):
    out = drive(
        """
        with CodeRunner(workers=1, max_isolation=IsolationLevel.LANDLOCK) as runner:
            try:
                runner.run([ADD], [SUMS])
            except SandboxUnavailable as error:
                print(error)
        """,
        variables={"TMPDIR": folder},
    )
    assert "TMPDIR" in out
    assert folder in out


# ---- threads, forks, other processes --------------------------------------------------------------------

FORKS = """
import warnings
warnings.simplefilter("ignore")
with CodeRunner(workers=2) as runner:
    assert works(runner)
    over, errors = threading.Event(), []
    def work():
        while not over.is_set():
            try:
                works(runner)
            except BaseException as error:
                errors.append(error)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    for i in range(4):
        time.sleep(0.05)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                if i % 2 == 0:  # a pool of its own, or none
                    works(runner)
                    runner.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
    over.set()
    for thread in threads: thread.join()
    assert not errors, errors
    assert works(runner)
"""


def test_forks_while_threads_run_programs():
    drive(FORKS)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_of_multiprocessing(tmp_path, method):
    """As data loaders have them: each uses the reward with a pool of its own, and ends without closing it."""
    file = tmp_path / "trainer.py"
    file.write_text(
        BEGIN
        + textwrap.dedent(f"""
            import multiprocessing, warnings
            warnings.simplefilter("ignore")
            runner = CodeRunner(workers=1)
            def task(i):
                return runner.run([ADD, f"print({{i}})"], [SUMS, stdio_tests([("", str(i))])]).scores.tolist()
            if __name__ == "__main__":
                if {method!r} == "fork":
                    assert works(runner)
                with multiprocessing.get_context({method!r}).Pool(2) as pool:
                    assert pool.map(task, range(6)) == [[1.0, 1.0]] * 6
                assert works(runner)
        """)
    )
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- ends -----------------------------------------------------------------------------------------------

BUSY = """
runner = CodeRunner(Limits(wall_s=60.0, cpu_s=60.0), workers=2, max_isolation={level})
programs = [
    "i = 0\\nwhile True:\\n    open(str(i % 99), 'w').write('x')\\n    i += 1",
    "import time; time.sleep(60)",
]
stream = runner.stream(programs * 4, [ANY] * 8)
threading.Thread(target=lambda: next(stream), daemon=True).start()
time.sleep(0.6)
print("busy", flush=True)
"""


@pytest.mark.parametrize(
    ("level", "number"),
    [(FULL, signal.SIGKILL), (LANDLOCK, signal.SIGKILL), (FULL, signal.SIGTERM), (LANDLOCK, signal.SIGABRT)],
)
def test_a_killed_trainer_leaves_nothing(tree, own_tmp, level, number):
    code = BEGIN + BUSY.format(level=level) + "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout.readline() == "busy\n"
        below = tree.descendants(trainer.pid)
        assert len(below) >= 6
        trainer.send_signal(number)
        trainer.wait()
    assert tree.are_gone(below, 5.0)
    assert tree.wait_until(lambda: list(own_tmp.iterdir()) == [], 5.0)


@LEVELS
def test_a_supervisor_and_its_trainer_killed_at_once(tree, own_tmp, level):
    """Nobody is left to clear up, so the folder may stay where there is one, but no process does."""
    code = BEGIN + BUSY.format(level=level) + "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout.readline() == "busy\n"
        below = tree.descendants(trainer.pid)
        trainer.kill()
        os.kill(below[0].pid, signal.SIGKILL)
        trainer.wait()
    assert tree.are_gone(below, 5.0)
    assert tree.wait_until(lambda: len(list(own_tmp.iterdir())) <= (level == LANDLOCK), 5.0)


@pytest.mark.parametrize(
    ("level", "end"), [(FULL, "sys.exit(3)"), (LANDLOCK, "sys.exit(3)"), (LANDLOCK, "os._exit(3)")]
)
def test_a_trainer_that_ends_in_the_middle(tree, own_tmp, level, end):
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + BUSY.format(level=level) + end],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "busy\n", "")
    assert time.monotonic() - begin < 20
    assert tree.wait_until(lambda: list(own_tmp.iterdir()) == [], 5.0)
    assert tree.wait_until(lambda: not tree.descendants(), 5.0)
