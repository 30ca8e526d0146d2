# id: many_05_signals_in_the_family
# category: many
# kind: any
# attempts: a child that signals its parent's parent, and everybody
# detect: the runner or a neighbour is gone
# refused-by: seccomp EPERM
# bare: succeeds
# group: many
import os
top = os.getppid()
try: pid = os.fork()
except OSError: pid = 0
if pid == 0:
    for target in (top, -1, 0, 1):
        for number in (19, 9):
            with attempt(): _p.kill(target, number); ev("signal %d to %d" % (number, target))
    os._exit(0)
os.waitpid(pid, 0)
