# SPDX-License-Identifier: MIT
"""Sending: every kind of message, room to write and none, several that send at once, and to many connections."""

import asyncio

import pytest

import fastws
import fastws.asyncio


@pytest.mark.parametrize(
    "message, options, received",
    [
        ("text", {}, "text"),
        ("t\u00e9xt", {}, "t\u00e9xt"),
        ("t\u00e9xt", {"text": False}, "t\u00e9xt".encode()),
        (b"bytes", {}, b"bytes"),
        (b"bytes", {"text": True}, "bytes"),
        (bytearray(b"bytes"), {}, b"bytes"),
        (memoryview(b"bytes")[1:], {}, b"ytes"),
        (memoryview(b"x" * 100000)[::1], {}, b"x" * 100000),
        (fastws.PreparedMessage("prepared"), {}, "prepared"),
        (fastws.PreparedMessage(b"p" * 100000), {}, b"p" * 100000),
        (["fr", "ag", "ments"], {}, "fragments"),
        (dict.fromkeys([b"fr", b"ag"]).keys(), {}, b"frag"),
        ([b"fr", b"ag"], {"text": True}, "frag"),
        (["fr", "ag"], {"text": False}, b"frag"),
        (["", ""], {}, ""),
        ([b"x" * 100000] * 3, {}, b"x" * 300000),
    ],
)
def test_sends(run, pair, message, options, received):
    async def main():
        async with pair() as (server, client):
            await server.send(message, **options)
            assert await client.recv() == received

    run(main())


def test_sends_what_an_asynchronous_iterable_gives(run, pair):
    async def parts():
        yield "one "
        await asyncio.sleep(0.01)
        yield "two"

    async def main():
        async with pair() as (server, client):
            await client.send(parts())
            assert await server.recv() == "one two"

    run(main())


def test_nothing_is_sent_of_an_empty_iterable(run, pair):
    async def main():
        async with pair() as (server, client):
            await client.send([])
            await client.send("next")
            assert await server.recv() == "next"

    run(main())


@pytest.mark.parametrize(
    "message, options, error",
    [
        ({"a": 1}, {}, TypeError),
        (3, {}, TypeError),
        (None, {}, TypeError),
        (b"\xff", {"text": True}, ValueError),
        ("\udc80", {}, ValueError),
    ],
)
def test_refuses_and_stays_open(run, pair, message, options, error):
    async def main():
        async with pair() as (server, client):
            with pytest.raises(error):
                await client.send(message, **options)
            await client.send("open")
            assert await server.recv() == "open"

    run(main())


@pytest.mark.parametrize("parts", [["a", b"b"], [b"a", "b"], ["a", 3]])
def test_mixed_parts_end_the_connection(run, pair, parts):
    async def main():
        async with pair() as (server, client):
            with pytest.raises(TypeError):
                await client.send(parts)
            with pytest.raises(fastws.ConnectionClosedError) as caught:
                await server.recv()
            assert caught.value.rcvd.code == 1011

    run(main())


def test_messages_wait_for_one_in_pieces(run, pair):
    async def parts(go):
        yield "a"
        await go.wait()
        yield "b"

    async def main():
        go = asyncio.Event()
        async with pair() as (server, client):
            first = asyncio.create_task(client.send(parts(go)))
            await asyncio.sleep(0.01)
            second = asyncio.create_task(client.send("second"))
            with pytest.raises(fastws.ConcurrencyError):
                client.send_nowait("no")
            await (await client.ping())
            go.set()
            assert [await server.recv(), await server.recv()] == ["ab", "second"]
            await asyncio.gather(first, second)

    run(main())


def test_a_message_in_pieces_that_is_cancelled_ends_the_connection(run, pair):
    async def parts():
        yield "a"
        await asyncio.sleep(30)

    async def main():
        async with pair() as (server, client):
            task = asyncio.create_task(client.send(parts()))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(fastws.ConnectionClosedError):
                await server.recv()

    run(main())


def test_send_waits_while_the_peer_does_not_read(run, serving, raw):
    async def main():
        sent = []
        done = asyncio.Event()

        async def flood(connection):
            for i in range(300):
                await connection.send(bytes([i % 256]) * 65536)
                sent.append(i)
            done.set()
            await connection.wait_closed()

        async with serving(flood, write_limit=65536) as url, raw(url) as client:
            await asyncio.sleep(0.3)
            stuck = len(sent)
            assert stuck < 300
            await asyncio.sleep(0.1)
            assert len(sent) == stuck
            for i in range(300):
                assert await client.read_frame() == (2, bytes([i % 256]) * 65536)
            await done.wait()
            client.send(8, b"\x03\xe8")

    run(main())


def test_what_the_system_has_not_taken_is_counted(run, serving, raw):
    async def main():
        counts = []

        async def flood(connection):
            counts.append(connection.queued)
            for _ in range(20):
                connection.send_nowait(b"x" * 1000000)
            counts.append(connection.queued)
            await connection.wait_closed()
            counts.append(connection.queued)

        async with serving(flood) as url, raw(url) as client:
            await asyncio.sleep(0.1)
            for _ in range(20):
                assert await client.read_frame() == (2, b"x" * 1000000)
            client.send(8, b"\x03\xe8")
            assert await client.read_close() == 1000
        assert counts[0] == counts[2] == 0
        assert 1000000 < counts[1] < 20 * 1000010  # of that, the socket has taken what it has room for

    run(main())


def test_many_may_wait_for_room(run, serving, raw):
    async def main():
        async def flood(connection):
            await asyncio.gather(*(connection.send(b"x" * 1000000) for _ in range(20)))
            await connection.close()

        async with serving(flood) as url, raw(url) as client:
            await asyncio.sleep(0.1)
            for _ in range(20):
                assert await client.read_frame() == (2, b"x" * 1000000)
            assert await client.read_close() == 1000

    run(main())


def test_to_cancel_a_send_that_waits_leaves_the_message_whole(run, serving, raw):
    async def main():
        async def flood(connection):
            count = 0
            try:
                async with asyncio.timeout(0.2):
                    while True:
                        count += 1
                        await connection.send(b"y" * 300000)
            except TimeoutError:
                pass
            await connection.send(str(count))
            await connection.close()

        async with serving(flood) as url, raw(url) as client:
            await asyncio.sleep(0.4)
            count = 0
            while (frame := await client.read_frame())[0] == 2:
                assert frame[1] == b"y" * 300000
                count += 1
            assert frame == (1, str(count).encode())
            assert await client.read_close() == 1000

    run(main())


def test_a_peer_that_goes_ends_a_send_that_waits(run, serving, raw, logged):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def flood(connection):
            try:
                while True:
                    await connection.send(b"x" * 1000000)
            except fastws.ConnectionClosed as error:
                ended.set_result(error)

        async with serving(flood) as url:
            async with raw(url) as client:
                await asyncio.sleep(0.1)
                client.writer.transport.abort()
            assert (await ended).code == 1006

    run(main())


@pytest.mark.parametrize("end", ["ours", "theirs"])
def test_send_after_the_end_raises(run, pair, end):
    async def main():
        async with pair() as (server, client):
            await (client if end == "ours" else server).close(4001)
            for send in (client.send("x"), client.send(["x"]), client.ping(), client.pong()):
                with pytest.raises(fastws.ConnectionClosedError) as caught:
                    await send
                assert caught.value.code == 4001
            with pytest.raises(fastws.ConnectionClosed):
                client.send_nowait("x")
            assert await asyncio.gather(client.send("x"), return_exceptions=True) != [None]

    run(main())


def test_a_send_that_is_not_awaited_sends_nothing(run, pair):
    async def main():
        async with pair() as (server, client):
            client.send("never").close()
            with pytest.warns(RuntimeWarning, match="coroutine 'Connection.send' was never awaited"):
                client.send("never")
            await client.send("sent")
            assert await server.recv() == "sent"

    run(main())


def test_pings_measure_latency(run, pair):
    async def main():
        async with pair() as (server, client):
            first = await client.ping("same")
            with pytest.raises(fastws.ConcurrencyError):
                await client.ping(b"same")
            latency = await first
            assert 0 < latency == client.latency < 10
            assert 0 < await (await client.ping())
            await client.pong("not asked for")
            with pytest.raises(ValueError):
                await client.ping(bytes(126))
            with pytest.raises(TypeError):
                await client.ping(3)
            waiting = await client.ping()
            server._abort()
            with pytest.raises(fastws.ConnectionClosed):
                await waiting

    run(main())


def test_a_pong_answers_all_pings_before_it(run, serving, raw):
    async def main():
        result = asyncio.get_running_loop().create_future()

        async def handler(connection):
            pings = [await connection.ping(name) for name in ("a", "b", "c")]
            await pings[1]
            result.set_result([ping.done() for ping in pings])
            await connection.wait_closed()

        async with serving(handler) as url, raw(url) as client:
            client.send(10, b"b")
            assert await result == [True, True, False]

    run(main())


def test_broadcast_reaches_all_that_are_open(run, serving, raw, logged):
    async def main():
        async def handler(connection):
            await connection.wait_closed()

        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        async with server:
            url = "ws://127.0.0.1:{}/".format(server.sockets[0].getsockname()[1])
            clients = [await fastws.asyncio.connect(url) for _ in range(10)]
            await clients[0].close()
            for message in ["text", b"x" * 100000, fastws.PreparedMessage("prepared")]:
                fastws.asyncio.broadcast(server.connections, message)
                for client in clients[1:]:
                    received = await client.recv()
                    assert received == (message.data if isinstance(message, fastws.PreparedMessage) else message)
            fastws.asyncio.broadcast(clients, "from clients", text=False)
            assert sorted([await connection.recv() for connection in server.connections]) == [b"from clients"] * 9
            with pytest.raises(TypeError):
                fastws.asyncio.broadcast(clients, ["parts"])
            for client in clients:
                await client.close()

    run(main())


def test_broadcast_tells_of_connections_that_are_busy(run, pair, caplog):
    async def parts(go):
        yield "a"
        await go.wait()

    async def main():
        go = asyncio.Event()
        async with pair() as (server, client):
            task = asyncio.create_task(client.send(parts(go)))
            await asyncio.sleep(0.01)
            fastws.asyncio.broadcast([client, server], "x")
            with pytest.raises(ExceptionGroup) as caught:
                fastws.asyncio.broadcast([client], "x", raise_exceptions=True)
            assert isinstance(caught.value.exceptions[0], fastws.ConcurrencyError)
            go.set()
            await task
            assert await client.recv() == "x"
            assert await server.recv() == "a"

    run(main())
    assert ["skipped broadcast" in record.getMessage() for record in caplog.records].count(True) == 1


def test_payloads_are_not_kept(run, pair):
    class Payload(bytearray):
        pass

    async def main():
        async with pair() as (server, client):
            for size in (10, 100000):
                payload = Payload(size)
                await client.send(payload)
                payload.clear()  # a BufferError if it was lent still
                assert await server.recv() == bytes(size)

    run(main())
