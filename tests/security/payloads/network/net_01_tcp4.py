# id: net_01_tcp4
# category: network
# kind: any
# attempts: connect to a listener on 127.0.0.1
# detect: the listener received
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt(): s = socket.create_connection(("127.0.0.1", @PORT@), 2); s.sendall(b"EXFIL:@ID@:"); s.close(); ev("sent")
