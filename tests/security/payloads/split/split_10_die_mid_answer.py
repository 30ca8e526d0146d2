# id: split_10_die_mid_answer
# category: split
# kind: fn
# attempts: half an answer, then exit code 0
# detect: passed
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# routes: calls, split_eq
# prelude: channel
def add(a, b):
    whole = frame(enc(("ok", a + b)))
    send(whole[: len(whole) // 2]); _p._exit(0)
