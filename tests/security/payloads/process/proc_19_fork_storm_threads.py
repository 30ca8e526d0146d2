# id: proc_19_fork_storm_threads
# category: process
# kind: any
# attempts: fork, vfork, clone(CLONE_VM-less) and clone3 as raw system calls
# detect: evidence
# refused-by: seccomp EPERM, ENOSYS
# bare: succeeds
import ctypes
for number, args in ((57, ()), (56, (17, 0, 0, 0, 0)), (435, (ctypes.byref(ctypes.create_string_buffer(88)), 88))):
    with attempt():
        pid = syscall(number, *args)
        if pid == 0: sc(60, 0)
        ev("system call %d made a process" % number)
