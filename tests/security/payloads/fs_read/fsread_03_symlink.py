# id: fsread_03_symlink
# category: fs_read
# kind: any
# attempts: read the secret through a symlink in the working directory
# detect: evidence holds the FS canary
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
with attempt():
    try: _p.symlink("@SECRET@", "link_@NONCE@")
    except FileExistsError: pass
    ev(rd("link_@NONCE@"))
