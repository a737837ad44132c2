# SPDX-License-Identifier: MIT
"""A raw frame that is half written keeps everything else out, and a message that was begun keeps raw frames out."""

import socket
import time

import pytest

import fastws
from fastws import Close, Header, OpCode, Stream, Writer

HALF = Header(opcode=OpCode.BINARY, length=6)


@pytest.fixture
def half(sockets):
    """A server that has written the header of six bytes and two of them, and its peer."""
    stream = Stream(sockets[0], ping_interval=None)
    stream.write_header(HALF)
    stream.write(b"ab")
    assert sockets[1].recv(100) == b"\x82\x06ab"
    return stream, sockets[1]


def test_nothing_is_sent_into_the_payload(half):
    """They used to land in the middle of it."""
    stream, peer = half
    for call in (
        lambda: stream.send("x"),
        lambda: stream.send(fastws.PreparedMessage(b"x")),
        lambda: stream.write_message(OpCode.TEXT, "x"),
        lambda: stream.ping(b"x"),
        lambda: stream.pong(b"x"),
        lambda: stream.write_header(HALF),
        lambda: stream.write_frame((Header(length=1), b"x")),
        lambda: Writer(stream).write("x"),
    ):
        with pytest.raises(RuntimeError, match="not complete"):
            call()
    stream.write(b"cdef")
    stream.send("after")
    assert peer.recv(100) == b"cdef\x81\x05after"


def test_a_writer_that_was_refused_may_write_later(half):
    stream, peer = half
    writer = Writer(stream)
    with pytest.raises(RuntimeError):
        writer.write("x")
    stream.write(b"cdef")
    writer.write("y")
    writer.flush()
    assert peer.recv(100) == b"cdef\x81\x01y"


def test_pongs_wait_for_the_end_of_the_frame(half, masked_frame):
    stream, peer = half
    peer.sendall(masked_frame(9, b"1") + masked_frame(9, b"2") + masked_frame(1, b"Hello"))
    assert stream.recv() == "Hello"
    assert stream.queued == 6
    stream.write(b"cde")
    assert peer.recv(100) == b"cde"
    stream.write(b"f")
    assert stream.queued == 0
    received = b""
    while len(received) < 7:
        received += peer.recv(100)
    assert received == b"f\x8a\x011\x8a\x012"


def test_keep_alive_pings_wait_for_the_end_of_the_frame(sockets):
    stream = Stream(sockets[0], ping_interval=0.02, ping_timeout=None)
    stream.write_header(HALF)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.1)
    assert sockets[1].recv(100) == b"\x82\x06"
    assert stream.queued > 0
    stream.write(b"abcdef")
    received = b""
    while len(received) < 6 + 2 + 8:
        received += sockets[1].recv(100)
    assert received[:7] == b"abcdef\x89"


def test_more_than_was_announced_is_refused(half):
    """It was written, and what the peer took for the next frame was the rest of a payload."""
    stream, peer = half
    with pytest.raises(ValueError, match="longer"):
        stream.write(b"cdefg")
    stream.write(b"cdef")
    stream.write(b"\x81\x01x")
    stream.send("y")
    assert peer.recv(100) == b"cdef\x81\x01x\x81\x01y"


def test_an_empty_frame_is_complete(sockets):
    stream = Stream(sockets[0])
    stream.write_header(Header(opcode=OpCode.BINARY))
    stream.write(b"")
    stream.send("x")
    assert stream.queued == 0


def test_what_is_no_header_changes_nothing(sockets):
    stream = Stream(sockets[0])
    with pytest.raises(ValueError):
        stream.write_frame((HALF, b"four"))
    stream.send("x")


def test_raw_frames_stay_out_of_a_message_that_was_begun(streams):
    """They used to be sent between its fragments, for the peer to fail."""
    server, client = streams
    writer = Writer(server, OpCode.BINARY, 4)
    writer.write(b"12345")
    for call in (
        lambda: server.write_header(Header(length=1)),
        lambda: server.write_frame((Header(length=1), b"x")),
        lambda: server.write(b"x"),
    ):
        with pytest.raises(RuntimeError, match="begun"):
            call()
    writer.flush()
    server.write_frame((Header(length=1), b"x"))
    assert (client.recv(), client.recv()) == (b"12345", "x")


def test_a_close_frame_of_the_peer_is_answered_behind_the_frame(half, masked_frame):
    stream, peer = half
    peer.sendall(masked_frame(8, b"\x03\xe8"))
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    with pytest.raises(RuntimeError):
        stream.write_header(HALF)
    stream.write(b"cdef")
    received = b""
    while len(received) < 8:
        received += peer.recv(100)
    assert received == b"cdef\x88\x02\x03\xe8"
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.write(b"x")


def test_an_error_is_told_behind_the_frame(half):
    stream, peer = half
    peer.sendall(b"\x81\x00")
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    stream.write(b"cdef")
    received = b""
    while len(received) < 10:
        received += peer.recv(1000)
    assert received[:5] == b"cdef\x88" and received[6:8] == b"\x03\xea"


def test_replies_that_pile_up_behind_the_frame_stop_reading(half, masked_frame, in_thread):
    stream, peer = half
    peer.sendall(masked_frame(9, bytes(125)) * 1000)
    with pytest.raises(RuntimeError, match="complete the frame"):
        stream.recv()

    def drain():
        while peer.recv(65536):
            pass

    drained = in_thread(drain)
    stream.write(b"cdef")
    sent = in_thread(peer.sendall, masked_frame(1, b"after"))  # what is unread may fill the buffer of the socket
    assert stream.recv() == "after"
    sent()
    peer.shutdown(socket.SHUT_WR)
    stream.close()
    drained()


def test_close_ends_the_stream_inside_the_frame(half):
    stream, peer = half
    with pytest.raises(ValueError):
        stream.close(1005 - 1)
    stream.close()
    assert peer.recv(100) == b""
    assert (stream.io, stream.state, stream.close_code) == (None, "CLOSED", 1006)
    for call in (lambda: stream.write(b"cdef"), lambda: stream.send("x")):
        with pytest.raises(fastws.ConnectionClosedError):
            call()


def test_close_leaves_the_frame_to_be_completed_while_another_thread_reads(half, in_thread, masked_frame):
    stream, peer = half
    reading = in_thread(stream.recv)
    while not stream.queued:
        peer.sendall(masked_frame(9))
    with pytest.raises(RuntimeError, match="not complete"):
        stream.close()
    stream.write(b"cdef")
    stream.close()
    peer.sendall(masked_frame(8, b"\x03\xe8"))
    with pytest.raises(fastws.ConnectionClosedOK) as info:
        reading()
    assert info.value.sent == Close((1000, ""))


def test_a_with_block_closes_what_is_half_written(sockets):
    with pytest.raises(ZeroDivisionError), Stream(sockets[0]) as stream:
        stream.write_header(HALF)
        raise ZeroDivisionError
    assert stream.io is None


def test_a_write_that_fails_inside_the_frame_ends_sending(Scripted):
    script = Scripted()
    stream = Stream(script)
    stream.write_header(HALF)
    script.sendall = None
    with pytest.raises(TypeError):
        stream.write(b"ab")
    for call in (lambda: stream.write(b"cdef"), lambda: stream.send("x"), lambda: stream.write_header(HALF)):
        with pytest.raises(fastws.ConnectionClosedError):
            call()


# ---- Limits of raw frames ----


def told(script):
    """The code of the close frame that was written, and nothing else."""
    (frame,) = script.written
    assert frame[0] == 0x88 and frame[1] == len(frame) - 2
    return int.from_bytes(frame[2:4], "big")


def test_a_frame_over_the_limit_is_told_once(Scripted, masked_frame):
    """The peer used to be told nothing."""
    before = masked_frame(2, b"fine")
    script = Scripted(before + Header(opcode=2, length=11).encode() + bytes(11))
    stream = Stream(script, max_frame_size=10)
    stream.read_frame()
    for call in (stream.read_frame, stream.recv, lambda: stream.send("x")):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            call()
        error = info.value.__cause__
        assert isinstance(error, fastws.MessageTooBig) and error.offset == len(before)
        assert (info.value.code, info.value.sent.code) == (1009, 1009)
    stream.close()
    assert told(script) == 1009


def test_a_malformed_length_is_told_once(Scripted):
    script = Scripted(b"\x82\x7e\x00\x01x")
    stream = Stream(script)
    for _ in range(2):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            stream.read_header()
        assert (info.value.code, info.value.__cause__.offset) == (1002, 0)
    stream.close()
    assert told(script) == 1002


def test_where_closing_is_left_to_the_caller_nobody_is_told(Scripted):
    stream = Stream(Scripted(Header(opcode=2, length=11).encode()), max_frame_size=10, auto_close=False)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_frame()
    assert info.value.code == 1006 and stream.io.written == []
    stream.close(1009, "too much")
    assert stream.io is None


def test_behind_a_close_frame_nobody_is_told(sockets, in_thread):
    stream = Stream(sockets[0], max_frame_size=10)
    reading = in_thread(stream.read_frame)
    time.sleep(0.1)
    stream.close(1001)
    sockets[1].sendall(Header(opcode=2, length=11).encode())
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reading()
    assert info.value.code == 1006 and isinstance(info.value.__cause__, fastws.MessageTooBig)
    assert sockets[1].recv(100) == b"\x88\x02\x03\xe9"


def test_a_message_of_the_wrong_kind_inside_the_frame_is_told_to_nobody(half, masked_frame):
    stream, peer = half
    peer.sendall(masked_frame(2, b"binary"))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_text()
    assert (info.value.sent, info.value.__cause__.name) == (None, "FASTWS_ERR_MESSAGE_KIND")
    stream.write(b"cdef")
    stream.close()
    received = b""
    while data := peer.recv(100):
        received += data
    assert received == b"cdef"
