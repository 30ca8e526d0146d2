# id: fswrite_11_truncate
# category: fs_write
# kind: any
# attempts: truncate(2) by path and by opening for reading (outside Landlock before ABI 3)
# detect: the file changed
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): _p.truncate("@DROP@/precious", 0); ev("truncated")
with attempt(): _p.open("@DROP@/precious", _p.O_RDONLY | _p.O_TRUNC); ev("truncated on opening")
