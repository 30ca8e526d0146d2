# id: chan_09_trailing_bytes
# category: channel
# kind: fn
# attempts: a valid reply with more bytes behind the value
# detect: passed
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
def add(a, b):
    send(frame(enc(("ok", -12345)) + enc(("ok", 5)) + b"\0" * 9)); _p._exit(0)
