# id: zyg_11_prctl
# category: zygote
# kind: any
# attempts: drop the signal that ties its life to its parent's, and let others look into it (PR_SET_DUMPABLE)
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
for option, value in ((1, 0), (4, 1)):
    with attempt(): syscall(157, option, value, 0, 0, 0); ev("prctl %d" % option)
