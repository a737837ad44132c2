# SPDX-License-Identifier: MIT
"""Connection: messages and control frames in both roles, however the bytes are cut."""

import gc
import sys
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Close, Connection, Message, OpCode, Ping, Pong


@pytest.fixture
def server():
    return Connection("server")


@pytest.fixture
def client():
    return Connection("client")


def feed(connection, pieces):
    return [event for piece in pieces for event in connection.receive(piece)]


def cuts(data):
    """Whole, one byte at a time, and cut once at every position."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


@pytest.mark.parametrize("role", ["server", "client"])
def test_events_are_the_same_however_the_bytes_are_cut(role, masked_frame, key):
    mask = key if role == "server" else None
    data = b"".join(
        masked_frame(opcode, payload, fin=fin, mask=mask)
        for opcode, payload, fin in [
            (1, b"Hello", True), (1, "Grü".encode()[:3], False), (9, b"ping", True), (0, "Grüß".encode()[3:], True),
            (2, b"", True), (10, b"", True), (2, b"\x00\xff", False), (0, b"", False), (0, b"!", True),
            (8, b"\x03\xe8bye", True),
        ]
    )
    expected = [
        Message((OpCode.TEXT, "Hello")), Ping((b"ping",)), Message((OpCode.TEXT, "Grüß")), Message((OpCode.BINARY, b"")),
        Pong((b"",)), Message((OpCode.BINARY, b"\x00\xff!")), Close((1000, "bye")),
    ]
    for pieces in cuts(data):
        connection = Connection(role)
        events = feed(connection, pieces)
        assert events == expected
        assert [type(event) for event in events] == [type(event) for event in expected]
        assert (connection.state, connection.close_code, connection.close_reason) == ("CLOSED", 1000, "bye")


@given(
    st.lists(st.text(max_size=300) | st.binary(max_size=300), max_size=8),
    st.lists(st.integers(1, 200), max_size=40),
    st.booleans(),
)
def test_what_is_sent_arrives(messages, sizes, to_server):
    sender, receiver = (Connection("client"), Connection("server"))[:: 1 if to_server else -1]
    for message in messages:
        sender.send(message)
    data = sender.data_to_send()
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    assert [event.data for event in feed(receiver, [*pieces, data])] == messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4095, 4096, 65535, 65536, 1 << 20, 16 << 20])
@pytest.mark.parametrize("roles", [("client", "server"), ("server", "client")])
def test_sizes(size, roles):
    sender, receiver = map(Connection, roles)
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    source = bytearray(payload)
    sender.send(source)
    source[:] = bytes(size)  # was copied
    data = sender.data_to_send()
    assert sender.data_to_send() == b""
    (message,) = receiver.receive(data)
    assert message.data == payload and type(message.data) is bytes


def test_messages_are_str_or_bytes(server, client):
    for data in ("ascii", "ÿ", "\u20ac", "😀", "a" * 100000 + "é", ""):
        client.send(data)
        (message,) = server.receive(client.data_to_send())
        assert message.data == data and type(message.data) is str and message.opcode is OpCode.TEXT


def test_opcode_overrides_the_type_of_the_data(server, client):
    client.send(b"text", OpCode.TEXT)
    client.send("binary", opcode=2)
    client.send(memoryview(b"view"), None)
    events = server.receive(client.data_to_send())
    assert [tuple(event) for event in events] == [(1, "text"), (2, b"binary"), (2, b"view")]


def test_events_can_be_matched(server, masked_frame):
    match server.receive(masked_frame(8, b"\x03\xe8bye"))[0]:
        case Message(opcode, data):
            pytest.fail(f"{opcode} {data}")
        case Close(code, reason):
            assert (code, reason) == (1000, "bye")


def test_pings_are_answered_and_pongs_are_not(server, masked_frame):
    server.receive(masked_frame(9, b"abc") + masked_frame(10, b"abc") + masked_frame(9))
    assert server.data_to_send() == b"\x8a\x03abc\x8a\x00"


def test_ping_and_pong_are_sent(server, client):
    client.ping()
    client.ping("é")
    client.pong(b"x")
    assert server.receive(client.data_to_send()) == [Ping((b"",)), Ping(("é".encode(),)), Pong((b"x",))]
    for send in (client.ping, client.pong):
        with pytest.raises(ValueError, match="125"):
            send(bytes(126))
        with pytest.raises(TypeError):
            send(5)


def test_masks_are_fresh(client):
    keys = set()
    for _ in range(100):
        client.send(b"x")
        keys.add(fastws.Header.parse(client.data_to_send()).mask)
    assert len(keys) == 100


def test_input_is_never_written(server, masked_frame):
    data = bytearray(masked_frame(1, b"Hello") + masked_frame(2, bytes(100000)))
    before = bytes(data)
    server.receive(data)
    assert data == before
    data.append(0)  # and not held


def test_closes_both_ways(server, client):
    client.send("last")
    client.close(4000, "done")
    assert (client.state, client.close_code) == ("CLOSING", None)
    server.send("crossed")
    assert server.receive(client.data_to_send()) == [Message((1, "last")), Close((4000, "done"))]
    assert not server.close_expected()
    data = server.data_to_send()
    assert server.close_expected()
    assert data.endswith(b"\x88\x02\x0f\xa0")
    assert client.receive(data) == [Message((1, "crossed")), Close((4000, ""))]
    assert client.close_expected()
    assert (client.state, client.close_code, client.close_reason) == ("CLOSED", 4000, "")


def test_nothing_is_sent_after_a_close(server, client):
    client.close()
    client.close(1001)
    for send in (client.send, client.ping, client.pong):
        with pytest.raises(fastws.ConnectionClosedOK) as info:
            send(b"x")
        assert info.value.sent == (1000, "") and info.value.rcvd is None and info.value.code == 1000
    server.receive(client.data_to_send())
    with pytest.raises(fastws.ConnectionClosedOK) as info:
        server.receive(b"x")
    assert info.value.rcvd == (1000, "") and info.value.sent == (1000, "")


def test_a_close_without_a_code_is_1005(server, client):
    client.close(1005)
    assert server.receive(client.data_to_send()) == [Close((1005, ""))]
    assert server.data_to_send() == b"\x88\x00"
    with pytest.raises(fastws.ConnectionClosedOK):
        server.receive(b"")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((999,), ValueError), ((1004,), ValueError), ((1006,), ValueError), ((5000,), ValueError), ((70000,), ValueError),
     (("1000",), TypeError), ((1000, b"x"), TypeError), ((1000, "x", 1), TypeError)],
)
def test_refuses_to_send_a_wrong_close(client, arguments, error):
    with pytest.raises(error):
        client.close(*arguments)
    assert client.state == "OPEN" and client.data_to_send() == b""


def test_end_of_the_stream(server, masked_frame):
    (failure,) = server.receive_eof()
    assert failure.code == 1006
    assert isinstance(failure.error, fastws.ConnectionLost) and failure.error.name == "FASTWS_ERR_EOF"
    assert server.receive_eof() == []
    assert server.close_code == 1006
    inside = Connection("server")
    inside.receive(masked_frame(1, b"x", fin=False))
    assert inside.receive_eof()[0].error.name == "FASTWS_ERR_UNEXPECTED_EOF"
    closed = Connection("server")
    closed.receive(masked_frame(8))
    assert closed.receive_eof() == []


def test_receives_through_a_buffer(client, server):
    for message in ("one", b"x" * 200000, "two"):
        client.send(message)
    data = client.data_to_send()
    events = []
    while data:
        view = server.get_buffer(-1)
        assert len(view) >= 4096
        count = min(len(view), len(data))
        view[:count] = data[:count]
        data = data[count:]
        events += server.buffer_updated(count)
        view[:] = bytes(len(view))  # what was received is the connection's own by now
    assert [event.data for event in events] == ["one", b"x" * 200000, "two"]


def test_a_buffer_cannot_be_misused(server):
    with pytest.raises(ValueError):
        server.buffer_updated(1)
    view = server.get_buffer()
    for count in (-1, len(view) + 1, 2**70):
        with pytest.raises(ValueError):
            server.buffer_updated(count)
    with pytest.raises(TypeError):
        server.buffer_updated("1")
    owner = view.obj
    view.release()
    owner.clear()
    with pytest.raises(ValueError):
        server.buffer_updated(1)
    kept = server.get_buffer()
    del server
    gc.collect()
    kept[:] = bytes(len(kept))


def test_limits_are_inclusive(masked_frame):
    assert Connection("server", max_size=5).receive(masked_frame(1, b"12345"))[0].data == "12345"
    for options, data, name in [
        ({"max_size": 5}, masked_frame(1, b"123456"), "MESSAGE_TOO_LARGE"),
        ({"max_size": 5}, masked_frame(1, b"123", fin=False) + masked_frame(0, b"456"), "MESSAGE_TOO_LARGE"),
        ({"max_frame_size": 5}, masked_frame(1, b"123456"), "FRAME_TOO_LARGE"),
        ({"max_fragments": 2}, masked_frame(1, b"1", fin=False) + masked_frame(0, b"2", fin=False) * 2, "TOO_MANY_FRAGMENTS"),
        ({"max_empty_fragments": 1}, masked_frame(1, b"", fin=False) * 1 + masked_frame(0, b"", fin=False),
         "TOO_MANY_EMPTY_FRAGMENTS"),
    ]:
        connection = Connection("server", **options)
        failure = connection.receive(data)[-1]
        assert failure.code == 1009 and failure.error.code == 1009
        assert isinstance(failure.error, fastws.MessageTooBig) and failure.error.name == "FASTWS_ERR_" + name


def test_no_limits(masked_frame):
    connection = Connection("server", max_size=None, max_frame_size=None, max_fragments=None, max_empty_fragments=None)
    data = masked_frame(2, b"", fin=False) + masked_frame(0, b"", fin=False) * 2000 + masked_frame(0, bytes(17 << 20))
    assert len(connection.receive(data)[0].data) == 17 << 20


def test_declared_length_allocates_nothing(server, key):
    big = Connection("server", max_size=None, max_frame_size=None)
    assert big.receive(fastws.Header(opcode=2, mask=key, length=2**63 - 1).encode() + b"x") == []


@pytest.mark.parametrize("role", ["Server", "", "peer", "client\0", "\ud800"])
def test_refuses_unknown_roles(role):
    with pytest.raises(ValueError):
        Connection(role)


@pytest.mark.parametrize("role", [None, b"server", 1])
def test_refuses_roles_that_are_no_str(role):
    with pytest.raises(TypeError):
        Connection(role)


@pytest.mark.parametrize(
    ("option", "error"),
    [({"max_size": 0}, ValueError), ({"max_size": -1}, ValueError), ({"max_size": 2**64}, ValueError),
     ({"max_size": 1.5}, TypeError), ({"max_fragments": 2**32}, ValueError), ({"ping_interval": 0}, ValueError),
     ({"ping_timeout": -1}, ValueError), ({"close_timeout": float("nan")}, ValueError),
     ({"close_timeout": float("inf")}, ValueError), ({"ping_interval": 1e10}, ValueError),
     ({"ping_interval": "20"}, TypeError), ({"unknown": 1}, TypeError)],
)
def test_refuses_wrong_options(option, error):
    with pytest.raises(error):
        Connection("server", **option)


def test_pings_a_silent_peer_and_gives_it_up(client):
    server = Connection("server", ping_interval=0.02, ping_timeout=0.02)
    assert server.on_time() == []
    assert 0 < server.deadline - time.monotonic() <= 0.03
    assert server.on_time(server.deadline) == []
    assert [type(event) for event in client.receive(server.data_to_send())] == [Ping]
    (failure,) = server.on_time(server.deadline)
    assert isinstance(failure.error, TimeoutError) and failure.error.name == "FASTWS_ERR_PING_TIMEOUT"
    assert failure.code == 1011
    assert client.receive(server.data_to_send())[0].code == 1011
    assert server.deadline is None


def test_any_byte_is_a_sign_of_life(masked_frame):
    server = Connection("server", ping_interval=0.02, ping_timeout=0.02)
    server.on_time(server.deadline)
    server.receive(masked_frame(1, b"x")[:1])
    assert server.on_time(time.monotonic() + 0.01) == []


def test_keeps_no_time_if_told_so():
    assert Connection("server", ping_interval=None).deadline is None


def test_a_close_that_is_not_answered_times_out():
    client = Connection("client", close_timeout=0.01)
    client.close()
    (failure,) = client.on_time(client.deadline)
    assert failure.error.name == "FASTWS_ERR_CLOSE_TIMEOUT" and failure.code == 1006


@pytest.mark.parametrize("now", ["1", None])
def test_on_time_takes_seconds(server, now):
    if now is None:
        assert server.on_time(None) == []
        return
    with pytest.raises(TypeError):
        server.on_time(now)


def test_a_flood_of_pings_has_to_be_answered_before_more_is_taken(server, masked_frame):
    pings = masked_frame(9, bytes(125)) * 2000
    assert len(server.receive(pings)) == 2000
    with pytest.raises(RuntimeError, match="data_to_send"):
        server.receive(pings)
    assert len(server.data_to_send()) == 2000 * 127
    assert len(server.receive(pings)) == 2000


@pytest.mark.parametrize("data", [None, "str", 5, [1]])
def test_receives_bytes_only(server, data):
    with pytest.raises(TypeError):
        server.receive(data)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((b"\xff", OpCode.TEXT), ValueError), (("\ud800",), ValueError), ((b"", OpCode.PING), ValueError),
     ((b"", 16), ValueError), ((5,), TypeError), ((), TypeError), ((b"", "text"), TypeError)],
)
def test_refuses_to_send_what_is_no_message(server, arguments, error):
    with pytest.raises(error):
        server.send(*arguments)
    assert server.data_to_send() == b""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="buffers in Python code come with 3.12")
def test_a_buffer_that_uses_the_connection_does_no_harm(client):
    """What runs while a buffer is looked at must not disturb the connection."""
    server = Connection("server")
    client.send("x")
    data = client.data_to_send()
    seen = []

    class Sneaky(bytearray):
        def __buffer__(self, flags):
            seen.extend(server.receive(data))
            return super().__buffer__(flags)

    server.receive(Sneaky(b""))
    client.send("y")
    assert server.receive(client.data_to_send())[-1].data == "y"


def test_can_be_subclassed_and_referred_to_weakly():
    class Sub(Connection):
        extra = None

    sub = Sub("client", max_size=10)
    sub.extra = sub
    reference = weakref.ref(sub)
    plain = Connection("client")
    assert weakref.ref(plain)() is plain
    assert sub.role == "client"
    del sub
    gc.collect()
    assert reference() is None
