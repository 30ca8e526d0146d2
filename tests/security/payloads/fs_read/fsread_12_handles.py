# id: fsread_12_handles
# category: fs_read
# kind: any
# attempts: O_PATH handles and hard links to the secret
# detect: evidence holds the FS canary
# refused-by: landlock EACCES/EXDEV | namespaces ENOENT
# bare: succeeds
with attempt(): _p.link("@SECRET@", "hard_@NONCE@"); ev(rd("hard_@NONCE@"))
with attempt():
    fd = _p.open("@DROP@", 0o10000000)
    ev(_p.read(_p.open("../secret.txt", _p.O_RDONLY, dir_fd=fd), 99))
