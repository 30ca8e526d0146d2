# id: chan_24_empty_frames
# category: channel
# kind: fn
# attempts: a million empty frames
# detect: no verdict, or a busy harness
# refused-by: verdict BAD_REPLY/OUTPUT_EXCEEDED/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: burn
# prelude: channel
for i in range(64): send(bytes(1 << 16))
_p._exit(0)
