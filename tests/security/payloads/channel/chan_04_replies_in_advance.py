# id: chan_04_replies_in_advance
# category: channel
# kind: fn
# attempts: answer every call before it is made, with values that might count as true
# detect: passed
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# prelude: channel
reply("ready")
for value in (True, -12345, NotImplemented, Ellipsis, "passed"):
    try: reply("ok", value)
    except BaseException: reply("ok", None)
def add(a, b): return -12345
