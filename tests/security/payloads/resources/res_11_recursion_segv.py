# id: res_11_recursion_segv
# category: resources
# kind: any
# attempts: recurse with the recursion limit raised
# detect: no verdict
# refused-by: limit MEMORY_EXCEEDED/KILLED_BY_SIGNAL/CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
sys.setrecursionlimit(10**9)
def f(n): return f(n + 1) + 1
try: f(0)
except RecursionError: pass
