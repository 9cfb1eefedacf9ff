#!/usr/bin/env python3
"""Asks HOST PORT for /metrics on COUNT connections with the smallest buffers, and reads nothing.
Each second the older half is dropped and asked for anew. Says "ready" when all have asked; ends
with its standard output's reader or by signal."""
import socket
import sys
import time

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def ask():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    s.settimeout(5)
    s.connect((host, port))
    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    return s


deaf = [ask() for _ in range(count)]
print("ready", flush=True)
while True:
    time.sleep(1)
    half = count // 2
    for s in deaf[:half]:
        s.close()
    deaf = deaf[half:] + [ask() for _ in range(half)]
