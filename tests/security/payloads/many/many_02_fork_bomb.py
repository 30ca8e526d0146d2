# id: many_02_fork_bomb
# category: many
# kind: any
# attempts: where eight processes are allowed: four hundred
# detect: evidence (more than 64)
# refused-by: rlimit EAGAIN
# bare: succeeds
# group: many
import os, time
made = 0
with attempt():
    for i in range(400):
        if os.fork() == 0: time.sleep(5); os._exit(0)
        made += 1
if made > 64: ev("forked %d" % made)
