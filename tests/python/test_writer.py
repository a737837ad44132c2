# SPDX-License-Identifier: MIT
"""Writer: a file whose bytes become messages, in fragments; and Reader beside it, as in the README of gobwas/ws."""

import io
import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import OpCode, Reader, Stream, Writer


@pytest.fixture
def writer(Scripted):
    return Writer(Stream(Scripted()))


def written(writer):
    return writer.stream.io.written


def frames(data):
    """(fin, opcode, payload) of every frame, unmasked."""
    found = []
    while data:
        header = fastws.Header.parse(data)
        payload = data[header.size : header.size + header.length]
        found.append((header.fin, int(header.opcode), fastws.masked(payload, header.mask) if header.mask else payload))
        data = data[header.size + header.length :]
    return found


def sent(writer):
    return frames(b"".join(written(writer)))


def test_copies_messages_with_shutil(Scripted, masked_frame):
    """The lower-level echo of the README: each message goes back as it came, whatever its size."""
    payload = bytes(range(256)) * 1000
    incoming = masked_frame(2, payload[:100], fin=False) + masked_frame(0, payload[100:]) + masked_frame(1, b"text")
    stream = Stream(Scripted(incoming + masked_frame(2, b"") + masked_frame(8, b"\x03\xe8")))
    reader, writer = Reader(stream), Writer(stream, buffer_size=65536)
    for header in reader:
        writer.reset(header.opcode)
        writer.write(b"")
        shutil.copyfileobj(reader, writer, 1000)
        writer.flush()
    assert frames(b"".join(stream.io.written)) == [
        *[(False, 2 if i == 0 else 0, payload[i : i + 65536]) for i in range(0, 196608, 65536)],
        (True, 0, payload[196608:]), (True, 1, b"text"), (True, 2, b""), (True, 8, b"\x03\xe8"),
    ]


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


@pytest.mark.parametrize("arguments", [(), (None,), (5,), (io.BytesIO(),)])
def test_both_need_a_stream(arguments):
    for cls in (Reader, Writer):
        with pytest.raises(TypeError):
            cls(*arguments)


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


@pytest.mark.parametrize("buffer_size", [1, 7, 4096, 44850, 100000, None])
def test_a_message_is_cut_into_fragments_of_the_buffer_size(Scripted, buffer_size):
    writer = Writer(Stream(Scripted()), opcode=OpCode.BINARY, buffer_size=buffer_size)
    pieces = [bytes([i % 256]) * i for i in range(300)]
    whole = b"".join(pieces)
    for _ in range(2):
        for piece in pieces:
            writer.write(piece)
        writer.flush()
    size = buffer_size or len(whole)
    expected = [whole[i : i + size] for i in range(0, len(whole), size)]
    message = [(i == len(expected) - 1, 0 if i else 2, part) for i, part in enumerate(expected)]
    assert sent(writer) == message * 2


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
    writer.write("good, ")
    for bad in (b"\xff", b"x" * 5000 + b"\xc3("):
        with pytest.raises(ValueError, match="UTF-8"):
            writer.write(bad)
    writer.write(b"\xc3")
    with pytest.raises(ValueError, match="UTF-8"):
        writer.flush()
    with pytest.raises(ValueError, match="UTF-8"):
        writer.write("\xe4")
    writer.write(b"\xa4")
    writer.flush()
    writer.reset(2)
    writer.write(b"\xff")
    writer.flush()
    assert written(writer) == [fastws.compile_frame(1, "good, \xe4"), b"\x82\x01\xff"]


def test_characters_may_be_written_in_pieces(writer):
    for byte in "😀".encode():
        writer.write(bytes([byte]))
    writer.flush()
    assert written(writer) == [fastws.compile_frame(1, "😀")]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((OpCode.PING,), ValueError),
        (("text",), TypeError),
        ((1, -1), ValueError),
        ((1, 0), ValueError),
        ((1, "4096"), TypeError),
    ],
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


def test_io_may_not_write_while_it_is_written_to(Scripted):
    class Writes(Scripted):
        writer = None

        def sendall(self, data):
            super().sendall(data)
            with pytest.raises(fastws.ConcurrencyError):
                self.writer.write("next")

    script = Writes()
    script.writer = writer = Writer(Stream(script))
    writer.write("first" * 5000)
    writer.flush()
    assert b"".join(payload for _, _, payload in sent(writer)) == b"first" * 5000


def test_a_closed_stream_writes_nothing(writer):
    writer.stream.close()
    for _ in range(2):
        with pytest.raises(fastws.ConnectionClosed):
            writer.write("x")
        writer.flush()


def test_a_writer_looks_like_a_file(writer):
    assert (writer.readable(), writer.writable(), writer.seekable()) == (False, True, False)
    assert type(writer.stream) is Stream


def test_an_exact_fit_is_one_frame_and_one_write(Scripted):
    """There is no empty fragment behind a full one, which gobwas/ws sends."""
    writer = Writer(Stream(Scripted()), 2, 5)
    writer.write(b"12345")
    assert written(writer) == [] and (writer.buffered, writer.available, writer.buffer_size) == (5, 0, 5)
    writer.flush()
    assert written(writer) == [b"\x82\x0512345"]
    for piece in (b"12345", b"67890", b"abc"):
        writer.write(piece)
    writer.flush()
    assert sent(writer)[1:] == [(False, 2, b"12345"), (False, 0, b"67890"), (True, 0, b"abc")]
    writer.write(b"1234567890abc")
    writer.flush()
    assert sent(writer)[4:] == [(False, 2, b"12345"), (False, 0, b"67890"), (True, 0, b"abc")]


def test_fragments_leave_when_they_are_full_or_flushed(writer):
    writer.flush_fragment()
    writer.write("")
    writer.flush_fragment()
    assert written(writer) == []
    writer.write("ab")
    writer.flush_fragment()
    writer.flush_fragment()
    assert written(writer) == [b"\x01\x02ab"] and writer.buffered == 0
    writer.write("c")
    writer.stream.ping(b"p")
    writer.flush()
    writer.write("d")
    writer.flush_fragment()
    writer.flush()
    assert sent(writer)[1:] == [(True, 9, b"p"), (True, 0, b"c"), (False, 1, b"d"), (True, 0, b"")]


def test_a_client_masks_each_fragment_with_its_own_key(Scripted):
    stream = Stream(Scripted(), "client")
    writer = Writer(stream, 2, 4096)
    data = bytearray(range(256)) * 100
    before = bytes(data)
    writer.write(data)
    writer.flush()
    assert data == before
    wire = b"".join(stream.io.written)
    assert b"".join(payload for _, _, payload in frames(wire)) == before
    keys = []
    while wire:
        header = fastws.Header.parse(wire)
        keys.append(header.mask)
        wire = wire[header.size + header.length :]
    assert len(set(keys)) == len(keys) == 7


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.just(None))),
    st.one_of(st.none(), st.integers(1, 20)),
    st.sampled_from(["server", "client"]),
)
def test_what_is_written_is_what_is_read(pieces, buffer_size, role):
    class Sink:
        data = b""

        def readinto(self, buffer):
            return 0

        def write(self, data):
            self.data += data
            return len(data)

    sink = Sink()
    writer = Writer(Stream(sink, role), 2, buffer_size)
    for piece in pieces:
        if piece is None:
            writer.flush_fragment()
        else:
            writer.write(piece)
    writer.flush()
    found = frames(sink.data)
    assert b"".join(payload for _, _, payload in found) == b"".join(piece for piece in pieces if piece)
    assert [fin for fin, _, _ in found] == [False] * (len(found) - 1) + [True] * bool(found)
    assert [opcode for _, opcode, _ in found] == ([2] + [0] * (len(found) - 1)) * bool(found)
    assert all(len(payload) <= (buffer_size or 1 << 30) for _, _, payload in found)
    peer = fastws.Connection("client" if role == "server" else "server")
    events = peer.receive(sink.data)
    assert [event.data for event in events] == [b"".join(piece for piece in pieces if piece)] * bool(found)


@pytest.mark.parametrize("buffer_size", [1, 4, 4096, None])
def test_read_from_a_file_and_a_socket(Scripted, sockets, buffer_size):
    writer = Writer(Stream(Scripted()), 2, buffer_size)
    assert writer.read_from(io.BytesIO(b"golang")) == 6
    writer.flush()
    assert writer.read_from(io.BytesIO()) == 0
    writer.flush()
    sockets[0].sendall(bytes(1000))
    sockets[0].close()
    assert writer.read_from(sockets[1]) == 1000
    writer.flush()
    messages = fastws.Connection("client", max_fragments=None).receive(b"".join(written(writer)))
    assert [event.data for event in messages] == [b"golang", b"", bytes(1000)]
    for wrong in (5, None, "text"):
        with pytest.raises(TypeError):
            writer.read_from(wrong)


def test_read_from_reports_what_fails(writer):
    class Fails:
        def __init__(self, *answers):
            self.answers = list(answers)

        def read(self, n):
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(OSError, match="gone"):
        writer.read_from(Fails(b"ab", OSError("gone")))
    with pytest.raises(BlockingIOError):
        writer.read_from(Fails(b"cd", None))
    with pytest.raises(ValueError, match="UTF-8"):
        writer.read_from(Fails(b"\xff"))
    writer.flush()
    assert written(writer) == [b"\x81\x04abcd"]


def test_a_with_block_is_a_message(writer):
    for name in ("one", "two"):
        with writer as same:
            assert same is writer
            json.dump(name, writer)
    with pytest.raises(ZeroDivisionError), writer:
        writer.write("dropped")
        1 / 0
    with writer:
        writer.write("three")
    assert written(writer) == [b'\x81\x05"one"', b'\x81\x05"two"', b"\x81\x05three"]


def test_half_of_a_message_does_not_pass_for_all_of_it(writer):
    io = writer.stream.io
    with pytest.raises(ZeroDivisionError), writer:
        writer.write("half")
        writer.flush_fragment()
        1 / 0
    for call in (lambda: writer.write("x"), writer.flush, writer.flush_fragment, writer.reset,
                 lambda: writer.stream.send("x"), lambda: Writer(writer.stream).write("x")):
        with pytest.raises(RuntimeError):
            call()
    writer.stream.ping()
    writer.stream.close(1011)
    assert [opcode for _, opcode, _ in frames(b"".join(io.written))] == [1, 9, 8]
    writer.reset()


@pytest.mark.parametrize("flush", [False, True])
def test_a_refused_reset_leaves_text_where_its_fragments_end(writer, flush):
    """A character that a fragment had cut was forgotten with the rest, and the peer got what is not UTF-8."""
    writer.buffer_size = None if flush else 3
    writer.write("ab")
    writer.write("é".encode()[:1] if flush else "éd")
    if flush:
        writer.flush_fragment()
        writer.write(b"\xa9dropped")
    with pytest.raises(RuntimeError):
        writer.reset()
    for call in (lambda: writer.write("x"), writer.flush):
        with pytest.raises(ValueError):
            call()
    writer.write("é".encode()[1:] + b"!")
    writer.flush()
    assert b"".join(payload for _, _, payload in frames(b"".join(writer.stream.io.written))) == "abé!".encode()


def test_no_other_message_inside_of_one(writer):
    writer.write("first")
    for call in (lambda: writer.stream.send("x"), lambda: Writer(writer.stream).write("x"),
                 lambda: writer.stream.send(fastws.PreparedMessage("x"))):
        with pytest.raises(RuntimeError, match="another message"):
            call()
    writer.flush()
    writer.stream.send("second")
    other = Writer(writer.stream)
    other.write("lost with its writer")
    del other
    writer.stream.send("third")
    assert [payload for _, _, payload in sent(writer)] == [b"first", b"second", b"third"]


def test_reset_to_another_stream(Scripted):
    first, second = Stream(Scripted()), Stream(Scripted())
    writer = Writer(first, 2)
    writer.write(b"forgotten")
    writer.reset(stream=second)
    writer.write(b"kept")
    writer.flush()
    first.close()
    writer.reset(1, first)
    with pytest.raises(fastws.ConnectionClosed):
        writer.write("x")
    writer.reset(stream=second)
    writer.write("after an error")
    writer.flush()
    assert writer.stream is second
    assert frames(b"".join(second.io.written)) == [(True, 2, b"kept"), (True, 1, b"after an error")]
    with pytest.raises(TypeError):
        writer.reset(stream=5)


def set_rsv1(header):
    return fastws.Header(header.fin, header.rsv | fastws.Rsv.RSV1, header.opcode, header.mask, header.length)


def test_extensions_set_bits_of_each_fragment(Scripted):
    seen = []

    class Extension:
        def set_bits(self, header):
            seen.append((header.fin, header.opcode, header.length))
            return set_rsv1(header) if header.opcode else None

    stream = Stream(Scripted())
    writer = Writer(stream, 2, 4, extensions=[Extension(), lambda header: None])
    writer.write(b"123456")
    writer.flush()
    stream.ping(b"p")
    stream.send(b"not by the writer")
    assert stream.io.written[0] == b"\x42\x041234"
    assert [data[0] for data in stream.io.written] == [0x42, 0x80, 0x89, 0x82]
    assert seen == [(False, 2, 4), (True, 0, 2)]


def test_an_extension_may_refuse_and_reset_forgets_it(Scripted):
    answers = [ValueError("no"), 5]

    def refuse(header):
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    writer = Writer(Stream(Scripted()), 2, 4, extensions=[refuse])
    for error in (ValueError, TypeError):
        with pytest.raises(error):
            writer.write(bytes(5000))
        writer.reset()
    writer.write(b"ok")
    writer.flush()
    assert written(writer) == [b"\x82\x02ok"]
    for wrong in (5, [5], [None]):
        with pytest.raises(TypeError):
            Writer(writer.stream, extensions=wrong)


def test_an_extension_must_not_use_the_stream(Scripted):
    caught = []

    def reenter(header):
        for call in (lambda: writer.stream.send("x"), lambda: writer.stream.recv(), lambda: writer.write("x")):
            with pytest.raises(fastws.ConcurrencyError):
                call()
            caught.append(1)

    writer = Writer(Stream(Scripted(b"")), extensions=[reenter])
    writer.write("x")
    writer.flush()
    assert (caught, written(writer)) == ([1, 1, 1], [b"\x81\x01x"])
