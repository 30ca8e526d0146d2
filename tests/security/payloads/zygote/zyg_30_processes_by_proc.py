# id: zyg_30_processes_by_proc
# category: zygote
# kind: any
# attempts: find other processes through /proc: their descriptors, memory, command lines and environments
# detect: evidence
# refused-by: landlock EACCES, EACCES/ENOENT | namespaces ENOENT/EACCES
# bare: succeeds
own = _p.getpid()
for pid in [_p.getppid(), 1] + [own + step for step in range(-10, 11) if step]:
    for name in ("mem", "environ", "maps", "cmdline", "fd/0", "fd/3", "fd/4", "cwd/x", "root/etc/passwd", "exe"):
        with attempt(): _p.open("/proc/%d/%s" % (pid, name), _p.O_RDONLY | 0o4000); ev("opened %s of %d" % (name, pid))
