# id: harn_14_exception_names
# category: harness
# kind: fn
# attempts: raise what harnesses treat as a way out (exit 0, assertion, skip, stop, cancel), then a type named by a liar
# detect: passed
# refused-by: verdict RUNTIME_ERROR/WRONG_OUTPUT/BAD_REPLY
# bare: succeeds (passes a harness that goes by the exit code)
import asyncio
class Quiet(BaseException):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
Quiet.__name__ = Quiet.__qualname__ = "PASSED\n"
turn = iter([SystemExit(0), AssertionError("passed"), KeyboardInterrupt(), GeneratorExit(), StopIteration(5), asyncio.CancelledError(), Quiet(), SystemExit(None), MemoryError()] * 50)
def add(a, b): raise next(turn)
