# id: proc_17_kill_pgrp
# category: process
# kind: any
# attempts: kill its whole process group
# detect: the harness died
# refused-by: seccomp EPERM
# bare: succeeds (the bystander is dead)
with attempt(): _p.kill(0, 9); ev("killed the group")
