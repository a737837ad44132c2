# SPDX-License-Identifier: MIT
"""Connection: every rule of the wire that a peer can break, by name, with its close code, and in order."""

import pytest

import fastws
from fastws import Connection

# name of the error, close code, frames: (opcode, payload, keywords of the masked_frame fixture)
BROKEN = [
    ("OPCODE_RESERVED", 1002, [(3, b"", {})]),
    ("OPCODE_RESERVED", 1002, [(15, b"", {})]),
    ("CONTROL_LEN", 1002, [(9, bytes(126), {})]),
    ("CONTROL_FRAGMENTED", 1002, [(9, b"", {"fin": False})]),
    ("RSV", 1002, [(1, b"", {"rsv": 4})]),
    ("RSV", 1002, [(9, b"", {"rsv": 1})]),
    ("MASK_REQUIRED", 1002, [(1, b"x", {"mask": None})]),
    ("CONTINUATION_EXPECTED", 1002, [(1, b"x", {"fin": False}), (1, b"y", {})]),
    ("CONTINUATION_UNEXPECTED", 1002, [(0, b"x", {})]),
    ("UTF8", 1007, [(1, b"ab\xff", {})]),
    ("UTF8", 1007, [(1, b"\xed\xa0\x80", {})]),
    ("UTF8", 1007, [(1, "é".encode()[:1], {})]),
    ("UTF8", 1007, [(1, "é".encode()[:1], {"fin": False}), (0, b"x", {})]),
    ("CLOSE_LEN", 1002, [(8, b"\x03", {})]),
    ("CLOSE_CODE_UNUSED", 1002, [(8, b"\x03\xe7", {})]),
    ("CLOSE_CODE_RESERVED", 1002, [(8, b"\x03\xed", {})]),
    ("CLOSE_CODE_MEANING", 1002, [(8, b"\x03\xec", {})]),
    ("CLOSE_CODE_UNKNOWN", 1002, [(8, b"\x0b\xb7", {})]),
    ("CLOSE_CODE_RANGE", 1002, [(8, b"\xff\xff", {})]),
    ("CLOSE_UTF8", 1007, [(8, b"\x03\xe8\xff", {})]),
]
CLASSES = {1002: fastws.ProtocolError, 1007: fastws.InvalidUTF8}


@pytest.fixture(params=BROKEN, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(BROKEN)])
def broken(request, masked_frame):
    name, code, frames = request.param
    return "FASTWS_ERR_" + name, code, b"".join(masked_frame(op, payload, **more) for op, payload, more in frames)


def fed(connection, data, size):
    """The events of data that comes in pieces of size bytes, until the connection has failed."""
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    return [event for piece in pieces if connection.state == "OPEN" for event in connection.receive(piece)]


def test_each_has_its_name_and_code_and_is_told_once(broken, masked_frame):
    name, code, data = broken
    for size in (len(data) + 100, 1):
        server = Connection("server")
        server.receive(masked_frame(1, b"before"))
        events = fed(server, data, size)
        assert [type(event) for event in events] == [fastws.Failure]
        failure = events[0]
        assert failure.code == code
        assert (failure.error.name, failure.error.code) == (name, code)
        assert type(failure.error) is CLASSES[code] and str(failure.error) and failure.error.rfc
        close = server.data_to_send()
        assert close[:1] == b"\x88" and close[2:4] == code.to_bytes(2, "big")
        assert server.data_to_send() == b""
        assert server.close_expected() and server.state == "CLOSED" and server.close_code == 1006


def test_stays_stopped(broken):
    name, code, data = broken
    server = Connection("server")
    server.receive(data + b"more")
    server.data_to_send()
    for act in (lambda: server.receive(b"x"), lambda: server.send("x"), server.ping, lambda: server.buffer_updated(0)):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            act()
        assert (info.value.code, info.value.name) == (code, name)
        assert info.value.rcvd is None and info.value.sent.code == code
        assert type(info.value.__cause__) is CLASSES[code] and info.value.__cause__.name == name
    server.close()
    assert server.data_to_send() == b"" and server.receive_eof() == []


def test_messages_before_it_are_handed_out_first(broken, masked_frame):
    name, _, data = broken
    server = Connection("server")
    events = server.receive(masked_frame(1, b"one") + masked_frame(9, b"p") + data)
    assert events[0].data == "one" and events[1].data == b"p" and events[2].error.name == name
    assert server.data_to_send().startswith(b"\x8a\x01p\x88")


def test_a_client_refuses_masks(masked_frame):
    (failure,) = Connection("client").receive(masked_frame(1, b"x"))
    assert failure.error.name == "FASTWS_ERR_MASK_UNEXPECTED" and failure.code == 1002


@pytest.mark.vectors("header_bad.txt")
def test_malformed_lengths(vector, from_hex):
    _, text, decided, error = vector
    data = from_hex(text)
    server = Connection("server" if data[1] & 0x80 else "client")
    (failure,) = fed(server, data, 1)
    assert failure.code == 1002 and failure.error.name == error


def test_utf8_fails_at_the_byte(masked_frame):
    data = masked_frame(1, b"abc\xffdef" + bytes(100))
    head = len(data) - 107
    server = Connection("server")
    assert server.receive(data[: head + 3]) == []
    (failure,) = server.receive(data[head + 3 : head + 4])
    assert failure.code == 1007 and failure.error.offset == server.offset == head + 3


def test_text_that_is_not_checked_keeps_its_bytes(masked_frame):
    server = Connection("server", check_utf8=False)
    (message,) = server.receive(masked_frame(1, b"ab\xff"))
    assert message.data.encode("utf-8", "surrogateescape") == b"ab\xff"
