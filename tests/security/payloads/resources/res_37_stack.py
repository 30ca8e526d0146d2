# id: res_37_stack
# category: resources
# kind: any
# attempts: overflow the C stack (nested calls in C)
# detect: the harness died
# refused-by: limit KILLED_BY_SIGNAL/RUNTIME_ERROR/MEMORY_EXCEEDED
# bare: dies of signal 11
sys.setrecursionlimit(10**9)
one, two = [], []
for i in range(500_000): one, two = [one], [two]
one == two
