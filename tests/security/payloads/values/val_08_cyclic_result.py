# id: val_08_cyclic_result
# category: values
# kind: fn
# attempts: a list that holds itself, a dict that holds itself
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
def add(a, b):
    value = [0]; value.append(value); value.append({"self": value})
    return value
