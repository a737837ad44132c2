# SPDX-License-Identifier: MIT
"""How much one callback of the event loop serves, by the driver over descriptors that the library watches, and when its
answers leave."""

import asyncio
import contextlib
import select
import socket
import time

import pytest

import fastws
import fastws.asyncio
from fastws.asyncio.connection import loop_of

pytestmark = pytest.mark.parametrize("driver", ["loop"], indirect=True)

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FRAME = fastws.compile_frame(1, b"x", mask=b"\1\2\3\4")


@contextlib.asynccontextmanager
async def connected(listener, count):
    """A server with so many connections of plain sockets; gives what the server's share, and the sockets."""
    async with fastws.asyncio.serve(listener=listener, host="127.0.0.1", port=0) as server:
        sockets = []
        try:
            for _ in range(count):
                sock = socket.create_connection(server.sockets[0].getsockname()[:2])
                sockets.append(sock)
                sock.sendall(REQUEST)
                await asyncio.sleep(0)  # the backlog has an end
            while len(server.connections) < count:
                await asyncio.sleep(0)
            for sock in sockets:
                while not sock.recv(4096).endswith(b"\r\n\r\n"):
                    pass
            yield loop_of(asyncio.get_running_loop()), sockets
        finally:
            for sock in sockets:
                sock.close()


class Counting:
    def __init__(self, seconds):
        self.count = 0
        self._seconds = seconds

    def on_message(self, connection, message):
        self.count += 1
        end = time.perf_counter() + self._seconds
        while time.perf_counter() < end:
            pass


def drain_counts(listener, drain, sockets):
    """Makes all sockets ready, and gives how many messages each call of the drain handed out until all were."""
    for sock in sockets:
        sock.sendall(FRAME)
    counts, before = [], listener.count
    while sum(counts) < len(sockets):
        drain()
        counts.append(listener.count - before)
        before = listener.count
    return counts


def test_a_callback_serves_64_sockets_at_most(run, driver):
    """And more than the 32 of one turn, while the time of a callback is not half over: if nobody disturbs it."""

    async def main():
        listener = Counting(1e-6)
        async with connected(listener, 150) as (shared, sockets):
            counts = [count for _ in range(20) for count in drain_counts(listener, shared._drain, sockets)]
            assert 32 < max(counts) <= 64

    run(main())


def test_a_callback_ends_when_its_time_is_over(run, driver):
    """The clock is looked at after every eight sockets."""

    async def main():
        listener = Counting(1e-3)
        async with connected(listener, 20) as (shared, sockets):
            assert drain_counts(listener, shared._drain, sockets) == [8, 8, 4]

    run(main())


def test_answers_of_one_turn_leave_together_behind_it(run, driver):
    """A peer that is woken in between runs beside us, but waking it takes time of ours: once is enough."""
    seen = []

    class Listener:
        def on_message(self, connection, message):
            connection.send_nowait(message)
            seen.append(select.select(sockets, [], [], 0)[0])

    async def main():
        nonlocal sockets
        async with connected(Listener(), 3) as (shared, sockets):
            for sock in sockets:
                sock.sendall(FRAME * 2)
            shared._drain()
            assert seen == [[]] * 6
            assert [sock.recv(100) for sock in sockets] == [fastws.compile_frame(1, b"x") * 2] * 3

    sockets = []
    run(main())
