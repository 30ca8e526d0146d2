# id: zyg_23_limits_of_others
# category: zygote
# kind: any
# attempts: prlimit64 on the parent and the bystander (no descriptors, no CPU)
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds (the trainer dies)
import ctypes
for pid in (_p.getppid(), @VICTIM@, 1):
    with attempt(): syscall(302, pid, 7, ctypes.create_string_buffer(16), 0); ev("limit of %d" % pid)
