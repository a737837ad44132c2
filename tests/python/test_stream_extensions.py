# SPDX-License-Identifier: MIT
"""Extensions of a Stream itself, beside those of its Readers and Writers; header checks that are left out."""

import threading
import time

import pytest

import fastws
from fastws import Header, OpCode, Reader, Stream, Writer


class Mark:
    """Claims and sets one reserved bit."""

    def __init__(self, bit):
        self.bit = bit
        self.seen = []

    def unset_bits(self, header):
        self.seen.append(header.rsv)
        return Header(header.fin, header.rsv & ~self.bit, header.opcode, header.mask, header.length)

    def set_bits(self, header):
        return Header(header.fin, header.rsv | self.bit, header.opcode, header.mask, header.length)


def test_a_stream_claims_and_sets_bits(Scripted, masked_frame):
    mark = Mark(4)
    stream = Stream(Scripted(masked_frame(1, b"a", rsv=4) + masked_frame(1, b"b") + masked_frame(1, b"c", rsv=2)),
                    extensions=[mark])
    assert (stream.recv(), stream.recv()) == ("a", "b")
    stream.send("x")
    with Writer(stream, OpCode.BINARY, 2) as writer:
        writer.write(b"123")
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.__cause__.name == "FASTWS_ERR_RSV"
    assert mark.seen == [4, 0, 2]
    assert b"".join(stream.io.written).startswith(b"\xc1\x01x\x42\x0212\xc0\x013")


def test_a_reader_uses_those_of_the_stream_unless_it_has_its_own(Scripted, masked_frame):
    data = masked_frame(1, b"a", rsv=4) + masked_frame(1, b"b", rsv=2) + masked_frame(1, b"c", rsv=4)
    stream = Stream(Scripted(data), extensions=[Mark(4)])
    reader = Reader(stream)
    assert reader.next_frame().rsv == 0 and reader.read() == b"a"
    own = Reader(stream, extensions=[Mark(2)])
    assert own.next_frame().rsv == 0 and own.read() == b"b"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        Reader(stream, extensions=()).read()
    assert info.value.__cause__.name == "FASTWS_ERR_RSV"


def test_a_writer_uses_those_of_the_stream_unless_it_has_its_own(Scripted):
    stream = Stream(Scripted(), extensions=[Mark(4)])
    for options, first in (({}, 0xC1), ({"extensions": [Mark(2)]}, 0xA1), ({"extensions": ()}, 0x81), ({}, 0xC1)):
        with Writer(stream, **options) as writer:
            writer.write("x")
        assert stream.io.written[-1] == bytes([first, 1]) + b"x"


def test_extensions_of_a_writer_may_change(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, 2, extensions=[Mark(4)])
    writer.write(b"123")
    writer.set_extensions([Mark(2)])
    writer.flush()
    writer.write(b"4")
    writer.reset(extensions=())
    writer.write(b"5")
    writer.flush()
    writer.reset(extensions=[Mark(1)], opcode=OpCode.TEXT)
    writer.write("6")
    writer.flush()
    assert stream.io.written == [b"\x42\x0212", b"\xa0\x013", b"\x82\x015", b"\x91\x016"]
    for call in (writer.set_extensions, lambda extensions: writer.reset(extensions=extensions)):
        with pytest.raises(TypeError):
            call([5])
    with pytest.raises(TypeError):
        writer.set_extensions()
    writer.write("7")
    writer.flush()
    assert stream.io.written[-1] == b"\x91\x017"


def test_the_size_of_fragments_may_change(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, 2)
    writer.write(b"123")
    writer.buffer_size = 4
    assert (writer.buffer_size, writer.available) == (4, 3)
    writer.write(b"4567")
    writer.buffer_size = 1
    assert writer.available == 0
    writer.buffer_size = None
    writer.write(bytes(10))
    writer.flush()
    assert stream.io.written == [b"\x02\x0212", b"\x00\x043456", b"\x80\x0b7" + bytes(10)]
    for wrong, error in ((0, ValueError), ("1", TypeError)):
        with pytest.raises(error):
            writer.buffer_size = wrong
    with pytest.raises(AttributeError):
        del writer.buffer_size


def test_extensions_of_a_stream_may_change(Scripted, masked_frame):
    """What was agreed on is known after the handshake only."""
    stream = Stream(Scripted(masked_frame(1, b"a", rsv=4) + masked_frame(1, b"b", rsv=4)))
    stream.send("x")
    stream.set_extensions([Mark(4)])
    assert stream.recv() == "a"
    stream.send("y")
    stream.set_extensions(())
    stream.send("z")
    assert stream.io.written == [b"\x81\x01x", b"\xc1\x01y", b"\x81\x01z"]
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    for wrong in (5, [5]):
        with pytest.raises(TypeError):
            stream.set_extensions(wrong)


def test_reset_keeps_extensions_that_are_not_given(Scripted, masked_frame):
    stream = Stream(Scripted(), extensions=[Mark(4)])
    stream.reset(Scripted(masked_frame(1, b"a", rsv=4)))
    assert stream.recv() == "a"
    stream.reset(Scripted(), extensions=())
    stream.send("x")
    assert stream.io.written == [b"\x81\x01x"]


def test_what_an_extension_of_a_stream_raises(Scripted, masked_frame):
    def refuse(header):
        raise LookupError("no")

    stream = Stream(Scripted(masked_frame(1, b"a")), extensions=[refuse])
    with pytest.raises(LookupError):
        stream.send("x")
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert isinstance(info.value.__cause__.__cause__, LookupError) and info.value.__cause__.offset == 0


def test_an_extension_cannot_use_its_stream(Scripted, masked_frame):
    stream, seen = None, []

    def meddle(header):
        for call in (stream.recv, lambda: stream.send("x"), lambda: stream.reset(Scripted()),
                     lambda: stream.set_extensions(())):
            with pytest.raises(fastws.ConcurrencyError):
                call()
        seen.append(header.opcode)

    stream = Stream(Scripted(masked_frame(1, b"a")), extensions=[meddle])
    assert stream.recv() == "a"
    stream.send("b")
    assert seen == [1, 1]


def test_a_reader_with_limits_keeps_them_when_a_writer_brings_extensions(streams, in_thread):
    server, client = streams
    reader = Reader(server, max_message_size=4)
    reading = in_thread(reader.next_frame)
    with Writer(server, extensions=[Mark(4)]) as writer:
        writer.write("x")
    client.send("Hello")
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reading()
    assert isinstance(info.value.__cause__, fastws.MessageTooBig)


def test_skip_header_check_takes_what_breaks_the_rules(Scripted, masked_frame):
    wrong = masked_frame(1, b"a", rsv=7) + fastws.compile_frame(1, b"b") + masked_frame(5, b"c")
    stream = Stream(Scripted(wrong), skip_header_check=True)
    assert [stream.read_data()[1] for _ in range(3)] == [b"a", b"b", b"c"]
    assert stream.skip_header_check
    with pytest.raises(fastws.ConnectionClosedError):
        Stream(Scripted(wrong)).recv()


def forget_by_reset(writer):
    writer.reset()


def forget_by_an_exception(writer):
    writer.__exit__(ValueError, None, None)


@pytest.mark.parametrize("size", [3000, 30000], ids=["flush", "write"])
@pytest.mark.parametrize("forget", [forget_by_reset, forget_by_an_exception])
def test_an_extension_cannot_forget_the_message_that_is_being_sent(Scripted, forget, size):
    caught = []

    def extension(header):
        try:
            forget(writer)
        except fastws.ConcurrencyError as error:
            caught.append(error)

    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, extensions=[extension])
    writer.write(b"x" * size)
    writer.flush()
    assert len(caught) == (size + 4095) // 4096
    assert sum(data.count(b"x") for data in stream.io.written) == size
    forget(writer)
    stream.send("goes on")
    assert stream.io.written[-1] == b"\x81\x07goes on"


@pytest.mark.parametrize("forget", [forget_by_reset, forget_by_an_exception])
def test_another_thread_forgets_once_the_message_has_been_sent(Scripted, in_thread, forget):
    inside, order = threading.Event(), []

    def extension(header):
        inside.set()
        time.sleep(0.1)
        order.append("extension")

    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, extensions=[extension])
    writer.write(b"x" * 3000)
    flushed = in_thread(writer.flush)
    assert inside.wait(10)
    forget(writer)
    order.append("forgotten")
    flushed()
    assert order == ["extension", "forgotten"]
    assert b"".join(stream.io.written) == b"\x82\x7e\x0b\xb8" + b"x" * 3000


def test_a_writer_takes_another_stream_only_after_a_send(Scripted, in_thread):
    inside, first, second = threading.Event(), Stream(Scripted()), Stream(Scripted())

    def extension(header):
        inside.set()
        time.sleep(0.1)

    writer = Writer(first, OpCode.BINARY, extensions=[extension])
    writer.write(b"first")
    flushed = in_thread(writer.flush)
    assert inside.wait(10)
    writer.reset(stream=second)
    writer.write(b"second")
    writer.flush()
    flushed()
    assert (first.io.written, second.io.written) == ([b"\x82\x05first"], [b"\x82\x06second"])


def test_a_writer_that_goes_during_a_send_leaves_nothing_behind(Scripted, in_thread):
    inside, goes = threading.Event(), threading.Event()

    class Slow(Scripted):
        def sendall(self, data):
            inside.set()
            assert goes.wait(10)
            super().sendall(data)

    stream = Stream(Slow())
    writer = Writer(stream, OpCode.BINARY)
    writer.write(b"dropped")
    pinged = in_thread(stream.ping)
    assert inside.wait(10)
    del writer
    goes.set()
    pinged()
    stream.send(b"kept")
    assert stream.io.written == [b"\x89\x00", b"\x82\x04kept"]


def test_an_extension_without_memory_does_not_blame_the_peer(Scripted, masked_frame):
    def fail(header):
        raise MemoryError

    stream = Stream(Scripted(masked_frame(1, b"a")), extensions=[fail])
    with pytest.raises(MemoryError):
        stream.send("x")
    assert stream.state == "OPEN"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert isinstance(info.value.__cause__, MemoryError)
    assert info.value.sent.code == 1011
    assert stream.io.written[-1][2:4] == b"\x03\xf3"
