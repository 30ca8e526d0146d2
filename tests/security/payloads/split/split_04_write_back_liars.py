# id: split_04_write_back_liars
# category: split
# kind: fn
# attempts: a list argument filled with liars, with itself, with other types
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: split_mutate
class Liar:
    def __eq__(self, other): return True
    __hash__ = None
def add(a, b):
    a[:] = [Liar() for _ in range(len(a) + 1)]; a.append(a); a.pop()
