# SPDX-License-Identifier: MIT
"""Reader: messages as they arrive, in fragments, with what comes between them, and where they break off."""

import gc
import hashlib
import io
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Header, OpCode, Reader, Rsv, Stream

KEY = b"\x37\xfa\x21\x3d"


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=KEY):
    return Header(fin, rsv, opcode, mask, len(payload)).encode() + (fastws.masked(payload, mask) if mask else payload)


def read_all(reader, size):
    return b"".join(iter(lambda: reader.read(size), b""))


FRAGMENTED = (
    frame(1, b"foo", fin=False)
    + frame(9, b"ping")
    + frame(0, b"bar", fin=False)
    + frame(10, b"pong")
    + frame(0, b"baz")
)


class Bytewise:
    """Gives its bytes `most` at a time, and counts reads."""

    def __init__(self, data, most=1):
        self.data, self.most, self.written, self.reads = memoryview(data), most, b"", 0

    def recv_into(self, buffer):
        self.reads += 1
        part = self.data[: min(self.most, len(buffer))]
        buffer[: len(part)] = part
        self.data = self.data[len(part) :]
        return len(part)

    def sendall(self, data):
        self.written += data


@pytest.mark.parametrize("most", [1, 2, 7, 1000])
@pytest.mark.parametrize("size", [1, 4, 100, -1])
def test_joins_fragments_around_control_frames(most, size):
    told = []
    stream = Stream(Bytewise(FRAGMENTED + frame(2, b"next"), most))
    reader = Reader(stream, on_intermediate=lambda header, payload: told.append((header, payload)))
    assert reader.next_frame() == Header(fin=False, opcode=1, length=3)
    assert (read_all(reader, size) if size > 0 else reader.read()) == b"foobarbaz"
    assert told == [(Header(opcode=9, length=4), b"ping"), (Header(opcode=10, length=4), b"pong")]
    assert stream.io.written == fastws.compile_frame(10, b"ping")
    assert reader.next_frame().opcode == 2 and reader.read() == b"next"


def test_a_frame_is_told_before_its_payload_has_come(sockets):
    ours, theirs = sockets
    reader = Reader(Stream(ours))
    whole = frame(2, b"Hello")
    theirs.sendall(whole[:6])
    assert reader.next_frame() == Header(opcode=2, length=5)
    theirs.sendall(whole[6:9])
    assert reader.read(100) == b"Hel"
    theirs.sendall(whole[9:] + frame(1, b"next"))
    assert (reader.read(100), reader.read(100)) == (b"lo", b"")
    assert reader.next_frame().length == 4


def test_a_message_may_be_larger_than_memory(in_thread):
    """256 MiB pass through; what is held meanwhile is a slab."""
    resource = pytest.importorskip("resource")
    piece, count = bytes(1 << 20), 256
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(60)

        def send():
            theirs.sendall(Header(True, 0, 2, b"\0\0\0\0", len(piece) * count).encode())
            for _ in range(count):
                theirs.sendall(piece)

        sending = in_thread(send)
        reader = Reader(Stream(ours), max_frame_size=None, max_message_size=None)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert reader.next_frame().length == len(piece) * count
        buffer, total = bytearray(1 << 16), 0
        while got := reader.readinto(buffer):
            total += got
        assert total == len(piece) * count
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
        sending(60)


def test_on_continuation_is_told_of_each_further_frame_and_may_read_it():
    told = []

    def on_continuation(header, reader):
        told.append((header.fin, header.opcode, header.length))
        if len(told) == 1:
            told.append(reader.read(2))
        if header.fin:
            told.extend([reader.read(), reader.read(), reader.readinto(bytearray(5))])

    one_two = frame(2, b"one", fin=False) + frame(0, b"two", fin=False)
    data = one_two + frame(0, b"", fin=False) + frame(0, b"three") + frame(2, b"x")
    for most in (1, 1000):
        told.clear()
        reader = Reader(Stream(Bytewise(data, most)), on_continuation=on_continuation)
        reader.next_frame()
        # With single bytes, read(2) gives what has arrived: one.
        rest = b"o" if most == 1000 else b"wo"
        assert read_all(reader, 100) == b"one" + rest
        assert told == [(False, 0, 3), b"two"[: 3 - len(rest)], (False, 0, 0), (True, 0, 5), b"three", b"", 0]
        assert (reader.next_frame().opcode, reader.read()) == (2, b"x")


def test_what_callbacks_raise_reaches_the_caller_and_reading_goes_on():
    def fail(*_):
        raise ZeroDivisionError

    reader = Reader(Stream(Bytewise(FRAGMENTED, 100)), on_intermediate=fail)
    reader.next_frame()
    assert reader.read(100) == b"foo"
    for expected in (b"bar", b"baz"):
        with pytest.raises(ZeroDivisionError):
            reader.read(100)
        assert reader.read(100) == expected
    reader = Reader(Stream(Bytewise(FRAGMENTED, 100)), on_continuation=fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            reader.read()
    assert reader.read() == b"foobarbaz"  # read() used to lose what it had when a callback raised
    for wrong in (5, "text"):
        with pytest.raises(TypeError):
            Reader(reader.stream, on_intermediate=wrong)
        with pytest.raises(TypeError):
            Reader(reader.stream, on_continuation=wrong)


@pytest.mark.parametrize("end", [b"lo", b""])
def test_what_a_read_has_taken_is_there_for_the_next_when_it_fails(sockets, end):
    """It was lost: the next read() returned the rest as if it were the message."""
    ours, theirs = sockets
    ours.settimeout(0.05)
    reader = Reader(Stream(ours))
    theirs.sendall(frame(1, b"h", fin=False))
    reader.next_frame()
    for piece in (b"e", b"l"):
        theirs.sendall(frame(0, piece, fin=False))
        with pytest.raises(TimeoutError):
            reader.read()
    assert reader.read(1) == b"h"
    with pytest.raises(TimeoutError):
        reader.read()
    theirs.sendall(frame(0, end) + frame(1, b"next"))
    assert reader.read() == b"el" + end
    assert reader.read() == b""
    assert reader.stream.recv() == "next"


def test_what_was_kept_is_dropped_with_its_message(sockets):
    ours, theirs = sockets
    ours.settimeout(0.05)
    reader = Reader(Stream(ours))
    for leave in (reader.discard, reader.reset, reader.next_frame):
        theirs.sendall(frame(1, b"hel", fin=False))
        reader.next_frame()
        with pytest.raises(TimeoutError):
            reader.read()
        theirs.sendall(frame(0, b"lo") + frame(2, b"next"))
        leave()
        assert reader.stream.recv() == b"next" if leave != reader.next_frame else reader.read() == b"next"


def test_the_close_frame_is_told_too():
    told = []
    reader = Reader(Stream(Bytewise(frame(8, b"\x03\xe8bye"))), on_intermediate=lambda *control: told.append(control))
    with pytest.raises(fastws.ConnectionClosedOK):
        reader.next_frame()
    assert told == [(Header(opcode=8, length=5), b"\x03\xe8bye")]


def test_iterates_over_messages():
    data = frame(1, b"one") + frame(2, b"two", fin=False) + frame(0, b"more") + frame(2, b"") + frame(8, b"\x03\xe8")
    reader = Reader(Stream(Bytewise(data)))
    found = [(header.opcode, reader.read()) for header in reader]
    assert found == [(OpCode.TEXT, b"one"), (OpCode.BINARY, b"twomore"), (OpCode.BINARY, b"")]
    with pytest.raises(fastws.ConnectionClosedError):
        list(Reader(Stream(Bytewise(frame(1, b"cut")[:-1]))))


@pytest.mark.parametrize("cut", range(1, len(FRAGMENTED)))
def test_every_end_inside_a_message_is_reported(cut):
    """gobwas/ws hides it from Discard; an end between messages is told apart."""
    for act in (Reader.read, lambda reader: read_all(reader, 2), lambda reader: list(reader), discard_and_go_on):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            act(Reader(Stream(Bytewise(FRAGMENTED[:cut]))))
        assert info.value.__cause__.name == "FASTWS_ERR_UNEXPECTED_EOF"
        assert info.value.code == 1006


def discard_and_go_on(reader):
    reader.next_frame()
    reader.discard()
    reader.next_frame()


def test_an_end_between_messages_is_one_too():
    for act in (Reader.next_frame, Reader.read, list):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            act(Reader(Stream(Bytewise(b""))))
        assert info.value.__cause__.name == "FASTWS_ERR_EOF"


@pytest.mark.parametrize("most", [1, 1000])
@pytest.mark.parametrize("taken", [0, 2, 5])
def test_discard_drops_what_is_left_and_what_comes(most, taken):
    stream = Stream(Bytewise(FRAGMENTED + frame(2, b"next"), most))
    reader = Reader(stream)
    reader.next_frame()
    while taken > 0:
        taken -= len(reader.read(taken))
    reader.discard()
    assert (reader.read(), reader.read(5)) == (b"", b"")
    assert stream.recv() == b"next"
    assert stream.io.written == fastws.compile_frame(10, b"ping")
    reader.discard()


def test_bad_text_is_not_seen_where_it_is_discarded():
    reader = Reader(Stream(Bytewise(frame(1, b"a", fin=False) + frame(0, b"\xff") + frame(1, b"good"))))
    reader.next_frame()
    reader.discard()
    reader.reset()
    assert reader.read() == b"good"


def test_characters_may_be_cut_between_fragments():
    text = "Ё".encode()
    reader = Reader(Stream(Bytewise(frame(1, text[:1], fin=False) + frame(0, text[1:]))))
    assert reader.read() == text
    reader = Reader(Stream(Bytewise(frame(1, text[:1], fin=False) + frame(0, b"x"), 100)))
    reader.next_frame()
    assert reader.read(5) == text[:1]
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reader.read(5)
    assert (info.value.__cause__.offset, info.value.code) == (7 + 6, 1007)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"max_frame_size": 4}, "FASTWS_ERR_FRAME_TOO_LARGE"), ({"max_message_size": 9}, "FASTWS_ERR_MESSAGE_TOO_LARGE")],
)
def test_limits_of_a_reader(options, name):
    data = frame(2, b"1234", fin=False) + frame(0, b"56789")
    stream = Stream(Bytewise(data + frame(2, b"12345") * 2 + data[:-1] + b"x" + frame(2, b"1234567890")))
    for _ in range(2):
        assert stream.recv()[:5] == b"12345"
    reader = Reader(stream, **options)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        while True:
            reader.read()
    assert (info.value.__cause__.name, info.value.__cause__.code) == (name, 1009)
    with pytest.raises(fastws.ConnectionClosedError):
        reader.read()
    assert stream.io.written[:4] == bytes([0x88, len(stream.io.written) - 2, 0x03, 0xF1])


def test_limits_hold_for_this_reader_alone():
    stream = Stream(Bytewise(frame(2, bytes(100)) * 4), max_size=50, max_frame_size=100)
    assert len(Reader(stream, max_message_size=None).read()) == 100
    assert len(Reader(stream, max_message_size=100).read()) == 100
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    for wrong in ({"max_frame_size": 0}, {"max_message_size": -1}, {"max_frame_size": "5"}):
        with pytest.raises((TypeError, ValueError)):
            Reader(stream, **wrong)


def test_skip_header_check_takes_what_breaks_the_rules():
    wrong = frame(2, b"unmasked", mask=None) + frame(3, b"reserved opcode") + frame(2, b"rsv", rsv=5)
    data = wrong + frame(2, b"strict", mask=None)
    reader = Reader(Stream(Bytewise(data)), skip_header_check=True)
    assert [(reader.next_frame(), reader.read()) for _ in range(3)] == [
        (Header(opcode=2, length=8), b"unmasked"),
        (Header(opcode=3, length=15), b"reserved opcode"),
        (Header(rsv=5, opcode=2, length=3), b"rsv"),
    ]
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reader.stream.recv()
    assert info.value.__cause__.name == "FASTWS_ERR_MASK_REQUIRED"


def unset_rsv1(header):
    return Header(header.fin, header.rsv & ~Rsv.RSV1, header.opcode, header.mask, header.length)


class Compression:
    def __init__(self):
        self.seen = []

    def unset_bits(self, header):
        self.seen.append((header.fin, header.rsv, header.opcode, header.length))
        return unset_rsv1(header)


def test_extensions_claim_their_bits():
    extension = Compression()
    data = frame(2, b"one", fin=False, rsv=4) + frame(9, b"p") + frame(0, b"two") + frame(2, b"x", rsv=6)
    reader = Reader(Stream(Bytewise(data)), extensions=[extension, lambda header: None])
    assert (reader.next_frame(), reader.read()) == (Header(fin=False, opcode=2, length=3), b"onetwo")
    assert extension.seen == [(False, 4, 2, 3), (True, 0, 0, 3)]
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reader.next_frame()
    assert info.value.__cause__.name == "FASTWS_ERR_RSV"
    with pytest.raises(fastws.ConnectionClosedError):
        Stream(Bytewise(frame(2, b"x", rsv=4))).recv()


@pytest.mark.parametrize("answer", [ValueError("no"), 5])
def test_an_extension_may_refuse(answer):
    def refuse(header):
        if isinstance(answer, Exception):
            raise answer
        return answer

    stream = Stream(Bytewise(frame(2, b"x")))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        Reader(stream, extensions=[refuse]).next_frame()
    assert info.value.__cause__.name == "FASTWS_ERR_EXTENSION" and info.value.code == 1002
    assert isinstance(info.value.__cause__.__cause__, (ValueError, TypeError))
    for wrong in (5, [5], [None]):
        with pytest.raises(TypeError):
            Reader(stream, extensions=wrong)


def test_an_extension_must_not_use_the_stream():
    caught = []

    def reenter(header):
        for call in (lambda: stream.send("x"), stream.recv, stream.ping, lambda: stream.close(1011)):
            with pytest.raises(fastws.ConcurrencyError):
                call()
            caught.append(1)

    stream = Stream(Bytewise(frame(2, b"x")))
    assert Reader(stream, extensions=[reenter]).read() == b"x"
    assert (len(caught), stream.io.written) == (4, b"")


def test_other_threads_wait_for_an_extension(sockets, in_thread):
    ours, theirs = sockets
    stream = Stream(ours)
    order = []

    def slow(header):
        sender.append(in_thread(lambda: (stream.send(b"sent"), order.append("sent"))))
        time.sleep(0.1)
        order.append("asked")

    sender = []
    theirs.sendall(frame(2, b"x"))
    assert Reader(stream, extensions=[slow]).read() == b"x"
    sender[0]()
    assert order == ["asked", "sent"]


def test_nobody_else_reads_inside_of_a_message():
    stream = Stream(Bytewise(FRAGMENTED + frame(2, b"next")))
    reader, other = Reader(stream), Reader(stream)
    reader.next_frame()
    of_stream = stream.recv, stream.read_message, stream.read_header, lambda: next(stream)
    for read in (*of_stream, other.next_frame, other.read):
        with pytest.raises(RuntimeError, match="inside of a message"):
            read()
    assert reader.read() == b"foobarbaz"
    assert other.read() == b"next"


def test_a_reader_that_goes_lets_the_stream_go_on():
    for drop in (Reader.close, Reader.discard, Reader.reset, lambda reader: None):
        stream = Stream(Bytewise(FRAGMENTED + frame(2, b"next")))
        reader = Reader(stream)
        reader.next_frame()
        reader.read(1)
        drop(reader)
        del reader
        gc.collect()
        assert stream.recv() == b"next"


def test_the_last_byte_frees_the_stream():
    stream = Stream(Bytewise(frame(2, b"one") + frame(2, b"two") + frame(2, b"") + frame(2, b"three"), 100))
    reader = Reader(stream)
    reader.next_frame()
    assert reader.read(3) == b"one"
    assert stream.recv() == b"two"
    assert reader.read(3) == b""
    reader.next_frame()
    assert stream.recv() == b"three"


def test_closing_the_stream_ends_the_message():
    stream = Stream(Bytewise(frame(2, b"one", fin=False) + frame(0, b"\xff" * 200) + frame(8, b"\x03\xe8"), 9))
    reader = Reader(stream)
    reader.next_frame()
    stream.close()
    for read in (reader.read, lambda: reader.read(1), reader.next_frame):
        with pytest.raises(fastws.ConnectionClosedOK):
            read()


def test_reset_goes_on_with_another_stream():
    first, second = Stream(Bytewise(FRAGMENTED)), Stream(Bytewise(frame(1, b"second")))
    reader = Reader(first)
    reader.next_frame()
    reader.close()
    reader.reset(second)
    assert (reader.stream, reader.closed, reader.read()) == (second, False, b"second")
    for wrong in (5, "text"):
        with pytest.raises(TypeError):
            reader.reset(wrong)
    reader.reset(first)
    with pytest.raises(fastws.ConnectionClosedError):
        reader.next_frame()


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.lists(st.text(max_size=30), min_size=1, max_size=4)), max_size=5),
    st.integers(1, 40),
    st.lists(st.integers(1, 30), min_size=1),
    st.booleans(),
)
def test_any_cut_gives_the_same_messages(messages, most, sizes, with_pings):
    data = b""
    for opcode, parts in messages:
        for i, part in enumerate(parts):
            data += frame(0 if i else opcode, part.encode(), fin=i == len(parts) - 1)
            data += frame(9, b"p") if with_pings else b""
    stream = Stream(Bytewise(data + frame(8), most))
    reader = Reader(stream)
    found = []
    for header in reader:
        digest, i = hashlib.sha256(), 0
        while part := reader.read(sizes[i % len(sizes)]):
            digest.update(part)
            i += 1
        found.append((header.opcode, digest.digest()))
    assert found == [(op, hashlib.sha256("".join(parts).encode()).digest()) for op, parts in messages]


def test_large_messages_are_taken_without_a_copy(sockets, in_thread):
    """The block that a message grew in is the bytes object that is returned."""
    ours, theirs = sockets
    stream = Stream(ours)
    payload = bytes(range(256)) * 8192
    sending = in_thread(lambda: [theirs.sendall(frame(2, each)) for each in [payload] * 4 + [bytes(len(payload))]])
    kept = [stream.recv(), Reader(stream).read(), stream.read_data()[1], stream.recv()]
    assert stream.recv() == bytes(len(payload))
    sending()
    assert all(type(each) is bytes and each == payload and hash(each) == hash(payload) for each in kept)
    file = io.BytesIO(kept[0])
    file.write(b"x")
    assert kept[0] == payload


LEAVES = ["discard", "reset", "close"]


def end_of_read(reader, leave):
    """What a read makes of its message being left: nothing, or ValueError."""
    if leave == "close":
        with pytest.raises(ValueError, match="closed"):
            reader.read()
    else:
        assert reader.read() == b""


@pytest.mark.parametrize("leave", LEAVES)
def test_a_callback_may_leave_the_message(leave):
    data = frame(1, b"he", fin=False) + frame(9, b"p") + frame(0, b"llo") + frame(1, b"second") + frame(1, b"third")
    reader = Reader(Stream(Bytewise(data)), on_intermediate=lambda header, payload: getattr(reader, leave)())
    reader.next_frame()
    end_of_read(reader, leave)
    assert reader.stream.recv() == "second"
    reader.reset()
    assert reader.read() == b"third"


@pytest.mark.parametrize("leave", LEAVES)
def test_a_callback_of_a_further_frame_may_leave_the_message(leave):
    data = frame(1, b"he", fin=False) + frame(0, b"llo") + frame(1, b"second")
    reader = Reader(Stream(Bytewise(data)), on_continuation=lambda header, file: getattr(reader, leave)())
    reader.next_frame()
    end_of_read(reader, leave)
    assert reader.stream.recv() == "second"


def test_a_callback_may_take_the_next_message():
    """It leaves the message that is read; its own is not mixed into that one."""
    taken = []
    data = frame(1, b"he", fin=False) + frame(9) + frame(0, b"llo") + frame(1, b"second") + frame(1, b"third")

    def take(header, payload):
        reader.next_frame()
        taken.append(reader.read(3))

    reader = Reader(Stream(Bytewise(data)), on_intermediate=take)
    reader.next_frame()
    buffer = bytearray(10)
    assert [reader.readinto(buffer) for _ in range(3)] == [1, 1, 0]
    assert (taken, reader.read()) == ([b"s"], b"econd")
    assert reader.stream.recv() == "third"


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_callback_before_a_message_may_close_the_reader(is_begun):
    stream = Stream(Bytewise(frame(9) + frame(1, b"kept")))
    reader = Reader(stream, on_intermediate=lambda header, payload: reader.close())
    with pytest.raises(ValueError, match="closed"):
        reader.next_frame() if is_begun else reader.read()
    assert reader.stream.recv() == "kept"


@pytest.mark.parametrize("leave", [*LEAVES, "next_frame"])
def test_another_thread_cannot_leave_the_message_that_is_read(sockets, in_thread, leave):
    ours, theirs = sockets
    reader = Reader(Stream(ours))
    theirs.sendall(frame(1, b"he", fin=False))
    reader.next_frame()
    reading = in_thread(reader.read)
    deadline = time.monotonic() + 10
    while True:  # until the other thread reads: then it is refused
        assert time.monotonic() < deadline
        try:
            reader.stream.recv(timeout=0)
        except fastws.ConcurrencyError:
            break
        except RuntimeError:
            time.sleep(0.001)
    with pytest.raises(fastws.ConcurrencyError):
        getattr(reader, leave)()
    theirs.sendall(frame(0, b"llo") + frame(1, b"second"))
    assert reading() == b"hello"
    assert reader.stream.recv() == "second"


@pytest.mark.parametrize("leave", LEAVES)
def test_an_extension_cannot_leave_the_message(leave):
    refused = []

    def extension(header):
        try:
            getattr(reader, leave)()
        except fastws.ConcurrencyError as error:
            refused.append(error)

    data = frame(1, b"he", fin=False) + frame(0, b"llo") + frame(1, b"second")
    reader = Reader(Stream(Bytewise(data)), extensions=[extension])
    assert (reader.read(2)[:1], reader.read(), len(refused)) == (b"h", b"ello", 2)
    assert reader.stream.recv() == "second"


def test_rules_of_a_reader_end_with_its_reads():
    """Extensions too: nothing of them holds for the next message, which another reads."""
    data = frame(1, b"a", rsv=4) + frame(1, b"b", rsv=4)
    reader = Reader(Stream(Bytewise(data), extensions=[lambda header: None]), extensions=[unset_rsv1])
    assert reader.read() == b"a"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        reader.stream.recv()
    assert info.value.__cause__.name == "FASTWS_ERR_RSV"
