# id: zyg_06_wide_descriptors
# category: zygote
# kind: any
# attempts: fstat, read and write every descriptor from 5 to 1023 (the zygote's control socket)
# detect: evidence
# refused-by: nothing-there nothing
# bare: succeeds
for fd in range(5, 1024):
    try: _p.fstat(fd); ev("descriptor %d is open" % fd)
    except OSError: pass
met("nothing")
