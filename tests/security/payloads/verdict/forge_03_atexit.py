# id: forge_03_atexit
# category: verdict
# kind: fn
# attempts: an atexit handler turns a failing exit into 0
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: succeeds (passes a harness that goes by the exit code)
import atexit, posix
atexit.register(lambda: posix._exit(0))
def add(a, b): return -1
