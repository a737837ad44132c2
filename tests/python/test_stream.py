# SPDX-License-Identifier: MIT
"""Stream over sockets: messages, the close handshake, deadlines."""

import gc
import socket
import time
import weakref

import pytest

import fastws
from fastws import OpCode, Stream

MESSAGES = ["", "ascii", "Grüße 😀", b"", b"\x00\xff", b"x" * 4096, "y" * 65536, bytes(200000), "ü" * 600000]


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_messages_both_ways(streams, in_thread, size):
    server, client = streams

    def echo():
        for message in server:
            server.send(message)
        server.close()
        return server.close_code

    echoed = in_thread(echo)
    for message in MESSAGES:
        client.send(message)
        assert client.recv() == message
    for message in MESSAGES * size if size < 10 else []:
        client.send(message)
        assert client.recv() == message
    client.close()
    assert echoed() == 1000
    assert client.close_code == 1000


def test_reads_16_mib(streams, in_thread):
    server, client = streams
    data = bytes(range(256)) * (1 << 16)
    for sender, receiver in ((server, client), (client, server)):
        sent = in_thread(sender.send, data)
        assert receiver.recv() == data
        sent()


def test_one_byte_at_a_time(sockets, masked_frame, in_thread):
    ours, theirs = sockets
    stream = Stream(ours)
    data = masked_frame(1, b"Hel", fin=False) + masked_frame(9, b"p") + masked_frame(0, b"lo") + masked_frame(2, b"\xff")
    sent = in_thread(lambda: [theirs.send(data[i : i + 1]) for i in range(len(data))])
    assert [stream.recv(), stream.recv()] == ["Hello", b"\xff"]
    assert theirs.recv(100) == b"\x8a\x01p"
    sent()


def test_initial_bytes_come_first(sockets, masked_frame):
    ours, theirs = sockets
    stream = Stream(ours, "server", masked_frame(1, b"one") + masked_frame(2, bytes(200000)) + masked_frame(1, b"th")[:3])
    theirs.sendall(masked_frame(1, b"th")[3:])
    assert [stream.recv(), stream.recv(), stream.recv()] == ["one", bytes(200000), "th"]


def test_read_data_gives_bytes_and_read_message_gives_all(streams):
    server, client = streams
    client.send("text")
    client.ping(b"p")
    client.send(b"binary")
    client.ping(b"q")
    client.pong(b"r")
    assert server.read_data() == (OpCode.TEXT, b"text")
    assert server.read_data() == (OpCode.BINARY, b"binary")
    assert server.read_message() == (OpCode.PING, b"q")
    opcode, payload = server.read_message()
    assert opcode is OpCode.PONG and payload == b"r"
    client.write_message(OpCode.TEXT, b"raw text")
    client.write_message(opcode=2, data="raw")
    assert [server.recv(), server.recv()] == ["raw text", b"raw"]
    assert client.read_message() == (OpCode.PONG, b"p")
    assert client.read_message() == (OpCode.PONG, b"q")


def test_read_message_gives_the_close_frame_once(sockets, masked_frame):
    ours, theirs = sockets
    stream = Stream(ours)
    theirs.sendall(masked_frame(8, b"\x0f\xa0bye"))
    assert stream.read_message() == (OpCode.CLOSE, b"\x0f\xa0bye")
    assert theirs.recv(100) == b"\x88\x02\x0f\xa0"
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.read_message()
    assert (info.value.rcvd, info.value.code, info.value.reason) == ((4000, "bye"), 4000, "bye")


@pytest.mark.parametrize(("body", "is_ok"), [(b"", True), (b"\x03\xe8", True), (b"\x03\xe9", True), (b"\x03\xea", False)])
def test_iteration_ends_or_raises(sockets, masked_frame, body, is_ok):
    ours, theirs = sockets
    theirs.sendall(masked_frame(1, b"one") + masked_frame(8, body))
    stream = Stream(ours)
    received = []
    try:
        for message in stream:
            received.append(message)
        assert is_ok
    except fastws.ConnectionClosedError as error:
        assert not is_ok and error.code == 1002
    assert received == ["one"]


def test_the_end_of_the_stream(sockets, masked_frame):
    ours, theirs = sockets
    theirs.sendall(masked_frame(1, b"one") + masked_frame(1, b"two")[:4])
    theirs.close()
    stream = Stream(ours)
    assert stream.recv() == "one"
    for _ in range(2):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            stream.recv()
        assert info.value.code == 1006 and info.value.__cause__.name == "FASTWS_ERR_UNEXPECTED_EOF"
    stream.close()
    assert ours.fileno() == -1


@pytest.mark.parametrize("is_small", [True, False])
def test_a_peer_that_is_gone(sockets, is_small):
    ours, theirs = sockets
    stream = Stream(ours)
    theirs.close()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.send(b"x" if is_small else bytes(1 << 20))
    assert isinstance(info.value.__cause__, OSError) and info.value.code == 1006
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send(b"x")


def test_a_connection_that_is_reset():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as theirs:
        ours, _ = listener.accept()
        with ours:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            theirs.close()
            with pytest.raises(fastws.ConnectionClosedError) as info:
                Stream(ours).recv()
            assert isinstance(info.value.__cause__, ConnectionResetError) and info.value.name == "FASTWS_ERR_IO"


def test_a_socket_that_was_closed_under_it(sockets):
    ours, _ = sockets
    stream = Stream(ours)
    ours.close()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert isinstance(info.value.__cause__, OSError)
    with pytest.raises(fastws.ConnectionClosed):
        stream.send("x")
    stream.close()


def test_errors_are_told_and_the_messages_before_are_answered(sockets, masked_frame):
    ours, theirs = sockets
    theirs.sendall(masked_frame(1, b"echo me") + masked_frame(1, b"x", rsv=4))
    stream = Stream(ours)
    stream.send(stream.recv())
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.code == 1002 and info.value.__cause__.name == "FASTWS_ERR_RSV"
    theirs.shutdown(socket.SHUT_WR)
    stream.close()
    received = b"".join(iter(lambda: theirs.recv(1000), b""))
    assert received.startswith(b"\x81\x07echo me\x88") and b"\x03\xea" in received


def test_the_close_frame_reaches_a_peer_that_goes_on_sending(in_thread, masked_frame):
    """Closing a TCP socket with unread bytes resets the connection, and used to take the close frame with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as theirs:
        ours, _ = listener.accept()
        theirs.sendall(masked_frame(3) + bytes(300000))
        stream = Stream(ours)
        with pytest.raises(fastws.ConnectionClosedError):
            stream.recv()
        closed = in_thread(stream.close)
        theirs.settimeout(5)
        received = theirs.recv(1000)
        assert received[:1] == b"\x88" and received[2:4] == b"\x03\xea"
        theirs.close()
        closed()


def test_closes_both_ways(streams, in_thread):
    server, client = streams
    closed = in_thread(client.close, 4001, "done")
    with pytest.raises(fastws.ConnectionClosedError) as info:
        server.recv()
    assert info.value.rcvd == (4001, "done")
    server.close()
    closed()
    for stream in streams:
        assert stream.state == "CLOSED" and stream.close_code == 4001
        stream.close()
        for act in (stream.recv, lambda: stream.send("x"), stream.ping, stream.read_header):
            with pytest.raises(fastws.ConnectionClosed):
                act()
    assert server.io is None


def test_close_drops_messages_and_answers_pings(streams, in_thread):
    server, client = streams
    client.send("dropped")
    client.ping()
    closed = in_thread(server.close)
    with pytest.raises(fastws.ConnectionClosedOK):
        client.recv()
    closed()


def test_close_gives_a_silent_peer_up(sockets):
    stream = Stream(sockets[0], close_timeout=0.05)
    start = time.monotonic()
    stream.close()
    assert 0.04 < time.monotonic() - start < 2
    assert sockets[0].fileno() == -1


@pytest.mark.parametrize("arguments", [(999,), (1006,), (5000,), (1000, "\ud800")])
def test_refuses_to_close_with_a_wrong_code(sockets, arguments):
    stream = Stream(sockets[0])
    with pytest.raises(ValueError):
        stream.close(*arguments)
    assert stream.state == "OPEN"


def test_context_manager_closes(sockets, masked_frame, in_thread):
    ours, theirs = sockets
    theirs.sendall(masked_frame(8, b"\x03\xe8"))
    with Stream(ours) as stream:
        assert stream.io is ours
    assert theirs.recv(100)[:1] == b"\x88"


def test_context_manager_tells_of_an_exception(sockets, masked_frame):
    ours, theirs = sockets
    theirs.sendall(masked_frame(8, b"\x03\xe8"))
    with pytest.raises(ZeroDivisionError), Stream(ours):
        1 / 0
    assert theirs.recv(100)[2:4] == (1011).to_bytes(2, "big")


def test_recv_with_a_timeout(streams):
    server, client = streams
    start = time.monotonic()
    for timeout in (0, 0.03):
        with pytest.raises(TimeoutError):
            server.recv(timeout)
    assert 0.02 < time.monotonic() - start < 2
    client.send("later")
    assert server.recv(timeout=5) == "later"
    client.send("at once")
    assert server.recv(0) == "at once"
    for timeout, error in ((-1, ValueError), ("1", TypeError), (float("nan"), ValueError)):
        with pytest.raises(error):
            server.recv(timeout)


def test_the_timeout_of_the_socket_is_kept(sockets, masked_frame):
    ours, theirs = sockets
    stream = Stream(ours)
    ours.settimeout(0.03)
    with pytest.raises(TimeoutError):
        stream.recv()
    theirs.sendall(masked_frame(1, b"still open"))
    assert stream.recv() == "still open"


def test_a_socket_without_blocking_is_waited_for(sockets, masked_frame, in_thread):
    ours, theirs = sockets
    ours.setblocking(False)
    received = in_thread(Stream(ours).recv)
    time.sleep(0.03)
    theirs.sendall(masked_frame(1, b"x"))
    assert received() == "x"


def test_pings_a_silent_peer_and_gives_it_up(sockets):
    stream = Stream(sockets[0], ping_interval=0.03, ping_timeout=0.03)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert info.value.__cause__.name == "FASTWS_ERR_PING_TIMEOUT" and isinstance(info.value.__cause__, TimeoutError)
    assert info.value.code == 1011
    received = sockets[1].recv(1000)
    assert received.startswith(b"\x89\x08") and received[10:11] == b"\x88" and b"\x03\xf3" in received


def test_a_peer_that_answers_pings_lives(sockets, in_thread):
    server = Stream(sockets[0], ping_interval=0.02, ping_timeout=0.2)
    client = Stream(sockets[1], "client")
    waiting = in_thread(client.recv)
    with pytest.raises(TimeoutError):
        server.recv(0.3)
    server.send("alive")
    assert waiting() == "alive"


def test_a_peer_that_does_not_read_is_given_up(sockets):
    stream = Stream(sockets[0], ping_timeout=0.05)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.send(bytes(16 << 20))
    assert isinstance(info.value.__cause__, TimeoutError)
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send("x")


def test_attributes(sockets):
    handshake = object()
    stream = Stream(sockets[0], role="client", handshake=handshake)
    assert (stream.role, stream.state, stream.close_code, stream.close_reason) == ("client", "OPEN", None, None)
    assert stream.handshake is handshake and stream.io is sockets[0]
    with pytest.raises(AttributeError):
        stream.handshake = None


def test_can_be_subclassed_collected_and_referred_to_weakly(sockets):
    class Sub(Stream):
        def __new__(cls, io):
            return super().__new__(cls, io, "client")

    sub = Sub(sockets[0])
    sub.me = sub
    reference = weakref.ref(sub)
    del sub
    gc.collect()
    assert reference() is None

    class Holder:
        def recv_into(self, buffer): ...
        def sendall(self, data): ...

    holder = Holder()
    holder.stream = Stream(holder)
    reference = weakref.ref(holder.stream)
    del holder
    gc.collect()
    assert reference() is None


def test_the_end_is_not_hidden_from_a_subclass_with_del(sockets):
    closed = []

    class Sub(Stream):
        def __del__(self):
            closed.append(self.state)

    Sub(sockets[0])
    gc.collect()
    assert closed == ["OPEN"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((), TypeError), ((5,), TypeError), ((None,), TypeError), ((object(), "server"), TypeError)],
)
def test_refuses_what_cannot_read_and_write(arguments, error):
    with pytest.raises(error):
        Stream(*arguments)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [({"role": "peer"}, ValueError), ({"role": 1}, TypeError), ({"initial": "str"}, TypeError),
     ({"max_size": 0}, ValueError), ({"ping_interval": -1}, ValueError), ({"unknown": 1}, TypeError)],
)
def test_refuses_wrong_options(sockets, keywords, error):
    with pytest.raises(error):
        Stream(sockets[0], **keywords)


@pytest.mark.parametrize("is_text", [True, False])
def test_the_other_kind_of_message_is_refused(streams, is_text):
    server, client = streams
    good, other = ("text", b"binary") if is_text else (b"binary", "text")
    read = server.read_text if is_text else server.read_binary
    client.send(good)
    client.send(other)
    assert read() == good
    for _ in range(2):
        with pytest.raises(fastws.ConnectionClosedError) as info:
            read()
        assert (info.value.code, info.value.__cause__.name) == (1003, "FASTWS_ERR_MESSAGE_KIND")
    with pytest.raises(fastws.ConnectionClosedError) as info:
        client.recv()
    assert info.value.rcvd.code == 1003
