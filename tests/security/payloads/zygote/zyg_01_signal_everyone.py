# id: zyg_01_signal_everyone
# category: zygote
# kind: any
# attempts: kill and stop the parent, pid 1, everybody, its group and its neighbours by number
# detect: the runner or a neighbour is gone
# refused-by: seccomp EPERM
# bare: succeeds
own = _p.getpid()
for pid in [_p.getppid(), 1, -1, 0, -own, -1000, @TRAINER@] + [own + step for step in range(-40, 41) if step]:
    for number in (0, 19, 9):
        with attempt(): _p.kill(pid, number); ev("signal %d to %d" % (number, pid))
