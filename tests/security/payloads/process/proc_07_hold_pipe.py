# id: proc_07_hold_pipe
# category: process
# kind: any
# attempts: a child in the background keeps stdout open, so that a reader waiting for its end hangs
# detect: no verdict, or a process is left
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
pid = libc.fork()
if pid == 0: libc.setsid(); time.sleep(40); libc._exit(0)
if pid < 0: met(-ctypes.get_errno())
else: ev("child %d holds the pipe" % pid)
