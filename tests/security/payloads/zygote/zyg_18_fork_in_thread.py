# id: zyg_18_fork_in_thread
# category: zygote
# kind: any
# attempts: fork from a thread
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import threading
def work():
    with attempt():
        if _p.fork() == 0: _p._exit(0)
        ev("forked in a thread")
thread = threading.Thread(target=work); thread.start(); thread.join()
