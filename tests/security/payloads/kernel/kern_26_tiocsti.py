# id: kern_26_tiocsti
# category: kernel
# kind: any
# attempts: push characters into a terminal (TIOCSTI), set who gets a descriptor's signals (FIOSETOWN, SIOCSPGRP)
# detect: evidence
# refused-by: seccomp EPERM
# bare: refused by any kernel
import ctypes
for command, value in ((0x5412, ctypes.c_char_p(b"x")), (0x8901, ctypes.byref(ctypes.c_int(_p.getppid()))), (0x8902, ctypes.byref(ctypes.c_int(_p.getppid())))):
    for fd in (0, 1):
        with attempt(): syscall(16, fd, command, value); ev("ioctl %x" % command)
