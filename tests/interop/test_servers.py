# SPDX-License-Identifier: MIT
"""Our clients against echo servers of others."""

import asyncio
import contextlib
import subprocess
import threading

import aiohttp.web
import pytest
import websockets.asyncio.server

import fastws

MESSAGES = ["", "ascii", "Grüße 😀", b"", b"\x00\xff", b"x" * 125, b"x" * 126, "y" * 65535, "z" * 65536, bytes(1 << 20)]


@contextlib.contextmanager
def in_loop(start):
    """Runs a server of asyncio in a thread: start() returns its port and what stops it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port, stop = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield f"ws://127.0.0.1:{port}/"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def start_websockets():
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    # With a list of subprotocols it would refuse who offers none.
    def select(connection, offered):
        return "superchat" if "superchat" in offered else None

    server = await websockets.asyncio.server.serve(echo, "127.0.0.1", 0, max_size=None, select_subprotocol=select)

    async def stop():
        server.close()
        await server.wait_closed()

    return server.sockets[0].getsockname()[1], stop


async def start_aiohttp():
    async def echo(request):
        connection = aiohttp.web.WebSocketResponse(max_msg_size=0, protocols=["superchat"])
        await connection.prepare(request)
        async for message in connection:
            send = connection.send_str if message.type is aiohttp.WSMsgType.TEXT else connection.send_bytes
            await send(message.data)
        return connection

    app = aiohttp.web.Application()
    app.router.add_get("/", echo)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner.addresses[0][1], runner.cleanup


@pytest.fixture(scope="module", params=["websockets", "aiohttp", "gobwas", "node"])
def their_url(request, start):
    if request.param in ("gobwas", "node"):
        with start(*request.getfixturevalue(request.param), "server") as port:
            yield f"ws://127.0.0.1:{port}/"
    else:
        with in_loop({"websockets": start_websockets, "aiohttp": start_aiohttp}[request.param]) as url:
            yield url


def test_dialer(their_url):
    dialer = fastws.Dialer(protocols=["chat", "superchat"], timeout=20, max_size=None)
    with dialer.dial(their_url) as stream:
        assert stream.handshake.protocol == "superchat"
        for message in MESSAGES:
            stream.send(message)
            assert stream.recv(timeout=30) == message
        stream.ping(b"p")
        assert stream.read_message() == (fastws.OpCode.PONG, b"p")
        stream.close(4000)
    # aiohttp answers with a code of its own.
    assert stream.close_code in (4000, 1000)


def test_client_in_c(their_url, example):
    command = [*example("client"), "--send", "Grüße", "--until", "Grüße", "--timeout", "20", their_url]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "MSG Grüße\n"), done.stderr
