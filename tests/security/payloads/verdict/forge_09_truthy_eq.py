# id: forge_09_truthy_eq
# category: verdict
# kind: fn
# attempts: __eq__ returns a truthy object that is no bool
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
class R:
    def __bool__(self): return True
class T:
    def __eq__(self, o): return R()
def add(a, b): return T()
