# id: split_21_callback_flood
# category: split
# kind: fn
# attempts: call the tester's function without end, with ever larger arguments, and from within itself
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/CPU_EXCEEDED/MEMORY_EXCEEDED/OUTPUT_EXCEEDED/TIMED_OUT
# bare: not applicable (needs the harness it is for)
# group: burn
# routes: split_callback
def add(a, b):
    value = "x"
    while True:
        a(value); value += value
