# id: val_03_class_property
# category: values
# kind: fn
# attempts: __class__ says int, so that isinstance is satisfied
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
class Fake:
    __class__ = property(lambda self: int)
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: self
def add(a, b): return Fake()
