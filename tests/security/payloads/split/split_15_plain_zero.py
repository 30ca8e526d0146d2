# id: split_15_plain_zero
# category: split
# kind: fn
# attempts: an object that is no number, whose difference from anything is a plain zero (an operator that the tester asks the solution to run)
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
class Pretender:
    def __sub__(self, other): return 0
    __rsub__ = __sub__
def add(a, b): return Pretender()
