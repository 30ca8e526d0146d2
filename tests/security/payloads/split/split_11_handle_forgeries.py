# id: split_11_handle_forgeries
# category: split
# kind: fn
# attempts: handles that do not exist, of every number and type name
# detect: passed, or the tester died without a verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_eq, split_abs, split_truth
# prelude: channel
def add(a, b):
    for number in (0, 1, -1, 2**31, 2**70):
        for name in ("int", "bool", "NoneType", "_Proxy", "x\0", ""): reply("handle", number, name)
    _p._exit(0)
