# SPDX-License-Identifier: MIT
"""Both roles against the `websockets` package, over sockets and without I/O."""

import base64
import os
import socket
import threading

import pytest
import websockets.sync.client
import websockets.sync.server
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

import fastws
from fastws import Connection, Stream, Upgrader

MESSAGES = ["", "ascii", "Grüße 😀", b"", b"\x00\xff", b"x" * 125, b"x" * 126, "y" * 65535, "z" * 65536, bytes(1 << 20)]


@pytest.fixture
def our_server():
    """An echo server of ours, with subprotocols. Its URL."""
    upgrader = Upgrader(protocol=["superchat"], header={"X-Test": "yes"})

    def serve(sock):
        with sock:
            try:
                with upgrader.upgrade(sock) as stream:
                    for message in stream:
                        stream.send(message)
            except (fastws.Error, OSError):
                pass

    def accept():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/path?query"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def their_server():
    """An echo server of theirs: its address."""

    def echo(connection):
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()
        server.shutdown()


def dial(address):
    """The client's handshake, by hand: the library has none yet."""
    sock = socket.create_connection(address, timeout=20)
    nonce = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET / HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    response = b""
    while b"\r\n\r\n" not in response:
        response += sock.recv(4096)
    head, _, rest = response.partition(b"\r\n\r\n")
    assert fastws.accept_key(nonce).encode() in head
    return sock, rest


def test_our_stream_serves_their_client(our_server):
    with websockets.sync.client.connect(our_server, subprotocols=["chat", "superchat"], max_size=None) as client:
        assert client.subprotocol == "superchat" and client.response.headers["X-Test"] == "yes"
        for message in MESSAGES:
            client.send(message)
            assert client.recv() == message
        client.send(["frag", "men", "ted"])
        assert client.recv() == "fragmented"
        assert client.ping().wait(10)
    assert (client.close_code, client.close_reason) == (1000, "")


def test_our_stream_meets_their_close(our_server):
    with websockets.sync.client.connect(our_server) as client:
        client.close(4000, "reason")
    assert client.close_code == 4000


def test_our_stream_as_client_of_their_server(their_server):
    sock, rest = dial(their_server)
    with sock, Stream(sock, "client", rest, max_size=None) as client:
        for message in MESSAGES:
            client.send(message)
            assert client.recv() == message
        client.ping(b"x")
        assert client.read_message() == (10, b"x")
        client.close(1001, "going")
        assert client.close_code == 1001


def test_our_connection_as_client_of_their_server(their_server):
    sock, rest = dial(their_server)
    client = Connection("client", max_size=None)
    with sock:
        events = client.receive(rest)
        for message in MESSAGES:
            client.send(message)
            sock.sendall(client.data_to_send())
            while not events:
                events = client.receive(sock.recv(65536))
            assert events.pop().data == message
        client.close()
        sock.sendall(client.data_to_send())
        while client.state != "CLOSED":
            events += client.receive(sock.recv(65536))
        assert events == [fastws.Close((1000, ""))] and client.close_expected()
        assert sock.recv(100) == b""


def opened(cls, *arguments):
    """A protocol of theirs, as it is after the handshake."""
    from websockets.protocol import State

    return cls(*arguments, state=State.OPEN, max_size=None)


@pytest.mark.parametrize("size", [1, 1000, 1 << 21])
def test_our_connection_and_their_protocol(size):
    uri = parse_uri("ws://localhost/")
    for ours, theirs in [
        (Connection("server"), opened(ClientProtocol, uri)),
        (Connection("client"), opened(ServerProtocol)),
    ]:
        for message in MESSAGES if size > 1 else MESSAGES[:5]:
            send = theirs.send_text if isinstance(message, str) else theirs.send_binary
            send(message.encode() if isinstance(message, str) else message)
            data = b"".join(theirs.data_to_send())
            (event,) = [event for i in range(0, len(data), size) for event in ours.receive(data[i : i + size])]
            assert event.data == message
            ours.send(message)
            data = ours.data_to_send()
            for i in range(0, len(data), size):
                theirs.receive_data(data[i : i + size])
            (frame,) = theirs.events_received()
            assert frame.opcode is (Opcode.TEXT if isinstance(message, str) else Opcode.BINARY)
            assert frame.data == (message.encode() if isinstance(message, str) else message)
        theirs.send_ping(b"p")
        ours.ping("q")
        ours.receive(b"".join(theirs.data_to_send()))
        theirs.receive_data(ours.data_to_send())
        assert [frame.opcode for frame in theirs.events_received()] == [Opcode.PING, Opcode.PONG]
        assert ours.receive(b"".join(theirs.data_to_send())) == [fastws.Pong((b"q",))]
        ours.close(4999, "end")
        theirs.receive_data(ours.data_to_send())
        theirs.receive_eof()
        assert theirs.close_code == 4999
        assert ours.receive(b"".join(part for part in theirs.data_to_send() if part))[0].code == 4999
