# SPDX-License-Identifier: MIT
"""Dial: the request byte for byte, and answers good and hostile, whole and cut at every byte. No I/O."""

import pickle
import re

import pytest

import fastws
from fastws import Dial

UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"


def key_of(dial):
    return re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", dial.request)[1]


SWITCHING = b"HTTP/1.1 101 Switching Protocols"


def answer_to(dial, *lines, status=SWITCHING, upgrade=UPGRADE, connection=CONNECTION, accept=None):
    """A 101 with everything that it needs; each part can be replaced, b"" leaves it out."""
    if accept is None:
        accept = b"Sec-WebSocket-Accept: " + fastws.accept_key(key_of(dial)).encode() + b"\r\n"
    return b"".join([status, b"\r\n", upgrade, connection, accept, *(line + b"\r\n" for line in lines), b"\r\n"])


def failure(answer, eof=False, **options):
    """What a handshake with this answer fails with: the same whole, and cut at every byte."""
    found = []
    for size in (1 << 20, 1):
        dial = Dial("ws://example.com/", **options)
        data = answer(dial) if callable(answer) else answer
        with pytest.raises(fastws.HandshakeError) as caught:
            for start in range(0, len(data), size):
                assert dial.feed(data[start : start + size]) is None
            if eof:
                dial.eof()
        with pytest.raises(RuntimeError):
            dial.feed(b"x")
        with pytest.raises(RuntimeError):
            dial.eof()
        assert dial.handshake is None
        found.append(caught.value)
    assert type(found[0]) is type(found[1]) and vars(found[0]) == vars(found[1])
    return found[0]


# ---- The request ----


def test_request_is_the_one_of_the_rfc():
    dial = Dial("ws://server.example.com/chat?x=1#fragment")
    lines = dial.request.split(b"\r\n")
    assert lines[:4] == [
        b"GET /chat?x=1 HTTP/1.1",
        b"Host: server.example.com",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
    ]
    assert re.fullmatch(rb"Sec-WebSocket-Key: [A-Za-z0-9+/]{21}[AQgw]==", lines[4])
    assert lines[5:] == [b"Sec-WebSocket-Version: 13", b"", b""]
    assert key_of(dial) != key_of(Dial("ws://server.example.com/chat"))


def test_request_asks_for_what_is_wanted():
    dial = Dial(
        "wss://user:p%3Ass@example.com:8443",
        protocols=["foo", "bar"],
        extensions="foo;bar=1,baz",
        header=[("X-A", "1"), (b"X-A", b"2")],
        host="other.example",
        origin="https://page.example",
    )
    request = fastws.http.parse_request(dial.request)
    assert request.target == "/" and request.header("host") == "other.example"
    assert request.header("sec-websocket-protocol") == "foo, bar"
    assert request.header("sec-websocket-extensions") == "foo;bar=1,baz"
    assert request.header("origin") == "https://page.example"
    assert request.header("authorization") == "Basic dXNlcjpwOnNz"
    assert [value for name, value in request.headers if name == "X-A"] == ["1", "2"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://example.com:80/", "example.com"),
        ("wss://example.com:443/", "example.com"),
        ("ws://example.com:443/", "example.com:443"),
        ("ws://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("ws://[::1]/", "[::1]"),
        ("ws://[::1]:8080/", "[::1]:8080"),
        ("ws+unix:///run/s.sock:/x", "localhost"),
    ],
)
def test_host_is_that_of_the_address(url, host):
    dial = Dial(url)
    assert fastws.http.parse_request(dial.request).header("Host") == host
    assert dial.feed(answer_to(dial)) == b"" and dial.handshake.host == host


@pytest.mark.parametrize(
    "options",
    [
        {"header": {"X": "a\r\nEvil: 1"}},
        {"header": {"X\n": "a"}},
        {"header": {"Host": "a"}},
        {"header": {"Sec-WebSocket-Key": "a"}},
        {"header": {"Content-Length": "1"}},
        {"header": {"Origin": "a"}, "origin": "b"},
        {"host": "a b"},
        {"origin": "a\r\n"},
        {"protocols": ["a b"]},
        {"protocols": ["a", "a"]},
        {"extensions": "a b"},
        {"extensions": "a\r\n"},
        {"max_head_size": 0},
    ],
)
def test_what_may_not_be_written_is_refused(options):
    with pytest.raises(ValueError):
        Dial("ws://example.com/", **options)


@pytest.mark.parametrize(
    "options",
    [{"header": 1}, {"header": ["x"]}, {"protocols": "chat"}, {"protocols": [1]}, {"on_header": 1}, {"host": 1}],
)
def test_wrong_types_are_refused(options):
    with pytest.raises(TypeError):
        Dial("ws://example.com/", **options)


# ---- Answers that open ----


@pytest.mark.parametrize(
    ("options", "lines", "protocol", "extensions"),
    [
        ({}, [], None, ()),
        ({"protocols": ["foo", "bar"]}, [b"Sec-WebSocket-Protocol: bar"], "bar", ()),
        ({"protocols": ["foo", "bar"]}, [], None, ()),
        ({"extensions": "foo, bar;a=1"}, [b"Sec-WebSocket-Extensions: bar; a=1"], None, ("bar; a=1",)),
        ({"extensions": "foo, bar"}, [], None, ()),
        (
            {"protocols": ["xml", "json"], "extensions": "foo, bar"},
            [b"Sec-WebSocket-Protocol: xml", b"Sec-WebSocket-Extensions: foo", b"Sec-WebSocket-Extensions: bar"],
            "xml",
            ("foo", "bar"),
        ),
    ],
)
@pytest.mark.parametrize("cut", [None, 1])
def test_opens(options, lines, protocol, extensions, cut):
    dial = Dial("ws://example.com/", **options)
    data = answer_to(dial, *lines)
    rest = None
    for start in range(0, len(data), cut or len(data)):
        assert rest is None and dial.handshake is None
        rest = dial.feed(data[start : start + (cut or len(data))])
    assert rest == b"" and dial.status == 101
    assert dial.handshake == ("/", "example.com", protocol, (), extensions)


def test_what_follows_the_answer_is_kept_wherever_it_is_cut():
    """A server may send its first frame with its answer, or bytes that look like a body."""
    for rest in (b"\x81\x02hi", b"14-bytes-of-it"):
        size = len(answer_to(Dial("ws://example.com/")))
        for cut in range(size + len(rest) + 1):
            dial = Dial("ws://example.com/")
            data = answer_to(dial) + rest
            first = dial.feed(data[:cut])
            if cut < size:
                assert first is None
                first = dial.feed(data[cut:])
                assert first == rest
            else:
                assert first == data[size:cut]


def test_lines_in_any_case_and_spread_over_several():
    dial = Dial("ws://example.com/")
    data = answer_to(
        dial, b"server: x", status=b"HTTP/1.1 101", upgrade=b"uPGRADE:WebSocket\r\n",
        connection=b"connection: keep-alive\r\nCONNECTION: \tupgrade\r\n",
    )
    assert dial.feed(data) == b""
    assert dial.handshake.headers == (("server", "x"),)


def test_interim_answers_are_skipped():
    dial = Dial("ws://example.com/")
    assert dial.feed(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") is None
    assert dial.feed(answer_to(dial)) == b""


def test_callbacks_see_the_answer():
    seen = []
    dial = Dial(
        "ws://example.com/", extensions="foo",
        on_header=lambda name, value: seen.append((name, value)),
        on_extension=lambda option: seen.append(option),
        on_end=lambda request, answer: seen.append((request, answer)),
    )
    data = answer_to(dial, b"X-A: 1", b"Sec-WebSocket-Extensions: foo; a", b"X-B:")
    assert dial.feed(data + b"\x81\x00") == b"\x81\x00"
    assert seen[-1] == (dial.request, data)
    assert [item for item in seen[:-1] if isinstance(item, tuple)] == [(b"X-A", b"1"), (b"X-B", b"")]
    assert b"foo; a" in seen and len(seen) == 4


@pytest.mark.parametrize("name", ["on_header", "on_extension"])
def test_what_a_callback_raises_ends_the_handshake(name):
    class Own(Exception):
        pass

    def refuse(*_):
        raise Own

    dial = Dial("ws://example.com/", extensions="foo", **{name: refuse})
    with pytest.raises(Own):
        dial.feed(answer_to(dial, b"X: 1", b"Sec-WebSocket-Extensions: foo"))
    assert dial.handshake is None
    with pytest.raises(RuntimeError):
        dial.feed(b"")


def test_a_callback_must_not_use_its_own_dial():
    def feed(*_):
        with pytest.raises(fastws.ConcurrencyError):
            dial.feed(b"")
        with pytest.raises(fastws.ConcurrencyError):
            dial.expire()

    dial = Dial("ws://example.com/", on_header=feed, on_end=feed)
    assert dial.feed(answer_to(dial, b"X: 1")) == b""


# ---- Answers that do not ----


@pytest.mark.parametrize(
    ("parts", "cls", "name"),
    [
        ({"status": b"HTTP/2.1 101 x"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_VERSION"),
        ({"status": b"HTTP/1.0 101 x"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_VERSION"),
        ({"status": b"HTTP/42.1 101 x"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_VERSION"),
        ({"status": b"SSH-2.0-OpenSSH"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_STATUS_LINE"),
        ({"status": b"HTTP/1.1 101 a\x00b"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_STATUS_LINE"),
        ({"upgrade": b""}, fastws.InvalidUpgrade, "FASTWS_ERR_HANDSHAKE_UPGRADE"),
        ({"upgrade": b"Upgrade: oops\r\n"}, fastws.InvalidUpgrade, "FASTWS_ERR_HANDSHAKE_UPGRADE"),
        ({"connection": b""}, fastws.InvalidUpgrade, "FASTWS_ERR_HANDSHAKE_CONNECTION"),
        ({"connection": b"Connection: oops!\r\n"}, fastws.InvalidUpgrade, "FASTWS_ERR_HANDSHAKE_CONNECTION"),
        ({"accept": b""}, fastws.InvalidHeader, "FASTWS_ERR_HANDSHAKE_ACCEPT"),
        ({"accept": b"Sec-WebSocket-Accept: oops\r\n"}, fastws.InvalidHeader, "FASTWS_ERR_HANDSHAKE_ACCEPT"),
        ({"upgrade": b"", "connection": b"", "accept": b""}, fastws.InvalidUpgrade, "FASTWS_ERR_HANDSHAKE_UPGRADE"),
        ({"upgrade": UPGRADE + b" folded\r\n"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_FOLD"),
        ({"upgrade": b"Upgrade : websocket\r\n"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_HEADER_NAME"),
        ({"upgrade": b"X: a\nUpgrade: websocket\r\n"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_LINE_END"),
        ({"upgrade": b"X: a\x00\r\n"}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_HEADER_VALUE"),
        ({"upgrade": b"X:" + b"a" * 20000}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_HEAD_TOO_LARGE"),
        ({"upgrade": b"X: a\r\n" * 200}, fastws.InvalidMessage, "FASTWS_ERR_HTTP_TOO_MANY_HEADERS"),
    ],
)
def test_names_what_is_wrong(parts, cls, name):
    error = failure(lambda dial: answer_to(dial, **parts))
    assert (type(error), error.name) == (cls, name)
    assert error.rfc and str(error)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"Sec-WebSocket-Protocol: other", "FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER"),
        (b"Sec-WebSocket-Protocol: FOO", "FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER"),
        (b"Sec-WebSocket-Protocol: foo\r\nSec-WebSocket-Protocol: foo", "FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER"),
        (b"Sec-WebSocket-Extensions: foo,bar;baz=1", "FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER"),
        (b"Sec-WebSocket-Extensions: foo, foo", "FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER"),
    ],
)
def test_what_was_not_offered_is_refused(line, name):
    error = failure(lambda dial: answer_to(dial, line), protocols=["foo"], extensions="foo")
    assert (type(error), error.name) == (fastws.NegotiationError, name)


def test_malformed_extensions_are_refused():
    error = failure(lambda dial: answer_to(dial, b"Sec-WebSocket-Extensions: foo bar"), extensions="foo")
    assert (type(error), error.name) == (fastws.InvalidHeader, "FASTWS_ERR_HANDSHAKE_EXTENSIONS")


def test_another_status_shows_its_answer():
    seen = []
    error = failure(
        b"HTTP/1.1 400 Bad Thing\r\nContent-Length: 3\r\nX-A: 1\r\n\r\nwhyrest", on_status_error=seen.append
    )
    assert isinstance(error, fastws.InvalidStatus) and error.name == "FASTWS_ERR_HANDSHAKE_STATUS"
    response = error.response
    assert (response.status_code, response.reason_phrase, response.body) == (400, "Bad Thing", b"why")
    assert response.header("x-a") == "1" and not response.is_body_cut
    assert error.status == 400 and error.location is None and seen == [response, response]
    assert str(error).endswith("400 Bad Thing")
    assert pickle.loads(pickle.dumps(error)).response == response


@pytest.mark.parametrize(
    ("answer", "body", "is_cut"),
    [
        (b"HTTP/1.1 404 \r\n\r\nup to the end", b"up to the end", False),
        (b"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nshort", b"short", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", False),
    ],
)
def test_bodies_of_every_kind_are_kept(answer, body, is_cut):
    error = failure(answer, eof=b"chunked" not in answer)
    assert error.response.body == body and error.response.is_body_cut == is_cut


def test_a_long_body_is_cut():
    error = failure(b"HTTP/1.1 503 x\r\nContent-Length: 5000\r\n\r\n" + b"b" * 5000 + b"m" * 1000, max_body_size=100)
    assert error.response.body == b"b" * 100 and error.response.is_body_cut


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        (b"/other?x", "ws://example.com/other?x"),
        (b"https://example.org/", "wss://example.org/"),
        (b"//example.net:8080/a#f", "ws://example.net:8080/a"),
        (b"ftp://example.org/", None),
        (b"http://[/", None),
    ],
)
def test_redirects_say_where_they_lead(location, meant):
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 9\r\n\r\n"
    error = failure(answer, redirects=True)
    assert error.name == "FASTWS_ERR_HANDSHAKE_REDIRECT" and error.status == 302
    assert error.location == meant and error.response.header("location") == location.decode()
    assert failure(answer + b"who asked", eof=True).name == "FASTWS_ERR_HANDSHAKE_STATUS"


@pytest.mark.parametrize(
    ("line", "version", "reason"),
    [
        (b"HTTP/1.0 %d Over  There ", (1, 0), "Over  There"),
        (b"HTTP/1.1 %d ", (1, 1), ""),
        (b"HTTP/1.1 %d \xe4", (1, 1), "\xe4"),
    ],
)
def test_version_and_reason_are_those_of_the_answer(line, version, reason):
    """Of redirects the reason used to be our own, and the version 1.1 of every answer."""
    for status, redirects in ((404, False), (302, False), (302, True)):
        answer = line % status + b"\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        response = failure(b"HTTP/1.1 103 Early\r\n\r\n" + answer, redirects=redirects).response
        assert (response.status_code, response.version, response.reason_phrase) == (status, version, reason)


def test_at_most_64_extensions_are_offered():
    names = [f"e{i}" for i in range(65)]
    Dial("ws://x/", extensions=", ".join(names[:64]))
    with pytest.raises(ValueError, match="64 extensions"):
        Dial("ws://x/", extensions=", ".join(names))


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 101 x\r\nUp"])
def test_an_answer_that_ends_too_early(received):
    error = failure(received, eof=True)
    assert (type(error), error.name) == (fastws.InvalidMessage, "FASTWS_ERR_UNEXPECTED_EOF")
    assert error.status == (101 if received else None)


def test_expires():
    dial = Dial("ws://example.com/")
    dial.feed(b"HTTP/1.1 1")
    with pytest.raises(fastws.HandshakeTimeout) as caught:
        dial.expire()
    assert caught.value.name == "FASTWS_ERR_DIAL_TIMEOUT"
    dial = Dial("ws://example.com/")
    dial.feed(b"HTTP/1.1 400 x\r\nContent-Length: 9\r\n\r\nabc")
    with pytest.raises(fastws.InvalidStatus) as caught:
        dial.expire()
    assert caught.value.response.body == b"abc" and caught.value.response.is_body_cut


def test_a_refused_answer_is_shown_up_to_the_fault():
    seen = []
    data = b"HTTP/1.1 101 x\r\nUpgrade: oops\r\nConnection: Upgrade\r\n\r\n"
    failure(data, on_end=lambda request, answer: seen.append(answer))
    assert len(seen) == 2 and all(data.startswith(answer) and b"oops" in answer for answer in seen)


# ---- Addresses ----


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("ws://example.com", (False, "example.com", 80, None, "/", None, None)),
        ("WSS://example.com:8443/a?b#c", (True, "example.com", 8443, None, "/a?b", None, None)),
        ("ws://u:p%40@[2001:db8::1]?x", (False, "2001:db8::1", 80, None, "/?x", b"u", b"p@")),
        ("ws+unix:///run/my%3asock:/chat", (False, None, 0, b"/run/my:sock", "/chat", None, None)),
        ("wss+unix:/run/s", (True, None, 0, b"/run/s", "/", None, None)),
    ],
)
def test_addresses_are_taken_apart(url, parts):
    assert fastws.parse_url(url) == parts


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://example.com/", "FASTWS_ERR_URL_SCHEME"),
        ("example.com", "FASTWS_ERR_URL_SCHEME"),
        ("", "FASTWS_ERR_URL_SCHEME"),
        ("ws://", "FASTWS_ERR_URL_HOST"),
        ("ws://0x7f000001/", "FASTWS_ERR_URL_HOST"),
        ("ws://[::1/", "FASTWS_ERR_URL_HOST"),
        ("ws://exämple.com/", "FASTWS_ERR_URL_HOST"),
        ("ws://a:70000/", "FASTWS_ERR_URL_PORT"),
        ("ws://a:%/@b/", "FASTWS_ERR_URL_PORT"),
        ("ws://a%@b/", "FASTWS_ERR_URL_USERINFO"),
        ("ws://a/\r\nEvil: 1", "FASTWS_ERR_URL_TARGET"),
        ("ws://a/ x", "FASTWS_ERR_URL_TARGET"),
    ],
)
def test_addresses_that_are_none(url, name):
    for function in (fastws.parse_url, Dial):
        with pytest.raises(fastws.InvalidURI) as caught:
            function(url)
        assert caught.value.name == name and isinstance(caught.value, ValueError)
    with pytest.raises(TypeError):
        fastws.parse_url(url.encode())


def test_addresses_are_resolved_and_compared():
    assert fastws.resolve_url("ws://u:p@a/b/c?d", "../e#f") == "ws://a/e"
    assert fastws.resolve_url("wss://a:99/b", "") == "wss://a:99/b"
    with pytest.raises(fastws.InvalidURI):
        fastws.resolve_url("ws://a/", "mailto:x")
    assert fastws.is_same_origin("ws://A/x", "ws://u@a:80/y")
    assert not fastws.is_same_origin("ws://a/", "wss://a/")
    assert not fastws.is_same_origin("ws://a/", "ws://a:81/")
