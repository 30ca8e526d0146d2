# id: val_15_surrogates
# category: values
# kind: fn
# attempts: strings that are no valid Unicode, and names with line ends
# detect: the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
turn = iter(["\ud800" * 1000, {"\udfff": "\0"}, "\0", type("\n\x1b", (Exception,), {}), type("A" * 100_000, (), {})()] * 50)
def add(a, b):
    value = next(turn)
    if isinstance(value, type): raise value("\ud800\0")
    return value
