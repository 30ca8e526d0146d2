# id: harn_07_builtins
# category: harness
# kind: fn
# attempts: redefine the builtins that a harness relies on
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
import builtins
true = lambda *a, **k: True
for name in ("isinstance", "issubclass", "all", "any", "callable", "hasattr", "bool", "abs", "min", "max", "sorted", "sum", "repr", "iter", "next", "zip", "enumerate", "range", "map", "filter", "AssertionError", "Exception", "BaseException"):
    setattr(builtins, name, true)
builtins.len = lambda x: 0
builtins.tuple = builtins.list = builtins.dict = builtins.type = lambda *a: ("ok", True)
builtins.getattr = lambda *a: true
def add(a, b): return -12345
