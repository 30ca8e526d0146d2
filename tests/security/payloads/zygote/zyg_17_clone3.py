# id: zyg_17_clone3
# category: zygote
# kind: any
# attempts: clone3, whose flags a filter cannot see
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
import ctypes, struct
arguments = ctypes.create_string_buffer(struct.pack("11Q", 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
with attempt():
    pid = syscall(435, arguments, 88)
    if pid == 0: sc(60, 0)
    ev("clone3")
