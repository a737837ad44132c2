# SPDX-License-Identifier: MIT
"""Many connections at once: everybody has a turn, and memory has an end."""

import asyncio
import contextlib
import logging
import resource
import socket

import pytest

import fastws
import fastws.asyncio


@pytest.mark.parametrize("way", ["handler", "callbacks"])
def test_a_heartbeat_beside_1000_flooding_connections_keeps_its_turn(run, way, caplog):
    """In each turn of the loop every connection may take one read: the heartbeat waits for one turn, not for
    silence."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    caplog.set_level(logging.CRITICAL, logger="fastws.server")  # these clients go without a word
    received = 0

    class Listener:
        def on_message(self, connection, message):
            nonlocal received
            received += 1

    async def handler(connection):
        nonlocal received
        async for _ in connection:
            received += 1

    async def main():
        loop = asyncio.get_running_loop()
        turns = beats = 0
        is_over = False
        waits = []

        def count():
            nonlocal turns
            turns += 1
            if not is_over:
                loop.call_soon(count)

        async def heartbeat():
            nonlocal beats
            while True:
                before = turns
                await asyncio.sleep(0)
                waits.append(turns - before)
                beats += 1

        options = {"handler": handler} if way == "handler" else {"listener": Listener()}
        async with fastws.asyncio.serve(host="127.0.0.1", port=0, backlog=2000, **options) as server:
            port = server.sockets[0].getsockname()[1]
            request = (
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            frames = fastws.compile_frame(1, b"flood", mask=b"abcd") * 1000
            sockets = []
            for _ in range(1000):
                sock = socket.create_connection(("127.0.0.1", port))
                sock.sendall(request)
                sock.setblocking(False)
                sockets.append(sock)
                await asyncio.sleep(0)
            while len(server.connections) < 1000:
                await asyncio.sleep(0.01)
            loop.call_soon(count)
            task = asyncio.create_task(heartbeat())
            while received < 1000 * 500 or beats < 5:
                for sock in sockets:
                    with contextlib.suppress(BlockingIOError):
                        sock.send(frames)
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert max(waits) <= 2
            for sock in sockets:
                sock.close()
            is_over = True

    run(main(), timeout=60)
