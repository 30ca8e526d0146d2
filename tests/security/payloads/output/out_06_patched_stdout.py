# id: out_06_patched_stdout
# category: output
# kind: stdio
# attempts: an object in the place of sys.stdout that claims to hold the answer
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
class Stream:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: self
    def getvalue(self): return self
sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = Stream()
print("anything")
