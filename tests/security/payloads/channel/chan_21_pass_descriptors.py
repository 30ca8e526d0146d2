# id: chan_21_pass_descriptors
# category: channel
# kind: any
# attempts: SCM_RIGHTS over every descriptor it has (sendmsg on the channel)
# detect: evidence
# refused-by: seccomp EPERM
# bare: not applicable
import array, ctypes
class IOV(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]
class MSG(ctypes.Structure): _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t), ("control", ctypes.c_char_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
vector = IOV(b"x", 1)
control = (20).to_bytes(8, "little") + (1).to_bytes(4, "little") * 3 + bytes(4)
for fd in range(5):
    with attempt(): syscall(46, fd, ctypes.byref(MSG(None, 0, ctypes.addressof(vector), 1, control, len(control), 0)), 0x40); ev("passed a descriptor over %d" % fd)
