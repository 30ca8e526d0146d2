# id: res_28_many_files
# category: resources
# kind: any
# attempts: fill the disk with many files, each below the limit on one
# detect: evidence (more than 256 MB)
# refused-by: limit ENOSPC/EDQUOT/EFBIG/EACCES/EROFS/EPERM/OUTPUT_EXCEEDED
# bare: succeeds
# group: burn
block, total = b"x" * (1 << 20), 0
with attempt():
    for number in range(200):
        fd = _p.open("fill_%d" % number, _p.O_WRONLY | _p.O_CREAT)
        for i in range(2): total += _p.write(fd, block)
        _p.close(fd)
if total > 256 << 20: ev("%d MB on disk" % (total >> 20))
