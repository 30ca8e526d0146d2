# id: kern_05_keyctl
# category: kernel
# kind: any
# attempts: add_key to the session keyring (outlives the process)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes
with attempt(): ev("key %d" % syscall(248, ctypes.c_char_p(b"user"), ctypes.c_char_p(b"k@NONCE@"), ctypes.c_char_p(b"v"), 1, -4))
