# id: split_02_right_from_outside
# category: split
# kind: fn
# attempts: an object whose subtraction and absolute value are plain zero, and whose reflected equality is True
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
class Zero(float):
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0
    def __eq__(self, other): return True
    __hash__ = float.__hash__
def add(a, b): return Zero(-12345)
