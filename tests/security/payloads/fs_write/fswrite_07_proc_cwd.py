# id: fswrite_07_proc_cwd
# category: fs_write
# kind: any
# attempts: write through /proc/<parent>/cwd
# detect: new file in the trainer's working directory
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: succeeds
for pid in (str(_p.getppid()), "1", "@TRAINER@"):
    with attempt(): wr("/proc/%s/cwd/pwn_@NONCE@" % pid); ev("wrote through " + pid)
