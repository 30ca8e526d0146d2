# id: split_08_huge_exception
# category: split
# kind: fn
# attempts: an exception with a message of 50 MB and a name of a megabyte
# detect: the harness's memory grew
# refused-by: verdict RUNTIME_ERROR/OUTPUT_EXCEEDED/MEMORY_EXCEEDED/BAD_REPLY
# bare: succeeds (floods)
# group: burn
# routes: calls, split_eq
def add(a, b): raise type("E" * (1 << 20), (Exception,), {})("m" * (50 << 20))
