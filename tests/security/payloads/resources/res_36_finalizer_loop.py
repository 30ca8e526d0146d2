# id: res_36_finalizer_loop
# category: resources
# kind: any
# attempts: return from the program but never end: finalizers and exit handlers that spin
# detect: no verdict
# refused-by: limit CPU_EXCEEDED/WRONG_OUTPUT
# bare: succeeds (runs on)
# group: burn
import atexit
def spin(*a):
    while True: pass
atexit.register(spin)
sys.kept = type("Kept", (), {"__del__": spin})()
