# SPDX-License-Identifier: MIT
"""Reader and Writer: messages as files, as in the README of gobwas/ws."""

import io
import json
import shutil

import pytest

import fastws
from fastws import Header, OpCode, Reader, Stream, Writer


@pytest.fixture
def reader(Scripted, masked_frame):
    """A reader over a stream that receives these messages."""

    def make(*frames, **options):
        data = b"".join(masked_frame(*frame) if isinstance(frame, tuple) else frame for frame in frames)
        return Reader(Stream(Scripted(data)), **options)

    return make


@pytest.fixture
def writer(Scripted):
    return Writer(Stream(Scripted()))


def written(writer):
    return writer.stream.io.written


def test_copies_messages_with_shutil(Scripted, masked_frame):
    """The lower-level echo of the README: each message goes back as it came, whatever its size."""
    payload = bytes(range(256)) * 1000
    frames = masked_frame(2, payload[:100], fin=False) + masked_frame(0, payload[100:]) + masked_frame(1, b"text")
    stream = Stream(Scripted(frames + masked_frame(2, b"") + masked_frame(8, b"\x03\xe8")))
    reader, writer = Reader(stream), Writer(stream)
    with pytest.raises(fastws.ConnectionClosedOK):
        while True:
            header = reader.next_frame()
            writer.reset(header.opcode)
            writer.write(b"")
            shutil.copyfileobj(reader, writer, 1000)
            writer.flush()
    assert stream.io.written == [fastws.compile_frame(2, payload), b"\x81\x04text", b"\x82\x00", b"\x88\x02\x03\xe8"]


@pytest.mark.parametrize("with_next_frame", [True, False])
def test_reads_and_writes_json(Scripted, masked_frame, with_next_frame):
    documents = [{"a": 1}, ["ä", None], 5, ""]
    frames = b"".join(masked_frame(1, json.dumps(each, ensure_ascii=False).encode()) for each in documents)
    stream = Stream(Scripted(frames))
    reader, writer = Reader(stream), Writer(stream, OpCode.TEXT)
    for document in documents:
        if with_next_frame:
            assert reader.next_frame().opcode is OpCode.TEXT
        assert json.load(reader) == document
        json.dump(document, writer)
        writer.flush()
    assert [json.loads(data[2:]) for data in stream.io.written] == documents


def test_next_frame_describes_the_whole_message(reader, masked_frame):
    messages = reader(masked_frame(1, b"Hel", fin=False), (9, b"p"), (0, b"lo"), (2, b""))
    assert messages.next_frame() == Header(opcode=1, length=5)
    assert messages.read() == b"Hello"
    assert messages.next_frame() == Header(opcode=2, length=0)
    assert messages.read() == b""


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
    stream = Stream(Scripted(masked_frame(1, b"\xff") * 2 + masked_frame(2, b"\xff")), check_utf8=False)
    with pytest.raises(fastws.InvalidUTF8) as info:
        Reader(stream).read()
    assert info.value.code == 1007
    assert Reader(stream, check_utf8=False).read() == b"\xff"
    assert Reader(stream).read() == b"\xff"


def test_a_reader_looks_like_a_file(reader, writer):
    messages = reader()
    assert (messages.readable(), messages.writable(), messages.seekable()) == (True, False, False)
    assert (writer.readable(), writer.writable(), writer.seekable()) == (False, True, False)
    assert type(messages.stream) is Stream


@pytest.mark.parametrize("arguments", [(), (None,), (5,), (io.BytesIO(),)])
def test_both_need_a_stream(arguments):
    for cls in (Reader, Writer):
        with pytest.raises(TypeError):
            cls(*arguments)


@pytest.mark.parametrize(("number", "error"), [("1", TypeError), (1.5, TypeError), (2**70, OverflowError)])
def test_read_refuses_a_wrong_number(reader, number, error):
    with pytest.raises(error):
        reader((1, b"x")).read(number)


def test_writes_one_message_for_each_flush(writer):
    assert writer.write("Grüße") == 5
    assert writer.write(b" x") == 2
    assert writer.write(memoryview(b"!")) == 1
    assert writer.buffered == 10 and written(writer) == []
    writer.flush()
    assert writer.buffered == 0
    writer.flush()
    assert written(writer) == [fastws.compile_frame(1, "Grüße x!")]


def test_an_empty_write_is_an_empty_message(writer):
    writer.write("")
    writer.flush()
    writer.flush()
    assert written(writer) == [b"\x81\x00"]


@pytest.mark.parametrize("buffer_size", [0, 1, 4096, 100000])
def test_a_message_may_be_larger_than_the_buffer(Scripted, buffer_size):
    writer = Writer(Stream(Scripted()), opcode=OpCode.BINARY, buffer_size=buffer_size)
    for _ in range(2):
        for i in range(300):
            writer.write(bytes([i % 256]) * i)
        writer.flush()
    assert written(writer) == [fastws.compile_frame(2, b"".join(bytes([i % 256]) * i for i in range(300)))] * 2


def test_reset_forgets_and_chooses(writer):
    writer.write("forgotten")
    writer.reset(OpCode.BINARY)
    writer.flush()
    writer.write(b"\xff")
    writer.flush()
    writer.write("kept")
    writer.reset()
    writer.write("x")
    writer.flush()
    assert written(writer) == [b"\x82\x01\xff", b"\x82\x01x"]
    assert writer.opcode is OpCode.BINARY


def test_text_must_be_utf8(writer):
    writer.write(b"\xff")
    with pytest.raises(ValueError, match="UTF-8"):
        writer.flush()
    writer.reset(2)
    writer.write(b"\xff")
    writer.flush()
    assert written(writer) == [b"\x82\x01\xff"]


def test_characters_may_be_written_in_pieces(writer):
    for byte in "😀".encode():
        writer.write(bytes([byte]))
    writer.flush()
    assert written(writer) == [fastws.compile_frame(1, "😀")]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((OpCode.PING,), ValueError), (("text",), TypeError), ((1, -1), ValueError), ((1, "4096"), TypeError)],
)
def test_writer_refuses_wrong_arguments(Scripted, arguments, error):
    with pytest.raises(error):
        Writer(Stream(Scripted()), *arguments)


def test_write_refuses_other_types(writer):
    for wrong in (5, None, ["x"]):
        with pytest.raises(TypeError):
            writer.write(wrong)
    with pytest.raises(UnicodeEncodeError):
        writer.write("\ud800")
    with pytest.raises(ValueError):
        writer.reset(OpCode.CLOSE)


def test_a_write_during_a_flush_begins_the_next_message(Scripted):
    class Writes(Scripted):
        writer = None

        def sendall(self, data):
            super().sendall(data)
            if len(self.written) == 1:
                self.writer.write("next")

    script = Writes()
    script.writer = writer = Writer(Stream(script))
    writer.write("first" * 5000)
    writer.flush()
    writer.flush()
    assert script.written == [fastws.compile_frame(1, "first" * 5000), b"\x81\x04next"]


def test_a_closed_stream_writes_nothing(writer):
    writer.stream.close()
    writer.write("x")
    with pytest.raises(fastws.ConnectionClosed):
        writer.flush()


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
        assert [messages.read(), messages.read(1), messages.readinto(bytearray(9)), read(messages)] == [b"", b"", 0, b""]
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
