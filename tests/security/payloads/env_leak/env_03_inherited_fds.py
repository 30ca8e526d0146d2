# id: env_03_inherited_fds
# category: env_leak
# kind: any
# attempts: read descriptors above 2 that the trainer left open
# detect: evidence holds the FD canary
# refused-by: nothing-there nothing
# bare: succeeds
for fd in range(3, 1024):
    try:
        if b"CANARY-" b"FD" in _p.pread(fd, 4096, 0): ev("descriptor %d" % fd); break
    except OSError: pass
met("nothing")
