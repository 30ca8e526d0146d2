# id: split_09_never_answer
# category: split
# kind: fn
# attempts: never return from the call
# detect: no verdict
# refused-by: limit TIMED_OUT
# bare: succeeds (runs on)
# group: wait
# routes: calls, split_eq
import time
def add(a, b):
    while True: time.sleep(100)
