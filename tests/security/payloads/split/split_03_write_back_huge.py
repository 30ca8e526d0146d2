# id: split_03_write_back_huge
# category: split
# kind: fn
# attempts: a list argument grown until writing it back costs more than its limit
# detect: no verdict, or the harness's memory grew
# refused-by: limit OUTPUT_EXCEEDED/MEMORY_EXCEEDED/CPU_EXCEEDED/BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: burn
# routes: split_mutate
def add(a, b): a.extend(range(3_000_000))
