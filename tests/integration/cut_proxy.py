#!/usr/bin/env python3
"""cut_proxy.py PORT UPSTREAM-PORT SEED: passes TCP on loopback through and cuts each
connection (reset, no farewell) after a random number of bytes from the server: mostly in the
middle of an event. SIGUSR1 ends the cutting. Prints the number of cuts to stderr as it goes."""
import asyncio
import random
import signal
import socket
import struct
import sys

port, upstream, rng = int(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
cutting, cuts = True, 0


def calm(*_):
    global cutting
    cutting = False


async def copy(reader, writer, budget):
    global cuts
    while True:
        data = await reader.read(997)
        if not data:
            return
        if budget is not None and cutting:
            budget -= len(data)
            if budget < 0:
                writer.write(data[: len(data) // 2])
                await writer.drain()
                cuts += 1
                print("cut", cuts, file=sys.stderr, flush=True)
                return
        writer.write(data)
        await writer.drain()


async def serve(client_reader, client_writer):
    try:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", upstream)
    except OSError:
        client_writer.close()
        return
    tasks = [asyncio.create_task(copy(client_reader, server_writer, None)),
             asyncio.create_task(copy(server_reader, client_writer, rng.randrange(3000, 60000)))]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for writer in (client_writer, server_writer):
        # linger 0: a reset, as when a middlebox forgets the connection
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


async def main():
    signal.signal(signal.SIGUSR1, calm)
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
