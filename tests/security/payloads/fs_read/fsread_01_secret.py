# id: fsread_01_secret
# category: fs_read
# kind: any
# attempts: open a world-readable file outside
# detect: evidence holds the FS canary
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
with attempt(): ev(rd("@SECRET@"))
