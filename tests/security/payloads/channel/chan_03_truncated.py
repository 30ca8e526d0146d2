# id: chan_03_truncated
# category: channel
# kind: fn
# attempts: half a frame, then exit code 0
# detect: passed
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
send(struct.pack("<I", 100) + b"x" * 10); _p._exit(0)
