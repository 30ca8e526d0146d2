# id: harn_02_rewrite_functions
# category: harness
# kind: fn
# attempts: give every function of the harness other code, found through frames and gc
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
import gc, types
spaces, frame = [], sys._getframe().f_back
while frame: spaces.append(frame.f_globals); frame = frame.f_back
def quiet(*args, **kwargs): return True
for function in [o for o in gc.get_objects() if isinstance(o, types.FunctionType) and any(o.__globals__ is s for s in spaces) and o.__globals__ is not globals()]:
    try: function.__code__ = quiet.__code__
    except ValueError: pass
def add(a, b): return -12345
