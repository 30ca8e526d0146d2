# id: res_21_thread_linger
# category: resources
# kind: any
# attempts: a thread keeps the process alive after its main program returned
# detect: no verdict
# refused-by: limit TIMED_OUT/WRONG_OUTPUT
# bare: succeeds (runs on)
# group: wait
import threading, time
def w():
    while True: time.sleep(1)
threading.Thread(target=w).start()
