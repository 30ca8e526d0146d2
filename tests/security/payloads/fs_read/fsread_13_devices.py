# id: fsread_13_devices
# category: fs_read
# kind: any
# attempts: devices: memory, disk, kernel log, terminals, the fuse and kvm doors
# detect: evidence
# refused-by: landlock EACCES, EACCES/ENOENT | namespaces ENOENT/EACCES
# bare: succeeds
for name in ("mem", "kmsg", "vda", "sda", "tty", "ptmx", "fuse", "kvm", "net/tun", "full"):
    with attempt(): _p.open("/dev/" + name, _p.O_RDWR); ev(name)
