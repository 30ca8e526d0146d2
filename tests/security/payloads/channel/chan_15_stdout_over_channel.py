# id: chan_15_stdout_over_channel
# category: channel
# kind: fn
# attempts: put stdout in the place of the channel, and the channel in the place of stdout
# detect: passed, or no verdict
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR/TIMED_OUT/WRONG_OUTPUT/OUTPUT_EXCEEDED
# bare: not applicable (needs the harness it is for)
# group: wait
# prelude: channel
spare = _p.dup(4); _p.dup2(1, 4); _p.dup2(spare, 1)
print("passed", flush=True)
def add(a, b): return -12345
