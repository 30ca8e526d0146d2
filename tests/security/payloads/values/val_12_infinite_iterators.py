# id: val_12_infinite_iterators
# category: values
# kind: fn
# attempts: endless iterators, a view and a range of 2**62, which a judge might consume
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
import itertools
class Endless(list):
    def __iter__(self): return itertools.count()
    def __len__(self): return 2**62
turn = iter([lambda: itertools.count(), lambda: Endless([1]), lambda: range(2**62), lambda: map(int, itertools.cycle("5")), lambda: memoryview(b"5")] * 50)
def add(a, b): return next(turn)()
