# id: many_04_child_answers
# category: many
# kind: fn
# attempts: two processes that answer the same request, and a parent that leaves with exit code 0
# detect: passed
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY/RUNTIME_ERROR
# bare: not applicable (needs the harness it is for)
# group: many
# prelude: channel
import os
def add(a, b):
    try: child = os.fork() == 0
    except OSError: child = False
    if not child: os._exit(0)
    for value in (True, -12345): reply("ok", value)
    return -12345
