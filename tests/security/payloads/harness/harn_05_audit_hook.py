# id: harn_05_audit_hook
# category: harness
# kind: fn
# attempts: an audit hook that ends the process with code 0 at the harness's next step
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: succeeds (passes a harness that goes by the exit code)
ready = []
def hook(event, args):
    if ready and event in ("import", "compile", "exec", "open", "sys._getframe", "object.__getattr__"): _p._exit(0)
sys.addaudithook(hook); ready.append(1)
def add(a, b):
    sys._getframe()
    return -1
