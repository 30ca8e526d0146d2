# id: harn_10_timer_in_harness
# category: harness
# kind: fn
# attempts: a timer's handler raises and exits in the middle of the harness's own code
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY/NO_ENTRY_POINT
# bare: not applicable (needs the harness it is for)
import signal
def strike(*a):
    frame = a[1]
    while frame:
        if "expected" in frame.f_locals: print(frame.f_locals["expected"])
        frame = frame.f_back
    raise SystemExit(0)
signal.signal(signal.SIGALRM, strike); signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
def add(a, b): return -12345
