# id: chan_13_reply_flood
# category: channel
# kind: fn
# attempts: a hundred thousand small valid frames for one request
# detect: no verdict, or the harness's memory grew
# refused-by: verdict BAD_REPLY/WRONG_OUTPUT/OUTPUT_EXCEEDED/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: burn
# prelude: channel
many = frame(enc(("ok", -12345))) * 10_000
def add(a, b):
    for i in range(100): send(many)
    _p._exit(0)
