# SPDX-License-Identifier: MIT
"""examples/client.py, against servers of the websockets package and against bytes that none would send."""

import contextlib
import queue
import socket
import subprocess
import threading

import pytest
import websockets.exceptions
import websockets.sync.server

import fastws


@pytest.fixture(scope="module", params=["client.py"])
def client(request, command_of):
    """Runs the client. Returns its exit code and its lines."""

    def run(*arguments):
        done = subprocess.run(
            [*command_of(request.param), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.stderr
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.fixture
def serve():
    """Starts a server that calls a function for each connection. Returns its URL."""
    servers = []

    def start(handler, **options):
        server = websockets.sync.server.serve(handler, "127.0.0.1", 0, **options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/path?query"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def answer():
    """Starts a server that reads a request and sends bytes. Returns its URL."""
    listeners = []

    def start(make):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run():
            sock, _ = listener.accept()
            with sock:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += sock.recv(4096)
                key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
                sock.sendall(make(fastws.accept_key(key).encode()))
                while sock.recv(4096):
                    pass

        threading.Thread(target=run, daemon=True).start()
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.close()


def test_prints_messages_until_the_server_closes(client, serve):
    def handle(connection):
        assert connection.recv(timeout=10) == "Hello"
        assert connection.request.path == "/path?query"
        for message in ("one", "Grüße", b"two", ""):
            connection.send(message)

    assert client("--send", "Hello", serve(handle)) == (0, ["MSG one", "MSG Grüße", "MSG two", "MSG "])


def test_closes_after_the_message_that_ends_it(client, serve):
    codes = queue.SimpleQueue()

    def handle(connection):
        with contextlib.suppress(websockets.exceptions.ConnectionClosedOK):  # it may close before the last is sent
            for message in ("one", "end", "never seen"):
                connection.send(message)
            connection.recv(timeout=20)
        codes.put(connection.close_code)

    assert client("--until", "end", serve(handle)) == (0, ["MSG one", "MSG end"])
    assert codes.get(timeout=20) == 1000


def test_reports_a_close_with_an_error(client, serve):
    code, lines = client(serve(lambda connection: connection.close(1011, "broken")))
    assert code == 1 and lines[0].startswith("ERROR ") and "1011" in lines[0] and "broken" in lines[0]


def test_reports_a_refusal(client, serve):
    url = serve(lambda _: None, process_request=lambda connection, request: connection.respond(403, "no"))
    assert client(url)[0] == 1
    assert "403" in client(url)[1][0]


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def test_keeps_what_comes_with_the_response(client, answer):
    url = answer(lambda accept: SWITCH + accept + b"\r\n\r\n\x81\x05early\x88\x02\x03\xe8")
    assert client(url) == (0, ["MSG early"])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda accept: SWITCH + b"x" + accept[1:] + b"\r\n\r\n", id="accept"),
        pytest.param(
            lambda accept: SWITCH.replace(b"Upgrade: websocket\r\n", b"") + accept + b"\r\n\r\n", id="no upgrade"
        ),
        pytest.param(
            lambda accept: SWITCH.replace(b"Upgrade: websocket", b"Upgrade: h2c") + accept + b"\r\n\r\n", id="h2c"
        ),
        pytest.param(lambda accept: SWITCH + accept + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n", id="protocol"),
        pytest.param(lambda accept: SWITCH + accept + b"\r\nSec-WebSocket-Extensions: x\r\n\r\n", id="extension"),
        pytest.param(lambda accept: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="200"),
        pytest.param(lambda accept: b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(lambda accept: SWITCH + accept + b"\r\n\r\n\x81\x02\xff\xff", id="no UTF-8"),
        pytest.param(lambda accept: SWITCH + accept + b"\r\n\r\n\x81\x85abcdHello", id="masked"),
    ],
)
def test_refuses_what_is_no_good_answer(client, answer, make):
    code, lines = client(answer(make))
    assert code == 1 and len(lines) == 1 and lines[0].startswith("ERROR ")


def test_reports_that_there_is_no_server(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"ws://127.0.0.1:{port}/", "http://127.0.0.1/", "ws://", "ws://127.0.0.1/#fragment"):
        code, lines = client(url)
        assert code == 1 and len(lines) == 1 and lines[0].startswith("ERROR ")
