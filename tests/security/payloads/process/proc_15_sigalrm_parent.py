# id: proc_15_sigalrm_parent
# category: process
# kind: any
# attempts: send SIGALRM, SIGTERM and SIGINT to the parent
# detect: no verdict
# refused-by: seccomp EPERM
# bare: succeeds
for number in (14, 15, 2):
    with attempt(): _p.kill(_p.getppid(), number); ev("signal %d" % number)
