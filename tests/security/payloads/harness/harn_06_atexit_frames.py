# id: harn_06_atexit_frames
# category: harness
# kind: fn
# attempts: write replies from atexit and from a finalizer, after the harness is done
# detect: passed
# refused-by: verdict WRONG_OUTPUT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# prelude: channel
import atexit
def forge(*a):
    for value in (True, -12345): reply("ok", value)
class Late:
    __del__ = forge
sys.late = Late(); atexit.register(forge)
def add(a, b): return -12345
