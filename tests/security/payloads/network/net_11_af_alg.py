# id: net_11_af_alg
# category: network
# kind: any
# attempts: an AF_ALG socket (kernel attack surface)
# detect: evidence
# refused-by: seccomp EPERM
# bare: refused by the test machine (EAFNOSUPPORT)
import socket
with attempt(): socket.socket(38, 5, 0); ev("af_alg")
