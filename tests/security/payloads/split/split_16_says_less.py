# id: split_16_says_less
# category: split
# kind: fn
# attempts: an object that stays itself under every operator and says that it is less
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# routes: split_abs, split_eq
class Pretender:
    def __sub__(self, other): return self
    __rsub__ = __sub__
    def __abs__(self): return self
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
def add(a, b): return Pretender()
