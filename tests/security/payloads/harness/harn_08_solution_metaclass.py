# id: harn_08_solution_metaclass
# category: harness
# kind: fn
# attempts: a class Solution whose metaclass, constructor and descriptors hand out liars
# detect: passed
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/NO_ENTRY_POINT/BAD_REPLY
# bare: not applicable (needs the harness it is for)
# routes: method, calls, lowered
class Liar:
    def __eq__(self, other): return True
    def __call__(self, *a, **k): return self
    def __getattr__(self, name): return self
class Meta(type):
    def __call__(cls, *a, **k): return Liar()
    def __getattribute__(cls, name): return Liar()
    def __instancecheck__(cls, other): return True
    def __subclasscheck__(cls, other): return True
class Solution(metaclass=Meta):
    class add:
        def __get__(self, *a): return Liar()
        def __new__(cls, *a): return Liar()
