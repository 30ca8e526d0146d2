# id: chan_16_forged_opaque
# category: channel
# kind: fn
# attempts: replies that name a handle or an opaque value in a plain call
# detect: passed
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
def add(a, b):
    for words in (("handle", 0, "int"), ("handle", 2**63, "int"), ("handle", -1, "int\0"), ("opaque", "int"), ("opaque", "x" * 100_000)): reply(*words)
    _p._exit(0)
