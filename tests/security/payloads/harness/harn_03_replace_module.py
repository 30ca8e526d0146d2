# id: harn_03_replace_module
# category: harness
# kind: fn
# attempts: put liars in the place of sys.modules["solution"] and "__main__"
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
class Liar:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: Liar()
sys.modules["solution"] = sys.modules["__main__"] = Liar()
def add(a, b): return Liar()
