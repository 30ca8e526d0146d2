# id: fsread_11_listings
# category: fs_read
# kind: any
# attempts: list directories outside: home, the processes, the trainer's folders
# detect: evidence
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: succeeds
for path in ("/home", "/proc", "/dev/shm", "@TMP@", "@DROP@"):
    with attempt(): ev((path, _p.listdir(path)[:5]))
