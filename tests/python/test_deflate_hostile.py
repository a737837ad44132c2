# SPDX-License-Identifier: MIT
"""Compressed messages of a peer that is up to no good: bombs, fragments, what is no DEFLATE. RFC 6455 10.4."""

import os
import random
import resource
import zlib

import pytest

import fastws
from fastws import Connection, Deflate, Reader, Stream
from fastws.deflate import Codec

RSV1 = fastws.Rsv.RSV1
TEXT = b'{"symbol": "ETH-USD", "price": 1234.5, "side": "buy"} ' * 4


def squeeze(data, level=9):
    """The payload of a compressed message, as short as zlib makes it."""
    deflater = zlib.compressobj(level, wbits=-15, memLevel=9)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def server(**options):
    return Connection("server", compression=options.pop("deflate", "deflate"), **options)


def refused(connection, wire, step=None):
    """What a connection fails with."""
    step = step or len(wire)
    events = []
    for i in range(0, len(wire), step):
        try:
            events += connection.receive(wire[i : i + step])
        except fastws.ConnectionClosed:
            break
    assert isinstance(events[-1], fastws.Failure), events
    return events[-1].error


def close_code(connection):
    """What the peer is told."""
    *_, (opcode, data) = events_of(connection.data_to_send())
    assert opcode == 8
    return int.from_bytes(data[:2], "big")


def events_of(wire):
    while wire:
        header = fastws.Header.parse(wire)
        yield header.opcode, wire[header.size : header.size + header.length]
        wire = wire[header.size + header.length :]


# ---- Bombs ----


def test_a_bomb_of_64_mib_takes_no_more_than_the_limit(masked_frame):
    payload = squeeze(bytes(64 << 20))
    assert len(payload) < 66000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for step in (None, 1000):
        connection = server()
        error = refused(connection, masked_frame(2, payload, rsv=RSV1), step)
        assert isinstance(error, fastws.MessageTooBig) and error.code == 1009 == close_code(connection)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10  # KiB


@pytest.mark.parametrize("settings, options", [
    ({}, {"max_size": 99999}), ({"max_inflated": 99999}, {"max_size": None}), ({"max_inflated": 99999}, {}),
    ({"max_inflated": 1 << 30}, {"max_size": 99999}), ({"max_ratio": 500}, {}),
])
def test_every_limit_holds_while_a_message_is_inflated(masked_frame, settings, options):
    for delivery in ("messages", "fragments", "stream"):
        connection = server(deflate=Deflate(**settings), delivery=delivery, **options)
        error = refused(connection, masked_frame(2, squeeze(bytes(100000)), rsv=RSV1), 10)
        assert isinstance(error, fastws.MessageTooBig) and close_code(connection) == 1009


def test_what_is_just_at_the_limit_is_taken(masked_frame):
    connection = server(max_size=100000)
    assert connection.receive(masked_frame(2, squeeze(bytes(100000)), rsv=RSV1)) == [(2, bytes(100000))]


def test_a_large_message_is_not_refused_by_the_default_of_the_library(masked_frame):
    """Only max_size counts: without it a message may be as large as it likes."""
    connection = server(max_size=None)
    (event,) = connection.receive(masked_frame(2, squeeze(bytes(20 << 20)), rsv=RSV1))
    assert event.data == bytes(20 << 20)


def test_a_bomb_inside_of_a_bomb_is_inflated_once(masked_frame):
    inner = squeeze(bytes(1 << 20))
    connection = server()
    assert connection.receive(masked_frame(2, squeeze(inner), rsv=RSV1)) == [(2, inner)]


def test_ten_thousand_tiny_fragments(masked_frame):
    message = os.urandom(5000) + bytes(20000)
    payload = squeeze(message)
    pieces = [payload[i : i + 1] for i in range(len(payload))]
    pieces += [b""] * (10000 - len(pieces))
    frames = [masked_frame(0 if i else 2, piece, fin=i == 9999, rsv=0 if i else RSV1) for i, piece in enumerate(pieces)]
    connection = server(max_empty_fragments=None)
    assert connection.receive(b"".join(frames)) == [(2, message)]
    error = refused(server(), b"".join(frames))
    assert isinstance(error, fastws.MessageTooBig)


# ---- What is no DEFLATE ----


def test_corrupt_at_every_byte_is_refused_or_what_zlib_reads(masked_frame):
    """Never a crash, nor a message that is longer than the limit."""
    payload = squeeze(TEXT)
    told = set()
    for place in range(len(payload)):
        for change in (0x01, 0x80, 0xFF):
            bad = bytearray(payload)
            bad[place] ^= change
            for step in (None, 1):
                connection = server(max_size=100000)
                events = []
                wire = masked_frame(1, bytes(bad), rsv=RSV1)
                for i in range(0, len(wire), step or len(wire)):
                    try:
                        events += connection.receive(wire[i : i + (step or len(wire))])
                    except fastws.ConnectionClosed:
                        break
                (event,) = events
                if isinstance(event, fastws.Failure):
                    told.add((event.error.name, event.code))
                    assert close_code(connection) == event.code
                else:
                    stock = zlib.decompressobj(-15)
                    wanted = stock.decompress(bytes(bad) + b"\0\0\xff\xff")
                    # What follows a block with BFINAL is read too, by us. RFC 7692 7.2.3.4
                    assert event.data.encode() == wanted or (stock.eof and event.data.encode().startswith(wanted))
    assert ("FASTWS_ERR_DEFLATE_DATA", 1007) in told and ("FASTWS_ERR_DEFLATE_TRUNCATED", 1007) in told
    assert ("FASTWS_ERR_UTF8", 1007) in told


def test_cut_at_every_byte_is_refused(masked_frame):
    payload = squeeze(TEXT)
    names = set()
    for end in range(1, len(payload)):
        connection = server()
        events = connection.receive(masked_frame(1, payload[:end], rsv=RSV1))
        if isinstance(events[0], fastws.Failure):
            error = events[0].error
            assert isinstance(error, (fastws.CompressionError, fastws.InvalidUTF8)) and error.code == 1007
            names.add(error.name)
        else:
            # What is left out may be the end of an empty block.
            assert events == [(1, TEXT.decode())]
    assert "FASTWS_ERR_DEFLATE_TRUNCATED" in names


def test_noise_is_refused(masked_frame):
    source = random.Random(1)
    failures = 0
    for _ in range(500):
        connection = server(max_size=100000)
        events = connection.receive(masked_frame(2, source.randbytes(source.randrange(1, 200)), rsv=RSV1))
        failures += isinstance(events[0], fastws.Failure)
    assert failures > 450


def test_context_that_is_gone_is_not_referred_to(masked_frame):
    """The peer promised to compress each message on its own, and does not."""
    settings = Deflate(parameters=fastws.deflate.Parameters(client_no_context_takeover=True))
    peer = zlib.compressobj(9, wbits=-15)
    connection = server(deflate=settings)
    for i in range(2):
        payload = (peer.compress(TEXT) + peer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        events = connection.receive(masked_frame(1, payload, rsv=RSV1))
        assert isinstance(events[0], fastws.Failure) is (i == 1)
    assert events[0].error.name == "FASTWS_ERR_DEFLATE_DATA" and isinstance(events[0].error, fastws.CompressionError)


# ---- Frames ----


@pytest.mark.parametrize("wire, name", [
    ([(9, b"x", True, 4)], "FASTWS_ERR_RSV"),
    ([(8, b"", True, 4)], "FASTWS_ERR_RSV"),
    ([(1, squeeze(b"x"), False, 4), (0, b"", True, 4)], "FASTWS_ERR_RSV"),
    ([(1, squeeze(b"x"), True, 6)], "FASTWS_ERR_RSV"),
    ([(1, squeeze(b"x"), True, 5)], "FASTWS_ERR_RSV"),
    ([(0, squeeze(b"x"), True, 4)], None),
    ([(1, squeeze(b"\xff"), True, 4)], "FASTWS_ERR_UTF8"),
    ([(1, squeeze(b"\xc3"), True, 4)], "FASTWS_ERR_UTF8"),
])
def test_frames_are_judged_as_ever(masked_frame, wire, name):
    connection = server()
    data = b"".join(masked_frame(opcode, payload, fin=fin, rsv=rsv) for opcode, payload, fin, rsv in wire)
    error = refused(connection, data)
    assert name in (error.name, None) and error.code == close_code(connection)


def test_rsv1_is_refused_where_nothing_was_agreed(masked_frame):
    error = refused(Connection("server"), masked_frame(1, squeeze(b"x"), rsv=RSV1))
    assert isinstance(error, fastws.ProtocolError) and error.name == "FASTWS_ERR_RSV"


def test_a_message_before_a_bad_one_is_delivered_and_answered(masked_frame):
    connection = server()
    wire = masked_frame(1, squeeze(b"first"), rsv=RSV1) + masked_frame(1, b"\x07", rsv=RSV1)
    events = connection.receive(wire)
    assert events[0] == (1, "first") and isinstance(events[1].error, fastws.CompressionError)


def test_streams_and_readers_refuse_them_too(Scripted, masked_frame):
    bomb = masked_frame(2, squeeze(bytes(1 << 20)), rsv=RSV1)
    bad = masked_frame(2, b"\x07\x07", rsv=RSV1)
    for wire, code, cause in ((bomb, 1009, fastws.MessageTooBig), (bad, 1007, fastws.CompressionError)):
        for read in (lambda stream: stream.recv(), lambda stream: Reader(stream).read(),
                     lambda stream: [Reader(stream).read(100) for _ in range(30000)]):
            io = Scripted(wire)
            stream = Stream(io, compression="deflate", max_size=100000)
            with pytest.raises(fastws.ConnectionClosedError) as raised:
                read(stream)
            assert raised.value.code == code and isinstance(raised.value.__cause__, cause)
            assert int.from_bytes(io.written[-1][2:4], "big") == code
    # A limit of the reader's own counts in inflated bytes.
    stream = Stream(Scripted(bomb), compression="deflate")
    with pytest.raises(fastws.ConnectionClosedError):
        Reader(stream, max_message_size=1000).read()
    stream = Stream(Scripted(bomb), compression="deflate", max_size=5)
    assert Reader(stream, max_message_size=None).read() == bytes(1 << 20)


def test_a_codec_that_failed_stays_so():
    codec = Codec()
    for _ in range(3):
        with pytest.raises(fastws.CompressionError) as raised:
            codec.decompress(b"\x07")
        assert raised.value.code == 1007
    # Its other direction goes on.
    assert Codec().decompress(codec.compress(TEXT)) == TEXT
