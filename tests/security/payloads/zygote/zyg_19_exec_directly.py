# id: zyg_19_exec_directly
# category: zygote
# kind: any
# attempts: become another program: a shell, the interpreter, execveat
# detect: evidence
# refused-by: seccomp ENOSYS
# bare: succeeds
import ctypes
for path in (b"/bin/sh", b"/proc/self/exe", sys.executable.encode() or b"/bin/true"):
    arguments = (ctypes.c_char_p * 4)(b"sh", b"-c", b"echo EVIDENCE:@ID@:exec", None)
    with attempt(): syscall(59, ctypes.c_char_p(path), arguments, 0)
    with attempt(): syscall(322, -100, ctypes.c_char_p(path), arguments, 0, 0)
