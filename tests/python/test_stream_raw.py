# SPDX-License-Identifier: MIT
"""Raw frames through a Stream, as in the lower-level example of gobwas/ws, and in turn with messages."""

import socket

import pytest

import fastws
from fastws import Frame, Header, OpCode, State, Stream


def test_the_lower_level_echo_of_gobwas(sockets, in_thread, masked_frame):
    ours, theirs = sockets

    def echo():
        stream = Stream(ours)
        while True:
            header = stream.read_header()
            header.check(State.SERVER)
            payload = bytearray(stream.read_exactly(header.length))
            if header.mask:
                fastws.mask(payload, header.mask)
            stream.write_header(Header(header.fin, header.rsv, header.opcode, None, header.length))
            stream.write(payload)
            if header.opcode == OpCode.CLOSE:
                return

    echoed = in_thread(echo)
    theirs.sendall(masked_frame(1, b"Hello") + masked_frame(2, bytes(300)) + masked_frame(8, b"\x03\xe8"))
    echoed()
    expected = b"\x81\x05Hello\x82\x7e\x01\x2c" + bytes(300) + b"\x88\x02\x03\xe8"
    received = b""
    while len(received) < len(expected):
        received += theirs.recv(1000)
    assert received == expected


@pytest.mark.parametrize("size", [1, 3, 10000])
def test_frames_and_messages_in_turn(Scripted, masked_frame, key, size):
    data = b"".join(masked_frame(2, bytes([i]) * i) for i in range(6))
    stream = Stream(Scripted(*[data[i : i + size] for i in range(0, len(data), size)]))
    assert stream.recv() == b""
    header, payload = stream.read_frame()
    assert header == Header(opcode=2, mask=key, length=1) and fastws.masked(payload, key) == b"\x01"
    assert stream.recv() == b"\x02\x02"
    assert stream.read_header().length == 3
    assert fastws.masked(stream.read_exactly(3), key) == b"\x03" * 3
    assert stream.recv() == b"\x04" * 4
    frame = stream.read_frame()
    assert type(frame) is Frame and frame.header.length == 5 == len(frame.payload)
    assert stream.read_exactly(0) == b""


def test_writes_frames_as_they_are(Scripted, key):
    script = Scripted()
    stream = Stream(script)
    stream.write_frame((Header(opcode=2, length=3), b"abc"))
    stream.write_frame(Frame((Header(fin=False, mask=key, length=5), bytearray(fastws.masked(b"Hello", key)))))
    stream.write(memoryview(b"raw"))
    assert script.written == [b"\x82\x03abc", b"\x01\x85" + key + fastws.masked(b"Hello", key), b"raw"]


@pytest.mark.parametrize(
    ("frame", "error"),
    [((Header(length=1), b""), ValueError), ((Header(), b"x"), ValueError), ((Header(), "x"), TypeError),
     ((b"\x81\x00", b""), TypeError), ((Header(),), TypeError), (Header(), TypeError), (None, TypeError)],
)
def test_refuses_what_is_no_frame(Scripted, frame, error):
    with pytest.raises(error):
        Stream(Scripted()).write_frame(frame)


@pytest.mark.parametrize(
    ("number", "error"), [(-1, ValueError), (2**64, ValueError), ("1", TypeError), (None, TypeError)]
)
def test_refuses_a_wrong_number(Scripted, number, error):
    with pytest.raises(error):
        Stream(Scripted()).read_exactly(number)


@pytest.mark.parametrize("end", [1, 2, 5, 7])
def test_the_end_inside_a_frame(Scripted, masked_frame, end):
    stream = Stream(Scripted(masked_frame(1, b"Hello")[:end]))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_frame()
    assert info.value.code == 1006 and info.value.name == "FASTWS_ERR_UNEXPECTED_EOF"
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()


def test_the_end_between_frames(Scripted, masked_frame):
    stream = Stream(Scripted(masked_frame(1, b"Hello")))
    stream.read_frame()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_header()
    assert info.value.name == "FASTWS_ERR_EOF"


@pytest.mark.vectors("header_bad.txt")
def test_malformed_lengths(Scripted, vector, from_hex):
    _, text, _, error = vector
    stream = Stream(Scripted(from_hex(text)))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_header()
    assert (info.value.code, info.value.name, info.value.__cause__.name) == (1002, error, error)


def test_inside_a_message_raw_frames_are_refused(sockets, masked_frame):
    stream = Stream(sockets[0])
    sockets[1].sendall(masked_frame(1, b"x", fin=False))
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.05)
    with pytest.raises(RuntimeError):
        stream.read_header()


def test_a_declared_length_allocates_nothing(Scripted):
    with pytest.raises(fastws.ConnectionClosedError):
        Stream(Scripted(b"x")).read_exactly(2**40)
    stream = Stream(Scripted(Header(opcode=2, length=2**40).encode()), max_frame_size=None)
    with pytest.raises(fastws.ConnectionClosedError):
        stream.read_frame()


def test_a_frame_over_the_limit(Scripted):
    stream = Stream(Scripted(Header(opcode=2, length=11).encode() + bytes(11)), max_frame_size=10)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_frame()
    assert isinstance(info.value.__cause__, fastws.MessageTooBig)


def test_reads_large_frames(Scripted):
    payload = bytes(range(256)) * 1000
    stream = Stream(Scripted(fastws.compile_frame(2, payload)), "client")
    assert stream.read_frame().payload == payload


# What a peer sends in the pieces below: FIN binary, 5 bytes, masked with "abcd".
FRAME = b"\x82\x85abcd" + fastws.masked(b"hello", b"abcd")


@pytest.mark.parametrize("cut", range(1, len(FRAME)))
def test_an_interrupted_read_of_a_frame_loses_nothing(cut):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        stream = fastws.Stream(ours)
        theirs.sendall(FRAME[:cut])
        for _ in range(2):
            with pytest.raises(TimeoutError):
                stream.read_frame()
            with pytest.raises(RuntimeError, match="interrupted"):
                stream.recv()
        theirs.sendall(FRAME[cut:] + FRAME + FRAME)
        for _ in range(2):
            header, payload = stream.read_frame()
            assert fastws.masked(payload, header.mask) == b"hello"
        assert stream.recv() == b"hello"


@pytest.mark.parametrize("cut", range(1, len(FRAME)))
def test_interrupted_reads_of_parts_lose_nothing(cut):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        stream = fastws.Stream(ours)

        def read(function, *arguments):
            while True:
                try:
                    return function(*arguments)
                except TimeoutError:
                    theirs.sendall(rest.pop())

        rest = [FRAME[cut:]]
        theirs.sendall(FRAME[:cut])
        header = read(stream.read_header)
        assert fastws.masked(read(stream.read_exactly, header.length), header.mask) == b"hello"
        assert rest == []


def test_an_offset_counts_what_was_read_again_once():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        stream = fastws.Stream(ours)
        theirs.sendall(FRAME + b"\x82")
        stream.read_frame()
        with pytest.raises(TimeoutError):
            stream.read_frame()
        theirs.sendall(b"\xff" + bytes(8))  # a length in 8 bytes that has to be shorter
        with pytest.raises(fastws.ConnectionClosed) as caught:
            stream.read_frame()
        assert caught.value.__cause__.offset == len(FRAME)


def test_reset_forgets_what_an_interrupted_read_took():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        stream = fastws.Stream(ours)
        theirs.sendall(FRAME[:4])
        with pytest.raises(TimeoutError):
            stream.read_exactly(5)
        again, peer = socket.socketpair()
        with again, peer:
            stream.reset(again)
            peer.sendall(FRAME)
            assert stream.recv() == b"hello"
