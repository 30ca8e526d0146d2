# id: chan_11_close_channel
# category: channel
# kind: fn
# attempts: close both ends of the channel and stay
# detect: no verdict
# refused-by: limit TIMED_OUT/BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: wait
# prelude: channel
import time
_p.close(3); _p.close(4)
while True: time.sleep(100)
