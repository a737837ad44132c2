# SPDX-License-Identifier: MIT
"""CipherReader and CipherWriter: files that mask what passes through them. RFC 6455 5.3."""

import io
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import CipherReader, CipherWriter

KEY = b"\x37\xfa\x21\x3d"


class OnlyRead:
    """What has read() alone, and gives at most `most` bytes at a time."""

    def __init__(self, data, most=1 << 30):
        self.file, self.most = io.BytesIO(data), most

    def read(self, n=-1):
        return self.file.read(min(n, self.most) if n >= 0 else -1)


class OnlyReadinto:
    def __init__(self, data, most=1 << 30):
        self.file, self.most = io.BytesIO(data), most

    def readinto(self, buffer):
        return self.file.readinto(memoryview(buffer)[: self.most])


class Raw(io.RawIOBase):
    """Takes and gives `most` bytes at a time, and nothing at all where `answers` says so."""

    def __init__(self, data=b"", most=3, is_blocked=False):
        self.file, self.most, self.is_blocked, self.written = io.BytesIO(data), most, is_blocked, b""

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        return None if self.is_blocked else self.file.readinto(memoryview(buffer)[: self.most])

    def write(self, data):
        if self.is_blocked:
            return None
        taken = bytes(data)[: self.most]
        self.written += taken
        return len(taken)


@pytest.mark.parametrize("kind", [io.BytesIO, OnlyRead, OnlyReadinto, Raw, lambda data: OnlyRead(data, 3)])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_reads_whole_and_in_pieces(kind, size):
    data = bytes(range(256)) * 3
    reader = CipherReader(kind(fastws.masked(data, KEY)), KEY)
    read = b"".join(iter(lambda: reader.read(size), b""))
    assert (read, reader.offset) == (data, len(data))
    reader = CipherReader(kind(fastws.masked(data, KEY)), KEY)
    buffer, read = bytearray(size), b""
    while count := reader.readinto(buffer):
        read += buffer[:count]
    assert (read, reader.offset, reader.read(5)) == (data, len(data), b"")


@pytest.mark.parametrize("kind", [io.BytesIO, OnlyRead, OnlyReadinto, Raw])
def test_reads_everything(kind):
    for data in (b"", b"x", bytes(200000)):
        for n in (-1, None, -5):
            assert CipherReader(kind(fastws.masked(data, KEY)), KEY).read(n) == data
    assert CipherReader(io.BytesIO(b"abc"), KEY).read(0) == b""


@given(st.binary(), st.integers(0, 2**64 - 1), st.lists(st.integers(1, 50)))
def test_agrees_with_mask_however_it_is_cut(data, offset, cuts):
    expected = fastws.masked(data, KEY, offset)
    reader = CipherReader(io.BytesIO(data), KEY, offset)
    assert b"".join(reader.read(cut) for cut in cuts) + reader.read() == expected
    dest = io.BytesIO()
    writer = CipherWriter(dest, KEY, offset=offset)
    left = data
    for cut in cuts:
        assert writer.write(left[:cut]) == len(left[:cut])
        left = left[cut:]
    writer.write(left)
    assert dest.getvalue() == expected
    assert reader.offset == writer.offset == (offset + len(data)) % 2**64


def test_sockets():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer, reader = CipherWriter(ours, KEY), CipherReader(theirs, KEY)
        assert writer.write(b"Hello") == 5
        assert theirs.recv(5, socket.MSG_PEEK) == fastws.masked(b"Hello", KEY)
        buffer = bytearray(3)
        assert (reader.readinto(buffer), buffer) == (3, b"Hel")
        assert reader.read(10) == b"lo"
        writer.write(bytes(100000))
        ours.close()
        assert reader.read() == bytes(100000)


def test_the_data_of_the_caller_stays_as_it_is():
    data = bytearray(b"Hello")
    dest = io.BytesIO()
    assert CipherWriter(dest, KEY).write(data) == 5
    assert (data, dest.getvalue()) == (b"Hello", fastws.masked(b"Hello", KEY))


def test_a_short_write_moves_the_position_by_what_was_taken():
    dest = Raw(most=3)
    writer = CipherWriter(dest, KEY)
    left = b"Hello, world"
    while left:
        left = left[writer.write(left) :]
    assert dest.written == fastws.masked(b"Hello, world", KEY)
    assert io.BufferedWriter(Raw()).raw.written == b""


def test_what_does_not_block_may_answer_nothing():
    raw = Raw(b"abc", is_blocked=True)
    reader, writer = CipherReader(raw, KEY), CipherWriter(raw, KEY)
    assert (reader.read(3), reader.readinto(bytearray(3)), writer.write(b"abc")) == (None, None, None)
    assert reader.offset == writer.offset == 0


def test_reset_starts_anew():
    reader = CipherReader(io.BytesIO(b"abc"), KEY)
    reader.read(2)
    reader.reset(io.BytesIO(fastws.masked(b"second", b"abcd", 7)), b"abcd", 7)
    assert (reader.read(), reader.offset) == (b"second", 13)
    dest = io.BytesIO()
    writer = CipherWriter(io.BytesIO(), KEY)
    writer.write(b"x")
    for bad in ((dest,), (dest, b"abc"), (5, KEY), (dest, KEY, -1)):
        with pytest.raises((TypeError, ValueError)):
            writer.reset(*bad)
    assert writer.offset == 1
    writer.reset(dest, key=b"abcd")
    writer.write(b"second")
    assert dest.getvalue() == fastws.masked(b"second", b"abcd")


def test_close_lets_go_and_leaves_the_other_open():
    source, dest = io.BytesIO(b"x"), io.BytesIO()
    reader, writer = CipherReader(source, KEY), CipherWriter(dest, KEY)
    assert not reader.closed and not writer.closed
    writer.flush()
    reader.close()
    writer.close()
    assert reader.closed and writer.closed and not source.closed and not dest.closed
    for call in (reader.read, lambda: reader.readinto(bytearray(1)), lambda: writer.write(b"x"), writer.flush):
        with pytest.raises(ValueError, match="closed"):
            call()
    reader.reset(source, KEY)
    assert reader.read() == fastws.masked(b"x", KEY)


def test_may_be_wrapped():
    lines = b"one\ntwo\n" * 5000
    reader = io.BufferedReader(CipherReader(OnlyReadinto(fastws.masked(lines, KEY), 1000), KEY))
    assert b"".join(reader) == lines
    dest = io.BytesIO()
    with io.BufferedWriter(CipherWriter(dest, KEY)) as writer:
        writer.write(lines)
    assert dest.getvalue() == fastws.masked(lines, KEY)
    reader, writer = CipherReader(io.BytesIO(), KEY), CipherWriter(io.BytesIO(), KEY)
    assert (reader.readable(), reader.writable(), reader.seekable()) == (True, False, False)
    assert (writer.readable(), writer.writable(), writer.seekable()) == (False, True, False)


@pytest.mark.parametrize(
    "arguments", [(), (5, KEY), ("x", KEY), (io.BytesIO(),), (io.BytesIO(), b"abc"), (io.BytesIO(), KEY, 2**64)]
)
def test_wrong_arguments_are_refused(arguments):
    for cls in (CipherReader, CipherWriter):
        with pytest.raises((TypeError, ValueError)):
            cls(*arguments)


@pytest.mark.parametrize("answer", [-1, 4, "3", 2**70])
def test_wrong_counts_are_refused(answer):
    class Liar:
        def readinto(self, buffer):
            return answer

        def write(self, data):
            return answer

    with pytest.raises((TypeError, ValueError)):
        CipherReader(Liar(), KEY).readinto(bytearray(3))
    with pytest.raises((TypeError, ValueError)):
        CipherReader(Liar(), KEY).read(3)
    with pytest.raises((TypeError, ValueError)):
        CipherWriter(Liar(), KEY).write(b"abc")


@pytest.mark.parametrize("answer", ["text", 5, b"too long"])
def test_wrong_reads_are_refused(answer):
    class Liar:
        def read(self, n):
            return answer

    with pytest.raises((TypeError, ValueError)):
        CipherReader(Liar(), KEY).read(3)
    with pytest.raises((TypeError, ValueError)):
        CipherReader(Liar(), KEY).readinto(bytearray(3))


def test_failures_of_the_other_leave_the_position():
    class Fails:
        def read(self, n):
            raise OSError("gone")

        write = flush = read

    reader, writer = CipherReader(Fails(), KEY), CipherWriter(Fails(), KEY)
    for call in (reader.read, lambda: reader.readinto(bytearray(3)), lambda: writer.write(b"x")):
        with pytest.raises(OSError, match="gone"):
            call()
    assert reader.offset == writer.offset == 0
    for wrong in ("str", 5, None):
        with pytest.raises(TypeError):
            writer.write(wrong)
    with pytest.raises(TypeError):
        reader.readinto(b"read-only")
