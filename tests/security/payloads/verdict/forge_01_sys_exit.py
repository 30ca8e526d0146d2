# id: forge_01_sys_exit
# category: verdict
# kind: fn
# attempts: sys.exit(0) at import time
# detect: passed
# refused-by: verdict RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
def add(a, b): return -1
import sys; sys.exit(0)
