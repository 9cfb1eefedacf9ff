#!/usr/bin/env python3
"""wires.py UPSTREAM-PORT PORT...: passes TCP on loopback through, each PORT a wire of its own, and
does to wires what it reads, a line each: "hold PORT" (connections stay, new ones are taken, nothing
passes), "reset PORT" (connections are reset, new ones too), "heal PORT" (what was held passes on, late).
Each is answered with the same line on standard output, the start with "ready"; the end of the input
ends it."""
import asyncio
import os
import socket
import struct
import sys


def reset(writer):
    """No farewell, as when a middlebox forgets the connection."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Wire:
    def __init__(self, upstream):
        self.upstream, self.passing, self.resets = upstream, asyncio.Event(), False
        self.ends = set()
        self.passing.set()

    def hold(self):
        self.passing.clear()

    def reset(self):
        self.resets = True
        for end in list(self.ends):
            reset(end)

    def heal(self):
        self.resets = False
        self.passing.set()

    async def copy(self, reader, writer):
        """Until the end, which is passed on behind the last byte, however late."""
        try:
            while data := await reader.read(1 << 16):
                await self.passing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        await self.passing.wait()
        writer.close()

    async def serve(self, reader, writer):
        if self.resets:
            return reset(writer)
        self.ends.add(writer)
        other = None
        try:
            await self.passing.wait()
            upstream, other = await asyncio.open_connection("127.0.0.1", self.upstream)
            self.ends.add(other)
            await asyncio.gather(self.copy(reader, other), self.copy(upstream, writer))
        except OSError:
            reset(writer)
        finally:
            self.ends -= {writer, other}


async def main():
    wires = {port: Wire(int(sys.argv[1])) for port in sys.argv[2:]}
    for port, wire in wires.items():
        await asyncio.start_server(wire.serve, "127.0.0.1", int(port))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)
    while line := (await orders.readline()).decode():
        what, port = line.split()
        getattr(wires[port], what)()
        print(line, end="", flush=True)
    os._exit(0)  # connections are no reason to stay


asyncio.run(main())
