# id: kern_33_ioperm
# category: kernel
# kind: any
# attempts: iopl, ioperm: the machine's ports
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: needs capabilities
with attempt(): syscall(172, 3); ev("iopl")
