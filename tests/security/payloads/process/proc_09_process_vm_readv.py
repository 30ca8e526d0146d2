# id: proc_09_process_vm_readv
# category: process
# kind: any
# attempts: read the memory of parent and bystander with process_vm_readv, at their addresses or at its own
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes
class IOV(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def ranges(pid):
    yield id(sys) & ~4095, 4096  # a forked parent has the same layout
    for line in rd("/proc/%d/maps" % pid, 1 << 20).decode().splitlines():
        fields = line.split()
        low, high = (int(x, 16) for x in fields[0].split("-"))
        if "rw" in fields[1] and high - low < 64 << 20: yield low, high - low
for pid in (_p.getppid(), @VICTIM@):
    with attempt():
        for low, size in ranges(pid):
            buffer = ctypes.create_string_buffer(size)
            if sc(310, pid, ctypes.byref(IOV(ctypes.addressof(buffer), size)), 1, ctypes.byref(IOV(low, size)), 1, 0) > 0: ev("read %d" % pid); break
