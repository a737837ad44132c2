# SPDX-License-Identifier: MIT
"""Messages from end to end: fastws with itself, and with websockets in either role."""

import asyncio

import pytest
import websockets
from websockets.asyncio.server import serve as websockets_serve

import fastws.asyncio

MESSAGES = ["text", b"binary", "", b"", "\u00e9\u4e16\U0001f600" * 1000, b"x" * 65536, "y" * 1000000]


async def exchange(client):
    for message in MESSAGES:
        await client.send(message)
        assert await client.recv() == message
    for i in range(200):
        await client.send(str(i))
    for i in range(200):
        assert await client.recv() == str(i)


def test_echoes_with_itself(run, serving, echo):
    async def main():
        async with serving(echo) as url, fastws.asyncio.connect(url) as client:
            await exchange(client)
        assert (client.close_code, client.close_reason) == (1000, "")

    run(main())


def test_serves_websockets(run, serving, echo):
    async def main():
        async with serving(echo) as url, websockets.connect(url) as client:
            await exchange(client)
        assert client.close_code == 1000

    run(main())


def test_connects_to_websockets(run, echo, url_of):
    async def main():
        async with websockets_serve(echo, "127.0.0.1", 0) as server:
            async with fastws.asyncio.connect(url_of(server)) as client:
                await exchange(client)
            assert client.close_code == 1000

    run(main())


class Echo:
    def __init__(self):
        self.seen = []

    def on_open(self, connection):
        self.seen.append(("open", connection))

    def on_message(self, connection, message):
        connection.send_nowait(message)

    def on_close(self, connection, code, reason):
        self.seen.append(("close", connection, code, reason))


def test_callbacks_echo(run, serving):
    async def main():
        listener = Echo()
        async with serving(listener=listener) as url, fastws.asyncio.connect(url) as client:
            await exchange(client)
            await client.close(4000, "bye")
        (_, connection), end = listener.seen
        assert isinstance(connection, fastws.asyncio.ServerConnection)
        assert end == ("close", connection, 4000, "bye")

    run(main())


@pytest.mark.parametrize("count", [1, 3, 200])
def test_serves_many_at_once(run, serving, echo, count):
    async def talk(url):
        async with fastws.asyncio.connect(url) as client:
            for i in range(20):
                await client.send(f"{id(client)} {i}")
                assert await client.recv() == f"{id(client)} {i}"

    async def main():
        async with serving(echo) as url:
            await asyncio.gather(*(talk(url) for _ in range(count)))

    run(main())
