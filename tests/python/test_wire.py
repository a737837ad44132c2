# SPDX-License-Identifier: MIT
"""compile_frame(), close bodies, is_utf8(), accept_key()."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import OpCode


@pytest.mark.vectors("frame.txt")
def test_compiles_the_vectors(vector, from_hex):
    _, fin, opcode, key, payload, data = vector
    mask = None if key == "-" else from_hex(key)
    assert fastws.compile_frame(int(opcode), from_hex(payload), fin=fin == "1", mask=mask) == from_hex(data)


def test_compiles_str_as_utf8():
    assert fastws.compile_frame(OpCode.TEXT, "Grüße") == b"\x81\x07" + "Grüße".encode()
    assert fastws.compile_frame(opcode=1, payload="", rsv=4) == b"\xc1\x00"


@given(st.binary(max_size=70000), st.none() | st.binary(min_size=4, max_size=4))
def test_payload_is_untouched_and_comes_back(payload, mask):
    before = bytearray(payload)
    frame = fastws.compile_frame(OpCode.BINARY, before, mask=mask)
    assert before == payload
    header = fastws.Header.parse(frame)
    assert header.length == len(payload) and header.mask == mask
    body = frame[header.size :]
    assert (fastws.masked(body, mask) if mask else body) == payload


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((3, b""), {}),
        ((11, b""), {}),
        ((16, b""), {}),
        ((-1, b""), {}),
        ((OpCode.PING, bytes(126)), {}),
        ((OpCode.CLOSE, b""), {"fin": False}),
        ((OpCode.TEXT, b""), {"rsv": 8}),
        ((OpCode.TEXT, b""), {"mask": b"abc"}),
        ((OpCode.TEXT, "\ud800"), {}),
    ],
)
def test_refuses_frames_that_the_rfc_forbids(arguments, keywords):
    with pytest.raises(ValueError):
        fastws.compile_frame(*arguments, **keywords)


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [((), {}), ((1,), {}), ((1, None), {}), ((1, 5), {}), (("1", b""), {}), ((1, b"", True), {}), ((1, b""), {"x": 1}),
     ((1, b""), {"mask": "abcd"})],
)
def test_refuses_wrong_arguments(arguments, keywords):
    with pytest.raises(TypeError):
        fastws.compile_frame(*arguments, **keywords)


@pytest.mark.vectors("close_body.txt")
def test_parses_the_close_bodies_of_the_vectors(vector, from_hex):
    _, text, result, reason = vector
    if result.startswith("FASTWS_"):
        with pytest.raises(fastws.Error) as info:
            fastws.parse_close(from_hex(text))
        assert info.value.name == result
        assert info.value.code == (1007 if result == "FASTWS_ERR_CLOSE_UTF8" else 1002)
        assert isinstance(info.value, fastws.InvalidUTF8 if info.value.code == 1007 else fastws.ProtocolError)
        return
    close = fastws.parse_close(from_hex(text))
    assert close == (int(result), from_hex(reason).decode())
    assert fastws.close_body(close.code, close.reason) == from_hex(text)


@pytest.mark.vectors("close_code.txt")
def test_writes_the_close_codes_that_may_be_sent(vector):
    first, last, error = int(vector[0]), int(vector[1]), vector[2]
    for code in {first, (first + last) // 2, last}:
        if error == "0":
            assert fastws.close_body(code, "x") == code.to_bytes(2, "big") + b"x"
        else:
            with pytest.raises(ValueError):
                fastws.close_body(code, "x")


def test_close_body_of_no_code_is_empty():
    assert fastws.close_body(1005) == b""


@given(st.text(max_size=200))
def test_a_long_reason_is_cut_at_a_character(reason):
    body = fastws.close_body(1000, reason)
    assert len(body) <= 125
    kept = body[2:].decode()
    assert reason.startswith(kept)
    if kept != reason:
        assert len((kept + reason[len(kept)]).encode()) > 123


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((65536,), ValueError), ((-1,), ValueError), ((1000, "\ud800"), ValueError), (("1000",), TypeError),
     ((1000, b"x"), TypeError), ((), TypeError)],
)
def test_close_body_refuses_wrong_arguments(arguments, error):
    with pytest.raises(error):
        fastws.close_body(*arguments)


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_is_utf8_agrees_with_python(data):
    try:
        data.decode()
        expected = True
    except UnicodeDecodeError:
        expected = False
    assert fastws.is_utf8(data) is expected


def test_accept_key_of_the_rfc():
    for key in ("dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ==", bytearray(b"dGhlIHNhbXBsZSBub25jZQ==")):
        assert fastws.accept_key(key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "key", ["", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", " dGhlIHNhbXBsZSBub25jZQ==", "é" * 12, "A" * 24]
)
def test_accept_key_refuses_what_is_not_base64_of_16_bytes(key):
    with pytest.raises(ValueError):
        fastws.accept_key(key)


def test_accept_key_refuses_other_types():
    with pytest.raises(TypeError):
        fastws.accept_key(None)


def test_each_key_is_new():
    keys = {fastws.new_key() for _ in range(64)}
    assert len(keys) == 64 and {len(key) for key in keys} == {4}
    fastws.compile_frame(fastws.OpCode.TEXT, "x", mask=keys.pop())
