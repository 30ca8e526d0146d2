# id: kern_35_personality
# category: kernel
# kind: any
# attempts: personality: no address randomisation, read implies exec
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
with attempt(): syscall(135, 0x0440000); ev("personality")
