# id: kern_13_memfd_exec
# category: kernel
# kind: any
# attempts: run a program that is in no file: memfd_create, then execveat
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
with attempt():
    fd = syscall(319, ctypes.c_char_p(b"x"), 0)
    _p.write(fd, b"#!/bin/sh\necho EVIDENCE:@ID@:memfd exec\n")
    _p.execv("/proc/self/fd/%d" % fd, ["x"])
