# id: zyg_14_own_landlock
# category: zygote
# kind: any
# attempts: a Landlock ruleset of its own (attack surface of the kernel)
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
import ctypes
with attempt(): ev("ruleset %d" % syscall(444, ctypes.byref(ctypes.c_uint64(4)), 8, 0))
