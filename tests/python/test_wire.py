# SPDX-License-Identifier: MIT
"""compile_frame(), close bodies, is_utf8(), accept_key()."""

import time

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
    "key",
    ["", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", " dGhlIHNhbXBsZSBub25jZQ==", "é" * 12, "A" * 24],
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


@pytest.mark.parametrize("body", [b"\x03", b"\x03\xe7", b"\x03\xed", b"\x13\x88", b"\x03\xe8\xff", "x"])
def test_a_close_frame_has_a_body_that_may_be_sent(body):
    with pytest.raises(ValueError):
        fastws.compile_frame(OpCode.CLOSE, body)


def test_good_close_frames():
    for body in (b"", fastws.close_body(1000, "bye"), fastws.close_body(4999)):
        assert fastws.compile_frame(OpCode.CLOSE, body) == bytes([0x88, len(body)]) + body


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [(lambda: fastws.compile_frame(1, b"", mask=b"abc"), ValueError, "mask must be 4 bytes"),
     (lambda: fastws.compile_frame(1, b"", mask="abcd"), TypeError, "mask must be"),
     (lambda: fastws.compile_frame(1, 5), TypeError, "payload must be str or bytes-like"),
     (lambda: fastws.compile_frame("1", b""), TypeError, "opcode must be"),
     (lambda: fastws.compile_frame(1, b"", rsv=8), ValueError, "rsv must be"),
     (lambda: fastws.Header(mask=b"abc"), ValueError, "mask must be 4 bytes"),
     (lambda: fastws.Header(length="5"), TypeError, "length must be"),
     (lambda: fastws.masked(b"", b"abc"), ValueError, "key must be 4 bytes"),
     (lambda: fastws.accept_key(5), TypeError, "key must be str or bytes-like"),
     (lambda: fastws.parse_close("x"), TypeError, "body must be"),
     (lambda: fastws.Connection("server").send(5), TypeError, "data must be str or bytes-like"),
     (lambda: fastws.Connection("server", ping_interval="x"), TypeError, "ping_interval must be"),
     (lambda: fastws.Connection("server", max_size="x"), TypeError, "max_size must be")],
)
def test_messages_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["accept_key", "is_utf8", "parse_close", "select_isa"])
def test_functions_of_one_argument(name):
    function = getattr(fastws, name)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    good = {"accept_key": key, "is_utf8": b"", "parse_close": b"", "select_isa": fastws.isa()}[name]
    parameter = {"accept_key": "key", "is_utf8": "data", "parse_close": "body", "select_isa": "name"}[name]
    assert function(**{parameter: good}) == function(good)
    for args, kwargs in (((), {}), ((good, good), {}), ((good,), {parameter: good}), ((), {"other": good})):
        with pytest.raises(TypeError, match=name):
            function(*args, **kwargs)


def test_methods_take_keywords(Scripted, masked_frame, request_bytes):
    header = fastws.Header.parse(data=b"\x81\x02")
    header.check(state=fastws.State.CLIENT)
    server = fastws.Connection("server")
    frame = masked_frame(1, b"x")
    assert server.receive(data=frame)[0].data == "x"
    server.get_buffer(sizehint=10)[: len(frame)] = frame
    assert server.buffer_updated(nbytes=len(frame))[0].data == "x"
    assert server.on_time(now=None) == []
    server.ping(data=b"a"), server.pong(data=b"b")
    assert server.data_to_send() == b"\x89\x01a\x8a\x01b"
    stream = fastws.Stream(Scripted(b"abc" + frame + frame))
    assert stream.read_exactly(n=3) == b"abc"
    stream.ping(data=b"a"), stream.pong(data=b"b"), stream.write_header(header=header), stream.write(data=b"Hi")
    stream.write_frame(frame=(header, b"Ho"))
    assert b"".join(stream.io.written) == b"\x89\x01a\x8a\x01b\x81\x02Hi\x81\x02Ho"
    reader, buffer = fastws.Reader(stream), bytearray(9)
    assert (reader.read(n=5), reader.read(), reader.readinto(buffer=buffer)) == (b"x", b"", 1)
    assert fastws.Writer(stream).write(data="x") == 1
    assert fastws.Upgrade().feed(data=request_bytes) == b""


def test_the_clock_of_none_is_the_clock():
    """on_time(None) asks the clock as on_time() does: a connection whose deadline has passed fails."""
    for arguments in ((), (None,)):
        client = fastws.Connection("client", ping_interval=0.001, ping_timeout=None)
        time.sleep(0.01)
        assert client.on_time(*arguments) == []
        assert fastws.Header.parse(client.data_to_send()).opcode is OpCode.PING
