# id: zyg_02_signal_by_other_calls
# category: zygote
# kind: any
# attempts: tkill, tgkill and rt_sigqueueinfo to the parent and to everybody
# detect: the runner or a neighbour is gone
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
info = ctypes.create_string_buffer(128); own = _p.getpid()
for pid in [_p.getppid(), 1] + [own + step for step in range(-10, 11) if step]:
    for number, args in ((200, (pid, 9)), (234, (pid, pid, 9)), (129, (pid, 9, info)), (297, (pid, pid, 9, info))):
        with attempt(): syscall(number, *args); ev("system call %d to %d" % (number, pid))
