# id: split_17_method_as_verdict
# category: split
# kind: fn
# attempts: containers and numbers of its own whose contains, getitem, len and index say what the test hopes for
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR
# bare: succeeds (passes a harness that goes by the exit code)
# routes: split_in, split_eq, split_truth
class Pretender(dict):
    def __contains__(self, item): return True
    def __getitem__(self, key): return 0
    def __len__(self): return 0
    def __sub__(self, other): return []
    def __eq__(self, other): return True
    def __hash__(self): return hash(5)
class Plain:
    __contains__, __getitem__, __len__, __sub__, __eq__, __hash__ = (vars(Pretender)[n] for n in ("__contains__", "__getitem__", "__len__", "__sub__", "__eq__", "__hash__"))
turn = iter([Pretender, Plain] * 50)
def add(a, b): return next(turn)()
