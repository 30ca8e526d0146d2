# id: val_16_shared_explosion
# category: values
# kind: fn
# attempts: a small object that is exponential when written out (a list of the same list, thirty times over)
# detect: no verdict, or the harness's memory grew
# refused-by: limit OUTPUT_EXCEEDED/MEMORY_EXCEEDED/BAD_REPLY/CPU_EXCEEDED/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: burn
def add(a, b):
    value = [5]
    for i in range(40): value = [value, value]
    return value
