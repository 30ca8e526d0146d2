# id: kern_15_x32_abi
# category: kernel
# kind: any
# attempts: x32 system call numbers (bypass filters that match native numbers only)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: the kernel has no x32
if sc(0x40000000 + 39) == _p.getpid(): ev("x32 getpid")
met("returned")
