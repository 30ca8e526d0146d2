# id: res_27_socket_buffers
# category: resources
# kind: any
# attempts: memory of the kernel: socket pairs, filled
# detect: evidence (more than 128 MB)
# refused-by: rlimit EMFILE
# bare: succeeds
import socket
total, block, pairs = 0, b"x" * (1 << 20), []
with attempt():
    while total < 512 << 20:
        pair = socket.socketpair(); pairs.append(pair)
        for end in pair:
            end.setblocking(False)
            try: end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 20)
            except OSError: pass
            try:
                while True: total += end.send(block)
            except BlockingIOError: pass
if total > 128 << 20: ev("sockets hold %d MB" % (total >> 20))
