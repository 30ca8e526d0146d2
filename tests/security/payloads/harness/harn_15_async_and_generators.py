# id: harn_15_async_and_generators
# category: harness
# kind: fn
# attempts: an add that is a coroutine, a generator, a class or a partial liar, so that a harness awaits or builds it
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
import functools
async def one(a, b): return a + b + 1
def two(a, b): yield a + b
class Three:
    def __init__(self, a, b): pass
    def __eq__(self, other): return True
turn = iter([one, two, Three, functools.partial(Three)] * 50)
def add(a, b): return next(turn)(a, b)
