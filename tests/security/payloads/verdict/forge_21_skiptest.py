# id: forge_21_skiptest
# category: verdict
# kind: fn
# attempts: raise unittest.SkipTest from the solution
# detect: passed
# refused-by: verdict RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
import unittest
def add(a, b): raise unittest.SkipTest("x")
