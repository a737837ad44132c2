# SPDX-License-Identifier: MIT
"""Cancellation at every await: the connection can still be used, or is closed as documented, and nothing is left."""

import asyncio
import contextlib
import socket
import struct

import pytest

import fastws
import fastws.asyncio
from fastws.asyncio import State

BIG = b"x" * 300_000


async def cancel(task, seconds=0.05):
    """Cancels a task that has had time to come to its await."""
    await asyncio.sleep(seconds)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def talk(one, other):
    """Shows that both can be used."""
    for sender, receiver in ((one, other), (other, one)):
        await sender.send("still here")
        assert await receiver.recv() == "still here"


async def drain(connection, wanted):
    """Receives until a text comes."""
    count = 0
    async with asyncio.timeout(20):
        while (message := await connection.recv()) != wanted:
            assert message == BIG
            count += 1
    return count


async def fill(connection):
    """Sends until neither the system nor the peer takes more; gives how many messages that took."""
    count = 0
    held = None
    while held is None or connection.queued != held:
        while connection.queued < 2 * len(BIG):
            connection.send_nowait(BIG)
            count += 1
            await asyncio.sleep(0)
        held = connection.queued
        await asyncio.sleep(0.1)
    return count


# ---- Receiving ----


def test_recv(run, pair):
    async def main():
        async with pair() as (server, client):
            for one, other in ((server, client), (client, server)):
                await cancel(asyncio.create_task(one.recv()))
                await cancel(asyncio.ensure_future(anext(aiter(one))))
                await talk(one, other)

    run(main())


def test_recv_streaming_inside_of_a_message(run, serving, raw):
    """The rest of the message has to be read by who began: others are told so, and the connection can be closed."""

    async def main():
        errors = []

        async def handler(connection):
            async def read():
                async for _ in connection.recv_streaming():
                    pass

            await cancel(asyncio.create_task(read()))
            for receiving in (connection.recv(), anext(connection.recv_streaming())):
                with pytest.raises(fastws.ConcurrencyError) as caught:
                    await receiving
                errors.append(caught.value)
            await connection.send("still here")

        async with serving(handler) as url, raw(url) as client:
            client.send(1, b"begun", fin=False)
            assert await client.read_frame() == (1, b"still here")
            assert await client.read_close() == 1000
        assert len(errors) == 2

    run(main())


# ---- Sending ----


def test_send_while_the_buffer_is_full(run, pair):
    """The message is queued before send() waits, so it arrives."""

    async def main():
        async with pair({"max_queue": 1, "compression": None}) as (server, client):
            count = await fill(server)
            await cancel(asyncio.create_task(server.send(BIG)))
            last = asyncio.create_task(server.send("last"))
            assert await drain(client, "last") == count + 1
            await last
            await talk(server, client)

    run(main())


@pytest.mark.parametrize("way", ["iterable", "async iterable"])
def test_send_in_pieces_while_the_buffer_is_full(run, pair, way):
    """Half a message cannot be taken back: both ends are told."""

    async def main():
        ended = asyncio.Event()

        def pieces():
            try:
                while True:
                    yield BIG
            finally:
                ended.set()

        async def pieces_later():
            for piece in pieces():
                yield piece

        async with pair({"compression": None, "max_size": None}) as (server, client):
            await cancel(asyncio.create_task(server.send(pieces() if way == "iterable" else pieces_later())), 0.2)
            with pytest.raises(fastws.ConnectionClosedError) as caught:
                await client.recv()
            assert caught.value.code == 1011
            await ended.wait()
            await server.wait_closed()
            with pytest.raises(fastws.ConnectionClosedError):
                await server.send("more")

    run(main())


def test_send_behind_a_message_in_pieces(run, pair):
    async def main():
        go_on = asyncio.Event()

        async def pieces():
            yield "a"
            await go_on.wait()
            yield "b"

        async with pair() as (server, client):
            first = asyncio.create_task(server.send(pieces()))
            await cancel(asyncio.create_task(server.send("never")))
            go_on.set()
            await first
            assert await client.recv() == "ab"
            await talk(server, client)

    run(main())


def test_send_before_the_first_piece(run, pair):
    """Nothing was sent yet."""

    async def main():
        async def pieces():
            await asyncio.sleep(30)
            yield "never"

        async with pair() as (server, client):
            await cancel(asyncio.create_task(server.send(pieces())))
            await talk(server, client)

    run(main())


# ---- Pings ----


def test_the_future_of_a_ping(run, serving, raw):
    async def main():
        async def handler(connection):
            future = await connection.ping(b"one")
            future.cancel()
            second = await connection.ping(b"two")
            await second
            assert connection.latency > 0
            await connection.send("still here")

        async with serving(handler) as url, raw(url) as client:
            for payload in (b"one", b"two"):
                assert await client.read_frame() == (9, payload)
                client.send(10, payload)
            assert await client.read_frame() == (1, b"still here")

    run(main())


@pytest.mark.parametrize("name", ["ping", "pong"])
def test_ping_and_pong_while_the_buffer_is_full(run, pair, name):
    async def main():
        async with pair({"max_queue": 1, "compression": None}) as (server, client):
            count = await fill(server)
            await cancel(asyncio.create_task(getattr(server, name)(b"x")))
            last = asyncio.create_task(server.send("last"))
            assert await drain(client, "last") == count
            await last
            await talk(server, client)

    run(main())


# ---- The end ----


def test_close(run, serving, raw):
    """The close frame is out, so the connection ends by itself."""

    async def main():
        async def handler(connection):
            await cancel(asyncio.create_task(connection.close(4000, "bye")))
            assert connection.state == State.CLOSING
            await connection.wait_closed()
            assert (connection.close_code, connection.close_reason) == (4000, "bye")

        async with serving(handler) as url, raw(url) as client:
            await asyncio.sleep(0.1)
            assert await client.read_close() == 4000

    run(main())


def test_wait_closed(run, pair):
    async def main():
        async with pair() as (server, client):
            for connection in (server, client):
                await cancel(asyncio.create_task(connection.wait_closed()))
            await talk(server, client)

    run(main())


def test_a_handler(run, serving, raw):
    """Whatever it waits for: its connection ends, its task is gone."""

    async def main():
        tasks = []

        async def handler(connection):
            tasks.append(asyncio.current_task())
            await {"recv": connection.recv, "wait_closed": connection.wait_closed}[connection.request.path[1:]]()

        async with serving(handler) as url:
            for path in ("recv", "wait_closed"):
                async with fastws.asyncio.connect(url + path) as client:
                    await asyncio.sleep(0.02)
                    await cancel(tasks.pop())
                    with pytest.raises(fastws.ConnectionClosedError):
                        await client.recv()

    run(main())


@pytest.mark.parametrize("name", ["process_request", "process_response"])
def test_a_handshake(run, serving, echo, raw, name):
    async def main():
        tasks = []

        async def process(*args):
            tasks.append(asyncio.current_task())
            await asyncio.sleep(30)

        async with serving(echo, **{name: process}) as url, raw(url, REQUEST) as client:
            while not tasks:
                await asyncio.sleep(0.01)
            await cancel(tasks[0])
            with contextlib.suppress(ConnectionError):
                assert await client.reader.read() == b""

    run(main())


@pytest.mark.parametrize("name", ["wait_closed", "serve_forever"])
def test_the_wait_for_a_server(run, echo, url_of, name):
    """serve_forever() closes its server then; wait_closed() is no more than a look."""

    async def main():
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0) as server:
            async with fastws.asyncio.connect(url_of(server)) as client:
                await cancel(asyncio.create_task(getattr(server, name)()))
                assert server.is_serving() == (name == "wait_closed")
                if name == "wait_closed":
                    await client.send("still here")
                    assert await client.recv() == "still here"

    run(main())


# ---- connect() ----

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextlib.contextmanager
def full_backlog():
    """An address where TCP connections are not answered."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class Silent:
    """A server that says so much, and then nothing."""

    def __init__(self, *answers):
        self._answers = answers
        self.received = asyncio.Event()
        self.ended = asyncio.Event()

    async def talk(self, reader, writer):
        for answer in self._answers:
            await reader.read(1000)
            writer.write(answer)
        if not self._answers:
            await reader.read(1000)
        self.received.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        self.ended.set()
        writer.close()

    @contextlib.asynccontextmanager
    async def listen(self):
        async with await asyncio.start_server(self.talk, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
            await self.ended.wait()


TUNNEL = b"HTTP/1.1 200 OK\r\n\r\n"
PHASES = {
    "head": ("ws://127.0.0.1:{}/", None, []),
    "TLS": ("wss://127.0.0.1:{}/", None, []),
    "half a head": ("ws://127.0.0.1:{}/", None, [b"HTTP/1.1 101 Swit"]),
    "HTTP proxy": ("ws://server.example/", "http://127.0.0.1:{}", []),
    "half an answer of an HTTP proxy": ("ws://server.example/", "http://127.0.0.1:{}", [b"HTTP/1.1 200"]),
    "HTTPS proxy": ("ws://server.example/", "https://127.0.0.1:{}", []),
    "SOCKS proxy": ("ws://server.example/", "socks5h://127.0.0.1:{}", [struct.pack("BB", 5, 0)]),
    "TLS through a proxy": ("wss://server.example/", "http://127.0.0.1:{}", [TUNNEL]),
    "head through a proxy": ("ws://server.example/", "http://127.0.0.1:{}", [TUNNEL]),
}


@pytest.mark.parametrize("way", ["cancel", "open_timeout"])
@pytest.mark.parametrize("phase", PHASES)
def test_connect_while_it_waits_for_the(run, phase, way):
    uri, proxy, answers = PHASES[phase]

    async def main():
        server = Silent(*answers)
        async with server.listen() as port:
            seconds = None if way == "cancel" else 0.3
            connecting = fastws.asyncio.connect(
                uri.format(port), proxy=proxy and proxy.format(port), open_timeout=seconds
            )
            task = asyncio.ensure_future(connecting)
            if way == "cancel":
                await server.received.wait()
                await cancel(task)
            else:
                with pytest.raises(fastws.HandshakeTimeout):
                    await task

    run(main())


@pytest.mark.parametrize("way", ["cancel", "open_timeout"])
def test_connect_while_it_waits_for_tcp(run, way):
    async def main():
        with full_backlog() as port:
            connecting = fastws.asyncio.connect(
                f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=None if way == "cancel" else 0.1
            )
            if way == "cancel":
                await cancel(asyncio.ensure_future(connecting))
            else:
                with pytest.raises(fastws.HandshakeTimeout):
                    await connecting

    run(main())


@pytest.mark.parametrize("loop_name", ["asyncio"], indirect=True)  # uvloop looks names up by itself
@pytest.mark.parametrize("proxy", [None, "http://proxy.example", "socks5://proxy.example"])
def test_connect_while_it_waits_for_dns(run, loop_name, proxy, monkeypatch):
    async def main():
        async def getaddrinfo(*args, **kwargs):
            await asyncio.sleep(30)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        await cancel(asyncio.ensure_future(fastws.asyncio.connect("ws://server.example/", proxy=proxy)))

    run(main())


def test_connect_while_it_waits_to_try_again(run, unused_port):
    async def main():
        async def connect_for_ever():
            async for _ in fastws.asyncio.connect(f"ws://127.0.0.1:{unused_port}/", reconnect_delays=lambda: [30]):
                pass

        await cancel(asyncio.create_task(connect_for_ever()), 0.2)

    run(main())


@pytest.fixture
def unused_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
