# id: val_01_lying_subclasses
# category: values
# kind: fn
# attempts: subclasses of every builtin whose methods claim to be equal to everything
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
def lie(base):
    names = {name: (lambda self, *a: True) for name in ("__eq__", "__le__", "__ge__", "__lt__", "__gt__", "__contains__", "__bool__")}
    names.update(__ne__=lambda self, *a: False, __hash__=lambda self: 5, __len__=lambda self: 5, __iter__=lambda self: iter((5,)), __getitem__=lambda self, k: 5, __int__=lambda self: 5, __index__=lambda self: 5, __float__=lambda self: 5.0)
    return type(base.__name__, (base,), names)
turn = iter([base for base in (int, str, list, tuple, dict, set, float, bytes, frozenset, complex, bytearray) * 50])
def add(a, b): return lie(next(turn))()
