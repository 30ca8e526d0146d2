# id: split_12_attribute_maze
# category: split
# kind: fn
# attempts: an object in which every attribute is a new object (the tester walks for ever)
# detect: no verdict
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/CPU_EXCEEDED/TIMED_OUT
# bare: not applicable (needs the harness it is for)
# group: burn
# routes: split_eq, split_abs, split_truth, split_in
class Maze:
    def __getattr__(self, name): return Maze()
    def __call__(self, *a, **k): return Maze()
    def __iter__(self): return self
    def __next__(self): return Maze()
    def __len__(self): return 2**62
    def __bool__(self): return Maze()
def add(a, b): return Maze()
