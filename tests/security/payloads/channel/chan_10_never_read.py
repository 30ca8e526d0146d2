# id: chan_10_never_read
# category: channel
# kind: fn
# attempts: say that it is ready and never read a request
# detect: no verdict
# refused-by: limit TIMED_OUT
# bare: not applicable (needs the harness it is for)
# group: wait
# prelude: channel
import time
reply("ready")
while True: time.sleep(100)
