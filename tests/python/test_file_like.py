# SPDX-License-Identifier: MIT
"""Reader and Writer as the files of Python: closed or not, in a with block, and wrapped by the io module."""

import io

import pytest

import fastws
from fastws import OpCode, Reader, Stream, Writer


def test_a_writer_may_be_wrapped(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, None)
    with io.BufferedWriter(writer, 5) as file:
        for piece in (b"Hel", b"lo ", b"world"):
            file.write(piece)
        file.flush()
        assert stream.io.written == []
    assert writer.closed
    assert stream.io.written == [b"\x82\x0bHello world"]


def test_text_may_be_written_through_a_wrapper(Scripted):
    stream = Stream(Scripted())
    file = io.TextIOWrapper(io.BufferedWriter(Writer(stream, buffer_size=None)), encoding="utf-8")
    print("é", "x", file=file)
    file.close()
    assert stream.io.written == [b"\x81\x05\xc3\xa9 x\n"]


def test_closing_a_writer_ends_its_message_and_not_the_stream(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream)
    assert not writer.closed
    writer.write("a")
    for _ in range(2):
        writer.close()
    assert writer.closed
    calls = (lambda: writer.write("b"), lambda: writer.writelines(["b"]), writer.flush, writer.flush_fragment,
             lambda: writer.read_from(io.BytesIO()))
    for call in calls:
        with pytest.raises(ValueError, match="writer is closed"):
            call()
    assert stream.io.written == [b"\x81\x01a"]
    writer.reset()
    with writer:
        writer.write("c")
    stream.send("d")
    assert stream.io.written[1:] == [b"\x81\x01c", b"\x81\x01d"]


def test_closing_inside_a_with_block(Scripted):
    with Writer(Stream(Scripted())) as writer:
        writer.write("a")
        writer.close()
    assert writer.stream.io.written == [b"\x81\x01a"]


def test_a_writer_that_cannot_end_its_message_is_closed_all_the_same(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream)
    writer.write(b"\xc3")
    with pytest.raises(ValueError, match="UTF-8"):
        writer.close()
    assert writer.closed
    stream.send("nothing is left")
    assert stream.io.written == [b"\x81\x0fnothing is left"]


def test_writelines(Scripted):
    writer = Writer(Stream(Scripted()), buffer_size=None)
    writer.writelines(iter(["a\n", b"b\n", memoryview(b"c")]))
    writer.writelines([])
    for wrong, error in ((5, TypeError), (["d", 5], TypeError), ([b"\xff"], ValueError)):
        with pytest.raises(error):
            writer.writelines(wrong)
    with pytest.raises(LookupError):
        writer.writelines(iter_and_fail())
    writer.flush()
    assert writer.stream.io.written == [b"\x81\x07a\nb\ncde"]


def iter_and_fail():
    yield "e"
    raise LookupError


def test_a_with_block_closes_a_reader(Scripted, masked_frame):
    stream = Stream(Scripted(masked_frame(1, b"dropped") + masked_frame(1, b"kept")))
    with Reader(stream) as reader:
        assert reader.read(4) == b"drop"
    assert reader.closed
    with pytest.raises(ValueError, match="reader is closed"):
        reader.__enter__()
    assert stream.recv() == "kept"


def test_a_with_block_of_a_reader_lets_exceptions_pass(Scripted, masked_frame):
    reader = Reader(Stream(Scripted(masked_frame(1, b"dropped"))))
    with pytest.raises(LookupError), reader:
        reader.next_frame()
        raise LookupError
    assert reader.closed
    with pytest.raises(fastws.ConnectionClosedError):
        reader.stream.recv()
