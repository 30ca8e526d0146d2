# id: res_24_mlock
# category: resources
# kind: any
# attempts: lock memory so that it cannot be paged out
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: refused by the test machine (ENOMEM)
import ctypes
room = ctypes.create_string_buffer(32 << 20)
with attempt(): syscall(149, room, 32 << 20); ev("locked 32 MB")
with attempt(): syscall(151, 3); ev("locked everything")
