# id: val_18_other_thread_changes
# category: values
# kind: fn
# attempts: change a list from another thread while it is encoded
# detect: the harness died
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY/OUTPUT_EXCEEDED/KILLED_BY_SIGNAL
# bare: not applicable (needs the harness it is for)
import threading
shared = [[0] * 100 for i in range(2000)]
def spoil():
    while True:
        shared.clear(); shared.extend([[0] * 100 for i in range(50)]); shared.append(shared)
threading.Thread(target=spoil, daemon=True).start()
def add(a, b): return shared
