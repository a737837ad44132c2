# SPDX-License-Identifier: MIT
"""mask() and masked(): the same as the XOR of RFC 6455 5.3, on every buffer, for every row."""

import array
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws

KEY = b"\x37\xfa\x21\x3d"


def expected(data, key, offset=0):
    return bytes(byte ^ key[(offset + i) % 4] for i, byte in enumerate(data))


def test_masks_the_example_of_the_rfc():
    assert fastws.masked(b"Hello", KEY) == bytes.fromhex("7f9f4d5158")


@given(st.binary(max_size=600), st.binary(min_size=4, max_size=4), st.integers(0, 2**64 - 1))
def test_is_the_xor_of_the_rfc(data, key, offset):
    assert fastws.masked(data, key, offset) == expected(data, key, offset)
    buffer = bytearray(data)
    assert fastws.mask(buffer, key, offset) is None
    assert buffer == expected(data, key, offset)


@pytest.mark.parametrize("length", [0, 1, 3, 7, 16, 63, 64, 65, 125, 65535, 65536, 65537, 200001])
def test_every_row_gives_the_same(length):
    data = bytes(i * 7 % 256 for i in range(length))
    before = fastws.isa()
    try:
        for name in fastws.isas():
            fastws.select_isa(name)
            assert fastws.masked(data, KEY, 5) == expected(data, KEY, 5)
    finally:
        fastws.select_isa(before)


@pytest.mark.parametrize(
    "make", [bytearray, lambda data: memoryview(bytearray(data)), lambda data: array.array("B", data)]
)
def test_masks_any_writable_buffer(make):
    buffer = make(b"Hello")
    fastws.mask(buffer, KEY)
    assert bytes(buffer) == expected(b"Hello", KEY)


class Bytes(bytes):
    pass


class ByteArray(bytearray):
    pass


@pytest.mark.parametrize("length", [0, 5, 65535, 65536])
def test_masks_alike_what_takes_no_view_and_what_does(length):
    data = bytes(i * 7 % 256 for i in range(length))
    for buffer in (bytearray(data), ByteArray(data)):
        fastws.mask(buffer, Bytes(KEY))
        assert buffer == expected(data, KEY)
    for source in (data, Bytes(data), bytearray(data)):
        assert fastws.masked(source, bytearray(KEY)) == expected(data, KEY)
        assert bytes(source) == data


def test_masks_a_slice_and_nothing_around_it():
    buffer = bytearray(100)
    fastws.mask(memoryview(buffer)[10:20], b"\xff\xff\xff\xff")
    assert buffer == bytes(10) + b"\xff" * 10 + bytes(80)


def test_takes_keywords_and_any_key():
    buffer = bytearray(b"Hello")
    fastws.mask(buf=buffer, key=memoryview(KEY), offset=1)
    assert buffer == expected(b"Hello", KEY, 1)
    assert fastws.masked(data=b"Hello", key=bytearray(KEY), offset=True) == expected(b"Hello", KEY, 1)


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_refuses_a_key_that_is_not_4_bytes(key):
    with pytest.raises(ValueError, match="4 bytes"):
        fastws.masked(b"x", key)


@pytest.mark.parametrize("offset", [-1, 2**64, 2**200])
def test_refuses_an_offset_out_of_range(offset):
    with pytest.raises(ValueError, match="offset"):
        fastws.masked(b"x", KEY, offset)


@pytest.mark.parametrize("buffer", [b"bytes", "str", 5, None, memoryview(bytearray(8))[::2], memoryview(b"x")])
def test_refuses_what_cannot_be_masked_in_place(buffer):
    with pytest.raises(TypeError, match="writable"):
        fastws.mask(buffer, KEY)


@pytest.mark.parametrize("arguments", [(), (b"x",), (b"x", KEY, 0, 0), (b"x", 5), (b"x", KEY, "0"), ("x", KEY)])
def test_refuses_wrong_arguments(arguments):
    with pytest.raises(TypeError):
        fastws.masked(*arguments)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_masked_takes_any_buffer_and_leaves_it_alone(make):
    data = make(b"payload")
    assert fastws.masked(data, KEY, 3) == expected(b"payload", KEY, 3)
    assert bytes(data) == b"payload"


def test_refuses_unknown_and_double_keywords():
    with pytest.raises(TypeError, match="unexpected"):
        fastws.masked(b"x", KEY, start=1)
    with pytest.raises(TypeError, match="multiple"):
        fastws.masked(b"x", KEY, key=KEY)


def test_holds_the_buffer_while_other_threads_run():
    """A large mask lets go of the interpreter lock: nobody may resize the buffer meanwhile."""
    buffer = bytearray(32 << 20)
    refused = 0
    thread = threading.Thread(target=lambda: [fastws.mask(buffer, KEY) for _ in range(20)])
    thread.start()
    while thread.is_alive():
        try:
            buffer.append(0)
            buffer.pop()
        except BufferError:
            refused += 1
    thread.join()
    assert refused > 0
    assert len(buffer) == 32 << 20
