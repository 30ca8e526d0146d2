# id: fswrite_13_special_files
# category: fs_write
# kind: any
# attempts: directories and links outside
# detect: new file in DROP
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
for act in (lambda: _p.mkdir("@DROP@/dir_@NONCE@"), lambda: _p.symlink("/", "@DROP@/link_@NONCE@")):
    with attempt(): act(); ev("made")
