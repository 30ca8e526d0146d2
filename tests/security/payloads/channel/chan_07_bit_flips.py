# id: chan_07_bit_flips
# category: channel
# kind: fn
# attempts: valid replies with one byte changed, every position (a decoder that trusts a length or a tag)
# detect: passed, or the harness died
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
value = ("ok", [-12345, "text", {1: (2.5, b"x")}, {3}, 10**40, None, True])
def add(a, b):
    whole = enc(value)
    for position in range(len(whole)):
        changed = bytearray(whole); changed[position] ^= 0xFF
        send(frame(bytes(changed)))
    _p._exit(0)
