# SPDX-License-Identifier: MIT
"""The servers of examples/ that are about the handshake, each with the websockets package as its client."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
import websockets.exceptions
import websockets.sync.client

ROOT = pathlib.Path(__file__).resolve().parents[2]
REQUEST = (
    b"GET /chat?a=b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# Text "hi" and a close frame with 1000, masked with zeros.
FRAMES = b"\x81\x82\0\0\0\0hi" + b"\x88\x82\0\0\0\0\x03\xe8"
ANSWERS = b"\x81\x02hi" + b"\x88\x02\x03\xe8"


def started(start, name):
    """The URL of a server; a program that was not built for want of a library is skipped."""
    folder = pathlib.Path(os.environ.get("FASTWS_EXAMPLES") or ROOT / "build" / "examples")
    if name in ("echo_http", "echo_http_stream") and (folder / "echo").exists() and not (folder / name).exists():
        pytest.skip(f"examples/{name} was not built: libmicrohttpd is missing (libmicrohttpd-dev)")
    return start(name)


@pytest.fixture(scope="module", params=["echo_http", "echo_http_stream", "echo_http.py", "echo_http_stream.py"])
def http_url(start, request):
    return started(start, request.param)


def exchange(address, *pieces):
    """Sends pieces, and returns all that comes back until the other end closes."""
    with socket.create_connection(address, timeout=20) as sock:
        for i, piece in enumerate(pieces):
            time.sleep(0.05 if i else 0)
            sock.sendall(piece)
        received = b""
        while part := sock.recv(65536):
            received += part
        return received


# ---- Inside an HTTP server ----


@pytest.mark.parametrize("message", ["text", "Grüße", b"binary", "", b"", "y" * 65536, b"x" * (1 << 20)])
def test_echoes_inside_an_http_server(http_url, connect, message):
    with connect(http_url + "path?query") as client:
        client.send(message)
        assert client.recv(timeout=20) == message
        client.send([message, message])
        assert client.recv(timeout=20) == message * 2
        client.close(4000)
    assert client.close_code == 4000


@pytest.mark.parametrize("cut", [0, 5, len(REQUEST) - 1, len(REQUEST), len(REQUEST) + 1, len(REQUEST) + 9])
def test_frames_that_come_with_the_request_are_kept(http_url, address, cut):
    data = REQUEST + FRAMES
    received = exchange(address(http_url), data[:cut], data[cut:])
    assert received.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in received
    assert received.endswith(b"\r\n\r\n" + ANSWERS)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(b"Version: 13", b"Version: 8", 426), (b"Upgrade: websocket\r\n", b"", 400), (b"Key: dGhl", b"Key: ", 400),
     (b"Connection: Upgrade", b"Connection: close", 400), (b"Sec-WebSocket-Key", b"X", 400)],
)
def test_what_is_no_handshake_has_its_answer(http_url, address, old, new, code):
    received = exchange(address(http_url), REQUEST.replace(old, new))
    assert received.startswith(b"HTTP/1.1 %d " % code) and b"\r\nConnection: close" in received
    assert (b"Sec-WebSocket-Version: 13\r\n" in received) == (code == 426)


def test_other_methods_and_versions_are_refused(http_url, address):
    received = exchange(address(http_url), REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert re.match(rb"HTTP/1\.[01] 505 ", received)
    received = exchange(address(http_url), REQUEST.replace(b"GET", b"POST"))
    assert re.match(rb"HTTP/1.1 (405|501) ", received)


# ---- Callbacks ----


@pytest.fixture
def with_errors(command_of):
    """Starts a server, and returns its URL and what it writes to standard error."""
    servers = []

    def start_server(name):
        server = subprocess.Popen(
            [*command_of(name), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        servers.append(server)
        return server.stdout.readline().split()[-1], server.stderr

    yield start_server
    for server in servers:
        with server:
            server.terminate()
            assert server.wait(10) == 0


@pytest.mark.parametrize("name", ["upgrade_headers", "upgrade_headers.py"])
def test_headers_are_shown_while_they_are_read(with_errors, connect, name):
    url, errors = with_errors(name)
    with connect(url, additional_headers={"X-One": "1"}, origin="http://a.example", user_agent_header=None) as client:
        client.send("x")
        assert client.recv(timeout=10) == "x"
    lines = [errors.readline().strip().replace("b'", '"').replace("'", '"') for _ in range(2)]
    assert sorted(lines) == [
        'non-websocket header: "Origin"="http://a.example"', 'non-websocket header: "X-One"="1"'
    ]


@pytest.fixture(scope="module", params=["upgrade_checks", "upgrade_checks.py"])
def checks_url(start, request):
    return start(request.param)


def open_as(url, host, **headers):
    """A client that says which host it wants: websockets takes it from the URL, so that the socket is made here."""
    sock = socket.create_connection(url.split("/")[2].split(":"), timeout=20)
    return websockets.sync.client.connect(f"ws://{host}/", sock=sock, additional_headers=headers, compression=None)


@pytest.mark.parametrize("cookies", [{}, {"Cookie": "a=b; c=d"}, {"Cookie": 'session="x"'}])
def test_the_right_host_and_cookies_are_accepted(checks_url, cookies):
    with open_as(checks_url, "github.com", **cookies) as client:
        (name,) = [name for name in client.response.headers if name.lower() in ("x-fastws-version", "x-python-version")]
        assert re.fullmatch(r"\d+\.\d+\.\d+\S*", client.response.headers[name])
        client.send("x")
        assert client.recv(timeout=10) == "x"


def test_another_host_is_refused(checks_url):
    with pytest.raises(websockets.exceptions.InvalidStatus) as info:
        open_as(checks_url, "gitlab.com")
    assert info.value.response.status_code == 403
    assert info.value.response.headers["X-Want-Host"] == "github.com"


@pytest.mark.parametrize("cookies", ["=b", 'a="b', "a=b; c d=e", "a=b\\c"])
def test_bad_cookies_are_refused(checks_url, cookies):
    with pytest.raises(websockets.exceptions.InvalidStatus) as info:
        open_as(checks_url, "github.com", Cookie=cookies)
    assert (info.value.response.status_code, info.value.response.body) == (400, b"bad cookie")


# ---- Behind nginx ----


@pytest.fixture(scope="module", params=["echo", "echo.py", "echo_http.py"])
def behind_nginx(start, request, tmp_path_factory):
    """The URL of nginx, as examples/nginx.conf has it, in front of a server."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        pytest.skip("nginx is missing (nginx)")
    backend = start(request.param)
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = (ROOT / "examples" / "nginx.conf").read_text()
    assert "127.0.0.1:8080" in config and "127.0.0.1:9001" in config
    config = config.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("127.0.0.1:9001", backend.split("/")[2])
    (folder / "nginx.conf").write_text(config)
    command = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            wait_for(port, server)
            yield f"ws://127.0.0.1:{port}/"
            assert server.poll() is None
        finally:
            server.terminate()
            server.wait(10)


def wait_for(port, server):
    for _ in range(200):
        assert server.poll() is None, "nginx has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nginx does not listen")


@pytest.mark.parametrize("message", ["", "Grüße", b"\0" * 65537, "y" * (1 << 20)])
def test_echoes_behind_nginx(behind_nginx, connect, message):
    with connect(behind_nginx) as client:
        client.send(message)
        assert client.recv(timeout=20) == message
        assert client.ping().wait(10)
        client.close(4000)
    assert client.close_code == 4000


def test_refusals_pass_nginx(behind_nginx, address):
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for headers, code in (({**handshake, "Sec-WebSocket-Version": "8"}, 426), (handshake, 400), ({}, 400)):
        connection = http.client.HTTPConnection(*address(behind_nginx), timeout=20)
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()
        assert response.status == code and response.read()
        assert response.getheader("Sec-WebSocket-Version") == ("13" if code == 426 else None)
        connection.close()


def test_what_comes_with_the_request_passes_nginx(behind_nginx, address):
    """nginx reads it with the request, and sends it on."""
    received = exchange(address(behind_nginx), REQUEST, FRAMES)
    assert received.startswith(b"HTTP/1.1 101 ") and received.endswith(b"\r\n\r\n" + ANSWERS)
