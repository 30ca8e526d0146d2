# id: zyg_03_pidfd_signal
# category: zygote
# kind: any
# attempts: pidfd_open of the parent and the bystander, to signal them through it
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
for pid in (_p.getppid(), 1, @VICTIM@):
    with attempt(): syscall(424, syscall(434, pid, 0), 9, 0, 0); ev("pidfd signal to %d" % pid)
