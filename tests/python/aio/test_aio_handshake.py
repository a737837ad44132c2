# SPDX-License-Identifier: MIT
"""The opening handshake of serve(): what is accepted, what is refused, and what callbacks have to say. RFC 6455 4.2."""

import asyncio
import http
import logging
import re
import socket

import pytest
import websockets

import fastws
import fastws.asyncio


async def get(raw, url, request):
    async with raw(url, request) as client:
        return await client.read_answer()


@pytest.mark.parametrize(
    "lines, without, status",
    [
        ((b"Upgrade: h2c",), (b"upgrade",), 400),
        ((), (b"connection",), 400),
        ((b"Sec-WebSocket-Key: short",), (b"sec-websocket-key",), 400),
        ((b"Sec-WebSocket-Version: 12",), (b"sec-websocket-version",), 426),
        ((b"X: " + b"y" * 20000,), (), 431),
        ((b"no colon",), (), 400),
    ],
)
def test_refuses(run, serving, echo, raw, request_with, lines, without, status):
    async def main():
        async with serving(echo) as url:
            answered, _ = await get(raw, url, request_with(*lines, without=without))
            assert answered == status
            async with websockets.connect(url) as client:
                await client.send("others are served")
                assert await client.recv() == "others are served"

    run(main())


def test_refuses_another_method(run, serving, echo, raw, request_with):
    async def main():
        async with serving(echo) as url, raw(url, request_with().replace(b"GET", b"POST")) as client:
            head = await client.read_head()
            assert head.status_code == 405
            assert head.header("Allow") == "GET"

    run(main())


def test_takes_a_request_byte_by_byte_with_frames_behind(run, serving, echo, raw, request_with):
    async def main():
        frames = fastws.compile_frame(1, b"early", mask=b"abcd")
        async with serving(echo) as url, raw(url, b"") as client:
            for byte in request_with() + frames:
                client.writer.write(bytes([byte]))
                await client.writer.drain()
            assert (await client.read_head()).status_code == 101
            assert await client.read_frame() == (1, b"early")
        async with serving(echo) as url, raw(url, request_with() + frames * 3) as client:
            assert (await client.read_head()).status_code == 101
            assert [await client.read_frame() for _ in range(3)] == [(1, b"early")] * 3

    run(main())


def test_a_head_that_does_not_come_is_answered_408(run, serving, echo, raw):
    async def main():
        async with serving(echo, open_timeout=0.1) as url:
            assert (await get(raw, url, b"GET / HTTP/1.1\r\nHost:"))[0] == 408

    run(main())


def test_who_says_nothing_or_goes_leaves_nothing(run, serving, echo, raw):
    async def main():
        async with serving(echo, open_timeout=0.2) as url:
            async with raw(url, b"GET / HTT"):
                pass
            async with raw(url, b"") as client:
                assert (await client.read_head()).status_code == 408

    run(main())


@pytest.mark.parametrize("is_early", [False, True])
@pytest.mark.parametrize("listener", [None, object()])
def test_an_open_timeout_of_0_lets_nobody_in(run, serving, echo, request_with, listener, is_early):
    """A request that was there with its client used to be answered by a listener, and by a handler without a word,
    unless the deadline was met first, as on uvloop."""

    async def main():
        async with serving(None if listener else echo, listener=listener, open_timeout=0) as url:
            host, _, port = url.removeprefix("ws://").rstrip("/").rpartition(":")
            with socket.create_connection((host, int(port))) as sock:
                if is_early:
                    sock.sendall(request_with())
                sock.setblocking(False)
                answer = await asyncio.get_running_loop().sock_recv(sock, 100)
                assert answer.startswith(b"HTTP/1.1 408 ")

    run(main())


def test_an_open_timeout_of_0_is_as_short_with_tls(run, echo, contexts):
    """The event loop takes no such time for TLS: it used to complain, and uvloop left the client alone."""

    async def main():
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, ssl=contexts[0], open_timeout=0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises((OSError, fastws.HandshakeError)) as caught:
                await fastws.asyncio.connect(f"wss://localhost:{port}/", ssl=contexts[1], open_timeout=5)
            assert not isinstance(caught.value, TimeoutError)

    run(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_process_request_answers_in_the_place_of_the_handshake(run, serving, echo, raw, is_async):
    def process_request(connection, request):
        assert connection.state is fastws.asyncio.State.CONNECTING
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        assert request.headers["host"] == "localhost"
        return None

    async def process_request_slowly(connection, request):
        await asyncio.sleep(0.01)
        return process_request(connection, request)

    async def main():
        async with serving(echo, process_request=process_request_slowly if is_async else process_request) as url:
            # Not a handshake at all: a balancer that asks.
            assert await get(raw, url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == (200, b"OK\n")
            async with raw(url) as client:
                client.send(1, b"x")
                assert await client.read_frame() == (1, b"x")

    run(main())


@pytest.mark.parametrize("name", ["process_request", "process_response"])
def test_what_process_callbacks_raise_is_answered_500(run, serving, echo, raw, request_with, logged, name):
    def fail(*args):
        raise LookupError("no such luck")

    async def main():
        async with serving(echo, **{name: fail}) as url:
            assert (await get(raw, url, request_with()))[0] == 500

    run(main())
    assert logged() == [f"{name} failed"]


def test_process_response_changes_the_answer(run, serving, echo, raw, request_with):
    def process_response(connection, request, response):
        assert response.status_code == 101
        if request.headers.get("X") == "refuse":
            return connection.respond(403, "no\n")
        response.headers["X-Path"] = request.path
        return None

    async def main():
        async with serving(echo, process_response=process_response, server_header=None) as url:
            assert await get(raw, url, request_with(b"X: refuse")) == (403, b"no\n")
            async with websockets.connect(url) as client:
                assert client.response.headers["X-Path"] == "/"
                assert "Server" not in client.response.headers

    run(main())


def test_a_response_that_may_not_be_written_is_not_written(run, serving, echo, raw, request_with, logged):
    def process_response(connection, request, response):
        response.headers["X"] = "a\r\nInjected: yes"

    async def main():
        async with serving(echo, process_response=process_response) as url, raw(url, request_with()) as client:
            assert await client.reader.read() == b""

    run(main())
    assert logged() == ["opening handshake failed"]


def test_the_connection_tells_of_its_handshake(run, serving):
    async def main():
        seen = asyncio.get_running_loop().create_future()

        async def handler(connection):
            seen.set_result(connection)
            await connection.wait_closed()

        async with serving(handler, subprotocols=["chat"]) as url:
            async with fastws.asyncio.connect(url + "a?b", subprotocols=["other", "chat"]) as client:
                server = await seen
                for connection in (server, client):
                    assert connection.request.path == "/a?b"
                    assert connection.response.status_code == 101
                    assert connection.subprotocol == connection.response.headers["Sec-WebSocket-Protocol"] == "chat"
                    assert connection.latency == 0.0
                assert server.id != client.id
                assert server.id == server.id
                assert server.local_address == client.remote_address
                assert server.remote_address == client.local_address
                assert server.response.headers["Server"].startswith("Python/")
                assert server.request.headers["User-Agent"].startswith("Python/")
                assert isinstance(server.transport, asyncio.BaseTransport) or server.transport is not None
                assert server.server.connections == {server}
        assert server.local_address == client.remote_address

    run(main())


@pytest.mark.parametrize(
    "origins, origin, is_allowed",
    [
        (["https://a.example"], b"https://a.example", True),
        (["https://a.example"], b"https://b.example", False),
        (["https://a.example"], None, False),
        (["https://a.example", None], None, True),
        ([re.compile(r"https://\w+\.example")], b"https://b.example", True),
        ([re.compile(r"https://\w+\.example")], b"https://b.example.evil", False),
        ([], b"https://a.example", False),
        (None, b"https://a.example", True),
    ],
)
def test_origins(run, serving, echo, raw, request_with, origins, origin, is_allowed):
    async def main():
        async with serving(echo, origins=origins) as url:
            lines = () if origin is None else (b"Origin: " + origin,)
            async with raw(url, request_with(*lines)) as client:
                assert (await client.read_head()).status_code == (101 if is_allowed else 403)

    run(main())


@pytest.mark.parametrize(
    "options, offered, status, chosen",
    [
        ({}, b"chat", 101, None),
        ({"subprotocols": ["chat", "other"]}, b"other, chat", 101, "chat"),
        ({"subprotocols": ["chat"]}, b"other", 400, None),
        ({"subprotocols": ["chat"]}, None, 400, None),
        ({"select_subprotocol": lambda connection, names: names[-1]}, b"a, b", 101, "b"),
        ({"select_subprotocol": lambda connection, names: None}, b"a, b", 101, None),
    ],
)
def test_subprotocols(run, serving, echo, raw, request_with, options, offered, status, chosen):
    async def main():
        async with serving(echo, **options) as url:
            lines = () if offered is None else (b"Sec-WebSocket-Protocol: " + offered,)
            async with raw(url, request_with(*lines)) as client:
                head = await client.read_head()
                assert (head.status_code, head.header("Sec-WebSocket-Protocol")) == (status, chosen)

    run(main())


def test_select_subprotocol_may_refuse(run, serving, echo, raw, request_with):
    def select(connection, names):
        raise fastws.NegotiationError("none of these")

    async def main():
        async with serving(echo, select_subprotocol=select) as url:
            status, body = await get(raw, url, request_with(b"Sec-WebSocket-Protocol: a"))
            assert (status, body) == (400, b"none of these\n")

    run(main())


@pytest.mark.parametrize(
    "options",
    [{"credentials": ("me", "s\u00e9cret")}, {"check_credentials": lambda *pair: pair == ("me", "s\u00e9cret")}],
)
def test_basic_auth(run, serving, raw, request_with, options):
    async def whoami(connection):
        await connection.send(connection.username)

    async def main():
        async with serving(whoami, process_request=fastws.asyncio.basic_auth("here", **options)) as url:
            refused = b"Authorization: Basic !", b"Authorization: Basic bWU6bm8="
            for line in (b"X: y", b"Authorization: Bearer x", *refused):
                async with raw(url, request_with(line)) as client:
                    head = await client.read_head()
                    assert head.status_code == 401
                    assert head.header("WWW-Authenticate") == 'Basic realm="here", charset="UTF-8"'
            address = url.replace("ws://", "ws://me:s%C3%A9cret@")
            async with fastws.asyncio.connect(address) as client:
                assert await client.recv() == "me"

    run(main())


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({}, ValueError),
        ({"credentials": ("a", "b"), "check_credentials": print}, ValueError),
        ({"credentials": "ab"}, TypeError),
        ({"credentials": [("a",)]}, TypeError),
        ({"credentials": 3}, TypeError),
        ({"realm": '"', "credentials": ("a", "b")}, ValueError),
    ],
)
def test_basic_auth_refuses_bad_arguments(arguments, error):
    with pytest.raises(error):
        fastws.asyncio.basic_auth(**arguments)


def test_serve_refuses_bad_arguments(run, echo):
    async def main():
        for arguments, error in [
            ({}, TypeError),
            ({"handler": echo, "listener": object()}, TypeError),
            ({"handler": echo, "subprotocols": ["a b"]}, ValueError),
            ({"handler": echo, "subprotocols": "chat"}, TypeError),
            ({"handler": echo, "compression": "brotli"}, ValueError),
            ({"handler": echo, "max_queue": (1, 2)}, ValueError),
            ({"handler": echo, "max_size": 0}, ValueError),
            ({"handler": echo, "ping_interval": -1}, ValueError),
            ({"handler": echo, "open_timeout": -1}, ValueError),
            ({"handler": echo, "open_timeout": float("nan")}, ValueError),
            ({"handler": echo, "open_timeout": "1"}, TypeError),
            ({"handler": echo, "origins": "https://a.example"}, TypeError),
        ]:
            with pytest.raises(error):
                fastws.asyncio.serve(**arguments)

    run(main())


def test_a_request_that_is_answered_during_shutdown_gets_503(run, raw, request_with, url_of, echo):
    async def main():
        asked = asyncio.Event()

        async def process_request(connection, request):
            asked.set()
            await asyncio.sleep(0.1)

        server = await fastws.asyncio.serve(echo, "127.0.0.1", 0, process_request=process_request)
        async with raw(url_of(server), request_with()) as client:
            await asked.wait()
            server.close()
            assert (await client.read_answer())[0] == 503
            await server.wait_closed()

    run(main())


def test_too_much_before_the_answer_ends_the_connection(run, serving, echo, raw, request_with):
    async def process_request(connection, request):
        await asyncio.sleep(30)

    async def main():
        async with serving(echo, process_request=process_request) as url:
            async with raw(url, request_with() + bytes(200000)) as client:
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await client.reader.readexactly(1)

    run(main())


def test_open_timeout_also_ends_process_request(run, serving, echo, raw, request_with):
    cancelled = []

    async def process_request(connection, request):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main():
        async with serving(echo, process_request=process_request, open_timeout=0.1) as url:
            async with raw(url, request_with()) as client:
                assert await client.reader.read() == b""

    run(main())
    assert cancelled == [True]
