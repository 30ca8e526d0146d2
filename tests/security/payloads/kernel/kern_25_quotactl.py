# id: kern_25_quotactl
# category: kernel
# kind: any
# attempts: quotactl
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
import ctypes
with attempt(): syscall(179, 0x800001 << 8 & 0x7FFFFFFF, 0, 0, ctypes.create_string_buffer(100)); ev("quotactl")
