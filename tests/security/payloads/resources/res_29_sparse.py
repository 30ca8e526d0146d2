# id: res_29_sparse
# category: resources
# kind: any
# attempts: a sparse file of a terabyte
# detect: evidence
# refused-by: rlimit EFBIG/EACCES
# bare: succeeds
with attempt():
    fd = _p.open("sparse", _p.O_WRONLY | _p.O_CREAT)
    for act in (lambda: _p.ftruncate(fd, 1 << 40), lambda: _p.posix_fallocate(fd, 0, 1 << 30), lambda: _p.pwrite(fd, b"x", 1 << 40)):
        with attempt(): act(); ev("a terabyte")
