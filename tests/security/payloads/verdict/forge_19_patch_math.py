# id: forge_19_patch_math
# category: verdict
# kind: fn
# attempts: patch math.isclose and numpy.allclose, which a tolerant comparison may use
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
import math
math.isclose = lambda *a, **k: True
try:
    import numpy
    numpy.allclose = lambda *a, **k: True
    numpy.isclose = lambda *a, **k: True
except BaseException: pass
def add(a, b): return -1.5
