# id: res_03_memfd_fill
# category: resources
# kind: any
# attempts: write to a memfd without mapping it (escapes a limit on address space)
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
block, total = b"x" * (1 << 20), 0
with attempt():
    for i in range(40):
        fd = syscall(319, ctypes.c_char_p(b"m"), 0)
        for j in range(64): total += _p.write(fd, block)
        if total > 600 << 20: ev("memfd %d MB" % (total >> 20)); break
