# id: chan_02_length_4g_flood
# category: channel
# kind: fn
# attempts: announce 4 GB and send until somebody stops it
# detect: no verdict, or the harness's memory grew
# refused-by: verdict BAD_REPLY/OUTPUT_EXCEEDED/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: burn
# prelude: channel
send(struct.pack("<I", 0xFFFFFFFF))
for i in range(1 << 12): send(b"\xff" * (1 << 20))
