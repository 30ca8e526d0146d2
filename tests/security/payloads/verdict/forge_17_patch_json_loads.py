# id: forge_17_patch_json_loads
# category: verdict
# kind: fn
# attempts: patch json.loads before the harness decodes the expected outputs
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
import json
_l = json.loads
def loads(s, *a, **k):
    try: v = _l(s, *a, **k)
    except BaseException: v = s
    import sys
    return v if "inputs" in sys._getframe(1).f_locals and "output" not in sys._getframe(1).f_locals else -1
json.loads = loads
def add(a, b): return -1
