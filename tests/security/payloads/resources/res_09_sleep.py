# id: res_09_sleep
# category: resources
# kind: any
# attempts: sleep for ever
# detect: no verdict
# refused-by: limit TIMED_OUT
# bare: succeeds (runs on)
# group: wait
import time
while True:
    try: time.sleep(1000)
    except Exception: break
