# id: kern_07_userfaultfd
# category: kernel
# kind: any
# attempts: userfaultfd (a primitive of kernel exploits)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
with attempt(): syscall(323, 1); ev("userfaultfd")
