# SPDX-License-Identifier: MIT
"""examples/echo.py: it echoes, survives every bad client, and serves the next one."""

import signal
import socket
import subprocess
import sys
import urllib.parse

import pytest
import websockets.sync.client

import fastws


def connect(url, **options):
    return websockets.sync.client.connect(url, max_size=None, **options)


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def raw(echo_url, request_bytes):
    """A socket that has been upgraded, for bytes that no client of others sends."""
    address = urllib.parse.urlsplit(echo_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as sock:
        sock.sendall(request_bytes)
        response = b""
        while not response.endswith(b"\r\n\r\n"):
            response += sock.recv(1)
        yield sock


def assert_serves(url):
    with connect(url) as client:
        client.send("next")
        assert client.recv(timeout=10) == "next"


@pytest.mark.parametrize("message", ["text", "Grüße", b"binary", "", b"", b"x" * (16 << 20), "y" * (16 << 20)])
def test_echoes(echo_url, message):
    with connect(echo_url) as client:
        client.send(message)
        assert client.recv(timeout=60) == message


def test_echoes_fragments(echo_url):
    with connect(echo_url) as client:
        client.send(["a", "b" * 100000, "", "c"])
        assert client.recv(timeout=20) == "a" + "b" * 100000 + "c"
        client.send([b"a", b"b"])
        assert client.recv(timeout=20) == b"ab"
        assert client.ping().wait(10)


HOSTILE = [
    ("reserved opcode", 1002, lambda f: f(3)),
    ("reserved control opcode", 1002, lambda f: f(11)),
    ("long ping", 1002, lambda f: f(9, bytes(126))),
    ("fragmented ping", 1002, lambda f: f(9, fin=False)),
    ("RSV", 1002, lambda f: f(1, rsv=4)),
    ("no mask", 1002, lambda f: f(1, b"x", mask=None)),
    ("stray continuation", 1002, lambda f: f(0, b"x")),
    ("message inside a message", 1002, lambda f: f(1, b"x", fin=False) + f(1, b"y")),
    ("UTF-8", 1007, lambda f: f(1, b"\xff")),
    ("cut UTF-8", 1007, lambda f: f(1, b"\xe2\x82")),
    ("length not shortest", 1002, lambda f: bytes.fromhex("82fe000537fa213d")),
    ("length with its top bit", 1002, lambda f: bytes.fromhex("82ffffffffffffffffff")),
    ("too large", 1009, lambda f: fastws.Header(opcode=2, mask=bytes(4), length=(16 << 20) + 1).encode()),
    ("close of one byte", 1002, lambda f: f(8, b"\x03")),
    ("close code 999", 1002, lambda f: f(8, b"\x03\xe7")),
    ("close code 1005", 1002, lambda f: f(8, b"\x03\xed")),
    ("close code 5000", 1002, lambda f: f(8, b"\x13\x88")),
    ("close reason", 1007, lambda f: f(8, b"\x03\xe8\xff")),
    ("no end of empty fragments", 1009, lambda f: f(1, fin=False) + f(0, fin=False) * 2000),
]


@pytest.mark.parametrize(("code", "build"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_survives_and_tells(echo_url, raw, masked_frame, code, build):
    raw.sendall(masked_frame(1, b"before") + build(masked_frame) + b"more" * 1000)
    received = b""
    while not (received.startswith(b"\x81\x06before\x88") and len(received) >= 12):
        part = raw.recv(1000)
        assert part, received
        received += part
    assert int.from_bytes(received[10:12], "big") == code
    raw.shutdown(socket.SHUT_WR)
    while raw.recv(1000):
        pass
    assert_serves(echo_url)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 20000])
def test_survives_bad_requests(echo_url, data):
    address = urllib.parse.urlsplit(echo_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        response = b""
        while part := sock.recv(1000):
            response += part
        assert response[:9] == (b"HTTP/1.1 " if data else b"")
    assert_serves(echo_url)


@pytest.mark.parametrize("with_reset", [True, False])
def test_survives_clients_that_vanish(echo_url, raw, masked_frame, with_reset):
    raw.sendall(masked_frame(2, bytes(1 << 20)) * 4 + masked_frame(1, b"cut")[:5])
    if with_reset:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raw.close()
    assert_serves(echo_url)


def test_a_silent_client_stops_nobody(echo_url, raw):
    assert_serves(echo_url)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly(root, number):
    with echo_server(root, "--port", "0") as server:
        url = server.stdout.readline().split()[-1]
        with connect(url) as client:
            client.send("x")
            assert client.recv(timeout=10) == "x"
        server.send_signal(number)
        try:
            assert server.wait(10) == 0
        finally:
            server.kill()
        assert server.stderr.read() == ""


def echo_server(root, *arguments):
    """Starts the server as a terminal does: what runs in the background has SIGINT ignored, and would never see it."""
    command = [sys.executable, "-X", "dev", str(root / "examples" / "echo.py"), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--port", "65536"), 2), (("--port", "-1"), 2), (("--port", "x"), 2), (("--host", "no.such.host.invalid"), 1),
     (("--host", "a..b"), 1), (("--host", "203.0.113.1"), 1)],
)
def test_says_in_a_line_why_it_cannot_listen(root, arguments, status):
    with echo_server(root, *arguments) as server:
        out, err = server.communicate(timeout=60)
    assert (server.returncode, out) == (status, "")
    assert "Traceback" not in err and len([line for line in err.splitlines() if not line.startswith("usage:")]) == 1


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_listens_on_ipv6(root):
    with echo_server(root, "--host", "::1", "--port", "0") as server:
        url = server.stdout.readline().split()[-1]
        assert url.startswith("ws://[::1]:")
        assert_serves(url)
        server.terminate()
        assert server.wait(10) == 0
