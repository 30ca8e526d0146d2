# id: fsread_10_proc
# category: fs_read
# kind: any
# attempts: /proc: the trainer's command line and environment, the mounts, own status
# detect: evidence
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: succeeds
for path in ("/proc/@TRAINER@/cmdline", "/proc/@TRAINER@/environ", "/proc/1/cmdline", "/proc/self/mountinfo", "/proc/self/environ", "/proc/meminfo"):
    with attempt(): ev(rd(path)[:60] or b"empty")
