# id: split_13_testers_descriptors
# category: split
# kind: fn
# attempts: write into the tester's ends of the pair (descriptors 5 and 6), or any above 4
# detect: evidence
# refused-by: verdict WRONG_OUTPUT
# bare: succeeds
for fd in range(5, 1024):
    try: _p.write(fd, b"\1\0\0\0\0"); ev("wrote to %d" % fd)
    except OSError: pass
    try: _p.set_blocking(fd, False); _p.read(fd, 1); ev("read from %d" % fd)
    except OSError: pass
def add(a, b): return -12345
