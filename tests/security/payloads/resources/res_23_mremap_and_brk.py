# id: res_23_mremap_and_brk
# category: resources
# kind: any
# attempts: grow by mremap and by the break
# detect: evidence
# refused-by: rlimit ENOMEM
# bare: succeeds
# group: burn
import ctypes, mmap
with attempt(): mmap.mmap(-1, 1 << 20).resize(2 << 30); ev("resized to 2 GB")
libc = ctypes.CDLL(None, use_errno=True); libc.sbrk.restype = ctypes.c_ssize_t; libc.sbrk.argtypes = [ctypes.c_ssize_t]
if libc.sbrk(2 << 30) == -1: met(-ctypes.get_errno())
else: ev("break moved by 2 GB")
