# SPDX-License-Identifier: MIT
"""The end of a connection is reached in order: messages before it may be answered first, for a while."""

import asyncio
import time

import pytest

import fastws

MASK = b"abcd"
TEXT = fastws.compile_frame(1, b"before", mask=MASK)
CLOSE = fastws.compile_frame(8, b"\x0f\xa0bye", mask=MASK)  # 4000
BAD_RSV = fastws.compile_frame(1, b"x", rsv=2, mask=MASK)
ENDS = [(CLOSE, 4000), (BAD_RSV, 1002)]


@pytest.mark.parametrize("end, code", ENDS)
@pytest.mark.parametrize("debug", [False, True])  # in debug mode a task is not woken within the batch
def test_a_handler_that_is_busy_answers_before_the_close(run, serving, raw, end, code, debug):
    """The close frame used to go out as soon as the message was taken, and the answer nowhere."""

    async def handler(connection):
        async for message in connection:
            await asyncio.sleep(0.05)
            await connection.send(message)

    async def main():
        async with serving(handler) as url, raw(url) as client:
            client.writer.write(TEXT + TEXT + end)
            assert await client.read_frame() == (1, b"before")
            assert await client.read_frame() == (1, b"before")
            assert await client.read_close() == code

    run(main(), debug=debug)


@pytest.mark.parametrize("end, code", ENDS)
@pytest.mark.parametrize("close_timeout, held", [(0.3, 0.25), (None, 0.9)])
def test_a_handler_that_does_not_come_back_has_a_second(run, serving, raw, end, code, close_timeout, held):
    """It used to have close_timeout: as much as the peer waits for its answer."""

    async def handler(connection):
        await connection.recv()
        while connection.state == fastws.asyncio.State.OPEN:
            await asyncio.sleep(0.01)

    async def main():
        async with serving(handler, close_timeout=close_timeout) as url, raw(url) as client:
            client.writer.write(TEXT + end)
            before = time.monotonic()
            assert await client.read_close() == code
            assert held < time.monotonic() - before < 8

    run(main())


@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_is_busy_does_not_keep_the_server_from_closing(run, pair, reads):
    """It used to answer when the server had given it up."""

    async def main():
        async with pair() as (server, client):
            server.send_nowait("before")
            server.close_nowait()
            if reads:
                assert await client.recv() == "before"
            await asyncio.sleep(0)
            before = time.monotonic()
            await server.wait_closed()
            assert time.monotonic() - before < 8
            assert server.close_code == 1000
            if not reads:
                assert await client.recv() == "before"

    run(main())


@pytest.mark.parametrize("end, code", ENDS)
@pytest.mark.parametrize("way", ["wait", "return", "raise", "nobody", "separate"])
def test_who_does_not_answer_is_not_waited_for(run, serving, raw, end, code, way):
    """Waiting for the end, or leaving, gives up what could be answered; the peer is told what was to be told."""

    async def handler(connection):
        if way == "nobody":
            await connection.wait_closed()
        await connection.recv()
        if way == "separate":  # the end comes by itself, later
            while connection.state == fastws.asyncio.State.OPEN:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        if way == "wait":
            await connection.wait_closed()
        if way == "raise":
            raise RuntimeError("the handler fails")

    async def main():
        async with serving(handler) as url, raw(url) as client:
            client.writer.write(TEXT)
            if way == "separate":
                await asyncio.sleep(0.05)
            client.writer.write(end)
            before = time.monotonic()
            assert await client.read_close() == code
            assert time.monotonic() - before < 5

    run(main())


def test_a_peer_that_goes_meanwhile_ends_the_wait(run, serving, raw):
    codes = []

    async def handler(connection):
        await connection.recv()
        await asyncio.sleep(0.1)
        with pytest.raises(fastws.ConnectionClosed):
            while True:
                await connection.send(b"x" * 100_000)
        codes.append(connection.close_code)

    async def main():
        async with serving(handler) as url, raw(url) as client:
            client.writer.write(TEXT + CLOSE)
            await client.writer.drain()
            await asyncio.sleep(0.02)
            client.writer.transport.abort()
            while not codes:
                await asyncio.sleep(0.01)

    run(main())
    assert codes == [4000]


def test_an_end_is_held_in_a_full_queue_and_every_message_answered(run, serving, raw):
    async def handler(connection):
        async for message in connection:
            await asyncio.sleep(0)
            await connection.send(message)

    async def main():
        async with serving(handler, max_queue=2) as url, raw(url) as client:
            client.writer.write(TEXT * 500 + CLOSE)
            for _ in range(500):
                assert await client.read_frame() == (1, b"before")
            assert await client.read_close() == 4000

    run(main())


def test_a_stream_is_read_to_its_end_before_the_close(run, serving, raw):
    async def handler(connection):
        parts = [part async for part in connection.recv_streaming()]
        await asyncio.sleep(0.02)
        await connection.send("".join(parts))
        with pytest.raises(fastws.ConnectionClosed):
            await connection.recv()

    async def main():
        async with serving(handler) as url, raw(url) as client:
            first = fastws.compile_frame(1, b"be", fin=False, mask=MASK)
            client.writer.write(first + fastws.compile_frame(0, b"fore", mask=MASK) + CLOSE)
            assert await client.read_frame() == (1, b"before")
            assert await client.read_close() == 4000

    run(main())
