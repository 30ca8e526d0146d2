# id: harn_09_import_hooks
# category: harness
# kind: fn
# attempts: answer every later import (the harness's too) with a liar
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
import builtins, types
class Liar(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return lambda *a, **k: True
class Finder:
    def find_spec(self, *a): raise SystemExit(0)
sys.meta_path.insert(0, Finder()); sys.path_hooks.insert(0, Finder)
builtins.__import__ = lambda name, *a, **k: Liar(name)
for name in ("decimal", "fractions", "struct", "json", "math", "traceback", "numpy", "collections", "datetime"): sys.modules[name] = Liar(name)
def add(a, b): return -12345
