# id: net_13_exotic_families
# category: network
# kind: any
# attempts: netlink, vsock, bluetooth, can, MPTCP, SCTP, IPv6: every family
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
import socket
for family in range(0, 46):
    for kind in (1, 2, 3, 5):
        with attempt(): socket.socket(family, kind, 262 if family == 2 and kind == 1 else 0); ev("family %d" % family)
