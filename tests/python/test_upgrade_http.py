# SPDX-License-Identifier: MIT
"""upgrade_http: the handshake inside http.server, whose rfile has read ahead."""

import http.server
import io
import socket
import threading
import time

import pytest

import fastws
from fastws import Upgrader, upgrade_http

REQUEST = (
    b"GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-One: 1\r\n"
    b"X-One: \xe4\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)


class Served:
    """What a handler saw, and the exception that it met."""

    def __init__(self):
        self.handshakes, self.errors, self.states = [], [], []
        self.failed = threading.Event()


@pytest.fixture
def serve():
    """Starts an http.server that echoes. Returns its address and what is seen."""
    started = []

    def start(*, attributes=None, **options):
        served = Served()
        upgrader = Upgrader(**options)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/plain":
                    self.send_response(200)
                    self.send_header("Content-Length", "5")
                    self.end_headers()
                    self.wfile.write(b"plain")
                    return
                try:
                    with upgrader.upgrade_http(self) as stream:
                        served.handshakes.append(stream.handshake)
                        served.states.append((self.close_connection, self.connection.gettimeout()))
                        for message in stream:
                            stream.send(message)
                except (fastws.Error, ZeroDivisionError) as error:
                    served.errors.append(error)
                    served.states.append((self.close_connection, None))
                    served.failed.set()

            do_POST = do_GET

            def log_message(self, *_):
                pass

        for name, value in (attributes or {}).items():
            setattr(Handler, name, value)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server.server_address, served

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def exchange(address, *pieces, delay=0.0):
    """Sends pieces, and returns all that comes back until the other end closes."""
    with socket.create_connection(address, timeout=20) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(delay)
        received = b""
        while part := sock.recv(65536):
            received += part
        return received


def closing(masked_frame):
    return masked_frame(8, b"\x03\xe8")


CLOSED = b"\x88\x02\x03\xe8"


def test_upgrades_and_keeps_what_rfile_has_read(serve, masked_frame):
    address, served = serve(protocol=["chat"])
    frames = masked_frame(1, b"early") + masked_frame(2, bytes(70000)) + masked_frame(1, b"late")
    received = exchange(address, REQUEST + frames + closing(masked_frame))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert rest.startswith(b"\x81\x05early\x82\x7f") and rest.endswith(b"\x81\x04late" + CLOSED)
    assert len(rest) == 7 + 10 + 70000 + 6 + 4
    headers = (("X-One", "1"), ("X-One", "\xe4"))
    assert served.handshakes == [("/chat?a=b", "server.example.com", "chat", headers, ())]
    assert served.states == [(True, None)] and served.errors == []


@pytest.mark.parametrize("cut", [1, 4, len(REQUEST) - 1, len(REQUEST), len(REQUEST) + 1, len(REQUEST) + 6])
def test_it_does_not_matter_how_the_bytes_arrive(serve, masked_frame, cut):
    address, _ = serve()
    data = REQUEST + masked_frame(1, b"hello") + closing(masked_frame)
    received = exchange(address, data[:cut], data[cut:], delay=0.05)
    assert received.endswith(b"\r\n\r\n\x81\x05hello" + CLOSED)


def test_does_not_wait_for_a_first_frame(serve):
    address, served = serve()
    with socket.create_connection(address, timeout=20) as sock:
        sock.sendall(REQUEST)
        assert sock.recv(1000).endswith(b"\r\n\r\n")


def test_a_connection_that_was_kept_alive_is_upgraded(serve, masked_frame):
    address, _ = serve()
    plain = b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"
    received = exchange(address, plain + plain + REQUEST + masked_frame(1, b"hello") + closing(masked_frame))
    assert received.count(b"HTTP/1.1 200 ") == 2 and received.endswith(b"\x81\x05hello" + CLOSED)


def test_without_a_buffer_nothing_is_read_ahead(serve, masked_frame):
    address, _ = serve(attributes={"rbufsize": 0})
    received = exchange(address, REQUEST + masked_frame(1, b"hello") + closing(masked_frame))
    assert received.endswith(b"\x81\x05hello" + CLOSED)


def test_what_the_handler_has_written_goes_first(serve, masked_frame):
    address, _ = serve(attributes={"wbufsize": -1, "setup": buffered_setup})
    received = exchange(address, REQUEST + closing(masked_frame))
    assert received.startswith(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 ") and received.endswith(CLOSED)


def buffered_setup(self):
    http.server.BaseHTTPRequestHandler.setup(self)
    self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def test_the_timeout_of_requests_is_not_that_of_the_stream(serve, masked_frame):
    address, served = serve(attributes={"timeout": 0.2})
    received = exchange(address, REQUEST, b"", closing(masked_frame), delay=0.3)
    assert received.endswith(CLOSED) and served.states == [(True, None)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(b"GET", b"POST", 405), (b"HTTP/1.1", b"HTTP/1.0", 505), (b"Host: server.example.com\r\n", b"", 400),
     (b"Version: 13", b"Version: 8", 426), (b"Upgrade: websocket", b"Upgrade: h2c", 400),
     (b"X-One: 1", b"X-One : 1", 400), (b"X-One: 1", b"X-One", 400), (b"X-One: 1", b"X-One: 1\r\n 2", 400),
     (b"X-One: 1", b"Host: other", 400), (b"X-One: 1", b"X-One: \0", 400), (b"X-One: 1", b"X-One: a\rb", 400),
     (b"X-One: 1", b"Content-Length: 5", 400), (b"X-One: 1", b"Transfer-Encoding: chunked", 400)],
)
def test_refuses_what_an_upgrade_refuses(serve, old, new, code):
    address, served = serve()
    assert old in REQUEST
    received = exchange(address, REQUEST.replace(old, new, 1))
    assert received.startswith(b"HTTP/1.1 %d " % code) and b"\r\nConnection: close" in received
    assert served.failed.wait(20)
    assert [error.status for error in served.errors] == [code] and served.states == [(True, None)]


def test_callbacks_refuse(serve):
    def on_header(name, value):
        raise fastws.Reject(401, "who?", headers={"WWW-Authenticate": "Basic"})

    address, served = serve(on_header=on_header, header={"Server": "x"})
    received = exchange(address, REQUEST)
    assert received.startswith(b"HTTP/1.1 401 ") and received.endswith(b"who?")
    assert b"WWW-Authenticate: Basic\r\n" in received and b"Server: x\r\n" in received
    assert served.failed.wait(20) and type(served.errors[0]) is fastws.Reject


def test_callbacks_that_fail_are_500(serve):
    address, served = serve(on_before_upgrade=lambda: 1 / 0)
    assert exchange(address, REQUEST).startswith(b"HTTP/1.1 500 ")
    assert served.failed.wait(20) and type(served.errors[0]) is ZeroDivisionError


def test_a_client_that_has_left_is_an_os_error(sockets):
    ours, theirs = sockets
    theirs.close()
    with pytest.raises(OSError):
        upgrade_http(made_handler(ours, io.BytesIO()))


def made_handler(sock, rfile, **changes):
    """A handler as http.server has it when it calls do_GET()."""
    import email.message

    handler = http.server.BaseHTTPRequestHandler.__new__(http.server.BaseHTTPRequestHandler)
    handler.connection, handler.rfile, handler.wfile = sock, rfile, io.BytesIO()
    handler.command, handler.path, handler.request_version = "GET", "/", "HTTP/1.1"
    handler.headers = email.message.Message()
    for line in REQUEST.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(": ")
        handler.headers[name] = value
    handler.close_connection = False
    vars(handler).update(changes)
    return handler


def test_the_function_takes_the_options_of_an_upgrader(sockets, masked_frame):
    ours, theirs = sockets
    rfile = io.BufferedReader(ours.makefile("rb", buffering=0))
    theirs.sendall(b"line\r\n" + masked_frame(1, b"early"))
    assert rfile.readline() == b"line\r\n"
    handler = made_handler(ours, rfile)
    stream = upgrade_http(handler, protocol="chat", max_size=4, header={"X-Two": "2"})
    assert handler.close_connection is True and stream.handshake.protocol == "chat"
    assert b"X-Two: 2\r\n" in theirs.recv(1000)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.code == 1009
    for options, error in (({"bogus": 1}, TypeError), ({"timeout": 0}, ValueError)):
        with pytest.raises(error):
            upgrade_http(made_handler(ours, rfile), **options)
