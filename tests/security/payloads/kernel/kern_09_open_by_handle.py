# id: kern_09_open_by_handle
# category: kernel
# kind: any
# attempts: name_to_handle_at, the first half of escapes by open_by_handle_at
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import ctypes, struct
buffer = ctypes.create_string_buffer(struct.pack("II", 128, 0) + b"\0" * 128); mount = ctypes.c_int()
with attempt(): syscall(303, -100, ctypes.c_char_p(b"/"), ctypes.byref(buffer), ctypes.byref(mount), 0); ev("handle")
