# id: zyg_09_leave_files
# category: zygote
# kind: any
# attempts: leave files in the working directory and every place for temporary ones, and look for an earlier run's
# detect: evidence
# refused-by: nothing-there nothing
# bare: succeeds (leaves files)
import os, tempfile, time
own = "left_%d_%d" % (os.getpid(), time.time_ns())
for place in (".", "..", "/tmp", "/var/tmp", "/dev/shm", "@TMP@", os.path.expanduser("~"), tempfile.gettempdir()):
    try:
        if any(name.startswith("left_") and name != own for name in os.listdir(place)): ev("a file of an earlier run in " + place)
    except OSError: pass
    try: open(os.path.join(place, own), "w").write("x")
    except OSError: pass
met("nothing")
