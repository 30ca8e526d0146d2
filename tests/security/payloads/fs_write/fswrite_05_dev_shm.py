# id: fswrite_05_dev_shm
# category: fs_write
# kind: any
# attempts: persist data between runs in /dev/shm
# detect: file in the host's /dev/shm
# refused-by: landlock EACCES | namespaces ENOENT/EACCES
# bare: succeeds
with attempt(): wr("/dev/shm/leak_@NONCE@"); ev("left a file")
