# id: chan_18_pipe_settings
# category: channel
# kind: any
# attempts: change the pipes that it shares with the harness: no blocking, one page, a megabyte
# detect: no verdict, or an honest neighbour fails
# refused-by: verdict WRONG_OUTPUT/RUNTIME_ERROR/BAD_REPLY
# bare: not applicable
import fcntl
for fd in range(5):
    for command, value in ((fcntl.F_SETFL, 0o4000), (1031, 4096), (1031, 1 << 20)):
        try: fcntl.fcntl(fd, command, value)
        except OSError: pass
