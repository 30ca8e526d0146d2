# id: kern_29_inotify
# category: kernel
# kind: any
# attempts: inotify, to watch what others do
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): ev("inotify %d" % syscall(294, 0))
