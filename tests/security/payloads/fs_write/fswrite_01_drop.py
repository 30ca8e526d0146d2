# id: fswrite_01_drop
# category: fs_write
# kind: any
# attempts: create a file outside the scratch directory
# detect: new file in DROP
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
with attempt(): wr("@DROP@/a_@NONCE@"); ev("dropped")
