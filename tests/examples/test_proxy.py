# SPDX-License-Identifier: MIT
"""The proxies of examples/, in front of an echo server of examples/, with the websockets package as their client."""

import contextlib
import socket
import struct
import threading
import urllib.parse

import pytest

REQUEST = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ECHOED = b"\x82\x04abcd"  # FIN binary, 4 bytes
FRAME = b"\x82\x84\0\0\0\0abcd"  # FIN binary, masked with zeroes, 4 bytes


@pytest.fixture(scope="module", params=["proxy", "proxy.py"])
def start_proxy(request, start):
    """Starts a proxy in front of host:port, and returns where it listens."""

    def start_before(upstream):
        return start(request.param, "--upstream", upstream)

    return start_before


@pytest.fixture(scope="module")
def url(start, start_proxy):
    upstream = urllib.parse.urlsplit(start("echo.py")).netloc
    return start_proxy(upstream) + "ws"


@pytest.fixture
def client(url, address):
    with socket.create_connection(address(url), timeout=20) as sock:
        yield sock


@pytest.fixture
def upstream():
    """A listening socket in the place of a WebSocket server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


@pytest.fixture
def tunnel(upstream, start_proxy, address):
    """A client's socket and the server's, with the proxy between them, behind the request."""
    host, port = upstream.getsockname()
    proxied = start_proxy(f"{host}:{port}")
    with socket.create_connection(address(proxied), timeout=20) as near:
        near.sendall(REQUEST % b"/ws")
        far, _ = upstream.accept()
        with far:
            far.settimeout(20)
            assert read(far, len(REQUEST % b"/ws")) == REQUEST % b"/ws"
            yield near, far


def read(sock, count):
    received = b""
    while len(received) < count:
        part = sock.recv(count - len(received))
        assert part, received
        received += part
    return received


def read_to_end(sock):
    received = b""
    while part := sock.recv(65536):
        received += part
    return received


@pytest.mark.parametrize("message", ["text", b"", b"x" * (1 << 20)])
def test_messages_pass_both_ways(url, connect, message):
    with connect(url) as client:
        client.send(message)
        assert client.recv(timeout=60) == message


def test_many_clients_at_once(url, connect):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [client.recv(timeout=20) for client in clients] == [str(number) for number in range(20)]


def test_the_close_handshake_passes_through(url, connect):
    with connect(url) as client:
        client.close(4000, "done")
    assert client.close_code == 4000


def test_a_refusal_of_the_server_passes_through(url, client):
    client.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert read_to_end(client).startswith((b"HTTP/1.1 426 ", b"HTTP/1.1 400 "))


def test_a_frame_sent_with_the_request_is_not_lost(client):
    client.sendall(REQUEST % b"/ws?room=1" + FRAME)
    received = b""
    while not received.endswith(ECHOED):
        part = client.recv(4096)
        assert part, received
        received += part
    assert received.startswith(b"HTTP/1.1 101 ")


def test_a_request_that_comes_byte_by_byte_is_served(client):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in REQUEST % b"/ws":
        client.sendall(bytes([byte]))
    assert read(client, 13) == b"HTTP/1.1 101 "


@pytest.mark.parametrize("target", [b"/", b"/wsx", b"/w", b"/ws/", b"/other?/ws"])
def test_requests_for_other_targets_are_not_found(client, target):
    client.sendall(REQUEST % target)
    assert read_to_end(client).startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize("head", [b"GET /ws", b"GET  /ws HTTP/1.1", b"GET /ws HTTP/1.1\r\nno colon"])
def test_malformed_requests_are_refused(client, head):
    client.sendall(head + b"\r\n\r\n")
    assert read_to_end(client).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_head_that_is_too_large_is_refused(client):
    client.sendall(b"GET /ws HTTP/1.1\r\nA: " + b"a" * 20000)
    assert read_to_end(client).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_a_server_that_is_not_there_is_a_bad_gateway(start_proxy, address):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else gets this port meanwhile
        url = start_proxy(f"127.0.0.1:{sock.getsockname()[1]}")
        with socket.create_connection(address(url), timeout=20) as client:
            client.sendall(REQUEST % b"/ws")
            assert read_to_end(client).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


def test_the_end_of_either_side_is_passed_on_and_the_other_way_stays_open(tunnel):
    near, far = tunnel
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.sendall(b"last words")
    far.shutdown(socket.SHUT_WR)
    assert read_to_end(near) == b"last words"


@pytest.mark.parametrize("side", [0, 1])
def test_a_reset_of_one_side_ends_the_other(tunnel, side):
    tunnel[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tunnel[side].close()
    try:
        assert tunnel[1 - side].recv(1) == b""
    except ConnectionResetError:
        pass


def test_a_client_that_does_not_read_does_not_stop_what_it_sends(tunnel):
    near, far = tunnel
    flood = b"f" * (8 << 20)
    flooding = threading.Thread(target=far.sendall, args=(flood,))
    flooding.start()  # more than the buffers of four sockets and the proxy hold
    for _ in range(100):
        near.sendall(b"ping")
        assert read(far, 4) == b"ping"
    assert len(read(near, len(flood))) == len(flood)
    flooding.join(20)
    assert not flooding.is_alive()
