# id: kern_32_old_x86
# category: kernel
# kind: any
# attempts: modify_ldt, the door of many old exploits
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes
with attempt(): syscall(154, 1, ctypes.create_string_buffer(16), 16); ev("ldt")
