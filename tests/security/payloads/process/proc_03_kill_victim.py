# id: proc_03_kill_victim
# category: process
# kind: any
# attempts: SIGKILL a process of the same user by its id
# detect: the victim is dead
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): _p.kill(@VICTIM@, 9); ev("killed")
