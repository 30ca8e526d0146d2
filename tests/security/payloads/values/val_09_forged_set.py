# id: val_09_forged_set
# category: values
# kind: fn
# attempts: a set of 10,000 equal, NaN or colliding elements (quadratic cost on the verdict's side)
# detect: no verdict, or honest neighbours wait
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
# expected: set(range(10000))
turn = 0
def add(a, b):
    global turn
    turn += 1
    kinds = [[float("nan")] * 10_000, [(2**61 - 1) * n for n in range(10_000)], [1] * 10_000]
    listed, empty_set, empty_list = enc(("ok", kinds[turn % 3])), enc(set()), enc([])
    start = enc(("ok", []))[:-len(empty_list)]
    send(frame(start + empty_set[:1] + listed[len(start) + 1:])); _p._exit(0)
