# id: kern_36_clocks
# category: kernel
# kind: any
# attempts: set the clock, the host's name, reboot
# detect: evidence
# refused-by: seccomp ENOSYS, SIGSYS
# bare: needs capabilities
import ctypes
for number, args in ((227, (0, ctypes.create_string_buffer(16))), (170, (ctypes.c_char_p(b"x"), 1)), (169, (0, 0, 0, 0))):
    with attempt(): syscall(number, *args); ev("system call %d" % number)
