# id: zyg_25_priorities
# category: zygote
# kind: any
# attempts: setpriority, ioprio_set, sched_setscheduler and sched_setattr on the parent and on itself
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
for number, args in ((141, (0, _p.getppid(), 19)), (251, (1, _p.getppid(), 0)), (144, (0, 3, ctypes.byref(ctypes.c_int(0)))), (314, (0, ctypes.create_string_buffer(bytes([48]) + bytes(47)), 0))):
    with attempt(): syscall(number, *args); ev("system call %d" % number)
