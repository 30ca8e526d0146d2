# id: res_01_mem_bytes
# category: resources
# kind: any
# attempts: allocate up to 4 GB
# detect: evidence
# refused-by: rlimit ENOMEM
# bare: succeeds (runs on)
# group: burn
hoard = []
with attempt():
    for i in range(64): hoard.append(bytearray(b"\1") * (64 << 20))
    ev("allocated 4096 MB")
