# SPDX-License-Identifier: MIT
"""The driver over descriptors that the library watches: batches, duplicates, forks, and loops that end early. What both
drivers have in common is tested with both; this is where the one that shares a descriptor could go wrong."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import ssl
import warnings

import pytest

import fastws
import fastws.asyncio

FRAME = fastws.compile_frame(1, b"x", mask=b"\1\2\3\4")


def drain_of(connection):
    return connection._endpoint.loop


def test_the_driver_can_be_chosen(run, driver, echo):
    async def main():
        for chosen in ("protocol", "loop", None):
            async with fastws.asyncio.serve(echo, "127.0.0.1", 0, driver=chosen) as server:
                port = server.sockets[0].getsockname()[1]
                async with fastws.asyncio.connect(f"ws://127.0.0.1:{port}/", driver=chosen) as client:
                    is_ours = type(client.transport).__name__ == "AsyncTransport"
                    assert is_ours == ((chosen or driver) == "loop")
                    await client.send("x")
                    assert await client.recv() == "x"

    run(main())
    with pytest.raises(ValueError, match="unknown driver"):
        fastws.asyncio.connect("ws://localhost/", driver="other")


def test_what_only_the_event_loop_can_serve_it_serves(run, echo):
    """TLS is the event loop's: what was asked for is served by the other driver."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    async def main():
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, driver="loop", ssl=context) as server:
            assert not isinstance(server._server, fastws.asyncio.listening.Listening)
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, driver="loop") as server:
            assert isinstance(server._server, fastws.asyncio.listening.Listening)

    run(main())


def test_addresses_are_known_after_the_end(run, pair):
    async def main():
        async with pair() as (server, client):
            addresses = server.local_address, server.remote_address
            assert addresses == (client.remote_address, client.local_address)
            assert server.transport.get_extra_info("socket").getsockname() == server.local_address
            await client.close()
            await server.wait_closed()
            assert (server.local_address, server.remote_address) == addresses

    run(main())


def test_a_transport_has_what_users_call_of_it(run, pair):
    async def main():
        async with pair() as (server, client):
            transport = server.transport
            assert not transport.is_closing()
            assert transport.get_write_buffer_size() == 0
            transport.set_write_buffer_limits(high=100, low=10)
            assert transport.get_write_buffer_limits() == (10, 100)
            with pytest.raises(ValueError):
                transport.set_write_buffer_limits(high=1, low=2)
            assert transport.can_write_eof()
            transport.pause_reading()
            assert not transport.is_reading()
            await client.send("x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await server.recv()
            transport.resume_reading()
            assert await server.recv() == "x"
            assert transport.get_extra_info("nothing", 7) == 7
            transport.abort()
            await server.wait_closed()
            assert server.close_code == 1006
            assert transport.is_closing()

    run(main())


def test_a_callback_closes_another_connection_of_the_same_batch(run, raw):
    """Both connections are readable when the batch begins; whoever is served first aborts the other."""
    made, seen = [], []

    class Listener:
        def on_open(self, connection):
            made.append(connection)

        def on_message(self, connection, message):
            seen.append(connection)
            for other in made:
                if other is not connection:
                    other.transport.abort()

    async def main():
        async with fastws.asyncio.serve(listener=Listener(), host="127.0.0.1", port=0) as server:
            url = "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
            async with raw(url) as first, raw(url) as second:
                first.writer.write(FRAME)
                second.writer.write(FRAME)
                while not seen:
                    await asyncio.sleep(0)
                other = next(connection for connection in made if connection is not seen[0])
                await other.wait_closed()
                assert other.close_code == 1006
                assert len(seen) == 1 or other not in seen

    run(main())


def test_a_duplicated_descriptor_is_no_more_served_than_its_original(run, driver, pair):
    async def main():
        async with pair() as (server, client):
            copy = os.dup(server.transport.get_extra_info("socket").fileno())
            try:
                server.transport.abort()
                await server.wait_closed()
                os.set_blocking(copy, False)
                await asyncio.sleep(0.05)
                if driver == "loop":
                    # The copy is readable for ever; the set must not know of it.
                    shared, calls = drain_of(client), 0
                    with contextlib.suppress(fastws.ConnectionClosed):
                        await client.send("x")
                    await asyncio.sleep(0.05)
                    assert shared._drain() is None
            finally:
                os.close(copy)

    run(main())


@pytest.mark.parametrize("driver", ["loop"], indirect=True)  # a child writes to transports of asyncio
def test_a_forked_child_does_not_disturb_its_parent(run, driver, pair):
    async def main():
        async with pair() as (server, client):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                status = 1
                try:
                    server.close_nowait()
                    client._endpoint.loop._drain()
                    gc.collect()
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
            for i in range(3):
                await client.send(str(i))
                assert await server.recv() == str(i)

    run(main())


@pytest.mark.parametrize("driver", ["loop"], indirect=True)  # what asyncio has open, children have
def test_a_child_that_lives_on_keeps_no_connection_open(run, driver, pair):
    async def main():
        async with pair() as (server, client):
            reading, writing = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            os.close(reading)
            try:
                client.transport.abort()
                async with asyncio.timeout(5):
                    await server.wait_closed()
            finally:
                os.close(writing)
                os.waitpid(child, 0)

    run(main())


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_may_be_closed_with_connections_open(loop_name, driver):
    from tests.python.aio.conftest import _new_loop

    _new_loop(loop_name).close()
    descriptors = len(os.listdir("/proc/self/fd"))
    loop = _new_loop(loop_name)

    async def main():
        async def handler(connection):
            await connection.wait_closed()

        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        client = await fastws.asyncio.connect("ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1])
        await client.send("x")
        return server, client

    server, client = loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
        del server, client, task, loop
        gc.collect()
    if driver == "loop":
        assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_debug_mode_echoes(run, serving, echo):
    async def main():
        async with serving(echo) as url, fastws.asyncio.connect(url) as client:
            for i in range(20):
                await client.send(str(i))
                assert await client.recv() == str(i)

    run(main(), debug=True)


@pytest.mark.parametrize("driver", ["loop"], indirect=True)  # else the event loop accepts
def test_clients_wait_while_there_are_no_descriptors(run, driver, serving, echo, logged):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main():
        async with serving(echo) as url, fastws.asyncio.connect(url) as client:
            host, port = url[5:-1].split(":")
            late = socket.socket()
            late.setblocking(False)
            highest = max(int(name) for name in os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            fillers = []
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(os.dup(0))
            try:
                late.connect_ex((host, int(port)))
                await asyncio.sleep(0.1)
                assert [text for text in logged() if "cannot accept clients" in text]
                await client.send("still here")
                assert await client.recv() == "still here"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for filler in fillers:
                    os.close(filler)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(late, REQUEST)
            assert (await loop.sock_recv(late, 100)).startswith(b"HTTP/1.1 101")
            late.close()

    run(main())


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_keyboard_interrupt_in_a_woken_task_ends_the_loop(loop_name, driver):
    """And what else was ready is served when the loop runs again."""
    from tests.python.aio.conftest import _new_loop

    loop = _new_loop(loop_name)
    got = []

    async def handler(connection):
        async for message in connection:
            if message == "stop":
                raise KeyboardInterrupt
            got.append(message)

    async def open_all():
        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        url = "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
        return server, [await fastws.asyncio.connect(url) for _ in range(3)]

    async def send():
        for client, text in zip(clients, ["stop", "one", "two"], strict=True):
            client.send_nowait(text)
        await asyncio.sleep(5)

    async def close():
        while len(got) < 2:
            await asyncio.sleep(0)
        for client in clients:
            if client.transport is not None:
                client.transport.abort()
        server.close()
        await server.wait_closed()

    server, clients = loop.run_until_complete(open_all())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(send())
    for task in asyncio.all_tasks(loop):
        if task.get_coro().__name__ == "send":
            task.cancel()
    loop.run_until_complete(asyncio.wait_for(close(), 10))
    assert sorted(got) == ["one", "two"]
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_a_client_that_is_reset_while_it_is_paused_keeps_no_loop_busy(run, driver, serving, raw):
    """Both directions are over, which epoll tells of whatever is wanted."""
    connections = []

    async def handler(connection):
        connections.append(connection)
        connection.transport.pause_reading()
        with contextlib.suppress(asyncio.CancelledError):
            await connection.wait_closed()

    async def main():
        turns = 0

        def count():
            nonlocal turns
            turns += 1

        async with serving(handler) as url:
            async with raw(url) as client:
                while not connections:
                    await asyncio.sleep(0.01)
                sock = client.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.writer.transport.abort()
            await asyncio.sleep(0.05)
            before = os.times().user
            await asyncio.sleep(0.3)
            assert os.times().user - before < 0.15
            connections[0].transport.resume_reading()
            async with asyncio.timeout(5):
                await connections[0].wait_closed()
            assert connections[0].close_code == 1006

    run(main())
