# id: proc_11_proc_mem_parent
# category: process
# kind: any
# attempts: read /proc/<pid>/mem of parent and bystander
# detect: evidence
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: succeeds
for pid in (_p.getppid(), @VICTIM@):
    with attempt(): _p.open("/proc/%d/mem" % pid, _p.O_RDONLY); ev("opened the memory of %d" % pid)
