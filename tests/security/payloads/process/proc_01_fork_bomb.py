# id: proc_01_fork_bomb
# category: process
# kind: any
# attempts: fork many children (bounded to 400, each sleeps 4 s)
# detect: evidence (more than 64 forks)
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
made = 0
for i in range(400):
    pid = libc.fork()
    if pid == 0: time.sleep(4); libc._exit(0)
    if pid < 0: met(-ctypes.get_errno()); break
    made += 1
if made > 64: ev("forked %d" % made)
