# id: split_01_handle_lies
# category: split
# kind: fn
# attempts: an object that answers every operator as the test would like
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
class Liar:
    def __bool__(self): return False
    def __len__(self): return 0
    def __index__(self): return 0
    def __float__(self): return 0.0
    def __hash__(self): return 5
    def __iter__(self): return iter([self])
for name in ("eq", "lt", "gt", "le", "ge", "contains"): setattr(Liar, "__%s__" % name, lambda self, *a: True)
for name in ("sub", "rsub", "add", "radd", "abs", "neg", "mul", "rmul", "call", "getitem", "round", "pos", "truediv", "mod"): setattr(Liar, "__%s__" % name, lambda self, *a, **k: self)
Liar.__ne__ = lambda self, *a: False
def add(a, b): return Liar()
