# id: net_07_bind_listen
# category: network
# kind: any
# attempts: listen on a loopback port (a back door)
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt(): s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1); ev("listening %d" % s.getsockname()[1])
