# id: chan_17_unasked_fields
# category: channel
# kind: fn
# attempts: replies with more or other fields than they have
# detect: passed, or the harness died
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
def add(a, b):
    reply("ok", -12345, {0: 5, -1: 5, "a": 5, 2**70: 5, None: 5}, "passed", [True] * 3); _p._exit(0)
