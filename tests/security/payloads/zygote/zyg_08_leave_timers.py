# id: zyg_08_leave_timers
# category: zygote
# kind: any
# attempts: leave alarms and interval timers for the next run, and look for an earlier run's
# detect: evidence
# refused-by: nothing-there nothing
# bare: not applicable
import signal
left = [signal.getitimer(which) for which in (0, 1, 2)] + [signal.getsignal(n) for n in (signal.SIGALRM, signal.SIGUSR1)]
if left != [(0.0, 0.0)] * 3 + [signal.SIG_DFL] * 2: ev(left)
signal.signal(signal.SIGUSR1, signal.SIG_IGN); signal.setitimer(1, 50, 50); signal.setitimer(2, 50, 50); signal.alarm(50)
met("nothing")
