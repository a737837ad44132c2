# SPDX-License-Identifier: MIT
"""Receiving: what recv() makes of messages, message by message or frame by frame, and what happens when nobody does."""

import asyncio

import pytest

import fastws
import fastws.asyncio


@pytest.mark.parametrize("is_waiting", [False, True])
@pytest.mark.parametrize(
    "sent, decode, received",
    [
        ("t\u00e9xt", None, "t\u00e9xt"),
        ("t\u00e9xt", False, "t\u00e9xt".encode()),
        ("t\u00e9xt", True, "t\u00e9xt"),
        (b"bytes", None, b"bytes"),
        (b"bytes", False, b"bytes"),
        (b"bytes", True, "bytes"),
        (["fr", "ag"], False, b"frag"),
    ],
)
def test_decode(run, pair, sent, decode, received, is_waiting):
    async def main():
        async with pair() as (server, client):
            task = asyncio.create_task(server.recv(decode=decode)) if is_waiting else None
            await asyncio.sleep(0)
            await client.send(sent)
            await asyncio.sleep(0.02)
            assert await (task or server.recv(decode)) == received

    run(main())


def test_bytes_that_are_no_text_are_lost_to_who_wants_text(run, pair):
    async def main():
        async with pair() as (server, client):
            await client.send(b"\xff")
            await client.send("next")
            with pytest.raises(UnicodeDecodeError):
                await server.recv(decode=True)
            assert await server.recv() == "next"

    run(main())


@pytest.mark.parametrize("is_waiting", [False, True])
def test_recv_streaming_gives_frames(run, serving, raw, is_waiting):
    async def main():
        received = []

        async def handler(connection):
            if not is_waiting:
                await asyncio.sleep(0.1)
            received.append([part async for part in connection.recv_streaming()])
            received.append(await connection.recv())
            received.append([part async for part in connection.recv_streaming(decode=False)])

        async with serving(handler) as url, raw(url) as client:
            await asyncio.sleep(0.02)
            text = "\u20ac".encode()
            client.send(1, b"a" + text[:1], fin=False)
            client.send(9, b"ping")
            client.send(0, text[1:], fin=False)
            client.send(0, b"", fin=True)
            client.send(1, b"whole")
            client.send(1, b"one", fin=False)
            await asyncio.sleep(0.2)
            client.send(0, b"two")
            assert await client.read_frame() == (10, b"ping")
            assert await client.read_close() == 1000
        first, second, third = received
        assert "".join(first) == "a\u20ac"
        assert len(first) == (3 if is_waiting else 1)
        assert second == "whole"
        assert third == [b"one", b"two"]

    run(main())


def test_recv_streaming_is_to_be_used_up(run, serving, raw):
    async def main():
        result = asyncio.get_running_loop().create_future()

        async def handler(connection):
            async for part in connection.recv_streaming():
                break
            with pytest.raises(fastws.ConcurrencyError):
                await connection.recv()
            with pytest.raises(fastws.ConcurrencyError):
                await anext(connection.recv_streaming())
            result.set_result(part)

        async with serving(handler) as url, raw(url) as client:
            await asyncio.sleep(0.02)
            client.send(1, b"a", fin=False)
            assert await result == "a"
            assert await client.read_close() == 1000

    run(main())


def test_to_cancel_recv_streaming_before_its_first_part_loses_nothing(run, pair):
    async def main():
        async with pair() as (server, client):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    async for _ in server.recv_streaming():
                        pass
            await client.send(["fr", "ag"])
            await client.send("next")
            assert [await server.recv(), await server.recv()] == ["frag", "next"]

    run(main())


def test_streams_a_message_larger_than_memory_would_be_given(run, serving):
    async def parts():
        for _ in range(100):
            yield b"x" * 100000

    async def main():
        async def handler(connection):
            total = 0
            async for part in connection.recv_streaming():
                total += len(part)
            await connection.send(str(total))

        async with serving(handler, max_size=(None, 200000)) as url:
            async with fastws.asyncio.connect(url) as client:
                await client.send(parts())
                assert await client.recv() == "10000000"

    run(main())


@pytest.mark.parametrize("limit", [10, (10, None), (10, 10), (None, 10)])
def test_a_message_over_max_size_ends_the_connection(run, serving, raw, limit):
    async def main():
        async def handler(connection):
            assert await connection.recv() == "x" * 10
            with pytest.raises(fastws.ConnectionClosedError) as caught:
                await connection.recv()
            assert caught.value.code == 1009
            assert isinstance(caught.value.__cause__, fastws.MessageTooBig)

        async with serving(handler, max_size=limit) as url, raw(url) as client:
            client.send(1, b"x" * 10)
            client.send(1, b"x" * 11)
            assert await client.read_close() == 1009

    run(main())


@pytest.mark.parametrize(
    "frame, code",
    [
        (fastws.compile_frame(1, b"x"), 1002),  # not masked
        (fastws.compile_frame(1, b"\xff", mask=b"abcd"), 1007),
        (fastws.compile_frame(1, b"x", rsv=4, mask=b"abcd"), 1002),
        (b"\x88\x82\x00\x00\x00\x00\x03\xed", 1002),  # close with 1005, which may not be sent
    ],
)
def test_what_breaks_a_rule_is_reached_in_order(run, serving, raw, echo, frame, code, logged):
    """The answer to the message before goes out first."""

    async def main():
        async with serving(echo) as url, raw(url) as client:
            client.writer.write(fastws.compile_frame(1, b"before", mask=b"abcd") + frame)
            assert await client.read_frame() == (1, b"before")
            assert await client.read_close() == code

    run(main())
    assert logged() == ["connection handler failed"]


def test_a_full_queue_pauses_reading_once_and_loses_nothing(run, serving, loop_name):
    async def main():
        calls = []
        go = asyncio.Event()
        done = asyncio.Event()

        async def handler(connection):
            await go.wait()
            for i in range(5000):
                assert await connection.recv() == f"{i} " + "x" * 1000
            done.set()

        connecting = serving(handler, max_queue=4, compression=None)  # what it says would fit any buffer, compressed
        async with connecting as url, fastws.asyncio.connect(url) as client:
            async def flood():
                for i in range(5000):
                    await client.send(f"{i} " + "x" * 1000)

            task = asyncio.create_task(flood())
            await asyncio.sleep(0.3)
            assert not task.done()
            go.set()
            await task
            await done.wait()

    run(main())


def test_reading_goes_on_behind_unread_messages_for_pings(run, serving, raw):
    async def main():
        async def handler(connection):
            await connection.wait_closed()

        async with serving(handler) as url, raw(url) as client:
            for i in range(10):
                client.send(1, b"not read")
            client.send(9, b"ping")
            assert await client.read_frame() == (10, b"ping")
            client.send(8, b"\x03\xe8")
            assert await client.read_frame() == (8, b"\x03\xe8")

    run(main())


def test_what_came_before_the_end_is_received_after_it(run, serving, raw):
    async def main():
        received = asyncio.get_running_loop().create_future()

        async def handler(connection):
            await connection.wait_closed()
            received.set_result([message async for message in connection])

        async with serving(handler, close_timeout=0.5) as url, raw(url) as client:
            for i in range(10):
                client.send(1, str(i).encode())
            client.send(8, b"\x03\xe8")
            assert await received == [str(i) for i in range(10)]

    run(main())


def test_a_stream_that_ends_inside_a_message_is_an_error(run, serving, raw):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            try:
                await connection.recv()
            except fastws.ConnectionClosedError as error:
                ended.set_result((error.code, connection.close_code, type(error.__cause__)))

        async with serving(handler) as url:
            async with raw(url) as client:
                client.writer.write(b"\x81\x85abcd" + b"x")
                await asyncio.sleep(0.05)
            assert await ended == (1006, 1006, fastws.ConnectionLost)

    run(main())


@pytest.mark.parametrize("driver", ["protocol"], indirect=True)  # else nobody asks for a buffer
def test_a_read_that_finds_nothing_leaves_nothing_lent(run, driver, pair):
    """asyncio asks for a buffer, and says nothing more when the socket had nothing: a spurious wake-up."""
    async def main():
        async with pair() as (server, client):
            protocols = [connection.transport.get_protocol() for connection in (server, client)]
            for protocol in protocols * 3:
                assert len(memoryview(protocol.get_buffer(-1))) > 4096
            for _ in range(3):
                await client.send("still")
                assert await server.recv() == "still"

    run(main())
