# id: out_03_close_streams
# category: output
# kind: any
# attempts: close stdin, stdout and stderr and stay
# detect: no verdict
# refused-by: limit TIMED_OUT/RUNTIME_ERROR
# bare: succeeds (runs on)
# group: wait
import time
for fd in (0, 1, 2): _p.close(fd)
while True: time.sleep(100)
