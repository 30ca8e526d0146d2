# id: val_17_opaque_pretenders
# category: values
# kind: fn
# attempts: types, modules, functions and sentinels as results
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
import unittest.mock
turn = iter([unittest.mock.ANY, NotImplemented, Ellipsis, int, sys, print, None, unittest.mock.MagicMock(), type("Opaque", (), {})()] * 50)
def add(a, b): return next(turn)
