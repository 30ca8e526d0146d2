# id: kern_19_sysv_shm
# category: kernel
# kind: any
# attempts: a System V shared memory segment that outlives the run
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): ev("segment %d" % syscall(29, 0x5eed, 1 << 20, 0o1666))
