# id: split_20_forged_marks
# category: split
# kind: fn
# attempts: values that are marks of the wire: references, names, callbacks and handles that nobody gave
# detect: passed, or the tester died without a verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_mutate, split_callback, split_eq, split_abs
# prelude: channel
turn = iter([("\0name", "__import__"), ("\0callback", 0), ("\0reference", 0), ("\0reference", -1), ("\0handle", -1, "int"), ("\0", "\0handle"), ("\0handle",), ("\0handle", 0, [1])] * 50)
def add(a, b):
    reply("ok", next(turn), {0: next(turn), 1: [next(turn)]}); _p._exit(0)
