# id: kern_27_signals_by_descriptor
# category: kernel
# kind: any
# attempts: F_SETOWN, F_SETSIG and F_SETLEASE: signals to others by way of a descriptor
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import fcntl
reader, writer = _p.pipe()
for command, value in ((fcntl.F_SETOWN, _p.getppid()), (10, 9), (fcntl.F_SETLEASE, fcntl.F_WRLCK)):
    with attempt(): fcntl.fcntl(reader, command, value); ev("fcntl %d" % command)
