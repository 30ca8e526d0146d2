# id: val_11_broken_fraction
# category: values
# kind: fn
# attempts: a Fraction with a denominator of zero, with liars or text in its slots
# detect: passed, or the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
from fractions import Fraction
class Liar:
    def __eq__(self, other): return True
turn = iter([(5, 0), (Liar(), 1), ("5", "1"), (None, None), (0, 0)] * 50)
def add(a, b):
    value = Fraction(5); value._numerator, value._denominator = next(turn)
    return value
