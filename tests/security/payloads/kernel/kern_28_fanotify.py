# id: kern_28_fanotify
# category: kernel
# kind: any
# attempts: fanotify_init, to watch every file
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
with attempt(): ev("fanotify %d" % syscall(300, 0x200, 0))
