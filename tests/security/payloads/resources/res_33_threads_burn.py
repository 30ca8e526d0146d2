# id: res_33_threads_burn
# category: resources
# kind: any
# attempts: burn CPU in several threads of C code that hold no lock
# detect: no verdict, or far more CPU than the limit
# refused-by: limit CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
import hashlib, threading
def burn():
    block = bytes(1 << 22)
    while True: hashlib.sha256(block).digest()
for i in range(4): threading.Thread(target=burn, daemon=True).start()
burn()
