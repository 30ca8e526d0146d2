# id: chan_20_reopen
# category: channel
# kind: any
# attempts: open its own pipes again through /proc, in the other direction: write requests to itself, take back what it said
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
for fd in (3, 0):
    try: _p.write(_p.open("/proc/self/fd/%d" % fd, _p.O_WRONLY | 0o4000), b"\1\0\0\0\0" * 3)
    except OSError: pass
for fd in (4, 1, 2):
    try: _p.read(_p.open("/proc/self/fd/%d" % fd, _p.O_RDONLY | 0o4000), 4096)
    except OSError: pass
