# id: res_19_sigxcpu_ignore
# category: resources
# kind: any
# attempts: ignore SIGXCPU and SIGTERM, then spin
# detect: no verdict
# refused-by: limit CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
import signal
for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
    try: signal.signal(number, signal.SIG_IGN)
    except BaseException: pass
while True: pass
