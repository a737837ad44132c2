# SPDX-License-Identifier: MIT
"""reset() of Stream and Connection, their options as attributes, and what a stream is left with by it."""

import gc
import socket
import time
import weakref

import pytest

import fastws
from fastws import Connection, Header, OpCode, Reader, Stream, Writer

OPTIONS = {
    "max_size": 1001, "max_frame_size": 1002, "max_fragments": 1003, "max_empty_fragments": 1004, "ping_interval": 1.5,
    "ping_timeout": 2.5, "close_timeout": 3.5, "check_utf8": False, "skip_header_check": True, "auto_pong": False,
    "auto_close": False, "write_limit": (1000, 10),
}
DEFAULTS = {
    "max_size": 16777216, "max_frame_size": 16777216, "max_fragments": 262144, "max_empty_fragments": 1024,
    "ping_interval": 20, "ping_timeout": 20, "close_timeout": 10, "check_utf8": True, "skip_header_check": False,
    "auto_pong": True, "auto_close": True, "write_limit": (65536, 16384),
}
LIMITS = [name for name, value in DEFAULTS.items() if type(value) is not bool]


def options_of(connection):
    return {name: getattr(connection, name) for name in OPTIONS}


@pytest.fixture(params=["Connection", "Stream"])
def make(request, Scripted):
    if request.param == "Connection":
        return lambda **options: Connection("server", **options)
    return lambda **options: Stream(Scripted(), **options)


@pytest.fixture
def renew(Scripted):
    """Calls reset() of either."""
    return lambda connection, **options: connection.reset(*[Scripted()][: type(connection) is Stream], **options)


# ---- Options ----


def test_options_are_attributes(make):
    assert options_of(make()) == DEFAULTS
    assert options_of(make(**OPTIONS)) == OPTIONS
    assert options_of(make(**dict.fromkeys(LIMITS))) == {**DEFAULTS, **dict.fromkeys(LIMITS)}
    with pytest.raises(AttributeError):
        make().max_size = 1


def test_reset_keeps_options_that_are_not_given(make, renew):
    connection = make(**OPTIONS)
    renew(connection)
    assert options_of(connection) == OPTIONS
    renew(connection, max_size=5, auto_close=True)
    assert options_of(connection) == {**OPTIONS, "max_size": 5, "auto_close": True}


@pytest.mark.parametrize(
    ("options", "error"),
    [({"max_size": 0}, ValueError), ({"max_size": "1"}, TypeError), ({"ping_interval": -1}, ValueError),
     ({"unknown": 1}, TypeError), ({"write_limit": (1, 2)}, ValueError), ({"write_limit": (1, 2, 3)}, ValueError),
     ({"write_limit": (4, -1)}, ValueError), ({"write_limit": "x"}, TypeError), ({"extensions": 5}, TypeError),
     ({"extensions": [5]}, TypeError), ({"role": "neither"}, ValueError), ({"role": 1}, TypeError)],
)
def test_refuses_wrong_options_and_changes_nothing(make, renew, options, error):
    connection = make(max_size=1000)
    if "role" not in options:
        with pytest.raises(error):
            make(**options)
    before = getattr(connection, "io", None)
    with pytest.raises(error):
        renew(connection, max_frame_size=5, **options)
    assert options_of(connection) == {**DEFAULTS, "max_size": 1000}
    assert connection.role == "server" and getattr(connection, "io", None) is before


def test_write_limit_as_websockets_has_it(make):
    assert make(write_limit=100).write_limit == (100, 25)
    assert make(write_limit=(100, None)).write_limit == (100, 25)
    assert make(write_limit=(100, 100)).write_limit == (100, 100)
    assert make(write_limit=(None, None)).write_limit is None
    assert make(write_limit=None).write_limit is None


def test_fragment_size_and_delivery_belong_to_connections(Scripted):
    server = Connection("server", fragment_size=7, delivery="stream")
    assert (server.fragment_size, Connection("server", fragment_size=None).fragment_size) == (7, None)
    server.delivery = "messages"
    server.reset()
    assert (server.fragment_size, server.delivery) == (7, "stream")
    server.reset(delivery="fragments", fragment_size=None)
    assert (server.fragment_size, server.delivery) == (None, "fragments")
    for option in ("fragment_size", "delivery"):
        with pytest.raises(TypeError):
            Stream(Scripted(), **{option: 1})


# ---- Connection ----


def test_a_reset_connection_is_new(masked_frame):
    server = Connection("server")
    server.receive(masked_frame(1, b"half", fin=False))
    server.send(bytes(100000))
    server.begin()
    server.write("begun")
    server.reset()
    assert (server.queued, server.data_to_send(), server.offset) == (0, b"", 0)
    assert server.receive(masked_frame(1, b"new")) == [fastws.Message((OpCode.TEXT, "new"))]
    server.send("x")
    assert server.data_to_send() == b"\x81\x01x"


@pytest.mark.parametrize("end", [b"\x81\x00", b"\x88\x82abcd\x62\x8a"])
def test_reset_forgets_how_it_ended(masked_frame, end):
    server = Connection("server")
    server.receive(end)
    assert server.state == "CLOSED"
    server.reset()
    assert (server.state, server.close_code, server.close_reason) == ("OPEN", None, None)
    assert not server.close_expected()
    assert server.receive(masked_frame(1, b"x")) == [fastws.Message((OpCode.TEXT, "x"))]


def test_reset_may_change_the_role(masked_frame):
    connection = Connection("client")
    connection.reset("server")
    assert connection.role == "server"
    assert connection.receive(masked_frame(1, b"x")) == [fastws.Message((OpCode.TEXT, "x"))]
    connection.reset(role=None)
    assert connection.role == "server"
    with pytest.raises(TypeError):
        Connection(None)


def test_reset_after_a_flood(masked_frame):
    server = Connection("server")
    server.receive(masked_frame(9, bytes(125)) * 2000)
    with pytest.raises(RuntimeError):
        server.receive(b"")
    server.reset()
    assert server.receive(masked_frame(9, b"x")) == [fastws.Ping((b"x",))]
    assert server.data_to_send() == b"\x8a\x01x"


def test_an_extension_cannot_reset_its_connection(masked_frame):
    server = None

    def meddle(header):
        server.reset()

    server = Connection("server", extensions=[meddle])
    (failure,) = server.receive(masked_frame(1, b"x"))
    assert isinstance(failure.error.__cause__, fastws.ConcurrencyError)
    server.reset(extensions=())
    assert server.receive(masked_frame(1, b"x")) == [fastws.Message((OpCode.TEXT, "x"))]


def test_reset_forgets_what_an_extension_raised(masked_frame):
    class Special(Exception):
        pass

    def refuse(header):
        raise Special

    server = Connection("server", extensions=[refuse])
    failures = server.receive(masked_frame(1, b"x"))
    raised = weakref.ref(failures[0].error.__cause__)
    del failures
    server.reset()
    gc.collect()
    assert raised() is None


# ---- What waits to be sent ----


def test_queued_and_its_marks():
    server = Connection("server", write_limit=(100, 20))
    assert (server.queued, server.writable) == (0, True)
    server.send(bytes(98))
    assert (server.queued, server.writable) == (100, True)
    server.send(b"")
    assert (server.queued, server.writable) == (102, False)
    assert len(server.data_to_send(81)) == 81
    assert (server.queued, server.writable) == (21, False)
    server.data_to_send(1)
    assert (server.queued, server.writable) == (20, True)
    server.send(bytes(50))
    assert (server.queued, server.writable) == (72, True)


def test_the_high_mark_is_seen_though_nobody_asks():
    server = Connection("server", write_limit=(100, 20))
    server.send(bytes(200))
    server.data_to_send(150)
    assert (server.queued, server.writable) == (54, False)


@pytest.mark.parametrize("size", [1, 1000, 4097, 65536])
def test_bytes_may_be_taken_piece_by_piece(size):
    client, server = Connection("client"), Connection("server")
    messages = [bytes([i]) * (i * 1777) for i in range(6)]
    for message in messages:
        client.send(message)
        client.ping(b"x" * 3)
    total, received = client.queued, []
    while data := client.data_to_send(size):
        total -= len(data)
        assert len(data) <= size and client.queued == total
        received += server.receive(data)
        if total < 4000 and b"late" not in messages:
            client.send(b"late")
            messages.append(b"late")
            total = client.queued
    assert [event.data for event in received if type(event) is fastws.Message] == messages


def test_how_many_bytes_are_taken():
    server = Connection("server")
    server.send("Hello")
    assert server.data_to_send(0) == b""
    assert server.data_to_send(n=2) == b"\x81\x05"
    assert not server.close_expected()
    assert server.data_to_send(None) == b"Hello"
    server.send(bytes(5000))
    assert len(server.data_to_send(2**62)) == 5004
    for wrong, error in (("1", TypeError), (2**64, OverflowError), (1.5, TypeError)):
        with pytest.raises(error):
            server.data_to_send(wrong)


def test_a_closed_connection_is_over_when_all_of_it_was_taken(masked_frame):
    server = Connection("server")
    server.send(bytes(5000))
    server.receive(masked_frame(8, b"\x03\xe8"))
    server.data_to_send(5000)
    assert not server.close_expected()
    server.data_to_send()
    assert server.close_expected()


# ---- Stream ----


def test_a_reset_stream_is_new(Scripted, masked_frame):
    first = Scripted(masked_frame(1, b"half", fin=False), b"")
    stream = Stream(first, initial=masked_frame(2, b"initial"))
    assert stream.recv() == b"initial"
    with stream.cork():
        stream.send("dropped")
        second = Scripted(masked_frame(1, b"new"))
        stream.reset(second, initial=masked_frame(1, b"first"), handshake="agreed")
        assert first.is_closed and first.written == []
        assert (stream.io, stream.handshake, stream.queued, stream.offset) == (second, "agreed", 0, 0)
        assert (stream.recv(), stream.recv()) == ("first", "new")
        stream.send("x")
        assert second.written == [b"\x81\x01x"]


@pytest.mark.parametrize("end", ["close", "error", "eof", "broken", "half"])
def test_a_stream_that_ended_may_begin_anew(Scripted, masked_frame, end):
    script = Scripted(*{"close": [masked_frame(8)], "error": [b"\x81\x00"]}.get(end, []))
    stream = Stream(script)
    if end == "half":
        stream.write_header(Header(length=5))
    elif end == "broken":
        script.sendall = None
        with pytest.raises(TypeError):
            stream.send("x")
    else:
        with pytest.raises(fastws.ConnectionClosed):
            stream.recv()
    if end != "half":
        stream.close()
    stream.reset(Scripted(masked_frame(1, b"new")))
    assert (stream.state, stream.close_code, stream.handshake) == ("OPEN", None, None)
    stream.send("x")
    assert stream.recv() == "new" and stream.io.written == [b"\x81\x01x"]


def test_reset_from_a_socket_to_an_object_and_back(Scripted, masked_frame):
    ours, theirs = socket.socketpair()
    stream = Stream(ours, "client")
    with theirs:
        stream.reset(Scripted(masked_frame(1, b"x")), "server")
        assert theirs.recv(1) == b"" and ours.fileno() == -1
    assert stream.recv() == "x"
    ours, theirs = socket.socketpair()
    with theirs:
        stream.reset(ours, None)
        stream.send("y")
        assert theirs.recv(10) == b"\x81\x01y"
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.01)
        stream.reset(Scripted())


@pytest.mark.parametrize(("arguments", "error"), [((), TypeError), ((5,), TypeError), ((None,), TypeError)])
def test_reset_wants_a_byte_stream(Scripted, arguments, error):
    script = Scripted()
    stream = Stream(script)
    with pytest.raises(error):
        stream.reset(*arguments)
    with pytest.raises(TypeError):
        stream.reset(Scripted(), initial="text")
    assert stream.io is script and not script.is_closed


def test_what_closing_the_one_before_raises_is_nobodys(Scripted, masked_frame, monkeypatch):
    class Stuck(Scripted):
        def close(self):
            raise OSError("stuck")

    seen = []
    monkeypatch.setattr("sys.unraisablehook", seen.append)
    stream = Stream(Stuck())
    stream.reset(Scripted(masked_frame(1, b"x")))
    assert stream.recv() == "x"
    assert [str(hook.exc_value) for hook in seen] == ["stuck"]
    seen.clear()


def test_a_stream_in_use_is_not_reset(streams, Scripted, in_thread):
    server, client = streams
    reading = in_thread(server.recv)
    time.sleep(0.1)
    with pytest.raises(fastws.ConcurrencyError):
        server.reset(Scripted())
    client.send("x")
    assert reading() == "x"


def test_io_cannot_reset_its_stream(Scripted, masked_frame):
    stream, seen = None, []

    class Meddling(Scripted):
        def recv_into(self, buffer):
            with pytest.raises(fastws.ConcurrencyError):
                stream.reset(Scripted())
            seen.append("read")
            return super().recv_into(buffer)

        def sendall(self, data):
            with pytest.raises(fastws.ConcurrencyError):
                stream.reset(Scripted())
            seen.append("write")

        def close(self):
            stream.reset(Scripted())
            seen.append("close")

    stream = Stream(Meddling(masked_frame(1, b"x")))
    stream.recv()
    stream.send("x")
    # close() comes when all is new already, so it may: that closes the second one, too.
    stream.reset(Meddling(masked_frame(1, b"y")))
    assert seen == ["read", "write", "close", "close"]
    assert type(stream.io) is Scripted


def test_a_reader_loses_its_message(Scripted, masked_frame):
    """Also one that has arrived and was not read: its memory is not the reader's any more."""
    for fin in (True, False):
        for end in ("reset", "close"):
            stream = Stream(Scripted(masked_frame(2, b"Hello", fin=fin)))
            reader = Reader(stream)
            reader.next_frame()
            assert reader.read(2) == b"He"
            if end == "reset":
                stream.reset(Scripted(masked_frame(2, b"other")))
            else:
                stream.close()
            with pytest.raises(RuntimeError if end == "reset" else fastws.ConnectionClosed):
                reader.read(2)
            if end == "reset":
                reader.reset()
                assert reader.read() == b"other"


def test_a_writer_loses_its_message(Scripted):
    stream = Stream(Scripted())
    writer, other = Writer(stream, OpCode.TEXT, 2), Writer(stream, OpCode.BINARY)
    writer.write("a")
    stream.reset(Scripted())
    assert (writer.buffered, writer.available) == (0, 2)
    other.write(b"other")
    with pytest.raises(RuntimeError, match="begun"):
        writer.write("x")
    del writer
    gc.collect()
    other.flush()
    assert stream.io.written == [b"\x82\x05other"]
    writer = Writer(stream, OpCode.TEXT)
    writer.write("Ё".encode()[:1])
    stream.reset(Scripted())
    writer.flush()
    writer.flush_fragment()
    writer.write("y")
    writer.flush()
    assert stream.io.written == [b"\x81\x01y"]


def test_a_writer_that_was_torn_is_whole_again(Scripted):
    stream = Stream(Scripted())
    writer = Writer(stream, OpCode.BINARY, 2)
    with pytest.raises(ZeroDivisionError), writer:
        writer.write(b"12345")
        raise ZeroDivisionError
    with pytest.raises(RuntimeError):
        writer.write(b"x")
    stream.reset(Scripted())
    with writer:
        writer.write(b"x")
    assert stream.io.written == [b"\x82\x01x"]


def test_reset_streams_do_not_leak(Scripted):
    stream = Stream(Scripted())
    kept = [weakref.ref(script := Scripted())]
    stream.reset(script, initial=b"x" * 100, extensions=[lambda header: None])
    del script
    stream.reset(Scripted())
    gc.collect()
    assert kept[0]() is None
