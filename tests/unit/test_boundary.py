"""The boundary between Python and Rust: the GIL, panics, signals, forks, addresses."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs import _core


def run_python(code, **environment):
    """Runs code in a fresh interpreter: what it does to the process stays there."""
    # 3.12 and later warn about any fork with threads; that the pool survives one is what is tested.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def address(array):
    return array.__array_interface__["data"][0]


# ---- the GIL, panics, Ctrl-C ----------------------------------------------------------------------------


def test_python_threads_run_during_a_long_call():
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.wait(0.002):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.monotonic()
    _core._selftest("sleep", value=400)
    end = time.monotonic()
    stop.set()
    thread.join()
    during = sum(begin < tick < end for tick in ticks)
    # With the GIL held there would be none; freely running, about 200.
    assert during > 20


@pytest.mark.parametrize(("items", "lowest"), [(1, 0), (2, 1), (7, 3), (200, 100)])
def test_a_panic_is_one_exception_that_names_the_lowest_index(items, lowest):
    # The second half of the items panics, on several threads in any order.
    with pytest.raises(g.InternalError, match=rf"^input {lowest}: asked to panic\. .*report it"):
        _core._selftest("panic", value=items)


def test_the_pool_works_after_a_panic():
    for _ in range(3):
        with pytest.raises(g.InternalError):
            _core._selftest("panic", value=8)
        assert g.verify_math(["#### 5"] * 50, ["5"] * 50).scores.sum() == 50


def test_ctrl_c_ends_a_long_call():
    code = """
import time
from grpo_rs import _core
begin = time.monotonic()
print("begun", flush=True)
try:
    _core._selftest("sleep", value=20_000)
except KeyboardInterrupt:
    print("interrupted after", time.monotonic() - begin, flush=True)
from grpo_rs import verify_math
print("and then", verify_math(["5"], ["5"]).scores.tolist())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    elapsed = re.match(r"interrupted after ([\d.]+)\nand then \[1\.0\]\n$", output)
    assert elapsed, output
    assert float(elapsed[1]) < 5


def test_a_signal_handler_that_does_not_raise_does_not_end_the_call():
    code = """
import signal, threading, os
from grpo_rs import _core
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
seconds = _core._selftest("sleep", value=400)
print(len(seen), seconds >= 0.39)
"""
    assert run_python(code).stdout == "1 True\n"


# ---- forks and the pool ---------------------------------------------------------------------------------


def test_the_pool_survives_a_fork():
    code = """
import os
from grpo_rs import _core, verify_math
verify_math(["5"] * 100, ["5"] * 100)  # the parent's pool has threads now
child = os.fork()
if child == 0:
    scores = verify_math(["#### 6", "#### 5"] * 50, ["5"] * 100).scores
    os._exit(0 if scores.sum() == 50 else 1)
print("child", os.waitpid(child, 0)[1], "parent", verify_math(["5"], ["5"]).scores.tolist())
"""
    result = run_python(code)
    assert result.stdout == "child 0 parent [1.0]\n", result.stderr


def test_a_fork_during_another_threads_call_survives():
    code = """
import os, threading, time
from grpo_rs import _core, verify_math
thread = threading.Thread(target=_core._selftest, args=("sleep",), kwargs={"value": 500})
thread.start()
time.sleep(0.1)
child = os.fork()
if child == 0:
    os._exit(0 if verify_math(["5"] * 20, ["5"] * 20).scores.sum() == 20 else 1)
status = os.waitpid(child, 0)[1]
thread.join()
print("child", status)
"""
    result = run_python(code)
    assert result.stdout == "child 0\n", result.stderr


def test_multiprocessing_with_the_fork_context():
    code = """
import multiprocessing
from grpo_rs import verify_math
def work(gold):
    return verify_math(["5"] * 10, [gold] * 10).scores.tolist()
work("5")
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, ["5", "6"]) == [[1.0] * 10, [0.0] * 10])
"""
    result = run_python(code)
    assert result.stdout == "True\n", result.stderr


def test_the_number_of_threads_is_read_from_the_environment():
    code = "from grpo_rs import _core; print(_core._selftest('threads'))"
    assert run_python(code, GRPO_RS_NUM_THREADS="3").stdout == "3\n"
    available = len(os.sched_getaffinity(0))
    environment = {name: value for name, value in os.environ.items() if name != "GRPO_RS_NUM_THREADS"}
    bare = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert 1 <= int(bare.stdout) <= available


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5", "\udcff"])
def test_a_bad_number_of_threads_is_a_clear_error(value):
    code = """
import grpo_rs
try:
    grpo_rs.verify_math(["5"], ["5"])
except grpo_rs.InputError as error:
    print(error)
"""
    result = run_python(code, GRPO_RS_NUM_THREADS=value)
    assert re.match(r'GRPO_RS_NUM_THREADS=".*": give a whole number of at least 1\n$', result.stdout), result


# ---- arrays and texts -----------------------------------------------------------------------------------


def test_arrays_come_in_at_their_own_address():
    array = np.arange(1000.0)
    assert _core._selftest("array_in", array=array) == array.ctypes.data == address(array)
    # A contiguous part of an array is borrowed where it lies, too.
    assert _core._selftest("array_in", array=array[10:]) == array.ctypes.data + 80


def test_arrays_go_out_at_rusts_address():
    rust, array = _core._selftest("array_out", value=1000)
    assert rust == array.ctypes.data == address(array)
    assert array.dtype == np.float64
    assert array.shape == (1000,)
    assert (array == 0.5).all()
    array[0] = 2.0  # Python owns it now
    assert array[0] == 2.0


def test_a_strided_array_is_refused_with_the_remedy():
    array = np.arange(10.0)
    for strided in (array[::2], array[::-1], np.zeros((4, 4))[:, 1]):
        with pytest.raises(g.InputError, match=r"not contiguous: pass numpy\.ascontiguousarray\(array\)"):
            _core._selftest("array_in", array=strided)
        _core._selftest("array_in", array=np.ascontiguousarray(strided))
    with pytest.raises(g.InputError, match="not contiguous"):
        _core.moments(array[::2], None)


def test_another_dtype_is_refused_not_converted():
    with pytest.raises(TypeError):
        _core._selftest("array_in", array=np.arange(4, dtype=np.float32))


def utf8_address(text):
    """Where CPython keeps the text's UTF-8."""
    function = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.py_object, ctypes.POINTER(ctypes.c_ssize_t)]
    return function(text, ctypes.byref(ctypes.c_ssize_t()))


@pytest.mark.parametrize("text", ["plain", "Fünf Äpfel", "答案是5。", "🍎" * 1000])
def test_texts_are_borrowed_not_copied(text):
    text = "".join(list(text))  # not a constant that others use too
    seen = _core._selftest("text", text=text)
    assert seen == _core._selftest("text", text=text)
    assert seen == utf8_address(text)
    assert ctypes.string_at(seen).decode() == text


def test_lone_surrogates_are_repaired():
    """Tokenizers emit them; UTF-8 cannot hold them."""
    broken = "\ud83d the answer is 5"
    assert isinstance(_core._selftest("text", text=broken), int)
    verdicts = g.verify_math([broken, "5 \udc00", "\ud800"], ["5", "5", "\udfff 5"])
    assert verdicts.outcome(0) is g.MathOutcome.CORRECT
    assert "5" in verdicts.explain(0)
    assert verdicts.outcome(1) is g.MathOutcome.CORRECT
    assert verdicts.outcome(2) is not g.MathOutcome.CORRECT
    start, end = verdicts.spans[0]
    assert broken.encode("utf-8", "surrogatepass")[start:end] == b"5"
    seen = g.verify_math(["\ud7ff \ud800\udfff \ue000 \U0010ffff"], ["x"], extract="whole").explain(0)
    assert '"\ud7ff \ufffd\ufffd \ue000 \U0010ffff"' in seen  # nothing but the surrogates is touched


def test_str_subclasses_are_texts():
    class Text(str):
        __slots__ = ()

    assert g.verify_math([Text("#### 5"), np.str_("5")], [Text("5"), "5"]).scores.tolist() == [1.0, 1.0]


def test_unknown_probe():
    with pytest.raises(g.InputError, match="unknown probe"):
        _core._selftest("nothing")
    with pytest.raises(g.InputError, match="do not belong"):
        _core._selftest("sleep", text="x")


def test_concurrent_calls_give_what_sequential_calls_give():
    predictions = [f"so \\boxed{{{i % 7}/{1 + i % 5}}}" for i in range(300)]
    batches = [[f"{i % k}/{1 + i % 5}" for i in range(300)] for k in range(3, 11)]

    def verify(golds):
        verdicts = g.verify_math(predictions, golds)
        return verdicts.outcomes.tobytes(), verdicts.spans.tobytes()

    sequential = [verify(golds) for golds in batches]
    assert len(set(sequential)) > 1
    with ThreadPoolExecutor(16) as executor:
        for _ in range(5):
            assert list(executor.map(verify, batches)) == sequential
