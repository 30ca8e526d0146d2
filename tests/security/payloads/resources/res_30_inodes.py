# id: res_30_inodes
# category: resources
# kind: any
# attempts: fifty thousand empty files (no bytes, many inodes)
# detect: evidence
# refused-by: limit ENOSPC/EDQUOT/EACCES/CPU_EXCEEDED/EROFS/OUTPUT_EXCEEDED
# bare: succeeds
# group: burn
with attempt():
    for number in range(50_000): _p.close(_p.open("e%d" % number, _p.O_WRONLY | _p.O_CREAT))
    ev("50000 files")
