# id: many_03_orphan_in_the_next_run
# category: many
# kind: any
# attempts: a child that goes on writing to the working directory and to the channel while the next program runs
# detect: evidence, or an honest neighbour fails
# refused-by: nothing-there nothing
# bare: not applicable (needs an earlier run)
# group: many
import os, time
if os.path.exists("orphan"): ev("the file of an earlier run")
try: pid = os.fork()
except OSError: pid = 1
if pid == 0:
    try:
        if os.fork(): os._exit(0)
    except OSError: pass
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try: os.close(os.open("orphan", os.O_CREAT | os.O_WRONLY)); os.write(4, b"\1\0\0\0\0")
        except OSError: pass
        time.sleep(0.01)
    os._exit(0)
met("nothing")
