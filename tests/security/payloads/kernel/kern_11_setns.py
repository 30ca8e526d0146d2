# id: kern_11_setns
# category: kernel
# kind: any
# attempts: setns into the namespaces of pid 1 and of the parent
# detect: evidence
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: needs capabilities
for pid in (1, _p.getppid()):
    for kind in ("mnt", "net", "pid", "user"):
        with attempt(): syscall(308, _p.open("/proc/%d/ns/%s" % (pid, kind), _p.O_RDONLY), 0); ev("setns " + kind)
