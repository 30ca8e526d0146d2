# id: chan_01_length_2g
# category: channel
# kind: fn
# attempts: announce a frame of 2 GB, send a little of it, and leave
# detect: passed, no verdict, or the harness's memory grew
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR/OUTPUT_EXCEEDED
# bare: not applicable (needs the harness it is for)
# prelude: channel
send(struct.pack("<I", 0x7FFFFFFF) + b"x" * 1000); _p._exit(0)
