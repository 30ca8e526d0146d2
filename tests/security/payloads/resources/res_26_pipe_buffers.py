# id: res_26_pipe_buffers
# category: resources
# kind: any
# attempts: memory of the kernel: many pipes of a megabyte, filled
# detect: evidence (more than 128 MB)
# refused-by: rlimit EMFILE
# bare: succeeds
import fcntl
total, block, ends = 0, b"x" * (1 << 20), []
with attempt():
    while total < 512 << 20:
        ends.append(_p.pipe()); writer = ends[-1][1]
        try: fcntl.fcntl(writer, 1031, 1 << 20)
        except OSError: pass
        _p.set_blocking(writer, False)
        try: total += _p.write(writer, block)
        except BlockingIOError: pass
if total > 128 << 20: ev("pipes hold %d MB" % (total >> 20))
