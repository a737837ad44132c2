# SPDX-License-Identifier: MIT
"""Reader: messages as files, read as they arrive."""

import gc
import io
import json
import shutil

import pytest

import fastws
from fastws import Header, OpCode, Reader, Stream


@pytest.fixture
def reader(Scripted, masked_frame):
    """A reader over a stream that receives these messages."""

    def make(*frames, **options):
        data = b"".join(masked_frame(*frame) if isinstance(frame, tuple) else frame for frame in frames)
        return Reader(Stream(Scripted(data)), **options)

    return make


def test_next_frame_describes_the_first_frame(reader, masked_frame):
    messages = reader(masked_frame(1, b"Hel", fin=False), (9, b"p"), (0, b"lo"), (2, b""))
    assert messages.opcode is None
    assert messages.next_frame() == Header(fin=False, opcode=1, length=3)
    assert (messages.read(), messages.opcode) == (b"Hello", OpCode.TEXT)
    assert messages.next_frame() == Header(opcode=2, length=0)
    assert (messages.read(), messages.opcode) == (b"", OpCode.BINARY)


def test_next_frame_drops_what_was_not_read(reader):
    messages = reader((1, b"one"), (1, b"two"), (1, b"three"))
    messages.next_frame()
    assert messages.read(2) == b"on"
    messages.next_frame()
    messages.next_frame()
    assert messages.read() == b"three"


def test_a_read_that_reports_the_end_ends_the_message(reader):
    messages = reader((1, b"one"), (2, b"two"), (1, b"three"), (1, b""), (1, b"five"))
    assert [messages.read(2), messages.read(2), messages.read(2)] == [b"on", b"e", b""]
    assert [messages.read(100), messages.read(-1)] == [b"two", b""]
    assert [messages.read(None), messages.read(), messages.read(1)] == [b"three", b"", b"f"]
    assert messages.read(0) == b""
    assert messages.read() == b"ive"
    for _ in range(2):
        with pytest.raises(fastws.ConnectionClosedError):
            messages.read()


def test_readinto(reader):
    messages = reader((1, b"Hello"), (2, b"x"))
    buffer = bytearray(4)
    assert (messages.readinto(buffer), buffer) == (4, b"Hell")
    assert messages.readinto(bytearray()) == 0
    assert (messages.readinto(memoryview(buffer)[1:]), buffer) == (1, b"Holl")
    assert messages.readinto(buffer) == 0
    assert messages.readinto(buffer) == 1
    for wrong in (b"bytes", "str", None, memoryview(bytearray(4))[::2]):
        with pytest.raises(TypeError):
            messages.readinto(wrong)


def test_text_is_checked_even_if_the_stream_does_not(Scripted, masked_frame):
    data = masked_frame(1, b"\xff") + masked_frame(2, b"\xff") + masked_frame(1, b"a\xff")
    stream = Stream(Scripted(data), check_utf8=False)
    assert Reader(stream, check_utf8=False).read() == b"\xff"
    assert Reader(stream).read() == b"\xff"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        Reader(stream).read()
    assert isinstance(info.value.__cause__, fastws.InvalidUTF8) and info.value.__cause__.offset == 7 + 7 + 7
    assert stream.io.written == [b"\x88" + bytes([len(stream.io.written[0]) - 2]) + stream.io.written[0][2:]]


def test_a_reader_looks_like_a_file(reader):
    messages = reader()
    assert (messages.readable(), messages.writable(), messages.seekable()) == (True, False, False)
    assert type(messages.stream) is Stream


@pytest.mark.parametrize(("number", "error"), [("1", TypeError), (1.5, TypeError), (2**70, OverflowError)])
def test_read_refuses_a_wrong_number(reader, number, error):
    with pytest.raises(error):
        reader((1, b"x")).read(number)


@pytest.mark.parametrize("length", [0, -1, 1, 5, 6, 100])
def test_copies_one_message_with_any_length(reader, length):
    messages = reader((1, b"hello"), (2, b""), (1, b"world"))
    for expected in (b"hello", b"", b"world"):
        messages.next_frame()
        out = io.BytesIO()
        shutil.copyfileobj(messages, out, length)
        assert out.getvalue() == expected


@pytest.mark.parametrize("read", [lambda m: m.read(), lambda m: m.read(-1), lambda m: m.read(2), lambda m: m.read(100)])
def test_after_next_frame_the_end_stays_the_end(reader, read):
    messages = reader((1, b"one"), (1, b"two"))
    for expected in (b"one", b"two"):
        messages.next_frame()
        got = b""
        while part := read(messages):
            got += part
        assert got == expected
        at_end = [messages.read(), messages.read(1), messages.readinto(bytearray(9)), read(messages)]
        assert at_end == [b"", b"", 0, b""]
    with pytest.raises(fastws.ConnectionClosed):
        messages.next_frame()


def test_without_next_frame_each_read_takes_a_message(reader):
    messages = reader(*[(1, b"[%d]" % i) for i in range(3)])
    assert [json.load(messages) for _ in range(3)] == [[0], [1], [2]]


@pytest.mark.parametrize("size", [1, 3, 8192])
def test_can_be_buffered(reader, size):
    messages = reader((2, b"one\ntwo\n\nthree"), (2, b"next"))
    messages.next_frame()
    file = io.BufferedReader(messages, size)
    assert (file.readable(), file.writable(), file.seekable(), file.closed) == (True, False, False, False)
    assert [file.readline(), file.peek(1)[:1], file.read(3), file.read()] == [b"one\n", b"t", b"two", b"\n\nthree"]
    assert file.read() == file.read(1) == b""
    assert file.detach() is messages
    messages.next_frame()
    assert io.BufferedReader(messages).read() == b"next"


def test_can_be_read_as_text(reader):
    for wrap in (lambda messages: messages, io.BufferedReader):
        messages = reader((1, "ä\nö".encode()), (1, b"next"))
        messages.next_frame()
        with io.TextIOWrapper(wrap(messages), encoding="utf-8") as file:
            assert list(file) == ["ä\n", "ö"]
        assert messages.closed


def test_a_closed_reader_reads_nothing_and_leaves_the_stream(reader):
    messages = reader((1, b"one"), (1, b"two"))
    messages.next_frame()
    assert not messages.closed
    for _ in range(2):
        messages.close()
    assert messages.closed
    for act in (messages.read, lambda: messages.read(0), lambda: messages.readinto(bytearray(1)), messages.next_frame):
        with pytest.raises(ValueError, match="closed"):
            act()
    messages.flush()
    assert messages.stream.state == "OPEN"
    assert Reader(messages.stream).read() == b"two"


def test_a_callback_that_sees_the_close_may_go_on_with_another_stream(Scripted, masked_frame):
    """The read used to raise for the new stream, which was open."""
    other = Stream(Scripted(masked_frame(1, b"next")))

    def go_on(header, payload):
        if header.opcode == fastws.OpCode.CLOSE:
            reader.reset(other)

    reader = Reader(Stream(Scripted(masked_frame(8, b"\x03\xe8"))), on_intermediate=go_on)
    assert reader.read() == b"next"


def test_a_stream_outlives_the_reply_that_takes_it_from_its_reader(Scripted, masked_frame):
    """It used to be freed while its pong was being sent."""

    class Changes(Scripted):
        def sendall(self, data):
            reader.reset(Stream(Scripted(masked_frame(1, b"next"))))
            gc.collect()

    reader = Reader(Stream(Changes(masked_frame(9, b"ping"))), on_intermediate=lambda header, payload: None)
    assert reader.read() == b"next"
