# id: chan_19_other_direction
# category: channel
# kind: any
# attempts: write where it should read and read where it should write
# detect: evidence
# refused-by: nothing-there EBADF, EPERM/EBADF
# bare: succeeds
with attempt(): _p.write(0, b"EXFIL"); ev("wrote to 0")
for fd in (1, 2):
    with attempt(): _p.read(fd, 1); ev("read from %d" % fd)
