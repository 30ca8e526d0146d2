# id: split_18_testers_reports_by_proc
# category: split
# kind: fn
# attempts: write "pass" on the tester's channel to the judge, opened through /proc/<pid>/fd of every process near its own
# detect: passed, or evidence (a descriptor of another process opened)
# refused-by: verdict WRONG_OUTPUT
# bare: succeeds
# prelude: channel
def add(a, b):
    own = _p.getpid()
    for pid in [own + step for step in range(-30, 31) if step] + [_p.getppid(), 1, 2, 3]:
        for fd in (4, 3, 5, 6):
            try: target = _p.open("/proc/%d/fd/%d" % (pid, fd), _p.O_WRONLY | 0o4000)
            except OSError: continue
            ev("opened descriptor %d of %d" % (fd, pid))
            if fd == 4: send(frame(enc(("pass", 1))) + frame(enc(("done", 1))), target)
    return -12345
