# id: net_09_raw_packet
# category: network
# kind: any
# attempts: AF_PACKET and raw sockets
# detect: evidence
# refused-by: seccomp EPERM
# bare: needs capabilities
import socket
for args in ((17, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET, socket.SOCK_DGRAM, 1)):
    with attempt(): socket.socket(*args); ev("raw %r" % (args,))
