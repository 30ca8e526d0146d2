# id: forge_23_thread_race_exit
# category: verdict
# kind: fn
# attempts: a daemon thread exits 0 while the tests run
# detect: passed
# refused-by: verdict RUNTIME_ERROR/BAD_REPLY
# bare: succeeds (passes a harness that goes by the exit code)
import threading, posix, time
def w():
    time.sleep(0.0005); posix._exit(0)
threading.Thread(target=w, daemon=True).start()
def add(a, b):
    time.sleep(1); return -1
