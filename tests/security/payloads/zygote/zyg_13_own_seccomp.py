# id: zyg_13_own_seccomp
# category: zygote
# kind: any
# attempts: a seccomp filter of its own with a listener, to answer calls in its favour
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes, struct
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
sc(157, 38, 1, 0, 0, 0)
with attempt(): ev("listener %d" % syscall(317, 1, 8, program))
