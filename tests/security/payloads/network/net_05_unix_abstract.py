# id: net_05_unix_abstract
# category: network
# kind: any
# attempts: connect to an abstract unix socket
# detect: the listener received
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt(): s = socket.socket(socket.AF_UNIX); s.settimeout(2); s.connect("\0@ABS@"); s.sendall(b"EXFIL:@ID@:"); s.close(); ev("sent")
