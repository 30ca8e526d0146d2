# id: proc_13_exec_shell
# category: process
# kind: any
# attempts: spawn a shell
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
pid = libc.fork()
if pid == 0: libc.execl(b"/bin/sh", b"sh", b"-c", b"echo EVIDENCE:@ID@:uid=$(id -u)", None); libc._exit(9)
if pid < 0: met(-ctypes.get_errno())
else: libc.waitpid(pid, None, 0)
