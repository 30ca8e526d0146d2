# id: chan_14_slow_drip
# category: channel
# kind: fn
# attempts: one byte of a long frame now and then, so that a timeout between bytes never strikes
# detect: no verdict
# refused-by: limit TIMED_OUT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# group: wait
# prelude: channel
import time
send(struct.pack("<I", 1000))
while True: send(b"x"); time.sleep(0.05)
