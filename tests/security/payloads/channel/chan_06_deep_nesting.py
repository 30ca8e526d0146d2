# id: chan_06_deep_nesting
# category: channel
# kind: fn
# attempts: a value nested 100,000 deep, spliced from the codec's own bytes (overflow of the decoder's stack)
# detect: the harness died
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
inner = enc(None); wrapper = enc([None])[:-len(inner)]
good = enc(("ok", None))
def add(a, b):
    send(frame(good[:-len(inner)] + wrapper * 100_000 + inner)); _p._exit(0)
