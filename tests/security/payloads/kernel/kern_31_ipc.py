# id: kern_31_ipc
# category: kernel
# kind: any
# attempts: POSIX message queues, System V semaphores and queues, which outlive the run
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
for number, args in ((240, (ctypes.c_char_p(b"q@NONCE@"), 0o102, 0o600, 0)), (64, (0x5eee, 1, 0o1666)), (68, (0x5eef, 0o1666))):
    with attempt(): syscall(number, *args); ev("system call %d" % number)
