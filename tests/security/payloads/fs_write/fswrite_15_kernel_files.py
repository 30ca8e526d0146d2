# id: fswrite_15_kernel_files
# category: fs_write
# kind: any
# attempts: write to /proc and cgroup files: memory score, kernel settings, limits
# detect: evidence
# refused-by: landlock EACCES, EACCES/ENOENT | namespaces ENOENT/EACCES
# bare: succeeds
for path in ("/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern", "/sys/fs/cgroup/cgroup.procs", "/proc/self/comm", "/proc/self/coredump_filter"):
    with attempt(): _p.write(_p.open(path, _p.O_WRONLY), b"1"); ev(path)
