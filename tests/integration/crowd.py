#!/usr/bin/env python3
"""Opens many connections to HOST PORT that never finish their request, sending a byte
on each now and then, until standard input ends. Those that the server cuts are opened
anew. Prints "ready" once all were open, and at the end how often one was cut."""
import select
import socket
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def connect():
    s = socket.create_connection((host, port), timeout=5)
    s.setblocking(False)
    try:
        s.send(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ")
    except OSError:
        pass
    return s


crowd = [connect() for _ in range(count)]
print("ready", flush=True)
cut = 0
while sys.stdin not in select.select([sys.stdin], [], [], 0.1)[0]:
    for i, s in enumerate(crowd):
        try:
            s.send(b"x")
            if s.recv(1) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            continue
        except OSError:
            s.close()
            cut += 1
            try:
                crowd[i] = connect()
            except OSError:  # the server has ended
                continue
print("cut", cut)
