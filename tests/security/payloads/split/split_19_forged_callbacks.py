# id: split_19_forged_callbacks
# category: split
# kind: fn
# attempts: ask the tester to call functions that it never handed out
# detect: passed, or the tester died without a verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_callback, split_eq
# prelude: channel
def add(a, b):
    for number in (-1, 10**9, "append", None, 0.5): reply("callback", number, ([0],), {"x": 1})
    for i in range(3): reply("callback", 0, ("\0reference", 99), {})
    _p._exit(0)
