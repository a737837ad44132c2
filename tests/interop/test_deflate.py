# SPDX-License-Identifier: MIT
"""Compressed messages between us and others, in both roles, with every setting that both ends know.

What websockets and the package say to each other is in tests/python/test_deflate_interop.py."""

import asyncio
import itertools
import json
import subprocess
import threading

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

OURS = [
    "mode=1",
    "mode=1 window_bits=8",
    "mode=1 window_bits=9 peer_window_bits=9",
    "mode=1 window_bits=15 memory_level=9 level=9",
    "mode=1 is_peer_takeover=0 level=6",
    "mode=1 is_any_bits_offered=0",
    "mode=2",
    "mode=2 window_bits=8 level=6",
    "mode=2 is_peer_takeover=1 peer_window_bits=10",
    "mode=3",
    "mode=3 window_bits=9 peer_window_bits=11 level=0",
    "mode=3 is_peer_takeover=1 strategy=2",
]
# What the other end keeps, and the bits of its window and of ours; a client may also only say that it knows of them.
BITS = [(None, None), (9, 12), (15, 8), (12, None)]
THEIRS = [(*keeps, *bits) for keeps in itertools.product((False, True), repeat=2) for bits in BITS]
MESSAGES = ["", "x", '{"price": 1234}' * 10, '{"price": 1234}' * 500, bytes(range(256)) * 600, "Grüße 😀" * 4000] * 2


def names(theirs):
    server, client, server_bits, client_bits = theirs
    return {
        "server_no_context_takeover": server,
        "client_no_context_takeover": client,
        "server_max_window_bits": server_bits,
        "client_max_window_bits": client_bits,
    }


async def converse(url, theirs):
    """Talks to a server of ours as websockets does. Returns the parameters that it took."""
    wanted = names(theirs)
    # It cannot compress in a window of 256 bytes, for zlib cannot.
    wanted["client_max_window_bits"] = {None: True, 8: 9}.get(wanted["client_max_window_bits"], 12)
    extensions = [ClientPerMessageDeflateFactory(**wanted)]
    async with websockets.asyncio.client.connect(url, compression=None, extensions=extensions, max_size=None) as client:
        assert client.protocol.extensions, wanted
        for message in MESSAGES:
            await client.send(message)
            assert await client.recv() == message
        await client.send(["frag", "men", "ted"])
        assert await client.recv() == "fragmented"
        return client.protocol.extensions[0]


@pytest.mark.parametrize("ours", OURS)
def test_server_with_websockets(start, own_peer, ours):
    with start(*own_peer("deflate_peer"), "server", *ours.split()) as port:
        for theirs in THEIRS:
            agreed = asyncio.run(asyncio.wait_for(converse(f"ws://127.0.0.1:{port}/", theirs), 60))
            server, client, server_bits, _ = theirs
            assert agreed.remote_no_context_takeover >= server
            assert agreed.local_no_context_takeover >= client
            assert agreed.remote_max_window_bits <= (server_bits or 15)


def run_client(command, url, ours):
    """Runs a client of ours. Returns what it says was agreed on."""
    command = [*map(str, command), url, *ours.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (ours, done.stderr)
    return done.stdout.strip()


async def echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.fixture(scope="module")
def websockets_urls():
    """A server of websockets for each of THEIRS."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve(theirs):
        wanted = names(theirs)
        extensions = [ServerPerMessageDeflateFactory(**wanted)]
        server = await websockets.asyncio.server.serve(
            echo, "127.0.0.1", 0, max_size=None, compression=None, extensions=extensions
        )
        return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def serve_all():
        return [await serve(theirs) for theirs in THEIRS]

    async def stop(servers):
        for server, _ in servers:
            server.close()
            await server.wait_closed()

    servers = asyncio.run_coroutine_threadsafe(serve_all(), loop).result(20)
    yield [url for _, url in servers]
    asyncio.run_coroutine_threadsafe(stop(servers), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.mark.parametrize("ours", OURS)
def test_client_with_websockets(websockets_urls, own_peer, ours):
    for theirs, url in zip(THEIRS, websockets_urls, strict=True):
        agreed = run_client(own_peer("deflate_peer"), url, ours)
        assert agreed.startswith("permessage-deflate"), (ours, theirs)
        assert not theirs[0] or "server_no_context_takeover" in agreed


NODE = [
    {},
    {"serverNoContextTakeover": True, "clientNoContextTakeover": True},
    {"serverNoContextTakeover": True, "clientMaxWindowBits": 10},
    {"clientNoContextTakeover": True, "serverMaxWindowBits": 12},
    {"serverMaxWindowBits": 9, "clientMaxWindowBits": 9},
]


def is_refused_by_node(ours, theirs):
    """ws answers 400 to an offer that asks for less than its settings, or has no room for a window that they set."""
    settings = dict(setting.split("=") for setting in ours.split())
    own_bits = int(settings.get("window_bits", 12 if settings["mode"] == "1" else 15))
    if "is_any_bits_offered" in settings:
        own_bits = 0
    asked_bits = int(settings.get("peer_window_bits", 15))
    return theirs.get("clientMaxWindowBits", 0) > own_bits or theirs.get("serverMaxWindowBits", 0) > asked_bits


@pytest.mark.parametrize("ours", OURS)
def test_server_with_node(start, deflate_peer, node, ours):
    with start(*deflate_peer, "server", *ours.split()) as port:
        for theirs in NODE:
            command = [*node, "client", f"ws://127.0.0.1:{port}/", json.dumps({**theirs, "threshold": 0})]
            done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
            assert (done.returncode, done.stdout) == (0, "done\n"), (theirs, done.stderr)


@pytest.mark.parametrize("theirs", NODE, ids=json.dumps)
def test_client_with_node(start, deflate_peer, node, theirs):
    with start(*node, "server", json.dumps({**theirs, "threshold": 0})) as port:
        for ours in OURS:
            url = f"ws://127.0.0.1:{port}/"
            if is_refused_by_node(ours, theirs):
                with pytest.raises(AssertionError, match="another status than 101"):
                    run_client(deflate_peer, url, ours)
            else:
                assert run_client(deflate_peer, url, ours).startswith("permessage-deflate"), ours


@pytest.mark.parametrize("ours", OURS)
def test_server_with_gobwas(start, deflate_peer, gobwas, ours):
    """Its Go inflates by itself, in the largest window; its helpers keep no context."""
    with start(*deflate_peer, "server", *ours.split()) as port:
        command = [*gobwas, "deflate-client", f"ws://127.0.0.1:{port}/"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_client_with_gobwas(start, deflate_peer, gobwas):
    with start(*gobwas, "deflate-server") as port:
        for ours in OURS:
            agreed = run_client(deflate_peer, f"ws://127.0.0.1:{port}/", ours)
            # It declines who asks for the size of its window, which Go's package cannot set.
            is_declined = "peer_window_bits" in ours
            assert agreed.startswith("permessage-deflate") is not is_declined, (ours, agreed)


# ---- The examples ----


def test_the_echo_servers_compress(our_url):
    async def talk():
        async with websockets.asyncio.client.connect(our_url, max_size=None) as client:
            assert [extension.name for extension in client.protocol.extensions] == ["permessage-deflate"]
            for message in MESSAGES:
                await client.send(message)
                assert await client.recv() == message

    asyncio.run(asyncio.wait_for(talk(), 60))
