# id: fswrite_12_metadata
# category: fs_write
# kind: any
# attempts: times, owner and extended attributes of a file of the trainer (outside Landlock)
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import os
for act in (lambda: _p.utime("@DROP@/precious", (0, 0)), lambda: _p.chown("@DROP@/precious", -1, -1), lambda: os.setxattr("@DROP@/precious", "user.x", b"1"), lambda: os.removexattr("@DROP@/precious", "user.x"), lambda: _p.chmod("@DROP@", 0o700)):
    with attempt(): act(); ev("metadata")
