import errno as _errno, posix as _p, sys


def _say(kind, what):
    line = ("\n%s:@ID@:%s\n" % (kind, str(what)[:200].replace("\n", " "))).encode("utf-8", "replace")
    for fd in (1, 2):
        try: _p.write(fd, line)
        except BaseException: pass


def ev(what):
    """The attack succeeded."""
    _say("EVIDENCE", what)


def met(what):
    """What stood in its way: an error, its number, or a word."""
    if isinstance(what, MemoryError): what = "ENOMEM"
    elif isinstance(what, OSError) and what.errno: what = _errno.errorcode.get(what.errno, what.errno)
    elif isinstance(what, BaseException): what = type(what).__name__
    elif isinstance(what, int): what = _errno.errorcode.get(-what, what)
    _say("MET", what)


class attempt:
    """Reports what its block met; a block that gets through reports evidence itself."""

    def __enter__(self): return self

    def __exit__(self, kind, error, trace):
        if error is not None: met(error)
        return True


def rd(path, size=65536):
    fd = _p.open(path, _p.O_RDONLY)
    try: return _p.read(fd, size)
    finally: _p.close(fd)


def wr(path, data=b"x"):
    fd = _p.open(path, _p.O_WRONLY | _p.O_CREAT, 0o666)
    try: _p.write(fd, data)
    finally: _p.close(fd)


def sc(number, *args):
    """A system call by its number on x86-64: what it returns, or the error as a negative number."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return r if r >= 0 else -ctypes.get_errno()


def syscall(number, *args):
    """The same, with the error raised."""
    r = sc(number, *args)
    if r < 0: raise OSError(-r, "system call %d" % number)
    return r
