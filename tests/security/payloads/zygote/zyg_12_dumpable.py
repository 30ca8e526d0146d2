# id: zyg_12_dumpable
# category: zygote
# kind: any
# attempts: prctl games: PR_SET_NO_NEW_PRIVS off, capabilities back, PR_SET_MM
# detect: evidence
# refused-by: kernel EPERM/EINVAL
# bare: refused by any kernel
for option, args in ((38, (0, 0, 0, 0)), (47, (2, 21, 0, 0)), (35, (1, 4096, 0, 0))):
    with attempt(): syscall(157, option, *args); ev("prctl %d" % option)
