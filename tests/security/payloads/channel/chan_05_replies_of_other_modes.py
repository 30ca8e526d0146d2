# id: chan_05_replies_of_other_modes
# category: channel
# kind: fn
# attempts: verdicts, reports and outcomes in the words of other modes
# detect: passed
# refused-by: verdict BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# prelude: channel
for words in (("passed",), ("report", [True] * 3), ("outcome", 0), (0,), ("verdict", 0, "PASSED"), ("ok",), ("done", 3, 0), (["passed"] * 3,)):
    reply(*words)
_p._exit(0)
