# id: kern_40_openat2
# category: kernel
# kind: any
# attempts: openat2, whose flags a filter cannot see
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
import ctypes, struct
with attempt(): syscall(437, -100, ctypes.c_char_p(b"."), ctypes.create_string_buffer(struct.pack("3Q", 0, 0, 0)), 24); ev("openat2")
