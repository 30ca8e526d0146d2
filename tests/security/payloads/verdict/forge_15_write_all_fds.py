# id: forge_15_write_all_fds
# category: verdict
# kind: fn
# attempts: write forged results on every inherited descriptor
# detect: passed
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR/OUTPUT_EXCEEDED
# bare: succeeds (passes a harness that goes by the exit code)
import posix, pickle, struct
p2 = pickle.dumps([True, True, True])
for fd in range(3, 64):
    for d in (b"passed\n", struct.pack("!i", len(p2)) + p2, b'{"passed": true}\n', b"1"):
        try: posix.set_blocking(fd, False); posix.write(fd, d)
        except BaseException: pass
def add(a, b): return -1
posix._exit(0)
