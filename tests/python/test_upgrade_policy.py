# SPDX-License-Identifier: MIT
"""What a server decides in the handshake: extensions, origins; heads that were read elsewhere; what is shown of it."""

import gc
import sys

import pytest

import fastws
from fastws import Reject, Upgrade, Upgrader

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]


def with_headers(request, *lines):
    return request[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def status(response):
    return int(response.split(b" ")[1])


def header(response, name):
    """The values of all lines of that name."""
    lines = [line.split(b": ", 1) for line in response.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    return [value for key, value in lines if key == name]


# ---- Extensions. RFC 6455 9.1 ----


def negotiated(request, *lines, answers):
    """What was offered, and the upgrade, which answers from a table."""
    offered = []

    def negotiate(option):
        offered.append(option)
        return answers.get(option)

    upgrade = Upgrade(negotiate=negotiate)
    assert upgrade.feed(with_headers(request, *lines)) == b""
    return offered, upgrade


def test_asks_once_for_each_extension_in_order(request_bytes):
    lines = (b"Sec-WebSocket-Extensions: a; b=1; c, d", b'Sec-WebSocket-Extensions: e;f="g" , a')
    offered, upgrade = negotiated(request_bytes, *lines, answers={})
    assert offered == [b"a; b=1; c", b"d", b'e;f="g"', b"a"]
    assert upgrade.handshake.extensions == () and header(upgrade.response, b"Sec-WebSocket-Extensions") == []


@pytest.mark.parametrize("answer", [b"x; y=2", "x; y=2", b" x; y=2"])
def test_answers_with_the_options_that_negotiate_returns(request_bytes, answer):
    lines = (b"Sec-WebSocket-Extensions: no, x; y, z",)
    _, upgrade = negotiated(request_bytes, *lines, answers={b"x; y": answer, b"z": b"z"})
    assert upgrade.handshake.extensions == ("x; y=2", "z")
    assert header(upgrade.response, b"Sec-WebSocket-Extensions") == [b"x; y=2, z"]


@pytest.mark.parametrize("answer", [b"", b"x, y", b"x y", b"x\r\nSet-Cookie: a", b'x; y="', b"x; =1"])
def test_what_is_not_one_option_is_500(request_bytes, answer):
    upgrade = Upgrade(negotiate=lambda _: answer)
    with pytest.raises(ValueError, match="one option"):
        upgrade.feed(with_headers(request_bytes, b"Sec-WebSocket-Extensions: x"))
    assert status(upgrade.response) == 500 and b"Set-Cookie" not in upgrade.response


def test_an_answer_of_another_type_is_500(request_bytes):
    for answer in (True, 5, ("x", {})):
        upgrade = Upgrade(negotiate=lambda _, answer=answer: answer)
        with pytest.raises(TypeError, match="extension"):
            upgrade.feed(with_headers(request_bytes, b"Sec-WebSocket-Extensions: x"))
        assert status(upgrade.response) == 500


def test_is_asked_once_when_it_refuses(request_bytes):
    """gobwas/ws asks a second time and reports the second answer."""
    asked = []

    def negotiate(option):
        asked.append(option)
        raise Reject(400, f"{len(asked)}")

    upgrade = Upgrade(negotiate=negotiate)
    with pytest.raises(Reject, match="400 1"):
        upgrade.feed(with_headers(request_bytes, b"Sec-WebSocket-Extensions: a, b"))
    assert asked == [b"a"]


@pytest.mark.parametrize("malformed", [b"b c", b'b; c="d e"', b"b;c=", b"=", b'"b"'])
def test_what_is_malformed_reaches_no_callback(request_bytes, malformed):
    asked = []
    upgrade = Upgrade(negotiate=asked.append)
    with pytest.raises(fastws.HandshakeError) as info:
        upgrade.feed(with_headers(request_bytes, b"Sec-WebSocket-Extensions: a, " + malformed + b", z"))
    assert (info.value.status, info.value.name) == (400, "FASTWS_ERR_HANDSHAKE_EXTENSIONS")
    assert asked == [b"a"]


# ---- Origins. RFC 6455 10.2 ----

SAME, OTHER = b"http://server.example.com", b"https://friend.example"


def answer_to(request, origin, **options):
    request = request.replace(b"Origin: http://example.com\r\n", b"Origin: %s\r\n" % origin if origin else b"")
    upgrade = Upgrade(**options)
    try:
        upgrade.feed(request)
    except fastws.HandshakeError as error:
        assert error.name == "FASTWS_ERR_HANDSHAKE_ORIGIN"
    return status(upgrade.response)


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [(None, b"http://evil.example", 101), ((), SAME, 101), ((), OTHER, 403), ((), None, 101),
     ([OTHER.decode()], OTHER, 101), ([OTHER.decode()], SAME, 101), (OTHER.decode(), OTHER, 101), ([OTHER], OTHER, 101),
     ([OTHER.decode()], b"http://friend.example", 403), ([OTHER.decode()], OTHER + b":444", 403),
     ([OTHER.decode()], OTHER + b":443", 101), ([OTHER.decode()], b"https://not-friend.example", 403),
     ([OTHER.decode()], b"null", 403), (["null"], b"null", 101), ((), b"HTTP://Server.Example.Com:80", 101)],
)
def test_only_pages_of_known_origins_connect(request_bytes, origins, origin, expected):
    assert answer_to(request_bytes, origin, origins=origins) == expected


def test_several_origins_are_refused(request_bytes):
    assert answer_to(with_headers(request_bytes, b"Origin: " + SAME), SAME, origins=()) == 403


@pytest.mark.parametrize("cls", [Upgrade, Upgrader])
def test_origins_that_could_never_match_are_refused(cls):
    for origin in ("example.com", "https://example.com/", "https://", "*", ""):
        with pytest.raises(ValueError, match="origin must be like"):
            cls(origins=[origin])
    for origins in (5, [5]):
        with pytest.raises(TypeError):
            cls(origins=origins)


def test_an_iterator_of_origins_serves_every_handshake(sockets, request_bytes):
    upgrader = Upgrader(origins=iter(["http://example.com"]))
    for _ in range(2):
        sockets[1].sendall(request_bytes)
        upgrader.upgrade(sockets[0])
        assert status(sockets[1].recv(1000)) == 101


# ---- Heads that another server has read ----


@pytest.mark.parametrize("encode", [str, lambda text: text.encode("latin-1")])
def test_takes_a_head_that_was_read_elsewhere(encode):
    seen = []
    upgrade = Upgrade(
        on_request=seen.append, on_host=seen.append, on_header=lambda *pair: seen.append(pair), protocol=["b"],
        negotiate=lambda option: option,
    )
    headers = [*HEADERS, ("Sec-WebSocket-Protocol", "a, b"), ("X", "\xe4"), ("Sec-WebSocket-Extensions", "x; y")]
    assert upgrade.feed_parsed(encode("GET"), encode("/p?q"), [(encode(a), encode(b)) for a, b in headers]) is None
    assert seen == [b"/p?q", b"server.example.com", (b"X", b"\xe4")]
    assert header(upgrade.response, b"Sec-WebSocket-Accept") == [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    assert upgrade.handshake == ("/p?q", "server.example.com", "b", (("X", "\xe4"),), ("x; y",))
    for again in (lambda: upgrade.feed(b"x"), lambda: upgrade.feed_parsed("GET", "/", HEADERS)):
        with pytest.raises(RuntimeError):
            again()


def without(name):
    return [pair for pair in HEADERS if pair[0] != name]


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [(("POST", "/", HEADERS), 405, "HTTP_METHOD"), (("get", "/", HEADERS), 405, "HTTP_METHOD"),
     (("GET", "/", HEADERS, "HTTP/1.0"), 505, "HTTP_VERSION"), (("GET", "/", HEADERS, "HTTP/0.9"), 505, "HTTP_VERSION"),
     (("GET", "/", HEADERS, "HTTP/2.0"), 505, "HTTP_VERSION"), (("GET", "/", HEADERS, ""), 505, "HTTP_VERSION"),
     (("GET", "/", without("Host")), 400, "HANDSHAKE_HOST"), (("GET", "/", []), 400, "HANDSHAKE_HOST"),
     (("GET", "/", without("Sec-WebSocket-Key")), 400, "HANDSHAKE_KEY"),
     (("GET", "/", [*without("Sec-WebSocket-Version"), ("Sec-WebSocket-Version", "8")]), 426, "HANDSHAKE_VERSION"),
     (("GET", "/", [*HEADERS, ("X ", "y")]), 400, "HTTP_HEADER_NAME"),
     (("GET", "/", [*HEADERS, ("X", "y\r\n z")]), 400, "HTTP_HEADER_VALUE"),
     (("GET", "/", [*HEADERS, *[("X", "y")] * 200]), 431, "HTTP_TOO_MANY_HEADERS")],
)
def test_judges_it_as_one_that_it_reads(arguments, code, name):
    upgrade = Upgrade()
    with pytest.raises(fastws.HandshakeError) as info:
        upgrade.feed_parsed(*arguments)
    assert (info.value.status, info.value.name, status(upgrade.response)) == (code, "FASTWS_ERR_" + name, code)


@pytest.mark.parametrize(
    "arguments",
    [(), ("GET", "/"), (5, "/", []), ("GET", None, []), ("GET", "/", 5), ("GET", "/", [], 1), ("GET", "/", [5])],
)
def test_a_head_of_the_wrong_type_is_no_request(arguments):
    upgrade = Upgrade()
    with pytest.raises(TypeError):
        upgrade.feed_parsed(*arguments)
    assert upgrade.response == b""
    upgrade.feed_parsed(method="GET", target="/", headers=dict(HEADERS), version="HTTP/1.1")
    assert status(upgrade.response) == 101


# ---- No handshake at all ----


def test_starts_open_inside_a_tunnel_of_http_2(sockets):
    """RFC 8441 5: the extended CONNECT was answered by the server of HTTP/2, and its DATA frames carry ours."""

    class Tunnel:
        """One stream of an HTTP/2 connection, as a server of HTTP/2 shows it: bytes both ways, and no socket."""

        def __init__(self, sock):
            self.recv_into, self.sendall, self.close = sock.recv_into, sock.sendall, sock.close

    agreed = fastws.Handshake(("/chat", "server.example.com", "chat", (("origin", "https://example.com"),), ()))
    server = fastws.Stream(Tunnel(sockets[0]), "server", handshake=agreed)
    client = fastws.Stream(Tunnel(sockets[1]), "client")
    client.send("Grüße")
    assert server.recv() == "Grüße" and server.handshake.protocol == "chat"
    server.send(b"\x00")
    assert client.recv() == b"\x00"


# ---- What is shown of it ----


def test_shows_request_and_response(request_bytes):
    seen = []
    upgrade = Upgrade(on_end=lambda *both: seen.append(both))
    assert upgrade.feed(request_bytes[:50]) is None and seen == []
    assert upgrade.feed(request_bytes[50:] + b"frame") == b"frame"
    assert seen == [(request_bytes, upgrade.response)]


def test_shows_refusals_up_to_the_byte_that_decided(request_bytes):
    seen = []
    upgrade = Upgrade(on_end=lambda *both: seen.append(both))
    cut = request_bytes.index(b"Upgrade:")
    with pytest.raises(fastws.HandshakeError):
        upgrade.feed(request_bytes[:cut] + b"a\0: b\r\n" + request_bytes[cut:])
    ((request, response),) = seen
    assert request.startswith(request_bytes[:cut] + b"a") and len(request) <= cut + 8
    assert response == upgrade.response and status(response) == 400


def test_shows_what_timed_out_and_what_was_read_elsewhere(request_bytes):
    seen = []
    for end in (
        lambda upgrade: (upgrade.feed(request_bytes[:9]), upgrade.expire()),
        lambda upgrade: upgrade.feed_parsed("GET", "/", HEADERS),
        lambda upgrade: upgrade.feed_parsed("GET", "/", HEADERS, "HTTP/1.0"),
    ):
        try:
            end(Upgrade(on_end=lambda *both: seen.append(both)))
        except fastws.HandshakeError:
            pass
    assert [(request, status(response)) for request, response in seen] == [
        (request_bytes[:9], 408), (b"", 101), (b"", 505)
    ]


def test_what_showing_raises_changes_nothing(request_bytes, monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: unraisable.append(info.exc_type))
    upgrade = Upgrade(on_end=lambda *_: 1 / 0)
    assert upgrade.feed(request_bytes) == b"" and status(upgrade.response) == 101
    assert unraisable == [ZeroDivisionError]


def test_callbacks_do_not_keep_an_upgrade_alive(request_bytes):
    class Canary:
        pass

    canaries = []
    for _ in range(3):
        canary = Canary()
        canaries.append(canary)
        upgrade = Upgrade(on_end=lambda *_: upgrade, negotiate=lambda _, canary=canary: canary and None)
        upgrade.feed(with_headers(request_bytes, b"Sec-WebSocket-Extensions: a"))
    import weakref

    watched = [weakref.ref(canary) for canary in canaries]
    del canary, upgrade
    canaries.clear()
    gc.collect()
    assert [ref() for ref in watched] == [None] * 3
