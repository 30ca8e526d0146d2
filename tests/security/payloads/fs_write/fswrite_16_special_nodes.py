# id: fswrite_16_special_nodes
# category: fs_write
# kind: any
# attempts: FIFOs, nodes and devices, outside and in the working directory
# detect: new file in DROP
# refused-by: seccomp ENOSYS
# bare: succeeds
for act in (lambda: _p.mkfifo("@DROP@/fifo_@NONCE@"), lambda: _p.mknod("@DROP@/file_@NONCE@", 0o100666), lambda: _p.mkfifo("fifo_@NONCE@"), lambda: _p.mknod("disk_@NONCE@", 0o060666, 0x0801)):
    with attempt(): act(); ev("made")
