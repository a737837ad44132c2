# SPDX-License-Identifier: MIT
"""Upgrade and Upgrader: the opening handshake, its callbacks and its refusals."""

import inspect
import io
import socket
import threading
import time

import pytest

import fastws
from fastws import Reject, Stream, Upgrade, Upgrader


def replace(request, old, new):
    assert old in request
    return request.replace(old, new)


def status(response):
    return int(response.split(b" ")[1])


def test_answers_the_request_of_the_rfc(request_bytes):
    single_bytes = [request_bytes[i : i + 1] for i in range(len(request_bytes))]
    for pieces in ([request_bytes + b"rest"], [*single_bytes, b"rest"]):
        upgrade = Upgrade()
        results = []
        for piece in pieces:
            assert upgrade.response == b"" and upgrade.handshake is None
            results.append(upgrade.feed(piece))
            if results[-1] is not None:
                break
        assert results[:-1] == [None] * (len(results) - 1)
        assert results[-1] == (b"rest" if len(pieces) == 1 else b"")
        assert status(upgrade.response) == 101
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in upgrade.response
        handshake = upgrade.handshake
        assert (handshake.target, handshake.host, handshake.protocol) == ("/chat", "server.example.com", None)
        assert handshake.headers == (("Origin", "http://example.com"),)
        with pytest.raises(RuntimeError):
            upgrade.feed(b"x")


def test_cut_anywhere_it_is_the_same(request_bytes):
    for i in range(len(request_bytes)):
        upgrade = Upgrade()
        assert upgrade.feed(request_bytes[:i]) is None
        assert upgrade.feed(request_bytes[i:] + b"\x81") == b"\x81"
        assert upgrade.handshake.target == "/chat"


REFUSED = [
    (b"GET /chat HTTP/1.1", b"POST /chat HTTP/1.1", 405, "HTTP_METHOD"),
    (b"HTTP/1.1", b"HTTP/1.0", 505, "HTTP_VERSION"),
    (b"GET /chat HTTP/1.1", b"nonsense", 400, "HTTP_REQUEST_LINE"),
    (b"Host: server.example.com\r\n", b"", 400, "HANDSHAKE_HOST"),
    (b"Upgrade: websocket\r\n", b"", 400, "HANDSHAKE_UPGRADE"),
    (b"Connection: Upgrade\r\n", b"Connection: close\r\n", 400, "HANDSHAKE_CONNECTION"),
    (b"Version: 13", b"Version: 8", 426, "HANDSHAKE_VERSION"),
    (b"Sec-WebSocket-Version: 13\r\n", b"", 400, "HANDSHAKE_VERSION_MISSING"),
    (b"dGhlIHNhbXBsZSBub25jZQ==", b"short", 400, "HANDSHAKE_KEY"),
    (b"Origin:", b"Origin :", 400, "HTTP_HEADER_NAME"),
    (b"Origin:", b" Origin:", 400, "HTTP_FOLD"),
    (b"Origin: http", b"Origin: \x01http", 400, "HTTP_HEADER_VALUE"),
    (b"Origin: http", b"Origin: " + b"x" * 17000, 431, "HTTP_HEAD_TOO_LARGE"),
    (b"Origin: ", b"X: y\r\n" * 200 + b"Origin: ", 431, "HTTP_TOO_MANY_HEADERS"),
]


@pytest.mark.parametrize(("old", "new", "code", "name"), REFUSED, ids=[row[3] for row in REFUSED])
def test_each_malformed_request_has_its_answer(request_bytes, old, new, code, name):
    upgrade = Upgrade()
    with pytest.raises(fastws.HandshakeError) as info:
        upgrade.feed(replace(request_bytes, old, new))
    assert (info.value.status, info.value.name, info.value.code) == (code, "FASTWS_ERR_" + name, None)
    assert status(upgrade.response) == code
    assert (b"Allow: GET" in upgrade.response) == (code == 405)
    assert (b"Sec-WebSocket-Version: 13" in upgrade.response) == (code == 426)
    assert upgrade.handshake is None


def test_callbacks_get_what_was_sent_in_order(request_bytes):
    seen = []
    upgrade = Upgrade(
        on_request=lambda target: seen.append(target),
        on_host=lambda host: seen.append(host),
        on_header=lambda name, value: seen.append((name, value)),
        on_before_upgrade=lambda: seen.append("last") or {"X-One": "1"},
        protocol=lambda name: seen.append(name) or name == b"superchat",
        header=[("Server", "fastws"), (b"X-Bytes", b"\xff")],
    )
    assert upgrade.feed(request_bytes) == b""
    assert seen == [b"/chat", b"server.example.com", (b"Origin", b"http://example.com"), b"chat", b"superchat", "last"]
    assert upgrade.handshake.protocol == "superchat"
    for line in (b"Sec-WebSocket-Protocol: superchat", b"X-One: 1", b"Server: fastws", b"X-Bytes: \xff"):
        assert line + b"\r\n" in upgrade.response


@pytest.mark.parametrize(
    ("protocol", "chosen"), [(["superchat", "chat"], "superchat"), (("x",), None), ((), None), ("chat", "chat")]
)
def test_protocols_by_preference(request_bytes, protocol, chosen):
    upgrade = Upgrade(protocol=protocol)
    upgrade.feed(request_bytes)
    assert upgrade.handshake.protocol == chosen


CALLBACKS = ["on_request", "on_host", "on_header", "on_before_upgrade", "protocol", "negotiate"]


@pytest.mark.parametrize("callback", CALLBACKS)
def test_each_callback_may_refuse(request_bytes, callback):
    reject = Reject(418, "no tea", headers={"X-Want": "coffee"})
    request_bytes = replace(request_bytes, b"Origin", b"Sec-WebSocket-Extensions: x\r\nOrigin")

    def refuse(*_):
        raise reject

    upgrade = Upgrade(**{callback: refuse})
    with pytest.raises(Reject) as info:
        upgrade.feed(request_bytes)
    assert info.value is reject
    assert upgrade.response.startswith(b"HTTP/1.1 418 ")
    assert b"X-Want: coffee\r\n" in upgrade.response and upgrade.response.endswith(b"\r\n\r\nno tea")


@pytest.mark.parametrize("callback", CALLBACKS)
def test_other_exceptions_are_500_and_pass(request_bytes, callback):
    request_bytes = replace(request_bytes, b"Origin", b"Sec-WebSocket-Extensions: x\r\nOrigin")

    def fail(*_):
        raise ZeroDivisionError("secret")

    upgrade = Upgrade(**{callback: fail})
    with pytest.raises(ZeroDivisionError):
        upgrade.feed(request_bytes)
    assert status(upgrade.response) == 500 and b"secret" not in upgrade.response


@pytest.mark.parametrize(
    ("body", "expected"), [(None, b"why"), (b"\xff", b"\xff"), ("ä", "ä".encode()), (bytearray(b"x"), b"x")]
)
def test_bodies_of_refusals(request_bytes, body, expected):
    def refuse(_):
        raise Reject(400, "why", body=body)

    upgrade = Upgrade(on_request=refuse)
    with pytest.raises(Reject):
        upgrade.feed(request_bytes)
    assert upgrade.response.endswith(b"\r\n\r\n" + expected)


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nSet-Cookie: b"}, {"X\r\n": "a"}, [("Connection", "close")], {"X": "\0"}, {"": "x"}]
)
def test_headers_that_would_split_the_response_are_refused(request_bytes, headers):
    with pytest.raises(ValueError):
        Upgrade(header=headers)
    with pytest.raises(ValueError):
        Upgrader(header=headers)

    def refuse(_):
        raise Reject(403, headers=headers)

    for options in ({"on_request": refuse}, {"on_before_upgrade": lambda: headers}):
        upgrade = Upgrade(**options)
        with pytest.raises(fastws.HandshakeError) as info:
            upgrade.feed(request_bytes)
        assert info.value.name == "FASTWS_ERR_HANDSHAKE_HEADER"
        assert status(upgrade.response) == 500 and b"Set-Cookie" not in upgrade.response


@pytest.mark.parametrize("headers", [5, [5], [("a",)], [("a", "b", "c")], {"a": 5}, {5: "a"}, [("a", "b"), "c"]])
def test_headers_of_the_wrong_type(request_bytes, headers):
    with pytest.raises(TypeError):
        Upgrade(header=headers)
    upgrade = Upgrade(on_before_upgrade=lambda: headers)
    with pytest.raises(TypeError):
        upgrade.feed(request_bytes)
    assert status(upgrade.response) == 500


def test_headers_must_be_latin_1():
    with pytest.raises(ValueError):
        Upgrade(header={"X": "\u20ac"})


@pytest.mark.parametrize(
    ("options", "error"),
    [({"on_request": 5}, TypeError), ({"protocol": 5}, TypeError), ({"protocol": [5]}, TypeError),
     ({"protocol": ["a b"]}, ValueError), ({"max_headers": -1}, ValueError), ({"max_head_size": "1"}, TypeError),
     ({"unknown": 1}, TypeError)],
)
def test_refuses_wrong_options(options, error):
    with pytest.raises(error):
        Upgrade(**options)


def test_limits_can_be_set(request_bytes):
    with pytest.raises(fastws.HandshakeError):
        Upgrade(max_head_size=len(request_bytes) - 1).feed(request_bytes)
    assert Upgrade(max_head_size=len(request_bytes)).feed(request_bytes) == b""
    with pytest.raises(fastws.HandshakeError):
        Upgrade(max_headers=6).feed(request_bytes)


def test_expires(request_bytes):
    upgrade = Upgrade()
    upgrade.feed(request_bytes[:20])
    with pytest.raises(fastws.HandshakeTimeout) as info:
        upgrade.expire()
    assert info.value.status == 408 and isinstance(info.value, TimeoutError) and status(upgrade.response) == 408
    with pytest.raises(RuntimeError):
        upgrade.expire()


def test_a_callback_must_not_use_its_upgrade(request_bytes):
    def nested(_):
        upgrade.feed(b"x")

    for act in (nested, lambda _: upgrade.response, lambda _: upgrade.expire()):
        upgrade = Upgrade(on_request=act)
        with pytest.raises(fastws.ConcurrencyError):
            upgrade.feed(request_bytes)


@pytest.mark.parametrize("data", [None, "str", 5])
def test_feeds_on_bytes_only(data):
    with pytest.raises(TypeError):
        Upgrade().feed(data)


# ---- Upgrader ----


def test_upgrades_a_socket(sockets, request_bytes, masked_frame):
    ours, theirs = sockets
    ours.settimeout(7)
    theirs.sendall(request_bytes + masked_frame(1, b"early") + masked_frame(1, b"cut")[:4])
    stream = Upgrader(protocol=["chat"], max_size=10).upgrade(ours)
    assert type(stream) is Stream and stream.handshake.protocol == "chat"
    assert ours.gettimeout() == 7
    assert status(theirs.recv(1000)) == 101
    assert stream.recv() == "early"
    theirs.sendall(masked_frame(1, b"cut")[4:] + masked_frame(1, bytes(11)))
    assert stream.recv() == "cut"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.code == 1009


def test_serves_many_with_one_upgrader(request_bytes):
    upgrader = Upgrader(protocol=iter(["chat"]), header=iter([("Server", "x")]))
    for _ in range(3):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(request_bytes)
            assert upgrader.upgrade(ours).handshake.protocol == "chat"
            assert b"Server: x\r\n" in theirs.recv(1000)


def test_a_refusal_is_written_and_raised(sockets, request_bytes):
    def refuse(host):
        raise Reject(403, "not here", headers={"X-Want-Host": "github.com"})

    sockets[1].sendall(request_bytes)
    with pytest.raises(Reject) as info:
        Upgrader(on_host=refuse).upgrade(sockets[0])
    assert info.value.status == 403
    response = sockets[1].recv(1000)
    assert status(response) == 403 and b"X-Want-Host: github.com" in response
    assert sockets[0].fileno() != -1


def test_gives_a_slow_client_up(sockets, request_bytes):
    ours, theirs = sockets
    stop = threading.Event()

    def drip():
        for i in range(len(request_bytes)):
            if stop.wait(0.01):
                return
            theirs.send(request_bytes[i : i + 1])

    thread = threading.Thread(target=drip)
    thread.start()
    start = time.monotonic()
    with pytest.raises(fastws.HandshakeTimeout):
        Upgrader(timeout=0.1).upgrade(ours)
    assert time.monotonic() - start < 2
    stop.set()
    thread.join()
    assert status(theirs.recv(1000)) == 408


@pytest.mark.parametrize(("sent", "name"), [(0, "FASTWS_ERR_EOF"), (30, "FASTWS_ERR_UNEXPECTED_EOF")])
def test_a_client_that_leaves(sockets, request_bytes, sent, name):
    sockets[1].sendall(request_bytes[:sent])
    sockets[1].close()
    with pytest.raises(fastws.HandshakeError) as info:
        Upgrader().upgrade(sockets[0])
    assert info.value.name == name and info.value.status is None


def test_upgrades_files(request_bytes, masked_frame):
    class Both(io.RawIOBase):
        def __init__(self):
            self.input = io.BytesIO(request_bytes + masked_frame(1, b"x"))
            self.output = bytearray()

        def readinto(self, buffer):
            return self.input.readinto(buffer)

        def write(self, data):
            self.output += bytes(data[:50])
            return len(data[:50])

    both = Both()
    assert Upgrader().upgrade(both).recv() == "x"
    assert status(bytes(both.output)) == 101 and both.output.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("timeout", [0, -1])
def test_refuses_a_wrong_timeout(timeout):
    with pytest.raises(ValueError):
        Upgrader(timeout=timeout)


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [({"bogus": 1}, TypeError, "bogus"), ({"role": "client"}, TypeError, "role"),
     ({"handshake": 3}, TypeError, "handshake"), ({"negotiate": 5}, TypeError, "negotiate"),
     ({"max_size": "x"}, TypeError, "max_size"), ({"max_size": 0}, ValueError, "max_size"),
     ({"max_frame_size": -1}, ValueError, "max_frame_size"), ({"max_fragments": 2**32}, ValueError, "max_fragments"),
     ({"max_empty_fragments": 1.5}, TypeError, "max_empty_fragments"),
     ({"ping_interval": 0}, ValueError, "ping_interval"),
     ({"ping_timeout": "x"}, TypeError, "ping_timeout"), ({"close_timeout": -1}, ValueError, "close_timeout"),
     ({"timeout": float("nan")}, ValueError, "timeout"), ({"timeout": float("inf")}, ValueError, "timeout"),
     ({"timeout": 1e30}, ValueError, "timeout"), ({"timeout": "x"}, TypeError, "timeout"),
     ({"max_head_size": 0}, ValueError, "max_head_size"), ({"max_headers": "x"}, TypeError, "max_headers"),
     ({"on_host": 5}, TypeError, "on_host")],
)
def test_what_is_wrong_is_known_before_any_client(options, error, named):
    with pytest.raises(error, match=named):
        Upgrader(**options)


def test_passes_its_limits_on(sockets, request_bytes, masked_frame):
    for options in ({"max_head_size": len(request_bytes) - 1}, {"max_headers": 6}):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(request_bytes)
            with pytest.raises(fastws.HandshakeError) as info:
                Upgrader(**options).upgrade(ours)
            assert info.value.status == 431
    large = request_bytes[:-2] + b"X: y\r\n" * 5000 + b"\r\n"
    sockets[1].sendall(large + masked_frame(1, b"\xff"))
    stream = Upgrader(max_head_size=None, max_headers=None, check_utf8=False).upgrade(sockets[0])
    assert stream.recv() == "\udcff"


def test_its_defaults_are_those_of_upgrade_and_stream():
    ours = inspect.signature(Upgrader).parameters
    for other in (Upgrade, Stream):
        for name, parameter in inspect.signature(other).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY and name not in ("handshake", "extensions"):
                assert ours[name].default == parameter.default, name


def test_headers_are_kept_as_they_were(sockets, request_bytes):
    headers = {"Server": "x"}
    upgrader = Upgrader(header=headers)
    headers["Bad"] = "\r\n"
    sockets[1].sendall(request_bytes)
    upgrader.upgrade(sockets[0])
    assert b"Server: x\r\n" in sockets[1].recv(1000)


@pytest.mark.parametrize("name", ["Connection", "upgrade", "Content-Length", "Sec-WebSocket-Accept"])
def test_says_which_headers_the_handshake_writes_itself(name):
    for cls in (Upgrade, Upgrader):
        with pytest.raises(ValueError, match=f"'{name}': the handshake writes that one itself"):
            cls(header=[("Server", "x"), (name, "y")])
        with pytest.raises(ValueError, match="'X': its name or value may not be written"):
            cls(header={"Server": "x", "X": "a\r\nb"})


def test_no_limit_is_none(request_bytes):
    large = request_bytes[:-2] + b"X: y\r\n" * 5000 + b"\r\n"
    assert Upgrade(max_head_size=None, max_headers=None).feed(large) == b""
    for name in ("max_head_size", "max_headers"):
        with pytest.raises(ValueError, match="None"):
            Upgrade(**{name: 0})


@pytest.mark.parametrize("options", [{"header": 5}, {"protocol": 5}, {"timeout": True}])
def test_wrong_types_name_the_argument(options):
    with pytest.raises(TypeError, match=next(iter(options))):
        fastws.Upgrader(**options)
