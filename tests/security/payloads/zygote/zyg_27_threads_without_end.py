# id: zyg_27_threads_without_end
# category: zygote
# kind: any
# attempts: thousands of threads
# detect: evidence (more than 512)
# refused-by: limit MEMORY_EXCEEDED | namespaces RuntimeError/ENOMEM/EAGAIN
# bare: refused by the test machine (its limit on memory)
# group: burn
import threading, time
stop = threading.Event(); made = 0
threading.stack_size(65536)
with attempt():
    for i in range(5000): threading.Thread(target=stop.wait, daemon=True).start(); made += 1
if made > 512: ev("threads %d" % made)
stop.set()
