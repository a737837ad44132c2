# SPDX-License-Identifier: MIT
"""Compressed messages with the `websockets` package in both roles, and with the C implementation, by every setting."""

import itertools
import os
import pathlib
import socket
import subprocess
import threading

import pytest
import websockets.sync.client
import websockets.sync.server
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

import fastws
from fastws import Connection, Deflate, Dial, Dialer, Upgrade, Upgrader

PRICE = '{"price": 1234}'
MESSAGES = ["", "x", PRICE * 10, PRICE * 500, bytes(range(256)) * 300, PRICE, "Grüße 😀" * 2000, PRICE * 500, b"", PRICE]
OURS = [
    Deflate(),
    Deflate("takeover", window_bits=8),
    Deflate("takeover", window_bits=9, peer_window_bits=9),
    Deflate("takeover", window_bits=15, memory_level=9, level=9),
    Deflate("takeover", peer_takeover=False, level=6, threshold=0),
    Deflate("takeover", offer_window_bits=False),
    Deflate("tail"),
    Deflate("tail", window_bits=8, level=6, tail_size=256),
    Deflate("tail", peer_takeover=True, peer_window_bits=10, tail_size=32768),
    Deflate("no_takeover"),
    Deflate("no_takeover", window_bits=9, peer_window_bits=11, level=0),
    Deflate("no_takeover", peer_takeover=True, strategy=2, memory_level=1),
    Deflate("no_takeover", skip_binary=True, strategy=4, require_peer_window_bits=True),
]
BITS = [(None, None), (9, 12), (15, 8), (12, None)]
THEIRS = [(*keeps, *bits) for keeps in itertools.product((False, True), repeat=2) for bits in BITS]
NAMES = ("server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits")
DEFLATE_PEER = [pathlib.Path(folder) / "tests" / "deflate_peer" for folder in
                [os.path.dirname(os.environ.get("FASTWS_EXAMPLES", "")), pathlib.Path(__file__).parents[2] / "build"]]


def converse(ours, theirs):
    """Both ends, after their handshake, send each other messages whole and in fragments."""
    for number, message in enumerate(MESSAGES):
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        ours.send(message, compress=[None, True, False][number % 3])
        theirs.receive_data(ours.data_to_send())
        frame = theirs.events_received()[-1]  # behind pongs
        data = message.encode() if isinstance(message, str) else message
        assert (frame.opcode, frame.fin, frame.data, frame.rsv1) == (opcode, True, data, False)
        send = theirs.send_text if isinstance(message, str) else theirs.send_binary
        half = len(data) // 2
        if number % 2:
            send(data)
        else:
            send(data[:half], fin=False)
            theirs.send_ping(b"between")
            theirs.send_continuation(data[half:], fin=True)
        *_, event = ours.receive(b"".join(theirs.data_to_send()))
        assert event == (opcode, message) and event.compressed
    ours.begin(compress=True)
    ours.write("frag")
    ours.flush_fragment()
    ours.write("mented")
    ours.finish()
    theirs.receive_data(ours.data_to_send())
    assert b"".join(frame.data for frame in theirs.events_received()[-2:]) == b"fragmented"


def accept(ours, theirs):
    """A handshake with their client. Returns what was agreed on, and the client; None where an offer was declined."""
    settings = dict(zip(NAMES, theirs, strict=True))
    # It cannot compress in a window of 256 bytes, for zlib cannot.
    settings["client_max_window_bits"] = {None: True, 8: 9}.get(settings["client_max_window_bits"], 12)
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=[ClientPerMessageDeflateFactory(**settings)],
                            max_size=None)
    client.send_request(client.connect())
    upgrade = Upgrade(compression=ours)
    assert upgrade.feed(b"".join(client.data_to_send())) == b""
    client.receive_data(upgrade.response)
    client.events_received()
    assert client.handshake_exc is None
    return upgrade.compression, client


@pytest.mark.parametrize("ours", OURS, ids=range(len(OURS)))
def test_server_with_websockets(ours):
    for theirs in THEIRS:
        compression, client = accept(ours, theirs)
        agreed = client.extensions[0]
        assert agreed.remote_no_context_takeover >= theirs[0] and agreed.local_no_context_takeover >= theirs[1]
        assert agreed.remote_max_window_bits <= (theirs[2] or 15)
        converse(Connection("server", compression=compression), client)


def dial(ours, theirs):
    """A handshake with their server. Returns ours, and the server."""
    server = ServerProtocol(extensions=[ServerPerMessageDeflateFactory(**dict(zip(NAMES, theirs, strict=True)))],
                            max_size=None)
    dial = Dial("ws://localhost/", compression=ours)
    server.receive_data(dial.request)
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    assert dial.feed(b"".join(server.data_to_send())) == b""
    return dial, server


@pytest.mark.parametrize("ours", OURS, ids=range(len(OURS)))
def test_client_with_websockets(ours):
    for theirs in THEIRS:
        handshake, server = dial(ours, theirs)
        assert handshake.handshake.extensions[0].startswith("permessage-deflate")
        assert handshake.compression.parameters.server_no_context_takeover >= theirs[0]
        converse(Connection("client", compression=handshake.compression), server)


def test_upgrader_and_dialer_over_sockets():
    """As most people use both: one argument, which websockets gives by itself."""

    def echo(connection):
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        with Dialer(compression="deflate", max_size=None).dial(url) as stream:
            assert stream.compression.parameters.client_max_window_bits == 12
            for message in MESSAGES:
                stream.send(message)
                assert stream.recv(timeout=20) == message
            assert 0 < stream.compression_held < 100000
        server.shutdown()
        thread.join(20)


def test_upgrader_for_their_client(in_thread):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        sock, _ = listener.accept()
        with sock, Upgrader(compression="deflate", max_size=None).upgrade(sock) as stream:
            for message in stream:
                stream.send(message)
            return stream.compression

    finish = in_thread(serve)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    with listener, websockets.sync.client.connect(url, max_size=None) as client:
        assert [extension.name for extension in client.protocol.extensions] == ["permessage-deflate"]
        for message in MESSAGES:
            client.send(message)
            assert client.recv(timeout=20) == message
    assert finish().parameters.server_max_window_bits == 12


# ---- The C implementation ----


def c_settings(ours):
    mode = ["takeover", "tail", "no_takeover"].index(ours.mode) + 1
    return [f"mode={mode}", f"is_peer_takeover={ours.peer_takeover:d}", f"window_bits={ours.window_bits}",
            f"peer_window_bits={ours.peer_window_bits}", f"is_any_bits_offered={ours.offer_window_bits:d}",
            f"level={ours.level}", f"memory_level={ours.memory_level}", f"strategy={ours.strategy}"]


@pytest.fixture(scope="module")
def deflate_peer():
    for path in DEFLATE_PEER:
        if path.exists():
            return path
    return pytest.skip("deflate_peer is not built")


@pytest.mark.parametrize("theirs", OURS, ids=range(len(OURS)))
def test_client_with_a_server_in_c(deflate_peer, theirs):
    command = [str(deflate_peer), "server", *c_settings(theirs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"ws://127.0.0.1:{int(server.stdout.readline())}/"
            for ours in OURS[::3]:
                with Dialer(compression=ours, max_size=None).dial(url) as stream:
                    for message in MESSAGES:
                        stream.send(message)
                        assert stream.recv(timeout=20) == message
                told = server.stdout.readline().strip()
                assert told == (stream.compression.parameters.format() if stream.compression else "")
        finally:
            server.kill()


@pytest.mark.parametrize("ours", OURS, ids=range(len(OURS)))
def test_server_with_a_client_in_c(deflate_peer, in_thread, ours):
    upgrader = Upgrader(compression=ours, max_size=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for theirs in OURS[::3]:

            def serve():
                sock, _ = listener.accept()
                sock.settimeout(20)
                with sock:
                    stream = upgrader.upgrade(sock)
                    try:
                        while True:
                            stream.send(stream.recv())
                    except fastws.ConnectionClosedOK:
                        return stream.compression

            finish = in_thread(serve)
            command = [str(deflate_peer), f"ws://127.0.0.1:{listener.getsockname()[1]}/", *c_settings(theirs)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            agreed = finish()
            assert done.stdout.strip() == (agreed.parameters.format() if agreed else "")
