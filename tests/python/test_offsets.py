# SPDX-License-Identifier: MIT
"""Where an error lies: the offset in the bytes that the peer sent, of the refused frame or of the wrong byte."""

import pytest

import fastws
from fastws import Connection, Header, Reader, Stream

KEY = b"abcd"


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=KEY):
    header = Header(fin, rsv, opcode, mask, len(payload))
    return header.encode() + (fastws.masked(payload, mask) if mask else payload)


HEAD = 6  # bytes of a masked header for a short payload
BEFORE = frame(1, b"before") + frame(9, b"ping") + frame(2, bytes(300))

# name, what comes behind BEFORE, where in it the error lies
WRONG = [
    ("RSV", frame(1, b"x", rsv=4), 0),
    ("OPCODE_RESERVED", frame(3), 0),
    ("MASK_REQUIRED", frame(1, b"x", mask=None), 0),
    ("CONTROL_LEN", frame(9, bytes(126)), 0),
    ("CONTROL_FRAGMENTED", frame(9, fin=False), 0),
    ("CONTINUATION_UNEXPECTED", frame(0, b"x"), 0),
    ("CONTINUATION_EXPECTED", frame(1, b"abc", fin=False) + frame(1, b"y"), HEAD + 3),
    ("LEN_FORM", b"\x82\xfe\x00\x01" + KEY + b"x", 0),
    ("LEN_MSB", b"\x82\xff\x80" + bytes(7) + KEY, 0),
    ("CLOSE_LEN", frame(8, b"\x03"), 0),
    ("CLOSE_CODE_RANGE", frame(8, b"\xff\xff"), 0),
    ("FRAME_TOO_LARGE", frame(2, bytes(1001)), 0),
    ("MESSAGE_TOO_LARGE", frame(2, bytes(900), fin=False) + frame(0, bytes(900)), 8 + 900),
    ("TOO_MANY_FRAGMENTS", frame(2, b"a", fin=False) + 4 * frame(0, b"b", fin=False), 4 * (HEAD + 1)),
    ("UTF8", frame(1, b"ab\xffcd"), HEAD + 2),
    ("UTF8", frame(1, b"ab", fin=False) + frame(0, b"cd\xed\xa0\x80"), HEAD + 2 + HEAD + 3),
    ("UTF8", frame(1, "Ё".encode()[:1], fin=False) + frame(0, b"x"), HEAD + 1 + HEAD),
]
LIMITS = {"max_frame_size": 1000, "max_size": 1500, "max_fragments": 4}
TOO_BIG = dict.fromkeys(("FRAME", "MESSAGE", "TOO"), fastws.MessageTooBig)
CLASSES = {"UTF8": fastws.InvalidUTF8, **TOO_BIG}


@pytest.fixture(params=WRONG, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(WRONG)])
def wrong(request):
    name, data, offset = request.param
    return "FASTWS_ERR_" + name, BEFORE + data, len(BEFORE) + offset


@pytest.mark.parametrize("size", [1, 7, 10000])
def test_of_a_connection(wrong, size):
    name, data, offset = wrong
    server = Connection("server", **LIMITS)
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    events = [event for piece in pieces if server.state == "OPEN" for event in server.receive(piece)]
    error = events[-1].error
    assert (error.name, error.offset, server.offset) == (name, offset, offset)
    kind = name.removeprefix("FASTWS_ERR_").split("_")[0]
    assert type(error) is CLASSES.get(kind, fastws.ProtocolError)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        server.send("x")
    assert info.value.__cause__.offset == offset


@pytest.mark.parametrize("size", [1, 10000])
@pytest.mark.parametrize("read", [Stream.recv, Stream.read_message, lambda stream: Reader(stream).read()])
def test_of_a_stream_and_a_reader(Scripted, wrong, size, read):
    name, data, offset = wrong
    stream = Stream(Scripted(*(data[i : i + size] for i in range(0, len(data), size))), **LIMITS)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        while True:
            read(stream)
    assert (info.value.__cause__.name, info.value.__cause__.offset, stream.offset) == (name, offset, offset)


@pytest.mark.parametrize("delivery", ["fragments", "stream"])
def test_in_every_way_of_delivery(wrong, delivery):
    name, data, offset = wrong
    server = Connection("server", delivery=delivery, **LIMITS)
    failure = server.receive(data)[-1]
    assert (failure.error.name, failure.error.offset) == (name, offset)


def test_counts_what_was_taken_apart():
    server = Connection("server")
    assert server.offset == 0
    first = frame(1, b"Hello")
    server.receive(first + frame(1, b"more")[:3])
    assert server.offset == len(first)
    server.reset()
    assert server.offset == 0
    server.receive(first)
    assert server.offset == len(first)


def test_counts_raw_frames(Scripted):
    stream = Stream(Scripted(frame(2, b"raw") + frame(1, b"read") + frame(1, b"\xff")))
    stream.read_frame()
    assert stream.offset == HEAD + 3
    stream.recv()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.__cause__.offset == (HEAD + 3) + (HEAD + 4) + HEAD


def test_of_a_raw_header(Scripted):
    stream = Stream(Scripted(frame(2, b"raw") + b"\x82\x7e\x00\x01"))
    stream.read_frame()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_header()
    assert info.value.__cause__.offset == HEAD + 3


def test_where_no_byte_is_wrong_there_is_none(Scripted):
    stream = Stream(Scripted(frame(1, b"cut")[:-1]))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert (info.value.offset, info.value.__cause__.offset) == (None, None)
    server = Connection("server", ping_interval=1, ping_timeout=1)
    server.on_time(10**9)
    (failure,) = server.on_time(2 * 10**9)
    assert failure.error.name == "FASTWS_ERR_PING_TIMEOUT" and failure.error.offset is None
    stream = Stream(Scripted(frame(2, b"binary")))
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_text()
    assert isinstance(info.value.__cause__, fastws.ProtocolError) and info.value.__cause__.offset is None
    with pytest.raises(fastws.ProtocolError) as info:
        Header(opcode=3).check(fastws.State.SERVER)
    assert info.value.offset is None
