# id: kern_38_pivot_chroot
# category: kernel
# kind: any
# attempts: chroot, to climb out of a root of its own
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
with attempt(): _p.chroot("."); ev("chroot")
