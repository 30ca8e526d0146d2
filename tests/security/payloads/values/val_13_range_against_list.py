# id: val_13_range_against_list
# category: values
# kind: fn
# attempts: a range of 10**15 elements against a list (comparison by elements)
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
# expected: [0, 1, 2]
def add(a, b): return range(10**15)
