# id: net_03_udp
# category: network
# kind: any
# attempts: a UDP datagram to loopback
# detect: the listener received
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"EXFIL:@ID@:", ("127.0.0.1", @UDP@)); ev("sent")
