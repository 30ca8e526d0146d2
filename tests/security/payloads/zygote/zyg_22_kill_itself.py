# id: zyg_22_kill_itself
# category: zygote
# kind: any
# attempts: die by the signals that mean "our fault" to a harness (SIGKILL as by the kernel's memory killer)
# detect: not scored
# refused-by: verdict KILLED_BY_SIGNAL/MEMORY_EXCEEDED
# bare: not applicable
_p.kill(_p.getpid(), 9)
