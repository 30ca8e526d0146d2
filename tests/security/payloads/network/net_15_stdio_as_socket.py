# id: net_15_stdio_as_socket
# category: network
# kind: any
# attempts: connect, bind, listen and accept on descriptors that it already has
# detect: evidence
# refused-by: seccomp EPERM
# bare: refused by any kernel
import ctypes, struct
address = ctypes.create_string_buffer(struct.pack("=HHI8x", 2, 0x5000, 0x0100007F), 16)
for fd in range(5):
    for number, args in ((42, (fd, address, 16)), (49, (fd, address, 16)), (50, (fd, 1)), (43, (fd, 0, 0))):
        with attempt(): syscall(number, *args); ev("system call %d on %d" % (number, fd))
