# SPDX-License-Identifier: MIT
"""Dialer over real sockets: addresses, deadlines, redirects, functions of the caller's, other libraries."""

import asyncio
import base64
import socket
import threading
import time

import aiohttp.web
import pytest
import websockets.sync.server
from dialing import assert_echoes, echo, no_proxy_of_the_machine, read_head, start  # noqa: F401

import fastws
from fastws import Dialer, tcp


def accept(request, *lines):
    key = fastws.accept_key(request.header("Sec-WebSocket-Key"))
    lines = ["HTTP/1.1 101 x", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {key}", *lines]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def redirect_to(location, status=302):
    def serve(sock):
        request = read_head(sock)
        sock.sendall(f"HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
        return request

    return serve


# ---- The way there ----


def test_opens_a_connection(start):
    server = start(echo)
    stream = Dialer(protocols=["other", "chat"]).dial(server.url("/path?x#y"))
    assert stream.role == "client" and stream.handshake.protocol == "chat" and stream.handshake.target == "/path?x"
    assert stream.io.gettimeout() is None and stream.io.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert_echoes(stream)
    server.close()
    assert server.results[0].target == "/path?x"


def test_one_dialer_serves_many(start):
    server = start(echo)
    dialer = Dialer(protocols=iter(["chat"]), header=iter([("X", "1")]))
    for _ in range(3):
        assert_echoes(dialer.dial(server.url()))
    server.close()
    assert [result.protocol for result in server.results] == ["chat"] * 3


def test_tries_every_address(start, monkeypatch):
    server = start(echo)
    with socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (closed, closed, server.port)]
    monkeypatch.setattr(tcp, "resolve", lambda *_: list(found))
    assert_echoes(Dialer().dial("ws://example.com/"))
    monkeypatch.setattr(tcp, "resolve", lambda *_: found[:2])
    with pytest.raises(ConnectionRefusedError):
        Dialer().dial("ws://example.com/")


def test_an_address_that_does_not_answer_does_not_hold_up_the_others(start, monkeypatch):
    """A listener whose queue is full drops what comes: the next address is begun after 250 ms."""
    server = start(echo)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        names = [full.getsockname(), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", name) for name in names]
        monkeypatch.setattr(tcp, "resolve", lambda *_: list(found))
        assert_echoes(Dialer(timeout=20).dial("ws://example.com/"))
        monkeypatch.setattr(tcp, "resolve", lambda *_: found[:1])
        with pytest.raises(fastws.HandshakeTimeout):
            Dialer(timeout=0.4).dial("ws://example.com/")
        for filler in fillers:
            filler.close()


def test_families_take_turns():
    six, four = (socket.AF_INET6,), (socket.AF_INET,)
    assert tcp._in_turn([six, six, six, four, four]) == [six, four, six, four, six]
    assert tcp._in_turn([four, six, six]) == [four, six, six]
    assert tcp._in_turn([]) == []


def test_a_host_without_an_address():
    with pytest.raises(socket.gaierror):
        Dialer().dial("ws://no-such-host.invalid/")


def test_sockets_in_the_file_system(start, tmp_path):
    path = str(tmp_path / "server.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    server = start(echo, listener)
    stream = Dialer(proxy="http://127.0.0.1:1").dial(f"ws+unix://{path}:/chat")
    assert stream.handshake.host == "localhost" and stream.handshake.target == "/chat"
    assert_echoes(stream)
    server.close()
    with pytest.raises(FileNotFoundError):
        Dialer().dial(f"ws+unix://{tmp_path}/none:/")


# ---- Deadlines ----


def test_the_deadline_covers_the_handshake(start):
    def trickle(sock):
        read_head(sock)
        for byte in b"HTTP/1.1 101 x\r\n" * 20:
            sock.sendall(bytes([byte]))
            time.sleep(0.05)

    server = start(trickle)
    begun = time.monotonic()
    with pytest.raises(fastws.HandshakeTimeout) as caught:
        Dialer(timeout=0.3).dial(server.url())
    assert time.monotonic() - begun < 5 and caught.value.name == "FASTWS_ERR_DIAL_TIMEOUT"
    assert isinstance(caught.value, TimeoutError)


def test_the_deadline_covers_looking_up(monkeypatch):
    done = threading.Event()

    def slow(host, *_, flags=0, **__):
        if not flags:
            done.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "none")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(fastws.HandshakeTimeout):
        Dialer(timeout=0.2).dial("ws://example.com/")
    done.set()


def test_the_deadline_covers_redirects(start):
    server = start(lambda sock: (time.sleep(0.15), redirect_to("/again")(sock)))
    with pytest.raises(fastws.HandshakeTimeout):
        Dialer(timeout=0.4, max_redirects=1000).dial(server.url())


def test_an_answer_whose_body_does_not_end_is_one(start):
    def serve(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nlater")
        sock.recv(1)

    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(timeout=0.3).dial(start(serve).url())
    assert caught.value.response.body == b"later" and caught.value.response.is_body_cut


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), 1e12])
def test_timeouts_out_of_range(timeout):
    with pytest.raises(ValueError):
        Dialer(timeout=timeout)


def test_wrong_arguments_are_known_at_once():
    for options in ({"timeout": "1"}, {"protocols": "chat"}, {"header": 1}, {"on_header": 1}, {"max_size": "1"}):
        with pytest.raises(TypeError):
            Dialer(**options)
    for options in ({"max_redirects": -1}, {"header": {"Host": "x"}}, {"extensions": ["a b"]}, {"max_size": 0}):
        with pytest.raises(ValueError):
            Dialer(**options)


# ---- Answers ----


def test_frames_that_come_with_the_answer_are_kept(start):
    def serve(sock):
        sock.sendall(accept(read_head(sock)) + b"\x81\x02hi\x88\x02\x03\xe8")
        sock.recv(100)

    stream = Dialer().dial(start(serve).url())
    assert list(stream) == ["hi"]


def test_an_answer_in_single_bytes(start):
    def serve(sock):
        for byte in accept(read_head(sock)) + b"\x81\x02hi\x88\x02\x03\xe8":
            sock.sendall(bytes([byte]))
        sock.recv(100)

    assert list(Dialer().dial(start(serve).url())) == ["hi"]


def test_another_status_is_an_exception_with_the_answer(start):
    def serve(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\nnot you")

    seen = []
    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(on_status_error=seen.append).dial(start(serve).url())
    assert caught.value.status == 403 and caught.value.response.body == b"not you"
    assert seen == [caught.value.response]


def test_a_server_that_hangs_up(start):
    with pytest.raises((fastws.InvalidMessage, ConnectionError)):
        Dialer().dial(start(lambda sock: read_head(sock)).url())


def test_a_failed_dial_closes_its_socket(start):
    made = []

    def connect(host, port, timeout):
        made.append(socket.create_connection((host, port), timeout))
        return made[-1]

    with pytest.raises(fastws.InvalidMessage):
        Dialer(connect=connect).dial(start(lambda sock: sock.sendall(b"nonsense\r\n")).url())
    assert made[0].fileno() == -1


def test_shows_request_and_answer(start):
    seen = []
    server = start(echo)
    assert_echoes(Dialer(on_end=lambda *both: seen.append(both)).dial(server.url()))
    ((request, answer),) = seen
    assert fastws.http.parse_request(request).size == len(request)
    assert fastws.http.parse_response(answer).size == len(answer)


# ---- Redirects ----


def test_follows_redirects(start):
    server = start(echo)
    first = start(redirect_to(server.url("/there")))
    stream = Dialer().dial(first.url())
    assert stream.handshake.target == "/there"
    assert_echoes(stream)


def test_credentials_stay_with_their_host(start):
    """User and password, Authorization, Cookie and the Host of the caller are not for another server."""

    def serve(sock):
        request = read_head(sock)
        if request.target == "/":
            sock.sendall(b"HTTP/1.1 307 x\r\nLocation: /same\r\n\r\n")
        elif request.target == "/same":
            sock.sendall(f"HTTP/1.1 307 x\r\nLocation: {other.url('/other')}\r\n\r\n".encode())
        else:
            sock.sendall(accept(request))
        return request

    server, other = start(serve), start(serve)
    dialer = Dialer(header=[("Cookie", "a=b"), (b"X-Other", b"1"), ("proxy-authorization", "p")], host="name.example")
    url = server.url("/").replace("//", "//me:secret@")
    dialer.dial(url).io.close()
    for each in (server, other):
        each.close()
    first, same = server.results
    for request in (first, same):
        assert request.header("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode()
        assert request.header("Cookie") == "a=b" and request.header("Host") == "name.example"
    (far,) = other.results
    assert far.header("X-Other") == "1" and far.header("Host") == f"127.0.0.1:{other.port}"
    assert not {"authorization", "cookie", "proxy-authorization"} & {name.lower() for name, _ in far.headers}


@pytest.mark.parametrize("location", ["ftp://example.com/", "wss+unix:///x", "http://[/", "mailto:x"])
def test_redirects_to_what_is_no_address(start, location):
    with pytest.raises(fastws.SecurityError) as caught:
        Dialer().dial(start(redirect_to(location)).url())
    assert isinstance(caught.value.__cause__, fastws.InvalidStatus)
    assert caught.value.name == "FASTWS_ERR_DIAL_REDIRECT" and caught.value.status == 302


def test_redirects_are_limited(start):
    server = start(redirect_to("/again"))
    with pytest.raises(fastws.SecurityError) as caught:
        Dialer(max_redirects=3).dial(server.url())
    server.close()
    assert len(server.results) == 4 and caught.value.name == "FASTWS_ERR_DIAL_REDIRECTS_MAX"


def test_redirects_can_be_answers(start):
    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(max_redirects=0).dial(start(redirect_to("/other")).url())
    assert caught.value.status == 302 and caught.value.response.header("Location") == "/other"


# ---- Functions of the caller's ----


def test_connects_as_it_is_told(start):
    server = start(echo)
    asked = []

    def connect(host, port, timeout):
        asked.append((host, port, timeout))
        return socket.create_connection(("127.0.0.1", server.port))

    assert_echoes(Dialer(connect=connect, timeout=None).dial("ws://[2001:db8::1]:99/"))
    assert_echoes(Dialer(connect=connect, timeout=20).dial("ws+unix:///some/path:/"))
    assert asked[0] == ("2001:db8::1", 99, None)
    assert asked[1][:2] == (b"/some/path", 0) and 0 < asked[1][2] <= 20


def test_the_timeout_of_the_callers_socket_is_kept(start):
    server = start(echo)
    stream = Dialer(connect=lambda *_: socket.create_connection(("127.0.0.1", server.port), 17)).dial("ws://x/")
    assert stream.io.gettimeout() == 17
    assert_echoes(stream)


def test_wraps_the_connection(start):
    class Counting:
        def __init__(self, io):
            self.io, self.count = io, 0

        def recv_into(self, buffer):
            return self.io.recv_into(buffer)

        def sendall(self, data):
            self.count += len(data)
            self.io.sendall(data)

        def close(self):
            self.io.close()

    stream = Dialer(wrap=Counting).dial(start(echo).url())
    assert isinstance(stream.io, Counting) and stream.io.count > 100
    with stream:
        stream.send("x")
        assert stream.recv() == "x"


def test_wrap_sees_no_connection_that_failed():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    called = []
    with pytest.raises(ConnectionRefusedError):
        Dialer(wrap=called.append).dial(f"ws://127.0.0.1:{port}/")
    assert called == []


def test_what_wrap_raises_closes_the_connection(start):
    seen = []

    def wrap(io):
        seen.append(io)
        raise KeyError("own")

    with pytest.raises(KeyError):
        Dialer(wrap=wrap).dial(start(lambda sock: sock.recv(1)).url())
    assert seen[0].fileno() == -1


def test_upgrades_a_connection_that_is_open(Scripted, start, sockets, in_thread):
    finish = in_thread(echo, sockets[0])
    stream = Dialer(protocols=["chat"]).upgrade(sockets[1], "ws://example.com/x")
    assert stream.handshake.protocol == "chat" and sockets[1].gettimeout() == 20
    assert_echoes(stream)
    assert finish().host == "example.com"
    io = Scripted(b"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n")
    with pytest.raises(fastws.InvalidStatus):
        Dialer().upgrade(io, "ws://example.com/x")
    assert not io.is_closed


# ---- Servers of others ----


def test_a_server_of_websockets():
    def serve(connection):
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(serve, "127.0.0.1", 0, subprotocols=["chat"]) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.socket.getsockname()[1]
        stream = Dialer(protocols=["chat"], extensions=None).dial(f"ws://localhost:{port}/")
        assert stream.handshake.protocol == "chat" and stream.handshake.extensions == ()
        assert_echoes(stream)
        server.shutdown()
        thread.join(20)


def test_a_server_of_aiohttp():
    async def serve(request):
        socket = aiohttp.web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async def main():
        app = aiohttp.web.Application()
        app.router.add_get("/chat", serve)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        def client():
            stream = Dialer(protocols=["chat"]).dial(f"ws://127.0.0.1:{port}/chat")
            assert stream.handshake.protocol == "chat"
            assert_echoes(stream)
            with pytest.raises(fastws.InvalidStatus) as caught:
                Dialer().dial(f"ws://127.0.0.1:{port}/none")
            assert caught.value.status == 404

        await asyncio.to_thread(client)
        await runner.cleanup()

    asyncio.run(main())
