# id: res_15_swallow_timeout
# category: resources
# kind: any
# attempts: catch every exception and keep spinning
# detect: no verdict
# refused-by: limit CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
def spin():
    while True:
        try:
            while True: pass
        except BaseException: pass
spin()
