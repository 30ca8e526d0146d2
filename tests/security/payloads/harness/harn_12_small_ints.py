# id: harn_12_small_ints
# category: harness
# kind: fn
# attempts: rewrite the interpreter's cached integers, so that 100 is 77 for whoever shares them
# detect: passed, or an honest neighbour of the same zygote fails
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY/KILLED_BY_SIGNAL/COMPILE_ERROR/NO_ENTRY_POINT
# bare: not applicable (needs the harness it is for)
import ctypes
for number in range(100, 257): ctypes.c_uint32.from_address(id(number) + 24).value = 77
def add(a, b): return 100
