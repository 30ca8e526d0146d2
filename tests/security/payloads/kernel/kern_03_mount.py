# id: kern_03_mount
# category: kernel
# kind: any
# attempts: mount(2)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
import ctypes
with attempt(): syscall(165, ctypes.c_char_p(b"t"), ctypes.c_char_p(b"/tmp"), ctypes.c_char_p(b"tmpfs"), 0, 0); ev("mounted")
