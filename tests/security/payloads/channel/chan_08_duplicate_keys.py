# id: chan_08_duplicate_keys
# category: channel
# kind: fn
# attempts: a dict with the same key a thousand times
# detect: passed, or the harness died
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
# expected: {1: -12345}
whole = enc(("ok", {n: 0 for n in range(1000)}))
def add(a, b):
    data = whole
    for n in range(2, 1000): data = data.replace(enc(n), enc(1), 1)
    send(frame(data)); _p._exit(0)
