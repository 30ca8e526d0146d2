# id: val_10_exact_numbers
# category: values
# kind: fn
# attempts: numbers that cost gigabytes to compare exactly (Decimal and Fraction with huge exponents), signalling NaN
# detect: no verdict, or the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
from decimal import Decimal
from fractions import Fraction
turn = iter([Decimal("1E+999999999999999999"), Decimal("1E-999999999999999999"), Decimal("sNaN"), Decimal("Infinity"), Fraction(1, 3**200_000), Decimal("9" * 100_000 + "E+999999")] * 50)
def add(a, b): return next(turn)
