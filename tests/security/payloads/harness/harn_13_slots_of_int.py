# id: harn_13_slots_of_int
# category: harness
# kind: fn
# attempts: replace the comparison slot of int by one that says yes
# detect: passed, or an honest neighbour fails
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY/KILLED_BY_SIGNAL/TIMED_OUT
# bare: not applicable (needs the harness it is for)
# group: wait
import ctypes
COMPARE = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int)
keep = COMPARE(lambda a, b, op: True)
slots = (ctypes.c_void_p * 60).from_address(id(int))
def add(a, b):
    slots[25] = ctypes.cast(keep, ctypes.c_void_p).value  # PyTypeObject.tp_richcompare, counted in words
    return -12345
