# id: kern_22_perf
# category: kernel
# kind: any
# attempts: perf_event_open (side channels, kernel exploits)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes, struct
attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 1) + bytes(24) + struct.pack("Q", 1 << 5 | 1 << 6) + bytes(64))
with attempt(): ev("event %d" % syscall(298, attributes, 0, -1, -1, 0))
