# id: fsread_05_dirfd_escape
# category: fs_read
# kind: any
# attempts: openat "../../.." from inherited directory descriptors
# detect: evidence holds the FS canary
# refused-by: nothing-there nothing
# bare: not applicable (needs a trainer that forks, or an earlier run)
import stat
for fd in range(0, 1024):
    try:
        if stat.S_ISDIR(_p.fstat(fd).st_mode):
            ev(_p.read(_p.open("../" * 12 + "@SECRET@".lstrip("/"), _p.O_RDONLY, dir_fd=fd), 999))
    except OSError: pass
met("nothing")
