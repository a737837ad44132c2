# SPDX-License-Identifier: MIT
"""Utf8Reader: a file that checks what it reads from another. RFC 6455 8.1, RFC 3629."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Utf8Reader

LONG = "48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121"  # valid, with characters of two bytes


def read_all(reader, size):
    """Reads until the end or the error. Returns what came, and the error."""
    read = b""
    try:
        while piece := reader.read(size):
            assert len(piece) <= size
            read += piece
    except fastws.InvalidUTF8 as error:
        return read, error
    return read, None


@pytest.mark.parametrize(
    ("text", "good", "offset"),
    [
        ("cebae1bdb9cf83cebcceb5eda080656469746564", 11, 12),  # a surrogate
        ("7f7f7fdf", 4, 4),  # cut inside a character
        ("dfbf", 2, None),
        ("7ff000", 1, 2),
        ("c080", 0, 0),  # overlong
        ("f4908080", 0, 1),  # over U+10FFFF
        (LONG, len(LONG) // 2, None),
        ("", 0, None),
    ],
)
def test_hands_out_whole_characters_and_then_raises(text, good, offset):
    data = bytes.fromhex(text)
    read, error = read_all(Utf8Reader(io.BytesIO(data)), 4096)
    assert (read, error and error.offset) == (data[:good], offset)
    if error:
        assert (error.code, error.name) == (1007, "FASTWS_ERR_UTF8")


@pytest.mark.parametrize("text", ["cebae1bdb9cf83cebcceb5eda080656469746564", "7ff000", LONG, "7f7f7fdf"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pieces_of_any_size_fail_at_the_same_byte(text, size):
    data = bytes.fromhex(text)
    whole = read_all(Utf8Reader(io.BytesIO(data)), 4096)[1]
    error = read_all(Utf8Reader(io.BytesIO(data)), size)[1]
    assert (error and error.offset) == (whole and whole.offset)


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.lists(st.integers(1, 9), min_size=1))
def test_agrees_with_python_however_it_is_cut(data, sizes):
    reader, read = Utf8Reader(io.BytesIO(data)), b""
    try:
        for i in range(10000):
            piece = reader.read(sizes[i % len(sizes)])
            read += piece
            if not piece:
                break
    except fastws.InvalidUTF8:
        assert not reader.valid or read != data
        with pytest.raises(UnicodeDecodeError):
            data.decode()
        assert data.startswith(read)
    else:
        assert (read.decode(), read) == (data.decode(), data)


def test_valid_and_accepted():
    reader = Utf8Reader(io.BytesIO("aä€😀".encode()))
    assert (reader.valid, reader.accepted, reader.offset) == (True, 0, 0)
    seen = []
    while reader.read(2):
        seen.append((reader.valid, reader.accepted, reader.offset))
    # a ä|, |ä €1|, €2 €3|, 1 2|, 3 4
    assert seen == [(False, 1, 2), (False, 1, 4), (True, 2, 6), (False, 0, 8), (True, 2, 10)]
    reader = Utf8Reader(io.BytesIO(b"\xc3\xa4\xff"))
    reader.read(1)
    assert (reader.read(5), reader.accepted, reader.valid) == (b"\xa4", 1, False)


def test_reading_everything_raises_if_any_of_it_is_wrong():
    assert Utf8Reader(io.BytesIO("Grüße".encode())).read() == "Grüße".encode()
    for data, offset in ((b"good\xff", 4), (b"good\xc3", 5)):
        reader = Utf8Reader(io.BytesIO(data))
        with pytest.raises(fastws.InvalidUTF8) as info:
            reader.read()
        assert (info.value.offset, reader.accepted, reader.valid) == (offset, 4, False)


def test_readinto_and_large_reads():
    data = "Grüße, ".encode() * 20000
    reader = Utf8Reader(io.BytesIO(data))
    buffer, read = bytearray(100001), b""
    while count := reader.readinto(buffer):
        read += buffer[:count]
    assert read == data
    reader = Utf8Reader(io.BytesIO(b"good\xff"))
    assert (reader.readinto(buffer), buffer[:4], reader.accepted) == (4, b"good", 4)
    with pytest.raises(fastws.InvalidUTF8):
        reader.readinto(buffer)
    assert (Utf8Reader(io.BytesIO(b"x")).readinto(bytearray()), Utf8Reader(io.BytesIO(b"x")).read(0)) == (0, b"")


def test_an_error_stays_until_reset():
    source = io.BytesIO(b"\xffgood")
    reader = Utf8Reader(source)
    for _ in range(3):
        with pytest.raises(fastws.InvalidUTF8):
            reader.read(1)
    assert source.tell() == 1
    reader.reset(source)
    assert (reader.accepted, reader.read(), reader.valid) == (0, b"good", True)
    reader.close()
    assert reader.closed and not source.closed
    with pytest.raises(ValueError, match="closed"):
        reader.read()
    with pytest.raises(TypeError):
        reader.reset(5)
    with pytest.raises(TypeError):
        Utf8Reader("text")


def test_may_be_wrapped():
    text = "Grüße\nÄ\n" * 10000
    assert io.TextIOWrapper(io.BufferedReader(Utf8Reader(io.BytesIO(text.encode()))), encoding="utf-8").read() == text
    reader = Utf8Reader(io.BytesIO())
    assert (reader.readable(), reader.writable(), reader.seekable()) == (True, False, False)


def test_what_does_not_block_may_answer_nothing():
    class Blocked:
        def read(self, n):
            return None

    reader = Utf8Reader(Blocked())
    assert (reader.read(), reader.read(3), reader.readinto(bytearray(3))) == (None, None, None)
