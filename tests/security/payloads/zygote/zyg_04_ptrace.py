# id: zyg_04_ptrace
# category: zygote
# kind: any
# attempts: attach to the parent with ptrace
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds (the trainer hangs)
for request in (16, 0x4206):
    with attempt(): syscall(101, request, _p.getppid(), 0, 0); ev("ptrace")
