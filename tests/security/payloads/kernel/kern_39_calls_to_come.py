# id: kern_39_calls_to_come
# category: kernel
# kind: any
# attempts: calls newer than the filter (listmount, statmount, unknown numbers)
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
import ctypes, struct
request, room = ctypes.create_string_buffer(struct.pack("IIQQ", 24, 0, 2**64 - 1, 0)), ctypes.create_string_buffer(4096)
for number, args in ((458, (request, room, 10, 0)), (470, ()), (600, ())):
    with attempt(): ev("system call %d: %d" % (number, syscall(number, *args)))
