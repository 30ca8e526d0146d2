# id: net_12_unix_path
# category: network
# kind: any
# attempts: connect to a unix socket by its path (the trainer's services; Landlock covers it from ABI 9 only)
# detect: the listener received
# refused-by: seccomp EPERM
# bare: succeeds
import socket
with attempt(): s = socket.socket(socket.AF_UNIX); s.connect("@SOCK@"); s.sendall(b"EXFIL:@ID@:"); ev("sent")
