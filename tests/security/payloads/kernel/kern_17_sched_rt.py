# id: kern_17_sched_rt
# category: kernel
# kind: any
# attempts: pin itself to a CPU, so that it starves a worker
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
with attempt(): syscall(203, 0, 8, ctypes.byref(ctypes.c_uint64(1))); ev("affinity")
