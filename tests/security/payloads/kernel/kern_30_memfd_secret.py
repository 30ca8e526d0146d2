# id: kern_30_memfd_secret
# category: kernel
# kind: any
# attempts: memfd_secret
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): ev("secret %d" % syscall(447, 0))
