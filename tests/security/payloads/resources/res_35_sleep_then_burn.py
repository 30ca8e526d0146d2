# id: res_35_sleep_then_burn
# category: resources
# kind: any
# attempts: sleep first, then burn (a clock that was read once)
# detect: no verdict
# refused-by: limit CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
import time
time.sleep(0.3)
while True: pass
