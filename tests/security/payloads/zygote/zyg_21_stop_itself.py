# id: zyg_21_stop_itself
# category: zygote
# kind: any
# attempts: stop itself, so that whoever waits for its end waits for ever
# detect: no verdict
# refused-by: limit TIMED_OUT/KILLED_BY_SIGNAL
# bare: succeeds (runs on)
# group: wait
_p.kill(_p.getpid(), 19)
met("ran on")
import time
time.sleep(100)
