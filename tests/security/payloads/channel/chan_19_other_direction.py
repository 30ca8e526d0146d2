# id: chan_19_other_direction
# category: channel
# kind: any
# attempts: write where it should read and read where it should write
# detect: evidence
# refused-by: nothing-there EBADF, EBADF/EPERM
# bare: succeeds
import fcntl
for fd in (0, 3):
    with attempt(): fcntl.fcntl(fd, fcntl.F_SETFL, 0o4000); _p.write(fd, b"EXFIL"); ev("wrote to %d" % fd)
for fd in (1, 2, 4):
    with attempt(): _p.read(fd, 1); ev("read from %d" % fd)
