# id: kern_21_bpf
# category: kernel
# kind: any
# attempts: bpf(BPF_MAP_CREATE)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
import ctypes, struct
with attempt(): ev("map %d" % syscall(321, 0, ctypes.create_string_buffer(struct.pack("5I", 2, 4, 8, 1, 0) + bytes(100)), 120))
