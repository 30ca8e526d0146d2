# id: chan_23_raise_forged_for_stdio
# category: channel
# kind: stdio
# attempts: frames on the channel of a stdin/stdout run: verdicts, huge names, garbage
# detect: passed, or the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY/OUTPUT_EXCEEDED
# bare: not applicable (needs the harness it is for)
# prelude: channel
for data in (frame(enc(("raise", "X" * 10_000, "m" * 10_000, -(2**63)))), frame(enc(("ok", 0))), frame(b""), frame(b"\xff" * 100), struct.pack("<I", 2**31)):
    try: send(data)
    except OSError: pass
