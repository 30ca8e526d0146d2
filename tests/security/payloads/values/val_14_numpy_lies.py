# id: val_14_numpy_lies
# category: values
# kind: fn
# attempts: array subclasses, 0-d and object arrays, forged strides, structured types
# detect: passed, or the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
import numpy as np
class Liar(np.ndarray):
    def __eq__(self, other): return True
    def all(self, *a, **k): return True
class Any:
    def __eq__(self, other): return True
makers = [
    lambda: np.zeros(3).view(Liar), lambda: np.array(Any()), lambda: np.array([Any()] * 3, object), lambda: np.empty((0, 5)),
    lambda: np.lib.stride_tricks.as_strided(np.zeros(1), (2**40,), (0,)), lambda: np.zeros(3, [("a", "i4"), ("b", "O")]),
    lambda: np.array([True]), lambda: np.broadcast_to(np.int8(1), (2**20, 2**20)), lambda: np.datetime64("NaT"), lambda: np.array("x" * 1000),
]
turn = iter(makers * 50)
def add(a, b): return next(turn)()
