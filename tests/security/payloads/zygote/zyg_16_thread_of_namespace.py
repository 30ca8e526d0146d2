# id: zyg_16_thread_of_namespace
# category: zygote
# kind: any
# attempts: clone with CLONE_THREAD (which threads need) together with a namespace flag
# detect: evidence
# refused-by: seccomp EPERM
# bare: refused by any kernel
for flag in (0x00020000, 0x04000000, 0x08000000, 0x40000000, 0x10000000):
    with attempt(): syscall(56, flag | 0x00010000 | 0x800 | 0x100, 0, 0, 0, 0); ev("thread with %x" % flag)
