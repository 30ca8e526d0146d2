# id: res_07_stderr_flood
# category: resources
# kind: any
# attempts: write 300 MB to stderr
# detect: the harness's memory grew
# refused-by: limit OUTPUT_EXCEEDED
# bare: succeeds (floods)
# group: burn
block = b"A" * (1 << 20)
for i in range(300):
    try: _p.write(2, block)
    except BaseException: break
else: ev("300 MB written")
