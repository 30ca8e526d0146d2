# id: harn_11_hooks_of_sys
# category: harness
# kind: any
# attempts: excepthook, unraisablehook, displayhook and threading.excepthook turn an error into exit code 0
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable
import threading
def leave(*a): _p._exit(0)
sys.excepthook = sys.unraisablehook = sys.displayhook = threading.excepthook = leave
class Bad:
    def __del__(self): raise ValueError
Bad()
raise ValueError("an error that must not look like success")
