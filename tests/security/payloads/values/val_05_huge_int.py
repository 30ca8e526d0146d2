# id: val_05_huge_int
# category: values
# kind: fn
# attempts: an int of a million digits
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT/OUTPUT_EXCEEDED/BAD_REPLY
# bare: not applicable (needs the harness it is for)
def add(a, b): return 1 << 3_300_000
