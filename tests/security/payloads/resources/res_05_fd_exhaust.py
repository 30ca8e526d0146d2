# id: res_05_fd_exhaust
# category: resources
# kind: any
# attempts: open descriptors until there are no more
# detect: evidence (more than 1000)
# refused-by: rlimit EMFILE
# bare: succeeds
opened = 0
with attempt():
    while opened < 6000: _p.dup(0); opened += 1
if opened > 1000: ev("descriptors %d" % opened)
