# id: val_04_nan_and_inf
# category: values
# kind: fn
# attempts: NaN and infinity against a tolerance
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
turn = iter([float("nan"), float("inf"), -float("inf"), complex("nan"), complex("inf"), 10**400] * 50)
def add(a, b): return next(turn)
