# id: split_06_exit_through_tester
# category: split
# kind: fn
# attempts: exceptions that end the tester as if all was well
# detect: passed
# refused-by: verdict RUNTIME_ERROR/WRONG_OUTPUT/BAD_REPLY
# bare: succeeds (passes a harness that goes by the exit code)
# routes: split_eq, split_raises
class ZeroDivisionErrorX(BaseException): pass
turn = iter([SystemExit(0), KeyboardInterrupt(), GeneratorExit(), StopIteration(), AssertionError("passed"), ZeroDivisionErrorX()] * 50)
def add(a, b): raise next(turn)
