# SPDX-License-Identifier: MIT
"""How connections end: close frames, timeouts, errors of handlers, of peers and of the program, and nothing is left."""

import asyncio
import contextvars
import gc
import socket
import struct
import time
import weakref

import pytest

import fastws
import fastws.asyncio
from fastws.asyncio import State


@pytest.mark.parametrize("closer", ["server", "client"])
@pytest.mark.parametrize("code, reason, error", [
    (1000, "", fastws.ConnectionClosedOK),
    (1001, "going", fastws.ConnectionClosedOK),
    (4000, "r\u00e9ason", fastws.ConnectionClosedError),
])
def test_close_reaches_both_ends(run, pair, closer, code, reason, error):
    async def main():
        async with pair() as (server, client):
            ours, theirs = (server, client) if closer == "server" else (client, server)
            waiting = asyncio.create_task(theirs.recv())
            assert ours.state is State.OPEN
            await ours.close(code, reason)
            await theirs.wait_closed()
            for connection in (ours, theirs):
                assert connection.state is State.CLOSED
                # The answer repeats the code, not the reason. RFC 6455 5.5.1.
                told = "" if connection is ours else reason
                assert (connection.close_code, connection.close_reason) == (code, told)
                assert connection.transport is None
            with pytest.raises(error) as caught:
                await waiting
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, reason)
            await ours.close()  # again does nothing

    run(main())


def test_close_refuses_what_may_not_be_sent(run, pair):
    async def main():
        async with pair() as (server, client):
            for code in (999, 1004, 1006, 5000):
                with pytest.raises(ValueError):
                    await client.close(code)
            with pytest.raises(ValueError):
                await client.close(1000, "\udc80")
            assert client.state is State.OPEN

    run(main())


def test_the_state_while_closing(run, serving, raw):
    async def main():
        states = asyncio.get_running_loop().create_future()

        async def handler(connection):
            closing = asyncio.create_task(connection.close())
            await asyncio.sleep(0.05)
            states.set_result((connection.state, connection.close_code))
            await closing

        async with serving(handler) as url, raw(url) as client:
            assert await states == (State.CLOSING, None)
            assert await client.read_close() == 1000

    run(main())


def test_messages_are_received_until_the_close_frame_of_the_peer(run, serving, raw):
    async def main():
        received = asyncio.get_running_loop().create_future()

        async def handler(connection):
            connection.close_nowait()
            received.set_result([message async for message in connection])

        async with serving(handler, close_timeout=0.5) as url, raw(url) as client:
            assert await client.read_frame() == (8, b"\x03\xe8")
            client.send(1, b"late")
            client.send(8, b"\x03\xe8")
            assert await received == ["late"]

    run(main())


def test_a_flood_does_not_keep_a_closing_connection_from_ending(run, serving, raw):
    """Nobody reads any more, and the peer's close frame is behind more messages than the queue takes."""

    async def main():
        async def handler(connection):
            await connection.recv()
            await connection.close()

        async with serving(handler, max_queue=2) as url, raw(url) as client:
            client.send(1, b"go")
            for _ in range(1000):
                client.send(1, b"x" * 1000)
            began = time.monotonic()
            assert await client.read_close() == 1000
            assert time.monotonic() - began < 5

    run(main())


def test_a_peer_that_does_not_answer_the_close_frame_is_given_up(run, serving, raw, logged):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            began = time.monotonic()
            await connection.close(4000)
            ended.set_result((time.monotonic() - began, connection.close_code))

        async with serving(handler, close_timeout=0.2) as url, raw(url) as client:
            seconds, code = await ended
            assert 0.15 < seconds < 2
            assert code == 1006

    run(main())


def test_a_peer_that_does_not_end_the_stream_is_given_up(run, serving, raw):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            await connection.wait_closed()
            ended.set_result(connection.close_code)

        async with serving(handler, close_timeout=0.2) as url, raw(url) as client:
            client.send(8, b"\x03\xe8")
            assert await client.read_frame() == (8, b"\x03\xe8")
            assert await ended == 1000

    run(main())


def test_silence_ends_the_connection(run, serving, raw, logged):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            with pytest.raises(fastws.ConnectionClosedError) as caught:
                await connection.recv()
            ended.set_result(caught.value)

        options = {"ping_interval": 0.1, "ping_timeout": 0.1, "close_timeout": 0.1}
        async with serving(handler, **options) as url, raw(url) as client:
            opcode, _ = await client.read_frame()
            assert opcode == fastws.OpCode.PING
            error = await ended
            assert isinstance(error.__cause__, fastws.ConnectionTimeout)
            assert error.code == 1011

    run(main())


def test_pongs_keep_a_connection_alive_and_measure_it(run, pair):
    async def main():
        async with pair(ping_interval=0.05, ping_timeout=2) as (server, client):
            started = time.monotonic()
            while server.latency == 0:
                await asyncio.sleep(0.05)
            assert server.latency < time.monotonic() - started
            await asyncio.sleep(2.2)
            assert server.state is State.OPEN

    run(main())


def test_a_handler_that_does_not_read_is_no_silence_of_the_peer(run, serving, raw):
    async def main():
        async def handler(connection):
            await asyncio.sleep(0.6)
            await connection.send("alive")

        async with serving(handler, ping_interval=0.1, ping_timeout=0.1, max_queue=1) as url, raw(url) as client:
            for _ in range(1000):
                client.send(2, bytes(1000))
            frames = []
            while (frame := await client.read_frame())[0] == 9:
                client.send(10, frame[1])
            assert frame == (1, b"alive")

    run(main())


# ---- Handlers ----


def test_a_handler_that_raises_closes_with_1011_and_is_logged(run, serving, raw, caplog):
    async def handler(connection):
        await connection.recv()
        raise LookupError("handler is lost")

    async def main():
        async with serving(handler) as url, raw(url) as client:
            client.send(1, b"x")
            assert await client.read_close() == 1011

    run(main())
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "connection handler failed"
    assert "handler is lost" in record.exc_text or "handler is lost" in str(record.exc_info[1])
    assert isinstance(record.exc_info[1], LookupError)


def test_handlers_run_in_tasks_and_contexts_of_their_own(run, serving):
    variable = contextvars.ContextVar("variable", default=0)

    async def main():
        tasks = set()
        both = asyncio.Barrier(2)

        async def handler(connection):
            assert variable.get() == 0
            variable.set(variable.get() + 1)
            tasks.add(asyncio.current_task())
            await both.wait()
            assert variable.get() == 1

        async with serving(handler) as url:
            async with fastws.asyncio.connect(url) as one, fastws.asyncio.connect(url) as two:
                await asyncio.gather(one.wait_closed(), two.wait_closed())
        assert len(tasks) == 2

    run(main())


def test_handlers_find_the_context_of_their_server(run, echo, url_of):
    """Those of the second server used to find that of the first, or of a client, with the driver of the library."""
    variable = contextvars.ContextVar("variable", default="none")

    async def main():
        async def handler(connection):
            await connection.send(variable.get())

        async def serve(name):
            variable.set(name)
            return await fastws.asyncio.serve(handler, "127.0.0.1", 0)

        async def connect(server):
            variable.set("client")
            async with fastws.asyncio.connect(url_of(server)) as client:
                return await client.recv()

        servers = [await asyncio.create_task(serve(name)) for name in "abc"]
        for server, name in zip(servers, "abc"):
            assert await asyncio.create_task(connect(server)) == name
            server.close()
            await server.wait_closed()

    run(main())


@pytest.mark.parametrize("code, reason", [(999, ""), (1006, ""), (1005, "reason"), (1001, "\ud800")])
def test_a_server_refuses_to_close_with_what_may_not_be_sent(run, serving, echo, code, reason):
    """It used to stop listening, and wait_closed() never to return."""

    async def main():
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0) as server:
            with pytest.raises(ValueError):
                server.close(code=code, reason=reason)
            assert server.is_serving()

    run(main())


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="CPython has them from 3.12 on")
@pytest.mark.parametrize("is_asked", [True, False])
def test_handlers_of_eager_tasks_are_not_cancelled_at_the_end(run, serving, is_asked):
    """They used to be: as if the connection had gone in the middle of the handshake."""

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            try:
                async for message in connection:
                    await connection.send(message)
                await asyncio.sleep(0.01)
                ended.set_result("clean")
            except asyncio.CancelledError:
                ended.set_result("cancelled")

        async def process_request(connection, request):
            await asyncio.sleep(0)

        async with serving(handler, process_request=process_request if is_asked else None) as url:
            async with fastws.asyncio.connect(url) as client:
                await client.send("x")
                assert await client.recv() == "x"
            assert await ended == "clean"

    run(main())


def test_a_server_that_never_began_can_be_closed(run, echo):
    """wait_closed() used to wait for ever."""

    async def main():
        server = fastws.asyncio.serve(echo, "127.0.0.1", 0)
        server.close()
        await server.wait_closed()
        assert not server.is_serving()

    run(main())


@pytest.mark.parametrize("how", ["close", "serve_forever", "keep"])
def test_shutdown(run, url_of, how):
    async def main():
        ended = []

        async def handler(connection):
            try:
                async for message in connection:
                    await connection.send(message)
            except fastws.ConnectionClosedError:
                assert how == "close"
            ended.append(connection.close_code)

        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        clients = [await fastws.asyncio.connect(url_of(server)) for _ in range(5)]
        assert server.is_serving()
        assert len(server.connections) == 5
        assert server.get_loop() is asyncio.get_running_loop()
        if how == "serve_forever":
            forever = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0.01)
            forever.cancel()
            with pytest.raises(asyncio.CancelledError):
                await forever
        elif how == "keep":
            server.close(close_connections=False)
            await clients[0].send("still here")
            assert await clients[0].recv() == "still here"
            for client in clients:
                await client.close(1001)
        else:
            server.close(code=1012, reason="restart")
            server.close()
        await server.wait_closed()
        assert not server.is_serving()
        assert {client.close_code for client in clients} == {1012 if how == "close" else 1001}
        assert ended == [1012 if how == "close" else 1001] * 5
        with pytest.raises(OSError):
            await fastws.asyncio.connect("ws://127.0.0.1:1/")

    run(main())


def test_start_serving_later(run, echo, url_of):
    async def main():
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, start_serving=False) as server:
            assert not server.is_serving()
            await server.start_serving()
            async with fastws.asyncio.connect(url_of(server)) as client:
                await client.send("x")
                assert await client.recv() == "x"

    run(main())


def test_a_handler_task_that_is_cancelled_ends_its_connection(run, serving, raw):
    async def main():
        tasks = []

        async def handler(connection):
            tasks.append(asyncio.current_task())
            await connection.recv()

        async with serving(handler) as url, raw(url) as client:
            client.send(9)
            await client.read_frame()
            tasks[0].cancel()
            assert await client.read_close() == 1011

    run(main())


# ---- Peers ----


def test_a_reset_is_an_error_with_its_cause(run, serving, raw, logged):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            try:
                await connection.recv()
            except fastws.ConnectionClosedError as error:
                ended.set_result(error)

        async with serving(handler) as url, raw(url) as client:
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.write(b"\x81\x85abc")
            await asyncio.sleep(0.02)
            client.writer.transport.abort()
            error = await ended
            assert error.code == 1006
            assert isinstance(error.__cause__, fastws.ConnectionLost)
            assert isinstance(error.__cause__.__cause__, ConnectionResetError)

    run(main())


def test_replies_that_are_not_read_end_the_connection(run, serving, echo, raw, logged):
    """Pings without end, and nobody reads the pongs: memory is bounded, and the reason is named."""

    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            try:
                await connection.recv()
            except fastws.ConnectionClosedError as error:
                ended.set_result(error)

        options = {"ping_interval": 0.2, "ping_timeout": 0.3, "close_timeout": 0.2}
        async with serving(handler, **options) as url, raw(url) as client:
            client.writer.transport.get_extra_info("socket")
            client.writer.transport.pause_reading()
            pings = fastws.compile_frame(9, bytes(125), mask=b"abcd") * 500

            async def flood():
                while True:
                    client.writer.write(pings)
                    await client.writer.drain()

            task = asyncio.create_task(flood())
            error = await ended
            assert isinstance(error.__cause__, fastws.ControlFlood)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_one_byte_at_a_time(run, serving, echo, raw):
    async def main():
        async with serving(echo) as url, raw(url) as client:
            for byte in fastws.compile_frame(1, b"slow", mask=b"abcd"):
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
            assert await client.read_frame() == (1, b"slow")

    run(main())


# ---- Callbacks that close ----


def test_a_callback_of_one_connection_closes_another_of_the_same_batch(run, serving):
    class Listener:
        def __init__(self):
            self.connections = []

        def on_open(self, connection):
            self.connections.append(connection)

        def on_message(self, connection, message):
            for other in list(self.connections):
                self.connections.remove(other)
                other.transport.abort() if message == "abort" else other.close_nowait(4000)

    async def main(message):
        async with serving(listener=Listener()) as url:
            clients = [await fastws.asyncio.connect(url) for _ in range(10)]
            for client in clients:
                await client.send([message])
                await client.send("more")
            await asyncio.gather(*(client.wait_closed() for client in clients))

    for message in ("abort", "close"):
        run(main(message))


# ---- The program ----


def test_keyboard_interrupt_ends_the_loop(loop_name, serving, echo):
    async def main():
        async def handler(connection):
            await connection.recv()
            raise KeyboardInterrupt

        async with serving(handler) as url, fastws.asyncio.connect(url) as client:
            await client.send("x")
            await asyncio.sleep(10)

    if loop_name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    assert time.monotonic() - began < 5
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
    loop.close()


def test_the_loop_is_closed_with_connections_open(loop_name, recwarn):
    if loop_name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()

    async def main():
        async def handler(connection):
            await connection.recv()

        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        url = "ws://127.0.0.1:{}/".format(server.sockets[0].getsockname()[1])
        client = await fastws.asyncio.connect(url)
        await client.send(["half"])
        return server, client, list(server.connections)

    everything = loop.run_until_complete(main())
    references = [weakref.ref(item) for item in (everything[1], *everything[2])]
    del everything
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()
    del task
    gc.collect()
    # A transport of uvloop keeps itself for its handle, which a closed loop does not end any more.
    assert references[0]() is None
    assert loop_name == "uvloop" or references[1]() is None


def test_nothing_is_left_of_a_connection(run, serving, echo):
    async def main():
        async with serving(echo) as url:
            references = []

            async def talk():
                async with fastws.asyncio.connect(url) as client:
                    await client.send("x")
                    assert await client.recv() == "x"
                references.append(weakref.ref(client))

            for _ in range(5):
                await talk()
            await asyncio.sleep(0.01)
            assert [reference() for reference in references] == [None] * 5

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
