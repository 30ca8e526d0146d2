# id: split_05_write_back_forged
# category: split
# kind: fn
# attempts: write-back that nobody asked for: of arguments that do not exist, of the wrong type, of names
# detect: passed, or the tester died without a verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_mutate, split_eq
# prelude: channel
def add(a, b):
    reply("ok", None, {0: "not a list", 1: [5], 7: [1], -1: [2], "a": {}, "__class__": 3, 2**80: []}); _p._exit(0)
