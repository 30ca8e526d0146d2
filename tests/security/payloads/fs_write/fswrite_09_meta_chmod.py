# id: fswrite_09_meta_chmod
# category: fs_write
# kind: any
# attempts: chmod a file of the trainer (metadata is outside Landlock)
# detect: mode of DROP/precious changed
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): _p.chmod("@DROP@/precious", 0o600); ev("chmod")
