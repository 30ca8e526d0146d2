# id: zyg_15_clone_flags
# category: zygote
# kind: any
# attempts: clone with each namespace flag, CLONE_PARENT, CLONE_UNTRACED and CLONE_PIDFD
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00008000, 0x00800000, 0x00001000, 0x00000200, 0x00000800):
    with attempt():
        pid = syscall(56, flag | 17, 0, 0, 0, 0)
        if pid == 0: sc(60, 0)
        ev("clone %x" % flag)
