"""What runs inside the sandbox: the Python half of a zygote and of its children.

This file is sent as text to a process that cannot read the package, so it imports nothing of `grpo_rs`;
what it needs of the compiled module is handed to `main`. It runs beside hostile programs, keeps no secret and
settles no verdict that counts as "outside": what a program makes it say is judged elsewhere, as plain values.

A child's descriptors: 0, 1, 2 the standard streams; 3 frames in; 4 frames out. A child that holds tests also
has 5 and 6, frames to and from the child that holds the solution. A frame is a 4-byte little-endian length,
then that many bytes: one encoded value.

Differences from `python program.py`: objects in a reference cycle when the program ends are not finalised; an
uncaught KeyboardInterrupt exits with status 130 instead of dying of SIGINT; `random` and `numpy.random`, if
they are preloaded, start from the same state in every run; a coding cookie is ignored, the source is text;
exceptions that the interpreter itself prints, such as a thread's, lack the program's source lines.
"""

from __future__ import annotations

import _ast
import _collections  # type: ignore[import-not-found]  # in C: what `collections` takes deque from
import _io
import _operator
import atexit
import builtins
import gc
import posix
import sys
from types import FunctionType, ModuleType

TYPE_CHECKING = False  # typing itself is never imported here: it would triple the memory of the lean zygote
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, NoReturn

STDIO, CALLS, TESTER, UNITTEST = range(4)

REQUESTS, REPLIES = 3, 4
TO_SOLUTION, FROM_SOLUTION = 5, 6

PROGRAM_FILE, SOLUTION_FILE, TESTS_FILE, SETUP_FILE = "program.py", "solution.py", "tests.py", "setup.py"
RECURSION_LIMIT = 1000
# What a zygote runs ahead, often enough that the interpreter adapts its code to it.
SAMPLE = b"a, b = map(int, input().split())\nprint(a + b)\n"
SAMPLE_INPUT = b"1 2\n"
REHEARSALS = 20
# How CPython allocates up to 512 bytes: from pools of 16 KiB, each for the sizes up to one multiple of 16.
POOL_BYTES, POOL_HEADER_BYTES = 1 << 14, 48
LARGEST_BLOCK = 512
MAX_FILLERS = 512
EMPTY_BYTES = sys.getsizeof(b"")
MAX_MESSAGE = 4096
MAX_FRAME = 64 << 20

# Functions made from here on look builtins up in this copy: a program may rebind them without breaking us.
globals()["__builtins__"] = dict(vars(builtins))

class_name: Callable[[type], str] = type.__dict__["__name__"].__get__
class_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__


# ---- the zygote's preparation and the child's entry -----------------------------------------------------


def prepare(preload: list[str]) -> list[str]:
    """Readies a zygote that has just been sandboxed; returns the modules that could not be imported."""
    _add_exit_and_quit()
    sys.argv[:] = [PROGRAM_FILE]
    sys.orig_argv[:] = ["python", PROGRAM_FILE]
    missing = []
    for name in preload:
        try:
            __import__(name)
        except Exception:  # absent, or in need of something that the sandbox refuses
            missing.append(name)
    # The first compile() of a process makes all node types, and the first traceback imports what finds the
    # marks under a line: each at the cost of a whole run.
    instrument("assert 1", None, None)
    if "traceback" in sys.modules:
        _format_a_traceback()
    try:  # noqa: SIM105
        _open_streams_on_pipes()
    except OSError:  # without standard descriptors, or not allowed: each child opens its own
        pass
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)
    gc.collect()
    _fill_pools()
    gc.freeze()  # so that no collection in a child writes to the pages it shares
    return missing


def main(core: Any, mode: int, payload: bytes) -> NoReturn:
    """Runs what `payload` holds, in a child, right after the fork. Never returns."""
    status = 70  # EX_SOFTWARE: a fault of ours
    try:
        if "random" in sys.modules:  # which seeds itself anew after a fork
            sys.modules["random"].seed(0)
        sys.setrecursionlimit(RECURSION_LIMIT + _depth())
        streams = _ready_streams or _open_standard_streams()
        if mode == STDIO:
            posix.close(REQUESTS)
            source = _text(payload)
            module = _new_program(source)
            status = _run_program(core, module, source)
            _finish(module)
        elif mode == CALLS:
            status = _serve_solution(core, core.decode_value(payload))
        elif mode == TESTER:
            status = _run_split_tests(core, core.decode_value(payload))
        elif mode == UNITTEST:
            status = _run_unittests(core, core.decode_value(payload))
        _flush(streams)
    except BaseException as error:
        _print_exception(error)
    finally:
        posix._exit(status)


# Each page that a child is the first to write to costs it a copy, a microsecond or more. So a zygote does
# ahead what its children would otherwise do first, and leaves them memory that lies together.


def _rehearse() -> None:
    """Runs a program with the standard streams on a pipe, as `main` does, up to what ends a process.

    Afterwards the caches of the interpreter are warm, and its adaptive code is adapted.
    """
    main_module = sys.modules["__main__"]
    posix.write(1, SAMPLE_INPUT)
    try:
        streams = _open_standard_streams()
        _depth()
        source = _text(SAMPLE)
        module = _new_program(source)
        _run_program(None, module, source)
        _clear(module.__dict__)
        _flush(streams)
    finally:
        sys.modules["__main__"] = main_module
    posix.read(0, len(SAMPLE_INPUT))  # what it printed


_fillers: list[Any] = []


def _fill_pools() -> None:
    """Takes what is free in partly used pools, so that a child's objects lie side by side in new ones.

    Where memory is allocated in another way, this does nothing but waste a little of it.
    """
    size = 48
    while size <= LARGEST_BLOCK:
        _fill_pool(bytes, size - EMPTY_BYTES)
        size += 16
    _fill_pool(object)  # 16 bytes
    _fill_pool(int, "1000")  # 32 bytes


def _fill_pool(make: Callable[..., Any], *args: Any) -> None:
    count = 0
    while count < MAX_FILLERS:
        block = make(*args)
        _fillers.append(block)
        if id(block) % POOL_BYTES == POOL_HEADER_BYTES:  # the first of a pool
            return
        count += 1


def _format_a_traceback() -> None:
    source = "1 / 0"
    try:
        exec(_compile(source, PROGRAM_FILE), {"__name__": "", "__loader__": _Loader(source)})
    except ZeroDivisionError as error:
        sys.modules["traceback"].format_exception(error)
    sys.modules["linecache"].clearcache()


def _add_exit_and_quit() -> None:
    """`exit` and `quit`, which an interpreter started with -S lacks."""
    from _sitebuiltins import Quitter

    for name in ("exit", "quit"):
        setattr(builtins, name, Quitter(name, "Ctrl-D (i.e. EOF)"))


def _depth() -> int:
    """The frames below the program's own, which its recursion limit must not pay for."""
    frame = sys._getframe()
    depth = 2  # exec and the function that calls it; this function and main stand for themselves
    while frame.f_back is not None:
        depth += 1
        frame = frame.f_back
    return depth


_ready_streams: list[Any] = []


def _open_streams_on_pipes() -> None:
    """Opens the children's standard streams ahead: unused, they know a number and that it is a pipe."""
    saved = [posix.dup(fd) for fd in range(3)]
    reader, writer = posix.pipe()
    try:
        for fd in range(3):
            posix.dup2(writer if fd else reader, fd)
        posix.set_blocking(0, False)  # a program that prints nothing must not hold us up
        for _ in range(REHEARSALS):
            _rehearse()
        _ready_streams.extend(_open_standard_streams())
    finally:
        for fd, old in enumerate(saved):
            posix.dup2(old, fd)
        for fd in (reader, writer, *saved):
            posix.close(fd)


def _open_standard_streams() -> list[Any]:
    """New stdin, stdout and stderr; the zygote's know of other files under the same numbers.

    The result keeps them alive, so that one which the program replaces is flushed all the same.
    """
    streams = []
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        mode = "w" if fd else "r"
        errors = "backslashreplace" if name == "stderr" else "strict"
        binary: Any = _io.open(fd, mode + "b", closefd=False)
        binary.raw.name = f"<{name}>"
        stream = _io.TextIOWrapper(binary, "utf-8", errors, "\n", line_buffering=fd == 2)
        stream.mode = mode  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        streams.append(stream)
    return streams


def _flush(streams: list[Any]) -> None:
    """Flushes what the program may have left unwritten, in the streams that it was given or put there."""
    for stream in (sys.stdout, sys.stderr, *streams[1:]):
        try:  # noqa: SIM105 - contextlib is not worth its pages
            stream.flush()
        except BaseException:  # closed, a reader that went away, or no stream at all
            pass


def _text(source: bytes) -> str:
    return source.decode("utf-8", "surrogatepass").removeprefix("\ufeff")


# ---- exceptions -----------------------------------------------------------------------------------------


def _type_name(error: BaseException) -> str:
    return str(class_name(type(error)))


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE]
    except BaseException:  # the program's own __str__
        return "<exception str() failed>"


def _mro_names(cls: type) -> list[str]:
    return [class_name(base) for base in class_mro(cls)]


def _line(error: BaseException, filename: str) -> int:
    """The innermost line of the file that the exception passed through; 0 if it passed through none."""
    line = 0
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            line = traceback.tb_lineno or 0
        traceback = traceback.tb_next
    if not line and isinstance(error, SyntaxError):
        line = error.lineno if type(error.lineno) is int else 0
    return line


def _raised(error: BaseException, filename: str) -> tuple[Any, ...]:
    return ("raise", _type_name(error), _message(error), _line(error, filename))


def _compile(source: str, filename: str) -> Any:
    """As `compile`, but every way in which a text is no program is a SyntaxError."""
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError:
        raise
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise SyntaxError(f"{_type_name(error)}: {_message(error)}") from None


def _print_exception(error: BaseException) -> None:
    """As the interpreter prints an uncaught exception."""
    try:
        hook = sys.excepthook
        if hook is not sys.__excepthook__:
            hook(type(error), error, error.__traceback__)
            return
        # Unlike the interpreter's own hook, this finds the source through the module's loader.
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
    except BaseException:
        posix.write(2, f"{_type_name(error)}: {_message(error)}\n".encode(errors="backslashreplace"))


class _Loader:
    """Lets tracebacks and `inspect` find the source of a module that has no file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def get_source(self, name: str) -> str:
        return self.source


def _new_module(name: str, filename: str, source: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = filename
    module.__loader__ = _Loader(source)  # type: ignore[assignment]
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module


# ---- a whole program on real streams --------------------------------------------------------------------


def _new_program(source: str) -> ModuleType:
    module = _new_module("__main__", PROGRAM_FILE, source)
    module.__dict__["__cached__"] = None
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    return module


def _run_program(core: Any, module: ModuleType, source: str) -> int:
    """Runs the source as `python program.py` does and returns the exit status."""
    status = 0
    try:
        exec(_compile(source, PROGRAM_FILE), module.__dict__)
    except SystemExit as request:
        status = _exit_status(request)
    except BaseException as error:
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
        _report_uncaught(core, error)
    return status


def _report_uncaught(core: Any, error: BaseException) -> None:
    outermost = error.__traceback__
    while outermost is not None and outermost.tb_frame.f_globals is globals():
        outermost = outermost.tb_next
    error.__traceback__ = outermost
    try:  # noqa: SIM105
        _send(REPLIES, core.encode_value(_raised(error, PROGRAM_FILE)))
    except BaseException:  # a program may have closed every descriptor
        pass
    _print_exception(error)


def _exit_status(request: SystemExit) -> int:
    code = request.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    try:
        print(code, file=sys.stderr)
    except BaseException as error:  # the object's own __str__, or a stderr that is gone
        _print_exception(error)
    return 1


def _finish(module: ModuleType) -> None:
    """What the interpreter does between the end of the program and its own.

    Clearing the globals is what flushes a file that was never closed, `out = open(1, "w")` among them.
    """
    steps: list[Callable[[], Any]] = [atexit._run_exitfuncs, lambda: _clear(module.__dict__)]
    if "threading" in sys.modules:
        steps.insert(0, sys.modules["threading"]._shutdown)
    for step in steps:
        try:
            step()
        except BaseException as error:
            _print_exception(error)


def _clear(names: dict[str, Any]) -> None:
    """Drops a module's globals in the interpreter's order: private names first."""
    for private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (not private or (name[:1] == "_" and name[:2] != "__")):
                names[name] = None


# ---- frames ---------------------------------------------------------------------------------------------


def _send(fd: int, data: bytes) -> None:
    rest = memoryview(len(data).to_bytes(4, "little") + data)
    while rest:
        rest = rest[posix.write(fd, rest) :]


class _Frames:
    """The frames that arrive on a descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending = b""

    def next(self) -> bytes | None:
        """The next frame; None at the end of the stream.

        Raises:
            ValueError: a frame is longer than any that would be answered.
        """
        header = self._take(4)
        if header is None:
            return None
        length = int.from_bytes(header, "little")
        if length > MAX_FRAME:
            raise ValueError(f"a frame of {length} bytes")
        return self._take(length)

    def _take(self, count: int) -> bytes | None:
        if len(self.pending) < count:
            chunks = [self.pending]
            missing = count - len(self.pending)
            while missing > 0:
                chunk = posix.read(self.fd, max(missing, 1 << 16))
                if not chunk:
                    return None
                chunks.append(chunk)
                missing -= len(chunk)
            self.pending = b"".join(chunks)
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken


# ---- values between a solution and its tests ------------------------------------------------------------

# In split mode more travels than values: objects that stay where they are, and references to arguments. They
# are tuples that begin with one of these marks; a real tuple that begins so is written behind ESCAPE.
ESCAPE, HANDLE, REFERENCE, NAME, CALLBACK = "\0", "\0handle", "\0reference", "\0name", "\0callback"

LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes, range, type(...)})
SUBCLASSED_LEAVES = (int, float, complex, str, bytes)  # their subclasses travel as what they hold
CODEC_LEAVES = frozenset(
    {("decimal", "Decimal"), ("fractions", "Fraction")}
    | {("datetime", name) for name in ("date", "time", "datetime", "timedelta")}
)
BUILTIN_TYPES = frozenset(value for value in vars(builtins).values() if isinstance(value, type))
CONTAINERS = (list, dict, set, bytearray, _collections.deque)  # what a call may change in place

# Operators on an object that stays in the other process: run there, like its methods.
BUILTIN_OPERATORS = frozenset(["len", "str", "repr", "iter", "next", "reversed"])


class _Wire:
    """One end of the connection between a solution and its tests."""

    def __init__(self, core: Any, frames: _Frames, fd: int) -> None:
        self.core = core
        self.frames = frames
        self.fd = fd
        # Of the call under way: the containers among its arguments in the order in which both ends meet them,
        # and the same by identity.
        self.met: list[Any] | None = None
        self.references: dict[int, int] = {}

    def send(self, *message: Any) -> None:
        _send(self.fd, self.core.encode_value(message))

    def export(self, value: Any) -> Any:
        """The value with everything that must stay here replaced by a mark."""
        cls = type(value)
        if cls in LEAVES:
            return value
        if isinstance(value, CONTAINERS):
            if id(value) in self.references:
                return (REFERENCE, self.references[id(value)])
            if self.met is not None:
                self.met.append(value)
        if isinstance(value, list):
            if _all_leaves(value):
                return list(list.__iter__(value))
            return [self.export(item) for item in list.__iter__(value)]
        if isinstance(value, tuple):
            exported = tuple(self.export(item) for item in tuple.__iter__(value))
            marked = exported and type(exported[0]) is str and exported[0][:1] == ESCAPE
            return (ESCAPE, *exported) if marked else exported
        if isinstance(value, dict):
            return {self.export(key): self.export(item) for key, item in dict.items(value)}
        if isinstance(value, frozenset):
            return frozenset(self.export(item) for item in frozenset.__iter__(value))
        if isinstance(value, set):
            return {self.export(item) for item in set.__iter__(value)}
        if isinstance(value, _collections.deque):
            return _collections.deque(self.export(item) for item in _collections.deque.__iter__(value))
        if isinstance(value, (bytearray, *SUBCLASSED_LEAVES)) or _is_codec_leaf(value):
            return value
        return self.export_other(value)

    def restore(self, value: Any) -> Any:
        """The other end's value, of fresh containers, with its marks replaced by what they stand for."""
        cls = type(value)
        if cls is tuple:
            mark = value[0] if value else None
            if type(mark) is str and mark[:1] == ESCAPE:
                if mark != ESCAPE:
                    return self.restore_mark(*value)
                value = value[1:]
            return tuple([self.restore(item) for item in value])
        if cls is frozenset:
            return frozenset([self.restore(item) for item in value])
        if cls not in CONTAINERS:
            return value
        fresh: Any = cls()
        if self.met is not None:
            self.met.append(fresh)
        if cls is dict:
            for key in value:
                fresh[self.restore(key)] = self.restore(value[key])
        elif cls is set:
            fresh.update([self.restore(item) for item in value])
        elif cls is bytearray or _all_leaves(value):
            fresh.extend(value)
        else:
            fresh.extend([self.restore(item) for item in value])
        return fresh

    def export_other(self, value: Any) -> Any:
        raise NotImplementedError

    def restore_mark(self, mark: str, *about: Any) -> Any:
        raise NotImplementedError


def _all_leaves(items: Any) -> bool:
    return set(map(type, items)) <= LEAVES


def _is_codec_leaf(value: Any) -> bool:
    cls = type(value)
    if cls is type:
        return value in BUILTIN_TYPES
    module = getattr(cls, "__module__", None)
    return (module, class_name(cls)) in CODEC_LEAVES or module == "numpy"


def _content(container: Any) -> list[Any]:
    """What a container holds: a dict's keys, then its values."""
    return [*container, *container.values()] if isinstance(container, dict) else list(container)


def _builtin_exception(mro: list[str], message: str) -> BaseException:
    """An exception of the first of the named classes that is builtin and takes a message."""
    for name in mro:
        cls = vars(builtins).get(name)
        if isinstance(cls, type) and issubclass(cls, BaseException):
            try:
                return cls(_Verbatim(message) if cls is KeyError else message)
            except TypeError:  # UnicodeError's subclasses
                continue
    return SolutionError(message)


class _Verbatim(str):
    """A message that a KeyError, which shows the repr of its key, shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


class SolutionError(Exception):
    """An exception of a class that only the solution knows."""


# ---- the solution's end: calls --------------------------------------------------------------------------


class _Missing(Exception):
    """A name that the solution does not define."""


def _serve_solution(core: Any, work: dict[str, Any]) -> int:
    """Executes a solution as a module and answers requests to call what it defines."""
    source = work["source"].removeprefix("\ufeff")
    module = _new_module("solution", SOLUTION_FILE, source)
    sys.modules["__main__"] = module
    solution = _Solution(core, module)
    try:
        exec(_compile(source, SOLUTION_FILE), module.__dict__)
    except BaseException as error:
        solution.send(*_raised(error, SOLUTION_FILE))
        return 1
    solution.send("ready")
    solution.serve()
    return 0


class _Solution(_Wire):
    def __init__(self, core: Any, module: ModuleType) -> None:
        super().__init__(core, _Frames(REQUESTS), REPLIES)
        self.names = module.__dict__
        self.handles = False
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}

    def serve(self) -> tuple[Any, ...] | None:
        """Answers requests up to the end of the stream, or to the result of a callback, which is returned."""
        while (frame := self.frames.next()) is not None:
            request: tuple[Any, ...] = self.core.decode_value(frame)
            if request[0] in ("return", "throw"):
                return request
            try:
                reply = self.answer(request)
            except _Missing as missing:
                reply = ("missing", missing.args[0])
            except BaseException as error:
                reply = (*_raised(error, SOLUTION_FILE), _mro_names(type(error)))
            self.reply(reply)
        return None

    def reply(self, reply: tuple[Any, ...]) -> None:
        opaque: list[Any] = []
        try:
            data = self.core.encode_value(reply, handle_for=opaque.append)
            whole = bool(opaque) and reply[0] in ("ok", "value") and opaque[0] is reply[1]
        except BaseException:  # too deep or too large
            whole = True
        if whole:
            data = self.core.encode_value(("opaque", class_name(type(reply[1]))))
        _send(self.fd, data)

    def answer(self, request: tuple[Any, ...]) -> tuple[Any, ...]:
        kind, *about = request
        if kind in ("call", "call!"):
            return self.call(*about, write_back=kind == "call!")
        if kind == "get":
            return self.describe(self.find(about[0]), about[0])
        if kind == "attr":
            try:
                value = getattr(self.objects[about[0]], about[1])
            except AttributeError:
                raise _Missing(about[1]) from None
            return self.describe(value, about[1])
        if kind == "set":
            setattr(self.objects[about[0]], about[1], self.restore(about[2]))
            return ("ok", None)
        if kind == "pin":
            return ("ok", self.handle(self.find(about[0])))
        if kind == "isinstance":
            return ("ok", isinstance(self.objects[about[0]], self.find(about[1])))
        if kind == "handles":
            self.handles = True
            return ("ok", None)
        raise _Missing(kind)

    def call(self, target: Any, args: Any, kwargs: Any, *, write_back: bool) -> tuple[Any, ...]:
        if not self.handles:
            before = _mutable_arguments(self.core, args, kwargs) if write_back else []
            value = self.function(target, args)(*args, **kwargs)
            mutated = {key: new for key, new, data in before if self.core.encode_value(new) != data}
            return ("ok", value, mutated) if mutated else ("ok", value)
        met: list[Any] = []
        self.met = met
        try:
            args, kwargs = self.restore(args), self.restore(kwargs)
        finally:
            self.met = None
        contents = [_content(container) for container in met] if write_back else []
        try:
            value = self.function(target, args)(*args, **kwargs)
        except _Missing:
            raise
        except BaseException as error:
            reply = (*_raised(error, SOLUTION_FILE), _mro_names(type(error)))
            return (*reply, self.changes(met, contents)) if write_back else reply
        if not write_back:
            exported = self.export(value)
            return ("handle", *exported[1:]) if _is_handle(exported) else ("ok", exported)
        # An argument that comes back, whole or within something else, comes back as itself.
        self.references = {id(container): number for number, container in enumerate(met)}
        try:
            return ("ok", self.export(value), self.changes(met, contents))
        finally:
            self.references = {}

    def changes(self, containers: list[Any], contents: list[Any]) -> dict[int, Any]:
        """The new contents, by number, of the containers that no longer hold what they held."""
        changed: dict[int, Any] = {}
        self.references = {id(container): number for number, container in enumerate(containers)}
        try:
            for number, (container, content) in enumerate(zip(containers, contents, strict=True)):
                now = _content(container)
                if len(now) != len(content) or not all(map(_operator.is_, now, content)):
                    changed[number] = [self.export(item) for item in now]
        finally:
            self.references = {}
        return changed

    def function(self, target: Any, args: tuple[Any, ...]) -> Any:
        """What a target names: a dotted name, an operator, an object or a method of one."""
        if type(target) is str:
            return self.find(target, args)
        kind, *about = target
        if kind == "operator":
            if about[0] in ("copy", "deepcopy"):
                return getattr(__import__("copy"), about[0])
            return getattr(builtins if about[0] in BUILTIN_OPERATORS else _operator, about[0])
        value = self.objects[about[0]]
        return getattr(value, about[1]) if len(about) > 1 else value

    def find(self, dotted: str, args: tuple[Any, ...] | None = None) -> Any:
        """The value of a dotted name; to be called with `args`, a method is bound to an instance."""
        first, *rest = dotted.split(".")
        if first in self.names:
            value = self.names[first]
        else:
            value = self.names.get("Solution")
            if rest or not isinstance(value, type) or first[:2] == "__" or not hasattr(value, first):
                raise _Missing(first)
            rest = [first]
        for name in rest:
            if args is not None and isinstance(value, type) and _needs_instance(value, name, args):
                value = value()
            try:
                value = getattr(value, name)
            except AttributeError:
                raise _Missing(dotted) from None
        return value

    def describe(self, value: Any, name: str) -> tuple[Any, ...]:
        if isinstance(value, type):
            return ("class", name, _mro_names(value) if issubclass(value, BaseException) else [])
        if isinstance(value, ModuleType):
            return ("module", value.__name__)
        if callable(value) and not (self.handles and _has_own_call(value)):
            return ("callable", name)
        if not self.handles:
            return ("value", value)
        exported = self.export(value)
        return ("handle", *exported[1:]) if _is_handle(exported) else ("value", exported)

    def handle(self, value: Any) -> tuple[Any, ...]:
        """A mark for an object that stays here; the same object always has the same."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return (HANDLE, number, class_name(type(value)))

    def export_other(self, value: Any) -> Any:
        return self.handle(value)

    def restore_mark(self, mark: str, *about: Any) -> Any:
        if mark == HANDLE:
            return self.objects[about[0]]
        if mark == NAME:
            return self.find(about[0])
        return self.callback(about[0])

    def callback(self, number: int) -> Callable[..., Any]:
        """A function of the tests, for the solution to call while one of its own is being called."""

        def function(*args: Any, **kwargs: Any) -> Any:
            self.send("callback", number, self.export(args), self.export(kwargs))
            result = self.serve()
            if result is None:  # the tests are over
                posix._exit(0)
            if result[0] == "return":
                return self.restore(result[1])
            raise _builtin_exception(result[1], result[2])

        return function


def _is_handle(exported: Any) -> bool:
    return type(exported) is tuple and len(exported) == 3 and exported[0] == HANDLE


def _mutable_arguments(core: Any, args: Any, kwargs: Any) -> list[tuple[Any, Any, bytes]]:
    """The arguments that a call may change: index or keyword, the argument, what it is now."""
    arguments = [*enumerate(args), *kwargs.items()]
    return [(key, value, core.encode_value(value)) for key, value in arguments if type(value) in CONTAINERS]


def _needs_instance(cls: type, name: str, args: tuple[Any, ...]) -> bool:
    """Whether an attribute of a class is a method for which no instance has been passed."""
    return type(_class_attribute(cls, name)) is FunctionType and not (args and isinstance(args[0], cls))


def _has_own_call(value: Any) -> bool:
    """Whether it is an object that can be called, and has attributes too, rather than a function."""
    return type(_class_attribute(type(value), "__call__")) is FunctionType


def _class_attribute(cls: type, name: str) -> Any:
    """An attribute as the class that defines it has it: a method unbound, a static method wrapped."""
    return next((vars(base)[name] for base in class_mro(cls) if name in vars(base)), None)


# ---- the tests' end: units ------------------------------------------------------------------------------

CHECK = "check"
CANDIDATE, PASSED, FAILED = "__grpo_candidate__", "__grpo_passed__", "__grpo_failed__"


def instrument(source: str, entry_point: str | None, unit_lines: list[int] | None) -> tuple[Any, list[int]]:
    """Tests rewritten so that each unit reports how it went and the next one runs all the same.

    A unit is a statement at the top of the text, or of its function `check`, that begins on one of
    `unit_lines`; without these, one that holds an assert. A text without any is one unit. Where there is an
    entry point, a `check` that is not called is called with it. One that is called twice holds no units.

    Returns:
        The syntax tree, and the lines of its units.
    """
    tree: Any = _parse(source, TESTS_FILE)
    lines: list[int] = []

    def wrapped(node: Any) -> Any:
        if unit_lines is None:
            is_unit = any(isinstance(part, _ast.Assert) for part in _walk(node))
        else:
            is_unit = node.lineno in unit_lines
        if not is_unit:
            return node
        lines.append(node.lineno)
        return _wrap(node, len(lines) - 1)

    functions = [node for node in tree.body if isinstance(node, _ast.FunctionDef)]
    check: Any = next((node for node in functions if node.name == CHECK and node.args.args), None)
    calls = [node for node in tree.body if check is not None and _calls_check(node)]
    if check is not None and entry_point is not None and not calls:
        calls = [_call_statement(check, CHECK, CANDIDATE)]
        tree.body += calls
    body = []
    for node in tree.body:
        if node is check and len(calls) == 1:
            check.body = [wrapped(inner) for inner in check.body]
        definition = isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef))
        body.append(node if definition or calls == [node] else wrapped(node))
    tree.body = body
    return tree, lines or [1]


def _parse(source: str, filename: str) -> Any:
    return compile(source, filename, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)


def _calls_check(node: Any) -> bool:
    call = node.value if isinstance(node, _ast.Expr) else None
    return isinstance(call, _ast.Call) and isinstance(call.func, _ast.Name) and call.func.id == CHECK


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item)
    elif isinstance(node, _ast.AST):
        yield node
        for field in node._fields:
            yield from _walk(getattr(node, field, None))


def _wrap(statement: Any, number: int) -> Any:
    """`try: statement` / `except: failed(number)` / `else: passed(number)`."""
    failed, passed = (_call_statement(statement, name, number) for name in (FAILED, PASSED))
    handler = _at(statement, _ast.ExceptHandler, type=None, name=None, body=[failed])
    return _at(statement, _ast.Try, body=[statement], handlers=[handler], orelse=[passed], finalbody=[])


def _call_statement(place: Any, function: str, argument: str | int | None = None) -> Any:
    """A call of a named function with a name or a number, if any."""
    arguments = []
    if isinstance(argument, str):
        arguments = [_at(place, _ast.Name, id=argument, ctx=_ast.Load())]
    elif argument is not None:
        arguments = [_at(place, _ast.Constant, value=argument)]
    name = _at(place, _ast.Name, id=function, ctx=_ast.Load())
    return _at(place, _ast.Expr, value=_at(place, _ast.Call, func=name, args=arguments, keywords=[]))


def _at(place: Any, kind: Any, **fields: Any) -> Any:
    """A node at the place of another."""
    return kind(
        **fields,
        lineno=place.lineno,
        col_offset=place.col_offset,
        end_lineno=place.end_lineno,
        end_col_offset=place.end_col_offset,
    )


# ---- the tests' end: proxies and the run ----------------------------------------------------------------


class _Lost(BaseException):
    """The solution's process is gone, or speaks no sense. No `except Exception` of a test may hide it."""


class _Unsupported(BaseException):
    """The tests want to hand over what cannot leave their process."""


class _Stop(BaseException):
    """The run is over; everything has been said."""


MODULE_ALIASES = {"np": "numpy", "pd": "pandas", "dt": "datetime", "path": "posixpath"}


def _run_split_tests(core: Any, work: dict[str, Any]) -> int:
    """Runs trusted tests against a solution in another process."""
    session = _Session(core)
    _TestRun(core, session, work).run()
    return 0


class _Session(_Wire):
    """The solution, as its tests see it."""

    def __init__(self, core: Any) -> None:
        super().__init__(core, _Frames(FROM_SOLUTION), TO_SOLUTION)
        self.lost = False
        self.answered = False  # whether any of the solution's values or exceptions has reached the tests
        self.raised: BaseException | None = None  # the last exception that came from the solution
        self.handles: dict[int, _Handle] = {}
        self.callbacks: list[Any] = []
        self.exceptions: dict[str, type] = {}
        self.referents: list[Any] = []

    # ---- messages

    def receive(self) -> tuple[Any, ...]:
        try:
            frame = self.frames.next()
            message = None if frame is None else self.core.decode_value(frame)
        except Exception:
            message = None
        if type(message) is not tuple or not message or type(message[0]) is not str:
            raise self.broken()
        return message

    def ask(self, *request: Any) -> tuple[Any, ...]:
        if self.lost:
            raise _Lost
        data = self.core.encode_value(request)
        try:
            _send(self.fd, data)
        except OSError:
            raise self.broken() from None
        while (reply := self.receive())[0] == "callback":
            self.call_back(reply)
        return reply

    def broken(self) -> _Lost:
        self.lost = True
        return _Lost()

    def call_back(self, request: tuple[Any, ...]) -> None:
        """Calls a function of the tests for the solution."""
        try:
            _, number, args, kwargs = request
            function = self.callbacks[number]
            args, kwargs = self.restore(args), self.restore(kwargs)
        except (ValueError, IndexError, TypeError):
            raise self.broken() from None
        referents = self.referents
        try:
            result = ("return", self.export(function(*args, **kwargs)))
        except Exception as error:
            result = ("throw", _mro_names(type(error)), _message(error))  # type: ignore[assignment]
        self.referents = referents
        try:
            self.send(*result)
        except OSError:
            raise self.broken() from None

    # ---- what may be asked

    def call(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        met: list[Any] = []
        self.met = met
        try:
            exported = self.export(args), self.export(kwargs)
        finally:
            self.met = None
        reply = self.ask("call!", target, *exported)
        self.answered = True
        self.referents = met
        try:
            if type(target) is str and reply[:2] == ("raise", "StopIteration"):
                # It would end an `all(map(...))` of the tests early, and with it what they check.
                reply = ("raise", "RuntimeError", "the function raised StopIteration", 0, ["RuntimeError"])
            if reply[0] == "raise" and len(reply) in (5, 6):
                self.write_back(reply[5] if len(reply) == 6 else {})
                self.throw(reply)
            if reply[0] == "ok" and len(reply) == 3:
                value = self.restore(reply[1])
                self.write_back(reply[2])
                return value
            return self.value(reply)
        finally:
            self.referents = []

    def write_back(self, mutated: Any) -> None:
        """Puts what the call left in its arguments into the tests' own objects."""
        if type(mutated) is not dict:
            raise self.broken()
        for number, content in mutated.items():
            if type(number) is not int or not 0 <= number < len(self.referents) or type(content) is not list:
                raise self.broken()
            container = self.referents[number]
            items = [self.restore(item) for item in content]
            try:
                if isinstance(container, dict):
                    half = len(items) // 2
                    new = dict(zip(items[:half], items[half:], strict=True))
                    container.clear()
                    container.update(new)
                elif isinstance(container, (set, _collections.deque)):
                    new_items = type(container)(items)
                    container.clear()
                    container.update(new_items) if isinstance(container, set) else container.extend(new_items)
                else:
                    container[:] = items if isinstance(container, list) else bytes(items)
            except (TypeError, ValueError):
                raise self.broken() from None

    def throw(self, reply: tuple[Any, ...]) -> NoReturn:
        """Raises what the solution raised, as a class that the tests can name."""
        _, name, message, _, mro = reply[:5]
        if type(name) is not str or type(message) is not str or type(mro) is not list:
            raise self.broken()
        cls = self.exceptions.get(name)
        error: BaseException
        if cls is not None:
            error = cls(message)
        else:
            error = _builtin_exception([base for base in mro if type(base) is str], message)
        if type(error) is SolutionError:
            error = SolutionError(f"{name}: {message}")
        self.raised = error
        self.answered = True
        raise error

    def throw_name_error(self, name: str) -> NoReturn:
        self.throw(("raise", "NameError", f"name {name!r} is not defined", 0, ["NameError"]))

    def value(self, reply: tuple[Any, ...]) -> Any:
        """What a reply hands over."""
        kind, *about = reply
        if kind in ("ok", "value") and about:
            self.answered = True
            return self.restore(about[0])
        if kind == "handle" and len(about) == 2:
            self.answered = True
            return self.restore_mark(HANDLE, *about)
        if kind == "raise" and len(about) >= 4:
            self.throw(reply)
        if kind in ("missing", "opaque") and about:
            if kind == "missing":
                self.throw_name_error(about[0])
            text = f"a value of type {about[0]} cannot be handed over"
            self.throw(("raise", "TypeError", text, 0, ["TypeError"]))
        raise self.broken()

    def attribute(self, reply: tuple[Any, ...], target: Any, name: str) -> Any:
        """What a name or an attribute stands for: a function to call, a class, a module or a value."""
        kind, *about = reply
        if kind == "callable":
            return _Function(self, target, name)
        if kind == "class":
            mro = about[1] if len(about) > 1 and type(about[1]) is list else []
            if mro:
                return self.exception_class(name.rpartition(".")[2], mro)
            return _Class(self, target, name)
        if kind == "module" and about:
            return self.module(name, about[0])
        return self.value(reply)

    def exception_class(self, name: str, mro: list[Any]) -> type:
        """A class of our own for one of the solution's, so that tests can catch it."""
        cls = self.exceptions.get(name)
        if cls is None:
            base: type = type(_builtin_exception([base for base in mro if type(base) is str], ""))
            self.exceptions[name] = cls = type(name, (base,), {})
        return cls

    def module(self, name: str, module_name: Any) -> Any:
        """The module that the tests mean by a name, imported here: not one of the solution's choosing."""
        last = name.rpartition(".")[2]
        if type(module_name) is not str or module_name not in (last, MODULE_ALIASES.get(last)):
            self.throw_name_error(name)
        __import__(module_name)
        return sys.modules[module_name]

    # ---- marks

    def export_other(self, value: Any) -> Any:
        if isinstance(value, _Handle):
            return (HANDLE, object.__getattribute__(value, "_number"))
        if isinstance(value, _Function):
            if type(value._target) is str:
                return (NAME, value._target)
            value = self.value(self.ask("pin", value._target))
            return self.export_other(value)
        if callable(value) and not isinstance(value, type):
            self.callbacks.append(value)
            return (CALLBACK, len(self.callbacks) - 1)
        raise _Unsupported(f"a {class_name(type(value))} cannot be handed to the solution")

    def restore_mark(self, mark: str, *about: Any) -> Any:
        number = about[0] if about else None
        if type(number) is not int or number < 0:
            raise self.broken()
        if mark == REFERENCE and number < len(self.referents):
            return self.referents[number]
        if mark == HANDLE and len(about) == 2:
            if number not in self.handles:
                self.handles[number] = _Handle(self, number, str(about[1]))
            return self.handles[number]
        raise self.broken()


class _Function:
    """A function of the solution."""

    def __init__(self, session: _Session, target: Any, name: str) -> None:
        self._session = session
        self._target = target
        self.__name__ = self.__qualname__ = name.rpartition(".")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.call(self._target, args, kwargs)

    def __deepcopy__(self, memo: Any) -> _Function:
        return self

    def __getattr__(self, name: str) -> Any:
        if type(self._target) is not str or name[:2] == "__":
            raise AttributeError(name)
        dotted = f"{self._target}.{name}"
        reply = self._session.ask("get", dotted)
        if reply[0] == "missing":
            raise AttributeError(name)
        return self._session.attribute(reply, dotted, dotted)


class _Class(_Function):
    """A class of the solution: called, it makes an object that stays there."""

    def __instancecheck__(self, value: Any) -> bool:
        if not isinstance(value, _Handle):
            return False
        number = object.__getattribute__(value, "_number")
        return self._session.value(self._session.ask("isinstance", number, self._target)) is True


class _Handle:
    """An object that stays with the solution.

    Methods, attributes and some operators are run there. Equality, hash and truth are settled here, by
    identity: no `__eq__`, `__hash__` or `__bool__` of a solution ever decides an assert.
    """

    _number: int
    _session: _Session

    def __init__(self, session: _Session, number: int, kind: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_kind", kind)

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        reply = self._session.ask("attr", self._number, name)
        if reply[0] == "missing":
            raise AttributeError(f"{self._kind!r} object has no attribute {name!r}")
        return self._session.attribute(reply, ("handle", self._number, name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.value(self._session.ask("set", self._number, name, self._session.export(value)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.call(("handle", self._number), args, kwargs)

    def __copy__(self) -> Any:
        return self._session.call(("operator", "copy"), (self,), {})

    def __deepcopy__(self, memo: Any) -> Any:
        return self._session.call(("operator", "deepcopy"), (self,), {})

    def __enter__(self) -> Any:
        return self._session.call(("handle", self._number, "__enter__"), (), {})

    def __exit__(self, cls: Any, error: BaseException | None, traceback: TracebackType | None) -> Any:
        # The solution is told that there was an exception, not which object it was.
        kind = None if error is None else type(_builtin_exception(_mro_names(type(error)), ""))
        kind = kind if kind in BUILTIN_TYPES else None
        return self._session.call(("handle", self._number, "__exit__"), (kind, None, None), {})


def _add_operators() -> None:
    """Gives handles the operators that run in the solution's process.

    Arithmetic and order take two handles. With a value of the tests' they would tell the solution what is
    expected, and let it answer with whatever makes the assert hold. For the same reason nothing turns a
    handle into a number.
    """

    def operator(name: str) -> Callable[..., Any]:
        def method(self: _Handle, *args: Any) -> Any:
            return self._session.call(("operator", name), (self, *args), {})

        return method

    def arithmetic(name: str) -> Callable[..., Any]:
        def method(self: _Handle, other: Any) -> Any:
            if type(other) is not _Handle:
                return NotImplemented
            return self._session.call(("operator", name), (self, other), {})

        return method

    binary = "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift matmul lt le gt ge"
    for name in binary.split():
        setattr(_Handle, f"__{name.rstrip('_')}__", arithmetic(name))
    for name in ("getitem", "setitem", "delitem", *BUILTIN_OPERATORS):
        setattr(_Handle, f"__{name}__", operator(name))


_add_operators()


class _TestRun:
    """One run of tests: what each unit came to, reported as it is known."""

    def __init__(self, core: Any, session: _Session, work: dict[str, Any]) -> None:
        self.core = core
        self.session = session
        self.tests: str = work["tests"]
        self.setup: str = work["setup"]
        self.entry_point: str | None = work["entry_point"]
        self.unit_lines: list[int] | None = work.get("unit_lines")
        self.wanted: list[str] = work["names"]
        self.missing: set[str] = set()
        self.assigned: set[str] = set()
        self.lines = self.unit_lines or [1]
        self.results: dict[int, tuple[Any, ...]] = {}
        self.reported = 0

    def run(self) -> None:
        try:
            self.execute()
        except _Stop:
            return
        except BaseException as error:
            # What stands between the units failed, so the rest has no ground to stand on.
            frame = self.judge(error, _line(error, TESTS_FILE) or self.lines[0])
            if frame[0] == "lost":
                self.report(*frame)
                return
            for number in range(len(self.lines)):
                self.settle(number, *frame)
        self.report("done", len(self.lines))

    def execute(self) -> None:
        tree, self.lines = instrument(self.tests, self.entry_point, self.unit_lines)
        names = [node for node in _walk(tree) if isinstance(node, _ast.Name)]
        self.assigned = {node.id for node in names if isinstance(node.ctx, _ast.Store)}
        code = compile(tree, TESTS_FILE, "exec", dont_inherit=True)
        module = _new_module("__main__", TESTS_FILE, self.tests)
        scope = module.__dict__
        ready = self.session.receive()
        if ready[0] != "ready":
            self.session.value(ready if len(ready) > 4 else (*ready, [ready[1]] if len(ready) > 1 else []))
        self.session.value(self.session.ask("handles"))
        self.session.answered = False
        self.bind_all(scope)
        exec(_compile(self.setup, SETUP_FILE), scope)
        self.rebind(scope, _stubs(self.setup))
        scope[PASSED], scope[FAILED] = self.passed, self.failed
        exec(code, scope)
        if not self.results and not self.session.answered:
            raise _Unsupported("the tests ask nothing of the solution")
        # A unit that was left by a return did not fail.
        for number in range(len(self.lines)):
            self.passed(number)

    # ---- the solution's names

    def bind_all(self, names: dict[str, Any]) -> None:
        """Gives the tests the solution's names.

        No solution replaces the `abs` or `len` that its results are tested with. Only where the tests want
        nothing else of it, as in `assert sum(10, 15) == 6`, is a builtin's name the solution's.
        """
        shadowing = [name for name in self.wanted if name in vars(builtins)]
        for name in self.wanted:
            if name not in shadowing:
                self.bind(names, name)
        others = {*self.wanted} - {*shadowing} - self.missing
        if all(isinstance(names[name], ModuleType) for name in others):
            for name in shadowing:
                self.bind(names, name)
                self.missing.discard(name)

    def rebind(self, names: dict[str, Any], stubs: set[str]) -> None:
        """After the setup, whose definitions count, except for stubs of what is to be written."""
        for name in self.wanted:
            if name in stubs:
                self.bind(names, name)
        if self.entry_point is not None:
            self.bind(names, self.entry_point)
            if self.entry_point in self.missing:
                self.session.throw_name_error(self.entry_point)
            names[CANDIDATE] = names[self.entry_point]

    def bind(self, names: dict[str, Any], name: str) -> None:
        session = self.session
        reply = session.ask("get", name)
        if reply[0] == "missing":
            self.missing.add(name)
            names.pop(name, None)
        else:
            names[name] = session.attribute(reply, name, name)
            self.missing.discard(name)

    # ---- reports

    def report(self, *frame: Any) -> None:
        _send(REPLIES, self.core.encode_value(frame))

    def settle(self, number: int, *frame: Any) -> None:
        """Notes what a unit came to, once, and reports what is known without a gap."""
        self.results.setdefault(number, frame)
        while self.reported in self.results:
            self.report(*self.results[self.reported])
            self.reported += 1

    def passed(self, number: int) -> None:
        if self.session.lost:  # and the tests went on regardless
            self.report("lost", self.lines[number])
            raise _Stop
        self.settle(number, "pass", self.lines[number])

    def failed(self, number: int) -> None:
        error = sys.exception()
        assert error is not None
        if isinstance(error, _Stop):
            raise error
        frame = self.judge(error, _line(error, TESTS_FILE) or self.lines[number])
        if frame[0] == "lost":
            self.report(*frame)
            raise _Stop
        self.settle(number, *frame)

    def judge(self, error: BaseException, line: int) -> tuple[Any, ...]:
        """Whose fault an exception is.

        Once the solution has answered, what goes wrong in a test goes wrong over that answer: a solution must
        not be able to have its tests called invalid. What no answer can cause stays the tests' own error.
        """
        session = self.session
        if session.lost or isinstance(error, _Lost):
            return ("lost", line)
        name, message = _type_name(error), _message(error)
        if error is session.raised:
            return ("solution", line, name, message)
        if isinstance(error, AssertionError):
            return ("fail", line, message or self.source_line(line))
        if isinstance(error, NameError) and error.name in self.missing:
            return ("solution", line, name, message)
        own = isinstance(error, (_Unsupported, ImportError, SyntaxError))
        own = own or (isinstance(error, NameError) and error.name not in self.assigned)
        if session.answered and not own:
            return ("fail", line, f"{name}: {message}")
        return ("error", line, name.lstrip("_"), message)

    def source_line(self, line: int) -> str:
        lines = self.tests.splitlines()
        return lines[line - 1].strip()[:MAX_MESSAGE] if 0 < line <= len(lines) else ""


def _stubs(source: str) -> set[str]:
    """The functions that a prompt leaves to be written: a docstring, `pass`, `...` or a raise."""
    functions = [node for node in _parse(source, SETUP_FILE).body if isinstance(node, _ast.FunctionDef)]
    return {node.name for node in functions if all(map(_is_idle, node.body))}


def _is_idle(node: Any) -> bool:
    if isinstance(node, _ast.Expr):
        return isinstance(node.value, _ast.Constant)
    return isinstance(node, (_ast.Pass, _ast.Raise))


# ---- unittest files, in the solution's own process ------------------------------------------------------


def _run_unittests(core: Any, work: dict[str, Any]) -> int:
    """Runs the TestCase classes of the tests beside the solution.

    The solution could forge what is reported here. The nonce only keeps a program that writes frames without
    looking for it from being believed.
    """
    import unittest

    def report(*frame: Any) -> None:
        _send(REPLIES, core.encode_value(frame))

    posix.close(REQUESTS)
    module = _new_module("solution", SOLUTION_FILE, work["source"])
    tests = _new_module("tests", TESTS_FILE, work["tests"])
    sys.modules["__main__"] = tests
    try:
        exec(_compile(work["source"], SOLUTION_FILE), module.__dict__)
    except BaseException as error:
        report(*_raised(error, SOLUTION_FILE))
        return 1
    names = {name: value for name, value in module.__dict__.items() if name[:2] != "__"}
    tests.__dict__.update(names)
    try:
        exec(_compile(work["setup"], SETUP_FILE), tests.__dict__)
        exec(_compile(work["tests"], TESTS_FILE), tests.__dict__)
    except BaseException as error:
        report("error", "tests", f"{_type_name(error)}: {_message(error)}")
        report("done", 1, work["nonce"])
        return 1
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(
        loader.loadTestsFromTestCase(value)
        for value in list(tests.__dict__.values())
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "tests"
    )
    if not suite.countTestCases():
        report("done", 0, work["nonce"])
        return 1
    result = _result_class(unittest)(report)
    suite.run(result)
    report("done", result.count, work["nonce"])
    return 0


def _result_class(unittest: Any) -> Any:
    class Result(unittest.TestResult):  # type: ignore[misc]
        """Reports each test once, as the worst of what its parts came to."""

        def __init__(self, report: Callable[..., None]) -> None:
            super().__init__()
            self.report = report
            self.count = 0
            self.verdict: tuple[str, str] | None = None

        def startTest(self, test: Any) -> None:
            super().startTest(test)
            self.verdict = None

        def stopTest(self, test: Any) -> None:
            super().stopTest(test)
            self.tell(test, self.verdict or ("error", "the test did not end"))
            self.verdict = None

        def tell(self, test: Any, verdict: tuple[str, str]) -> None:
            self.count += 1
            self.report(verdict[0], _test_id(test), verdict[1])

        def settle(self, verdict: str, message: str) -> None:
            if self.verdict is None or self.verdict[0] in ("pass", "skip"):
                self.verdict = (verdict, message)

        def addSuccess(self, test: Any) -> None:
            if self.verdict is None:
                self.settle("pass", "")

        def addFailure(self, test: Any, error: Any) -> None:
            self.settle("fail", _message(error[1]))

        def addError(self, test: Any, error: Any) -> None:
            message = f"{_type_name(error[1])}: {_message(error[1])}"
            if not isinstance(test, unittest.TestCase):  # setUpClass or setUpModule: its tests are not run
                self.tell(test, ("error", message))
            else:
                self.settle("error", message)

        def addSubTest(self, test: Any, subtest: Any, error: Any) -> None:
            if error is not None:
                kind = "fail" if issubclass(error[0], test.failureException) else "error"
                self.settle(kind, f"{_test_id(subtest)}: {_message(error[1])}")

        def addSkip(self, test: Any, reason: str) -> None:
            if not isinstance(test, unittest.TestCase):
                self.tell(test, ("skip", reason))
            else:
                self.settle("skip", reason)

        def addExpectedFailure(self, test: Any, error: Any) -> None:
            self.settle("pass", "")

        def addUnexpectedSuccess(self, test: Any) -> None:
            self.settle("fail", "passed where a failure was expected")

    return Result


def _test_id(test: Any) -> str:
    return str(test.id()).removeprefix("tests.")
