# SPDX-License-Identifier: MIT
"""Connection: messages in pieces, both ways; prepared messages; extensions; what waits to be sent."""

import gc
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Chunk, Connection, Header, Message, OpCode, Ping, PreparedMessage, Rsv, Stream


@pytest.fixture
def server():
    return Connection("server")


@pytest.fixture
def client():
    return Connection("client")


def test_chunks_come_as_their_bytes_do(masked_frame):
    server = Connection("server", delivery="stream")
    data = masked_frame(1, b"Hello", fin=False) + masked_frame(9, b"p") + masked_frame(0, b", world")
    assert server.receive(data[:6]) == [Chunk((1, b"", True, False, 5))]
    assert server.receive(data[6:9]) == [Chunk((1, b"Hel", False, False, 2))]
    events = server.receive(data[9:])
    assert [type(event) for event in events] == [Chunk, Ping, Chunk]
    assert events[0] == (OpCode.TEXT, b"lo", False, False, 0)
    assert events[2] == (OpCode.TEXT, b", world", False, True, 0)
    chunk = events[2]
    assert (chunk.opcode, chunk.data, chunk.first, chunk.last, chunk.remaining) == tuple(chunk)


def test_fragments_come_one_by_one(masked_frame):
    server = Connection("server", delivery="fragments")
    data = masked_frame(2, b"one", fin=False) + masked_frame(0, b"", fin=False) + masked_frame(0, b"two")
    events = []
    for i in range(len(data)):
        events += server.receive(data[i : i + 1])
    assert events == [(2, b"one", True, False, 0), (2, b"", False, False, 0), (2, b"two", False, True, 0)]


def test_delivery_may_change_and_a_message_ends_as_it_began(server, masked_frame):
    assert server.delivery == "messages"
    assert server.receive(masked_frame(2, b"abc")[:-1]) == []
    server.delivery = "stream"
    assert [event.data for event in server.receive(masked_frame(2, b"abc")[-1:])] == [b"abc"]
    (begun,) = server.receive(masked_frame(2, b"abc")[:-1])
    server.delivery = "messages"
    (ended,) = server.receive(masked_frame(2, b"abc")[-1:])
    assert (begun.data + ended.data, begun.last, ended.last) == (b"abc", False, True)
    assert server.receive(masked_frame(2, b"abc")) == [Message((2, b"abc"))]
    for wrong, error in (("chunks", ValueError), (1, TypeError)):
        with pytest.raises(error):
            server.delivery = wrong
        with pytest.raises(error):
            Connection("server", delivery=wrong)
    with pytest.raises(AttributeError):
        del server.delivery


def test_discard_drops_the_rest(masked_frame):
    server = Connection("server", delivery="stream")
    assert server.discard() is False
    data = masked_frame(1, b"abc", fin=False) + masked_frame(0, b"\xff") + masked_frame(2, b"next")
    server.receive(data[:8])
    assert server.discard() is True
    assert [event.data for event in server.receive(data[8:])] == [b"next"]
    assert server.discard() is False


def test_a_limit_of_none_lets_a_message_be_endless(masked_frame):
    server = Connection("server", delivery="stream", max_size=None, max_frame_size=None)
    server.receive(Header(opcode=2, mask=b"\0\0\0\0", length=2**62).encode())
    for _ in range(100):
        (chunk,) = server.receive(bytes(65000))
        assert len(chunk.data) == 65000


def test_writes_in_fragments(server, client):
    server.begin(OpCode.BINARY)
    for piece in (b"a" * 4000, b"b" * 4000, b"c" * 192):
        server.write(piece)
    assert [len(each) for each in (server.data_to_send(),)] == [4096 + 4]
    server.ping()
    server.finish()
    server.begin()
    server.write("text")
    server.flush_fragment()
    server.write(b"\xc3")
    with pytest.raises(ValueError, match="UTF-8"):
        server.finish()
    with pytest.raises(ValueError, match="UTF-8"):
        server.write("x")
    server.write(b"\xa4")
    server.finish()
    sent = server.data_to_send()
    assert sent[:2] == b"\x89\x00" and sent[2:6] == b"\x80\x7e\x10\x00"
    assert sent[6 + 4096 :] == b"\x01\x04text\x80\x02\xc3\xa4"


@given(st.lists(st.binary(max_size=30)), st.one_of(st.none(), st.integers(1, 9)), st.sampled_from(["server", "client"]))
def test_pieces_arrive_as_one_message(pieces, fragment_size, role):
    ours = Connection(role, fragment_size=fragment_size)
    theirs = Connection("client" if role == "server" else "server")
    ours.begin(2)
    for piece in pieces:
        ours.write(piece)
    ours.finish()
    assert theirs.receive(ours.data_to_send()) == [Message((2, b"".join(pieces)))]


def test_large_pieces_are_copied(server, client):
    data = bytearray(100000)
    server.begin(2)
    server.write(data)
    data[:] = b"x" * len(data)
    server.finish()
    assert client.receive(server.data_to_send())[0].data == bytes(100000)


def test_no_other_message_inside_of_one(server, client):
    for call in (lambda: server.write("x"), server.flush_fragment, server.finish):
        with pytest.raises(RuntimeError, match="no message"):
            call()
    server.abandon()
    server.begin()
    for call in (server.begin, lambda: server.send("x"), lambda: server.send(PreparedMessage("x"))):
        with pytest.raises(RuntimeError, match="another message"):
            call()
    server.write("dropped")
    server.abandon()
    server.send("kept")
    server.begin(2)
    server.write(b"half")
    server.flush_fragment()
    server.write(b"dropped")
    server.abandon()
    with pytest.raises(RuntimeError):
        server.send("x")
    server.finish()
    assert [event.data for event in client.receive(server.data_to_send())] == ["kept", b"half"]
    with pytest.raises(ValueError):
        server.begin(OpCode.PING)
    server.begin()
    server.write("half")
    server.close()
    for call in (server.begin, lambda: server.write("x"), server.flush_fragment, server.finish):
        with pytest.raises(fastws.ConnectionClosed):
            call()


@pytest.mark.parametrize("flush", [False, True])
def test_what_is_abandoned_leaves_text_where_its_fragments_end(client, flush):
    """A character that a fragment had cut was forgotten with the rest, and the peer got what is not UTF-8."""
    server = Connection("server", fragment_size=None if flush else 3)
    server.begin()
    server.write("ab")
    server.write("é".encode()[:1] if flush else "éd")
    if flush:
        server.flush_fragment()
        server.write(b"\xa9dropped")
    server.abandon()
    with pytest.raises(ValueError):
        server.write("x")
    with pytest.raises(ValueError):
        server.finish()
    server.write("é".encode()[1:] + b"!")
    server.finish()
    assert client.receive(server.data_to_send()) == [Message((OpCode.TEXT, "abé!"))]


def test_writable_is_false_above_the_limit():
    server = Connection("server", write_limit=10000)
    assert server.writable
    for size in (5000, 4900):
        server.send(bytes(size))
        assert server.writable
    server.send(b"x" * 100)
    assert not server.writable
    server.data_to_send()
    assert server.writable
    server = Connection("server", write_limit=None)
    server.send(bytes(1 << 20))
    assert server.writable
    for wrong in ({"write_limit": 0}, {"write_limit": "5"}, {"fragment_size": 0}, {"fragment_size": -1}):
        with pytest.raises((TypeError, ValueError)):
            Connection("server", **wrong)


def test_latency_is_that_of_the_last_ping(client):
    server = Connection("server", ping_interval=0.001)
    assert server.latency == 0.0
    time.sleep(0.005)
    server.on_time()
    client.receive(server.data_to_send())
    time.sleep(0.002)
    server.receive(client.data_to_send())
    assert 0.002 <= server.latency < 60


@pytest.mark.parametrize(("data", "text", "opcode", "value"), [
    ("Grüße", None, 1, "Grüße"), (b"\xff", None, 2, b"\xff"), ("ä", False, 2, "ä".encode()), (b"x", True, 1, "x"),
    (bytearray(100000), None, 2, bytes(100000)), ("", None, 1, ""),
])
def test_a_prepared_message_goes_to_everybody(data, text, opcode, value, Scripted):
    prepared = PreparedMessage(data, text)
    assert (prepared.opcode, prepared.data) == (opcode, value)
    assert len(prepared) == len(value.encode() if isinstance(value, str) else value)
    servers = [Connection("server") for _ in range(3)]
    for server in servers:
        server.send("before")
        server.send(prepared)
        server.send("after")
    for server in servers:
        events = Connection("client").receive(server.data_to_send())
        assert [event.data for event in events] == ["before", value, "after"]
    client = Connection("client")
    client.send(prepared)
    client.send(prepared)
    sent = client.data_to_send()
    assert sent[:len(sent) // 2] != sent[len(sent) // 2:]
    assert Connection("server").receive(sent) == [Message((opcode, value))] * 2
    stream = Stream(Scripted())
    stream.send(prepared)
    assert stream.io.written == [fastws.compile_frame(opcode, data)]
    stream.close()
    for end in (stream, servers[0]):
        with pytest.raises((fastws.ConnectionClosed, ValueError)):
            end.send(prepared, 1)


def test_a_prepared_message_lives_until_it_is_sent(sockets):
    stream = Stream(sockets[0])
    stream.send(PreparedMessage(b"x" * 1000))
    assert len(sockets[1].recv(5000)) == 1004
    server = Connection("server")
    server.send(PreparedMessage(bytes(70000)))
    gc.collect()
    assert len(server.data_to_send()) == 70010


@pytest.mark.parametrize(("arguments", "error"), [
    ((), TypeError), ((5,), TypeError), ((b"\xff", True), ValueError), (("\ud800",), UnicodeEncodeError)])
def test_preparing_refuses_what_sending_does(arguments, error):
    with pytest.raises(error):
        PreparedMessage(*arguments)
    with pytest.raises((ValueError, TypeError)):
        Connection("server").send(PreparedMessage("x"), OpCode.TEXT)


class Marks:
    """Sets RSV1 of what goes, and takes it off what comes."""

    def __init__(self):
        self.seen = []

    def set_bits(self, header):
        self.seen.append(("set", header.opcode))
        return Header(header.fin, header.rsv | Rsv.RSV1, header.opcode, header.mask, header.length)

    def unset_bits(self, header):
        self.seen.append(("unset", header.opcode))
        return Header(header.fin, header.rsv & ~Rsv.RSV1, header.opcode, header.mask, header.length)


def test_extensions_mark_and_claim():
    marks = Marks()
    server, client = Connection("server", extensions=[marks]), Connection("client", extensions=(marks,))
    client.send("one")
    client.ping()
    client.send(PreparedMessage("prepared"))
    assert [event.data for event in server.receive(client.data_to_send())] == ["one", b"", "prepared"]
    server.begin(2)
    server.write(b"two")
    server.finish()
    sent = server.data_to_send()
    assert sent[-5] == 0xC2
    assert client.receive(sent)[-1].data == b"two"
    assert marks.seen.count(("set", 1)) == marks.seen.count(("unset", 1)) == 2
    (failure,) = Connection("client").receive(sent[-5:])
    assert failure.error.name == "FASTWS_ERR_RSV"


def test_extensions_may_refuse():
    def refuse(header):
        raise ValueError("no")

    server = Connection("server", extensions=[refuse])
    with pytest.raises(ValueError, match="no"):
        server.send("x")
    server.ping()
    assert server.data_to_send() == b"\x89\x00"
    (failure,) = server.receive(Header(opcode=1, mask=b"\0\0\0\0", length=1).encode() + b"x")
    assert failure.error.name == "FASTWS_ERR_EXTENSION" and isinstance(failure.error.__cause__, ValueError)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        server.receive(b"x")
    assert isinstance(info.value.__cause__.__cause__, ValueError)


def test_extensions_must_not_use_the_connection(masked_frame):
    caught = []

    def reenter(header):
        for call in (lambda: server.receive(b""), lambda: server.send("x"), server.begin, server.ping, server.close,
                     server.data_to_send, server.receive_eof, server.on_time, server.discard):
            with pytest.raises(fastws.ConcurrencyError):
                call()
            caught.append(1)

    server = Connection("server", extensions=[reenter])
    assert server.receive(masked_frame(1, b"x")) == [Message((1, "x"))]
    server.send("x")
    assert len(caught) == 18 and server.data_to_send() == b"\x81\x01x"


def test_extensions_are_collected_with_their_connection():
    class Extension:
        def set_bits(self, header):
            return None

    extension = Extension()
    extension.connection = Connection("server", extensions=[extension])
    gone = weakref.ref(extension)
    del extension
    gc.collect()
    assert gone() is None


def test_skip_header_check_takes_what_breaks_the_rules():
    server = Connection("server", skip_header_check=True)
    assert server.receive(b"\x82\x01x" + b"\x93\x01y") == [(2, b"x"), (3, b"y")]
