# id: kern_34_int80
# category: kernel
# kind: any
# attempts: the 32-bit system call entry from machine code of its own (numbers mean other calls there)
# detect: evidence
# refused-by: seccomp SIGSYS
# bare: succeeds
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")  # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
if run() == _p.getpid(): ev("32-bit getpid")
