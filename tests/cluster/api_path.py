#!/usr/bin/env python3
"""api_path.py HOST PORT UPSTREAM-PORT PKI MODE-FILE: stands between programs and the API server,
under the API server's certificate, and behaves as MODE-FILE says, from the next request on:
  pass          as if it were not there
  429           each request is answered 429, Retry-After: 1; open watches go on
  slow SECONDS  by turns a request is passed on so late, or carried out at once and its
                answer is that late
  cut           all connections are reset, new ones too
MODE-FILE.seen is what it does now."""
import asyncio
import itertools
import os
import re
import ssl
import sys

host, port, upstream_port, pki, mode_file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
HEAD_MAX = 64 * 1024
BODY_MAX = 16 * 1024 * 1024
MODE_POLL_S = 0.05
REFUSAL = (b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too many requests",'
           b'"reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429}')

mode = "pass"
writers = set()
turns = itertools.cycle(("request", "answer"))


def delay():
    words = mode.split()
    return float(words[1]) if words[0] == "slow" else 0


def reset_all():
    for writer in list(writers):
        writer.transport.abort()


async def follow_mode():
    global mode
    while True:
        with open(mode_file, encoding="ascii") as file:
            mode = file.read().strip()
        if mode == "cut":
            reset_all()
        with open(mode_file + ".seen.new", "w", encoding="ascii") as file:
            file.write(mode + "\n")
        os.rename(mode_file + ".seen.new", mode_file + ".seen")
        await asyncio.sleep(MODE_POLL_S)


class Connection:
    """One client's connection and the one to the API server behind it."""

    def __init__(self, client, server):
        self.client_reader, self.client_writer = client
        self.server_reader, self.server_writer = server
        self.answer_from = 0.0

    async def requests(self):
        """Whole requests: HTTP/1.1 clients send the next one after the answer."""
        while True:
            head = await self.client_reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?im)^content-length: *(\d+)\r$", head)
            length = int(length[1]) if length else 0
            if length > BODY_MAX or re.search(rb"(?im)^transfer-encoding:", head):
                raise OSError("a request that is not understood")
            if mode == "429":
                await self.refuse(length)
                return
            wait = delay()
            if wait and next(turns) == "answer":
                self.answer_from = asyncio.get_running_loop().time() + wait
            elif wait:
                await asyncio.sleep(wait)
            self.server_writer.write(head)
            # A client may wait for "100 Continue" before it sends the body.
            while length:
                part = await self.client_reader.read(min(length, 65536))
                if not part:
                    return
                length -= len(part)
                self.server_writer.write(part)
                await self.server_writer.drain()
            await self.server_writer.drain()

    async def refuse(self, length):
        try:
            await asyncio.wait_for(self.client_reader.readexactly(length), 1)
        except (asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        self.client_writer.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
                                 b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(REFUSAL) + REFUSAL)
        await self.client_writer.drain()

    async def answers(self):
        while True:
            data = await self.server_reader.read(65536)
            if not data:
                return
            wait = self.answer_from - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            self.client_writer.write(data)
            await self.client_writer.drain()


async def serve(reader, writer, upstream_tls):
    server = None
    try:
        writers.add(writer)
        if mode == "cut":
            writer.transport.abort()
            return
        server = await asyncio.open_connection(host, upstream_port, ssl=upstream_tls, limit=HEAD_MAX)
        connection = Connection((reader, writer), server)
        tasks = [asyncio.create_task(connection.requests()), asyncio.create_task(connection.answers())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    except OSError:
        pass
    finally:
        writers.discard(writer)
        for one in (writer, server[1] if server else None):
            if one:
                one.close()


async def main():
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(f"{pki}/apiserver.crt", f"{pki}/apiserver.key")
    upstream = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    server = await asyncio.start_server(lambda r, w: serve(r, w, upstream), host, port, ssl=own, limit=HEAD_MAX)
    asyncio.create_task(follow_mode())
    await server.serve_forever()


asyncio.run(main())
