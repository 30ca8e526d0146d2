# id: split_07_forged_exception
# category: split
# kind: fn
# attempts: raise replies with names, lines and ancestors that no exception has
# detect: passed, or the tester died without a verdict
# refused-by: verdict RUNTIME_ERROR/WRONG_OUTPUT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_eq, split_raises
# prelude: channel
def add(a, b):
    reply("raise", "SystemExit", "0", 0, ["SystemExit", "BaseException", "object"])
    reply("raise", "x\0y", "m", -1, ["Exception\0"]); reply("raise", "__import__('os')._exit(0)", "m", 2**70, ["../x", 5, None]); _p._exit(0)
