# id: zyg_05_pidfd_getfd
# category: zygote
# kind: any
# attempts: kcmp with the parent, the step before stealing its descriptors
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
with attempt(): ev("kcmp %d" % syscall(312, _p.getpid(), _p.getppid(), 2, 0, 0))
