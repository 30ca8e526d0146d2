# id: harn_01_replace_codec
# category: harness
# kind: fn
# attempts: replace the codec in the harness by one that writes its own replies
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# prelude: channel
codec = core(); real = codec.encode_value
class Always:
    def __eq__(self, other): return True
def forged(*a, **k): return real(("ok", True))
class Codec:
    encode_value = staticmethod(forged); decode_value = staticmethod(codec.decode_value)
try: codec.encode_value = forged
except BaseException: pass
frame_ = sys._getframe().f_back
while frame_:
    for space in (frame_.f_locals, frame_.f_globals):
        for name, value in list(space.items()):
            if value is codec: space[name] = Codec
            elif value is real: space[name] = forged
    frame_ = frame_.f_back
def add(a, b): return -12345
