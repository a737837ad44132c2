# SPDX-License-Identifier: MIT
"""websockets as the peer, in both directions: compressed, by TLS and through a proxy, each of them or not."""

import asyncio
import contextlib
import logging

import pytest
import websockets
from websockets.asyncio.server import serve as websockets_serve

import fastws
import fastws.asyncio

MESSAGES = ["text", b"bytes", "", "z" * 70_000, b"y" * 300_000, "\u00e9\U0001f600" * 1000]


@pytest.fixture(params=["as server", "as client"])
def sides(request, caplog):
    """The functions that serve and that connect."""
    caplog.set_level(logging.CRITICAL, logger="websockets")
    if request.param == "as server":
        return websockets_serve, fastws.asyncio.connect
    return fastws.asyncio.serve, websockets.connect


@pytest.fixture
def talking(sides, contexts, http_proxy):
    """A server and a client that is connected to it: an asynchronous context manager that gives both and what the proxy
    was asked, if there is one."""

    @contextlib.asynccontextmanager
    async def talking(handler, *, is_secure=False, by_proxy=False, client_options=None, **options):
        serve, connect = sides
        client_options = {"max_size": None, **(client_options or {})}
        if is_secure:
            options["ssl"], client_options["ssl"] = contexts
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(handler, "127.0.0.1", 0, **options))
            port = next(iter(server.sockets)).getsockname()[1]
            seen = []
            if by_proxy:
                address, seen = await stack.enter_async_context(http_proxy())
                client_options["proxy"] = f"http://me:pw@{address}"
            elif is_secure:
                client_options["host"] = "127.0.0.1"
            url = "{}://localhost:{}/path".format("wss" if is_secure else "ws", port)
            if not is_secure and not by_proxy:
                url = url.replace("localhost", "127.0.0.1")
            yield await stack.enter_async_context(connect(url, **client_options)), seen

    return talking


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("is_secure", [True, False])
@pytest.mark.parametrize("by_proxy", [True, False])
def test_every_way_echoes(run, echo, talking, compression, is_secure, by_proxy):
    async def main():
        options = {"compression": compression, "max_size": None}
        options |= {"client_options": {"compression": compression}, "is_secure": is_secure, "by_proxy": by_proxy}
        async with talking(echo, **options) as (client, seen):
            is_agreed = "Sec-WebSocket-Extensions" in client.response.headers
            assert is_agreed == (compression is not None)
            for message in MESSAGES:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "pieces"])
            assert await client.recv() == "in pieces"
            assert await (await client.ping()) >= 0  # the clock of uvloop counts milliseconds
        assert client.close_code == 1000
        assert len(seen) == by_proxy
        assert all(b"Proxy-Authorization: Basic bWU6cHc=" in head for head in seen)

    run(main())


@pytest.mark.parametrize("offered, served, chosen", [
    (["a", "b"], ["b", "a"], "b"), (["a", "b"], ["b"], "b"), (["a"], None, None), (None, None, None),
])
def test_subprotocols(run, talking, offered, served, chosen):
    async def main():
        found = asyncio.get_running_loop().create_future()

        async def handler(connection):
            found.set_result(connection.subprotocol)

        options = {"client_options": {"subprotocols": offered}, "subprotocols": served}
        async with talking(handler, **options) as (client, _):
            assert client.subprotocol == chosen
            assert await found == chosen

    run(main())


@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (4000, "x" * 123)])
@pytest.mark.parametrize("closer", ["server", "client"])
def test_either_closes(run, talking, code, reason, closer):
    async def main():
        found = asyncio.get_running_loop().create_future()

        async def handler(connection):
            if closer == "server":
                await connection.close(code, reason)
            with contextlib.suppress(fastws.ConnectionClosed, websockets.ConnectionClosed):
                await connection.recv()
            found.set_result((connection.close_code, connection.close_reason))

        async with talking(handler) as (client, _):
            if closer == "client":
                await client.close(code, reason)
            await client.wait_closed()
            ends = {"client": (client.close_code, client.close_reason), "server": await found}
        assert ends.pop(closer)[0] == code  # the answer of websockets has no reason
        assert list(ends.values()) == [(code, reason)]

    run(main())


def test_a_handler_that_raises(run, talking, caplog):
    async def main():
        caplog.set_level(logging.CRITICAL, logger="fastws.server")

        async def handler(connection):
            raise LookupError("no such luck")

        async with talking(handler) as (client, _):
            with pytest.raises((fastws.ConnectionClosedError, websockets.ConnectionClosedError)):
                await client.recv()
            assert client.close_code == 1011

    run(main())
