# id: many_01_daemons
# category: many
# kind: any
# attempts: where processes are allowed: children that outlive the program and hold its output open
# detect: no verdict, or a process is left
# refused-by: verdict WRONG_OUTPUT/TIMED_OUT
# bare: succeeds (leaves processes)
# group: many
import os, time
for i in range(3):
    try:
        if os.fork() == 0:
            try: os.setsid()
            except OSError: pass
            try: child = os.fork()
            except OSError: child = 1
            if child == 0 or i == 2: time.sleep(60)
            os._exit(0)
    except OSError: break
