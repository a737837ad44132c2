# SPDX-License-Identifier: MIT
"""Compressed messages through streams: files over them, raw frames beside them, other extensions, both handshakes."""

import http.server
import json
import os
import shutil
import socket
import threading
import zlib

import pytest

import fastws
from fastws import Deflate, Dialer, Frame, Header, OpCode, Reader, Stream, Upgrader, Writer
from fastws.deflate import Codec, MessageState, Parameters

RSV1 = fastws.Rsv.RSV1
TEXT = '{"symbol": "ETH-USD", "price": 1234.5, "side": "buy"} ' * 4


@pytest.fixture
def pair(sockets):
    """A server and a client that have agreed on compression."""
    return tuple(Stream(sock, role, compression="deflate") for sock, role in zip(sockets, ("server", "client")))


def squeeze(data):
    deflater = zlib.compressobj(9, wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frames_of(wire):
    frames = []
    while wire:
        header = Header.parse(wire)
        payload = wire[header.size : header.size + header.length]
        frames.append((header, fastws.masked(payload, header.mask) if header.mask else payload))
        wire = wire[header.size + header.length :]
    return frames


# ---- Messages ----


def test_messages_cross_in_both_directions(pair):
    server, client = pair
    for message in (TEXT, TEXT.encode(), "x", b"", TEXT * 500, os.urandom(200)):
        for sender, receiver in (pair, pair[::-1]):
            sender.send(message)
            assert receiver.recv(timeout=20) == message
    client.write_message(OpCode.BINARY, TEXT, compress=False)
    assert server.read_data() == (2, TEXT.encode())
    server.send(fastws.PreparedMessage(TEXT))
    assert client.read_text() == TEXT
    assert server.compression_held > 0 and client.compression.mode == "takeover"


def test_a_call_chooses_for_one_message(Scripted):
    stream = Stream(Scripted(), compression="deflate")
    for send in (lambda **options: stream.send("x" * 100, **options),
                 lambda **options: stream.write_message(1, "x" * 100, **options)):
        for compress, wanted in ((None, RSV1), (True, RSV1), (False, 0)):
            send(compress=compress)
            ((header, _),) = frames_of(stream.io.written.pop())
            assert header.rsv == wanted
    with pytest.raises(ValueError, match="PreparedMessage"):
        stream.send(fastws.PreparedMessage("x"), compress=True)
    stream.send(fastws.PreparedMessage("x"))
    assert stream.io.written == [b"\x81\x01x"]


def test_large_messages_leave_in_one_piece(pair, in_thread):
    server, client = pair
    large = [os.urandom(300_000), TEXT * 5000, fastws.PreparedMessage(TEXT * 5000)]
    for message in large:
        for sender, receiver in (pair, pair[::-1]):
            finish = in_thread(sender.send, message)
            wanted = message.data if isinstance(message, fastws.PreparedMessage) else message
            assert receiver.recv(timeout=20) == wanted
            finish()


def test_threads_send_and_receive_at_once(pair, in_thread):
    server, client = pair
    count = 60

    def send(stream, size):
        for i in range(count):
            stream.send(TEXT * size + str(i))

    senders = [in_thread(send, stream, size) for stream in pair for size in (1, 400)]

    def receive(stream):
        small, large = [], []
        while len(small) + len(large) < 2 * count:
            message = stream.recv(timeout=20)
            (small if len(message) < 1000 else large).append(message)
        return small, large

    receivers = [in_thread(receive, stream) for stream in pair]
    for finish in senders:
        finish(60)
    for finish in receivers:
        small, large = finish(60)
        assert small == [TEXT + str(i) for i in range(count)] and large == [TEXT * 400 + str(i) for i in range(count)]


def test_many_sends_leave_in_one_write(Scripted):
    stream = Stream(Scripted(), compression="deflate")
    with stream.cork():
        for i in range(5):
            stream.send(TEXT + str(i))
        assert stream.io.written == []
    assert len(stream.io.written) == 1
    codec = Codec("deflate", "client")
    texts = [codec.decompress_frame(Frame(frame)).payload.decode() for frame in frames_of(stream.io.written[0])]
    assert texts == [TEXT + str(i) for i in range(5)]


# ---- Files ----


def test_a_reader_reads_messages_as_they_arrive(Scripted, masked_frame):
    payload = squeeze(TEXT.encode() * 50)
    wire = masked_frame(1, payload[:50], fin=False, rsv=RSV1) + masked_frame(9, b"p") + masked_frame(0, payload[50:])
    for pieces in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        seen = []
        stream = Stream(Scripted(*pieces), compression="deflate")
        reader = Reader(stream, on_intermediate=lambda header, data: seen.append(data),
                        on_continuation=lambda header, _: seen.append(header))
        header = reader.next_frame()
        # The frame as it is on the wire: what it inflates to is longer.
        assert header == Header(False, RSV1, 1, None, 50)
        assert reader.read() == TEXT.encode() * 50 and reader.read() == b""
        assert seen == [b"p", Header(True, 0, 0, None, len(payload) - 50)]


def test_a_reader_holds_no_more_than_what_is_read(Scripted, masked_frame):
    """A message that is larger than memory may be read, if the limits let it."""
    payload = squeeze(bytes(30 << 20))
    stream = Stream(Scripted(masked_frame(2, payload, rsv=RSV1)), compression="deflate", max_size=None)
    reader, total = Reader(stream), 0
    reader.next_frame()
    while part := reader.read(1 << 20):
        assert len(part) <= 1 << 17
        total += len(part)
    assert total == 30 << 20


def test_what_is_left_of_a_message_is_dropped_with_its_context_kept(pair):
    server, client = pair
    for _ in range(3):
        client.send(TEXT * 200)
        client.send(TEXT)
        reader = Reader(server)
        reader.next_frame()
        assert reader.read(10) == TEXT[:10].encode()
        reader.discard()
        assert server.recv(timeout=20) == TEXT


def test_a_callback_reads_one_frame_of_a_compressed_message(Scripted, masked_frame):
    deflater = zlib.compressobj(9, wbits=-15)
    parts = [deflater.compress(word) + deflater.flush(zlib.Z_SYNC_FLUSH) for word in (b"first", b"second", b"third")]
    parts[-1] = parts[-1][:-4]
    wire = b"".join(masked_frame(0 if i else 2, part, fin=i == 2, rsv=0 if i else RSV1)
                    for i, part in enumerate(parts))
    seen = []
    reader = Reader(Stream(Scripted(wire), compression="deflate"),
                    on_continuation=lambda header, own: seen.append(own.read()))
    reader.next_frame()
    assert reader.read() == b"first" and seen == [b"second", b"third"]


@pytest.mark.parametrize("buffer_size", [None, 16, 4096])
def test_a_writer_writes_compressed_fragments(Scripted, buffer_size):
    stream = Stream(Scripted(), compression="deflate")
    codec = Codec("deflate", "client")
    for _ in range(2):
        with Writer(stream, buffer_size=buffer_size) as writer:
            for _ in range(200):
                writer.write(TEXT)
            writer.flush_fragment()
            writer.write("end")
        frames = frames_of(b"".join(stream.io.written))
        stream.io.written.clear()
        assert [header.rsv for header, _ in frames] == [RSV1] + [0] * (len(frames) - 1) and frames[-1][0].fin
        text = b"".join(codec.decompress_frame(Frame(frame)).payload for frame in frames)
        assert text.decode() == TEXT * 200 + "end"


def test_a_writer_chooses(Scripted):
    stream = Stream(Scripted(), compression="deflate")
    writer = Writer(stream, compress=False)
    cases = ((False, 5000, 0), (True, 1, RSV1), (None, 1, 0), (None, 64, RSV1), (None, 9000, RSV1))
    for compress, size, wanted in cases:
        writer.compress = compress
        assert writer.compress is compress
        with writer:
            writer.write("x" * size)
        assert frames_of(stream.io.written[0])[0][0].rsv == wanted
        stream.io.written.clear()
    assert Writer(stream).compress is None
    with pytest.raises(AttributeError):
        del writer.compress


def test_json_and_copies_cross_compressed(pair, in_thread):
    server, client = pair
    document = [{"price": i, "text": TEXT} for i in range(500)]

    def answer():
        reader, writer = Reader(server), Writer(server)
        reader.next_frame()
        shutil.copyfileobj(reader, writer)
        writer.flush()

    finish = in_thread(answer)
    with Writer(client) as writer:
        json.dump(document, writer)
    assert json.load(Reader(client)) == document
    finish()


# ---- Raw frames ----


def test_raw_frames_are_left_as_they_are_on_the_wire(pair):
    server, client = pair
    client.send(TEXT)
    frame = server.read_frame()
    assert frame.header.rsv == RSV1 and frame.header.mask
    # Who reads them keeps the context.
    codec = Codec(server.compression, "server")
    assert codec.decompress_frame(frame).payload.decode() == TEXT
    client.send(TEXT)
    assert codec.decompress_frame(server.read_frame()).payload.decode() == TEXT


def test_raw_frames_and_messages_take_turns_without_takeover(sockets):
    deflate = Deflate("no_takeover", parameters=Parameters(True, True))
    server, client = (Stream(sock, role, compression=deflate) for sock, role in zip(sockets, ("server", "client")))
    for _ in range(3):
        client.send(TEXT)
        assert server.recv() == TEXT
        client.send(TEXT)
        packed = server.read_frame()
        assert fastws.deflate.decompress_frame(packed).payload.decode() == TEXT
        server.write_frame(fastws.deflate.compress_frame(Frame((Header(length=len(TEXT)), TEXT.encode()))))
        assert client.recv() == TEXT


# ---- Other extensions ----


class Mark:
    def unset_bits(self, header):
        self.seen = header.rsv
        return Header(header.fin, header.rsv & ~1, header.opcode, None, header.length)

    def set_bits(self, header):
        return Header(header.fin, header.rsv | 1, header.opcode, None, header.length)


def test_extensions_stand_beside_compression(sockets):
    server, client = (Stream(sock, role, compression="deflate", extensions=[Mark()])
                      for sock, role in zip(sockets, ("server", "client")))
    client.send(TEXT)
    assert server.recv() == TEXT
    with Writer(server) as writer:
        writer.write(TEXT * 100)
    reader = Reader(client)
    # RSV3 was taken off by the extension, RSV1 it never saw.
    assert reader.next_frame().rsv == RSV1 and reader.read().decode() == TEXT * 100
    mark = Mark()
    client.send(TEXT * 100)
    own = Reader(server, extensions=[mark])
    assert own.next_frame().rsv == RSV1 and mark.seen == 1 and own.read().decode() == TEXT * 100
    client.send(TEXT)
    assert server.read_frame().header.rsv == RSV1 | 1


def test_a_message_state_among_the_extensions_takes_rsv1_for_itself(Scripted, masked_frame):
    """Without compression here, for a program that brings its own."""
    state = MessageState()
    stream = Stream(Scripted(masked_frame(2, squeeze(b"x"), rsv=RSV1)), extensions=[state])
    assert Codec().decompress(stream.recv()) == b"x" and state.received_compressed


# ---- reset() ----


def test_a_stream_is_reset_with_other_compression(Scripted, masked_frame):
    wire = masked_frame(1, squeeze(b"Hello"), rsv=RSV1)
    stream = Stream(Scripted(wire), compression="deflate")
    assert stream.recv() == "Hello" and stream.compression_held
    stream.reset(Scripted(wire), compression=Deflate("tail"))
    assert stream.compression.mode == "tail" and stream.recv() == "Hello"
    stream.reset(Scripted(wire))
    assert stream.compression is None and stream.compression_held == 0
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    with pytest.raises(ValueError):
        stream.reset(Scripted(), compression="gzip")
    reader = Reader(stream)
    stream.reset(Scripted(wire), compression="deflate")
    reader.reset(stream)
    assert reader.read() == b"Hello"


# ---- Handshakes ----


def serve(listener, upgrader, kept):
    sock, _ = listener.accept()
    with sock, upgrader.upgrade(sock) as stream:
        kept.append(stream)
        for message in stream:
            stream.send(message)


@pytest.mark.parametrize("server, client, wanted", [
    ("deflate", "deflate", Parameters(False, False, 12, 12)),
    (Deflate("tail"), Deflate("tail"), Parameters(True, True)),
    ("deflate", Deflate("no_takeover"), Parameters(True, True, 12, 15)),
    (None, "deflate", None),
    ("deflate", None, None),
])
def test_upgrader_and_dialer_agree(in_thread, server, client, wanted):
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        finish = in_thread(serve, listener, Upgrader(compression=server), kept)
        with Dialer(compression=client).dial(f"ws://127.0.0.1:{listener.getsockname()[1]}/") as stream:
            stream.send(TEXT)
            assert stream.recv(timeout=20) == TEXT
        finish()
    (theirs,) = kept
    if wanted is None:
        assert stream.compression is None and theirs.compression is None and stream.handshake.extensions == ()
    else:
        agreed = stream.compression.parameters
        assert agreed == theirs.compression.parameters
        assert (agreed.server_no_context_takeover, agreed.client_no_context_takeover) == wanted[:2]
        assert stream.handshake.extensions == theirs.handshake.extensions == (agreed.format(),)


def test_upgrade_http_agrees_too():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with fastws.upgrade_http(self, compression="deflate") as stream:
                for message in stream:
                    stream.send(message)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"ws://127.0.0.1:{server.server_address[1]}/"
            with Dialer(compression="deflate").dial(url) as stream:
                assert stream.compression is not None
                stream.send(TEXT)
                assert stream.recv(timeout=20) == TEXT
        finally:
            server.shutdown()
            thread.join(20)


def test_bad_offers_are_declined_and_the_next_one_tried():
    offers = ("permessage-deflate; foo, permessage-deflate; server_max_window_bits=20",
              "permessage-deflate; server_no_context_takeover; client_max_window_bits")
    request = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    for wanted in (offers[:1], offers):
        upgrade = fastws.Upgrade(compression="deflate")
        lines = b"".join(b"Sec-WebSocket-Extensions: " + offer.encode() + b"\r\n" for offer in wanted)
        assert upgrade.feed(request + lines + b"\r\n") == b""
        if len(wanted) == 1:
            assert upgrade.compression is None and b"Extensions" not in upgrade.response
        else:
            assert upgrade.compression.parameters.server_no_context_takeover
            assert b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover" in upgrade.response


def test_an_answer_that_is_not_legal_fails_the_dial(Scripted):
    class Server(Scripted):
        def sendall(self, data):
            key = bytes(data).partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            self.pieces.append(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                               + fastws.accept_key(key).encode() + b"\r\nSec-WebSocket-Extensions: permessage-deflate; "
                               b"server_max_window_bits=16\r\n\r\n")

    with pytest.raises(fastws.NegotiationError) as raised:
        Dialer(compression="deflate").upgrade(Server(), "ws://localhost/")
    assert raised.value.name == "FASTWS_ERR_DEFLATE_VALUE" and raised.value.rfc == "RFC 7692 7.1"
