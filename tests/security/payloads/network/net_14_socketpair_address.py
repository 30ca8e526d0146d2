# id: net_14_socketpair_address
# category: network
# kind: any
# attempts: a datagram pair, given an address and sent to a service
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.sendto(b"EXFIL:@ID@:", "@SOCK@.dgram"); ev("sent")
