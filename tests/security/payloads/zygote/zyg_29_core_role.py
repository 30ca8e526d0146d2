# id: zyg_29_core_role
# category: zygote
# kind: any
# attempts: use the compiled module that the harness left in reach: start a zygote, a supervisor or a pool of its own
# detect: evidence
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/FORBIDDEN/BAD_REPLY/KILLED_BY_SIGNAL/TIMED_OUT/OUTPUT_EXCEEDED
# bare: not applicable
# group: wait
# prelude: channel
codec = core()
for name in dir(codec):
    if name.startswith("_") or name.endswith("_value") or name == "values_equal": continue
    for args in ((), ({},), (3,), (3, 4), ("supervisor",), ("zygote",), (b"",)):
        try: getattr(codec, name)(*args)
        except BaseException: pass
