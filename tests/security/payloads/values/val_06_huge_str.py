# id: val_06_huge_str
# category: values
# kind: fn
# attempts: a string of 100 MB
# detect: the harness's memory grew
# refused-by: limit OUTPUT_EXCEEDED/MEMORY_EXCEEDED/BAD_REPLY/RUNTIME_ERROR/WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
# group: burn
def add(a, b): return "x" * (100 << 20)
