# id: kern_01_unshare_user
# category: kernel
# kind: any
# attempts: unshare(CLONE_NEWUSER), which gives every capability over fresh namespaces
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
with attempt(): syscall(272, 0x10000000); ev("user namespace")
