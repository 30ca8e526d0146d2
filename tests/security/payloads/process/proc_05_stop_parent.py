# id: proc_05_stop_parent
# category: process
# kind: any
# attempts: SIGSTOP the parent, so that the trainer hangs
# detect: no verdict
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): _p.kill(_p.getppid(), 19); ev("stopped the parent")
