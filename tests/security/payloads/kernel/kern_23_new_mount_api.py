# id: kern_23_new_mount_api
# category: kernel
# kind: any
# attempts: open_tree, a detached copy of the mounts
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes
with attempt(): ev("tree %d" % syscall(428, -100, ctypes.c_char_p(b"/"), 0))
