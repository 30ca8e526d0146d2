# id: split_14_name_games
# category: split
# kind: fn
# attempts: shadow every name the tests could use: range, abs, len, assert helpers, CASES
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# routes: split_eq, calls
import builtins
CASES = []
def range(*a): return []
def abs(x): return 0
def zip(*a): return []
builtins.range, builtins.abs, builtins.zip, builtins.AssertionError = range, abs, zip, type("Never", (Exception,), {})
__all__ = ["add", "CASES", "range", "abs"]
def add(a, b): return -12345
