# id: kern_24_fsopen
# category: kernel
# kind: any
# attempts: fsopen of a new file system
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
import ctypes
with attempt(): ev("fs %d" % syscall(430, ctypes.c_char_p(b"tmpfs"), 0))
