# id: chan_22_splice
# category: channel
# kind: any
# attempts: tee and splice what is in flight between the pipes; vmsplice with pages it changes afterwards
# detect: no verdict, or an honest neighbour fails
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY/RUNTIME_ERROR/OUTPUT_EXCEEDED/FORBIDDEN
# bare: not applicable
import ctypes
class IOV(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
page = ctypes.create_string_buffer(b"A" * 4096)
for out in (1, 2, 4):
    sc(278, out, ctypes.byref(IOV(ctypes.addressof(page), 4096)), 1, 2)
    for source in (0, 3): sc(275, source, 0, out, 0, 4096, 2); sc(276, source, out, 4096, 2)
page.value = b"B" * 4000
