# id: zyg_10_process_attributes
# category: zygote
# kind: any
# attempts: change directory, mask, niceness, limits and name for the next run, and look for an earlier run's
# detect: evidence
# refused-by: nothing-there nothing
# bare: not applicable
import os, resource
mask = os.umask(0o123)
if mask == 0o123 or os.getpriority(0, 0) >= 7 or resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 17: ev("attributes of an earlier run")
for change in (lambda: os.chdir("/"), lambda: os.nice(7), lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (17, 17)), lambda: sc(157, 15, b"x")):
    try: change()
    except (OSError, ValueError, TypeError): pass
met("nothing")
