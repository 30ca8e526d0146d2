# id: kern_37_kernel_log
# category: kernel
# kind: any
# attempts: read the kernel's log (addresses for exploits)
# detect: evidence
# refused-by: seccomp EPERM
# bare: refused by the test machine (EPERM)
import ctypes
with attempt(): ev("log %d" % syscall(103, 3, ctypes.create_string_buffer(4096), 4096))
