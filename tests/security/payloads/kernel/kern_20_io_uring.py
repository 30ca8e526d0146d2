# id: kern_20_io_uring
# category: kernel
# kind: any
# attempts: io_uring, which does I/O without system calls
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes
with attempt(): ev("ring %d" % syscall(425, 8, ctypes.create_string_buffer(120)))
