# SPDX-License-Identifier: MIT
"""Compressed messages under asyncio: what is agreed on, what is sent, and websockets as peer. RFC 7692."""

import asyncio
import importlib.util

import pytest

import fastws
import fastws.asyncio
import fastws.deflate

pytestmark = pytest.mark.skipif(not fastws.deflate.is_available(), reason="the library was built without zlib")
PRICE = '{"symbol": "ABC", "price": 12.5, "size": 100, "side": "buy"}'
MESSAGES = ["", "x", PRICE, PRICE * 50, PRICE.encode(), PRICE * 5000, "Gr\u00fc\u00dfe" * 900, b"", bytes(900)]
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
TAKEOVER = fastws.Deflate(mode="takeover")


@pytest.mark.parametrize("of_server", ["deflate", None, TAKEOVER])
@pytest.mark.parametrize("of_client", ["deflate", None, TAKEOVER])
def test_both_have_to_want_it(run, pair, of_server, of_client):
    async def main():
        async with pair({"compression": of_client}, compression=of_server) as (server, client):
            is_agreed = of_server is not None and of_client is not None
            for end, wanted in ((server, of_server), (client, of_client)):
                assert (end.compression is not None) == is_agreed
                assert ("Sec-WebSocket-Extensions" in end.response.headers) == is_agreed
                if is_agreed and wanted is TAKEOVER:
                    assert end.compression.mode == "takeover"
            for message in MESSAGES:
                await client.send(message)
                assert await server.recv() == message
                await server.send(message)
                assert await client.recv() == message

    run(main())


@pytest.mark.parametrize("function", [fastws.asyncio.serve, fastws.asyncio.connect])
def test_other_ways_are_refused(run, function):
    async def main():
        for compression in ("gzip", 1, True):
            with pytest.raises(ValueError, match="unsupported compression"):
                if function is fastws.asyncio.connect:
                    function("ws://localhost/", compression=compression)
                else:
                    function(lambda connection: None, compression=compression)

    run(main())


@pytest.mark.parametrize("compress, rsv", [(None, 4), (True, 4), (False, 0)])
@pytest.mark.parametrize("way", ["send", "send_nowait", "parts"])
def test_each_message_may_choose(run, serving, raw, request_with, compress, rsv, way):
    async def handler(connection):
        if way == "send":
            await connection.send(PRICE * 9, compress=compress)
        elif way == "send_nowait":
            connection.send_nowait(PRICE * 9, compress=compress)
        else:
            await connection.send([PRICE * 3, PRICE * 6], compress=compress)
        await connection.wait_closed()

    async def main():
        async with serving(handler) as url, raw(url, request_with(OFFER)) as client:
            head = await client.read_head()
            assert head.header("Sec-WebSocket-Extensions").startswith("permessage-deflate")
            first = (await client.reader.readexactly(1))[0]
            assert first & 0x70 == rsv << 4
            assert first & 0x0F == fastws.OpCode.TEXT

    run(main())


def test_a_small_message_goes_as_it_is(run, serving, raw, request_with):
    async def main():
        async def handler(connection):
            await connection.send("x")

        async with serving(handler) as url, raw(url, request_with(OFFER)) as client:
            await client.read_head()
            assert await client.reader.readexactly(3) == b"\x81\x01x"

    run(main())


def test_a_prepared_message_is_compressed_once(run, serving):
    async def handler(connection):
        await connection.wait_closed()

    async def main():
        async with fastws.asyncio.serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            clients = [await fastws.asyncio.connect(f"ws://127.0.0.1:{port}/") for _ in range(20)]
            plain = await fastws.asyncio.connect(f"ws://127.0.0.1:{port}/", compression=None)
            message = fastws.PreparedMessage(PRICE * 100)
            fastws.asyncio.broadcast(server.connections, message)
            with pytest.raises(ValueError, match="PreparedMessage"):
                next(iter(server.connections)).send_nowait(message, compress=True)
            for client in (*clients, plain):
                assert await client.recv() == PRICE * 100
                await client.close()

    run(main())


def test_process_response_may_take_it_back(run, serving, echo):
    def process_response(connection, request, response):
        del response.headers["Sec-WebSocket-Extensions"]

    async def main():
        async with serving(echo, process_response=process_response) as url:
            async with fastws.asyncio.connect(url) as client:
                assert client.compression is None
                await client.send(PRICE * 9)
                assert await client.recv() == PRICE * 9

    run(main())


def test_a_bomb_meets_max_size(run, serving):
    """Little on the wire, much inside: it is the message that is limited, not its frame."""

    async def handler(connection):
        await connection.recv()

    async def main():
        async with serving(handler, max_size=10_000) as url:
            async with fastws.asyncio.connect(url) as client:
                await client.send(b"\0" * 1_000_000)
                with pytest.raises(fastws.ConnectionClosedError) as caught:
                    await client.recv()
                assert caught.value.rcvd.code == 1009

    run(main())


async def _exchange_around_silence(pair, seconds, ping_interval):
    """Has a message go each way, waits for the streams of all directions to be given back, and sends again."""
    options = {"compression": TAKEOVER, "ping_interval": ping_interval}
    async with pair(options, **options) as (server, client):
        for _ in range(2):
            await server.send(PRICE * 100)
            assert await client.recv() == PRICE * 100
            await client.send(PRICE * 100)
            assert await server.recv() == PRICE * 100
            stats = fastws.deflate.stats()
            assert stats.compressors > 0 and stats.inflaters > 0
            begin = asyncio.get_running_loop().time()
            while stats.compressors or stats.inflaters:
                await asyncio.sleep(0.02)
                stats = fastws.deflate.stats()
            assert asyncio.get_running_loop().time() - begin > seconds * 0.9
            assert stats.windows > 0  # a copy of what the peer's next message may refer to


def test_silence_gives_memory_back(run, pair):
    run(_exchange_around_silence(pair, 0.1, 0.1))


@pytest.mark.parametrize("loop_name", ["asyncio"], indirect=True)
@pytest.mark.parametrize("driver", ["loop"], indirect=True)
def test_silence_gives_memory_back_without_pings(run, pair):
    """After ten seconds. It used to be at the next ping, so never."""
    run(_exchange_around_silence(pair, 10, None))


def test_a_connection_that_is_over_holds_nothing(run, pair):
    """Also while the program keeps the object, to ask it for its close code for example."""

    async def main():
        async with pair({"compression": TAKEOVER}, compression=TAKEOVER) as (server, client):
            await client.send(PRICE * 100)
            await server.send(await server.recv())
            await client.recv()
            stats = fastws.deflate.stats()
            assert stats.compressors > 0 and stats.inflaters > 0
            await client.close()
            await server.wait_closed()
            stats = fastws.deflate.stats()
            assert stats.held == stats.free
            assert client.compression == server.compression is not None

    run(main())


def test_a_client_that_only_sends_gives_memory_back(run, serving):
    async def handler(connection):
        async for _ in connection:
            pass

    async def main():
        async with serving(handler, compression=TAKEOVER) as url:
            async with fastws.asyncio.connect(url, compression=TAKEOVER, ping_interval=0.1) as client:
                for _ in range(20):
                    await client.send(PRICE * 100)
                while fastws.deflate.stats().compressors:
                    await asyncio.sleep(0.02)

    run(main())


@pytest.mark.skipif(not importlib.util.find_spec("websockets"), reason="needs websockets")
@pytest.mark.parametrize("compression", ["deflate", None, TAKEOVER])
@pytest.mark.parametrize("of_peer", ["deflate", None])
class TestWebsockets:
    """Its client and its server, with and without compression."""

    def test_as_client(self, run, serving, echo, compression, of_peer):
        import websockets.asyncio.client

        async def main():
            async with serving(echo, compression=compression) as url:
                async with websockets.asyncio.client.connect(url, compression=of_peer) as peer:
                    names = [extension.name for extension in peer.protocol.extensions]
                    assert names == (["permessage-deflate"] if compression and of_peer else [])
                    for message in MESSAGES * 2:
                        await peer.send(message)
                        assert await peer.recv() == message

        run(main())

    def test_as_server(self, run, echo, compression, of_peer):
        import websockets.asyncio.server

        async def main():
            async with websockets.asyncio.server.serve(echo, "127.0.0.1", 0, compression=of_peer) as peer:
                port = peer.sockets[0].getsockname()[1]
                async with fastws.asyncio.connect(f"ws://127.0.0.1:{port}/", compression=compression) as client:
                    assert (client.compression is not None) == bool(compression and of_peer)
                    for message in MESSAGES * 2:
                        await client.send(message)
                        assert await client.recv() == message

        run(main())
