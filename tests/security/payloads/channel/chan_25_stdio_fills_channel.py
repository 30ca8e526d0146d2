# id: chan_25_stdio_fills_channel
# category: channel
# kind: stdio
# attempts: more on the channel of a stdin/stdout run than a pipe holds, where nobody reads before the end
# detect: no verdict, or the harness's memory grew
# refused-by: limit TIMED_OUT/OUTPUT_EXCEEDED/BAD_REPLY/WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
# group: wait
# prelude: channel
for i in range(16): send(bytes(1 << 16))
