# id: val_07_deep_result
# category: values
# kind: fn
# attempts: a list nested 100,000 deep, honestly returned (overflow of the encoder's stack)
# detect: the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
def add(a, b):
    value = []
    for i in range(100_000): value = [value]
    return value
