# SPDX-License-Identifier: MIT
"""Stream over sockets that do little at a time, are interrupted, or are reset: at every byte of a conversation."""

import signal
import socket
import struct
import time

import pytest

import fastws
from fastws import Header, Reader, Stream, Writer

KEY = b"\x37\xfa\x21\x3d"


def frame(opcode, payload=b"", *, fin=True):
    return Header(fin, 0, opcode, KEY, len(payload)).encode() + fastws.masked(payload, KEY)


# What a client says, and what a server answers: all ways of reading and writing take part.
CONVERSATION = (
    frame(1, "Grüße".encode()) + frame(9, b"ping") + frame(2, b"one", fin=False) + frame(9, b"inside") + frame(0, b"two")
    + frame(2, b"dropped" * 20) + frame(1, b"[1]") + frame(8, b"\x03\xe8bye")
)
ANSWER = [("text", "Grüße"), ("file", b"onetwo"), ("json", b"[1]")]


def converse(stream):
    """Reads the conversation and answers it. Returns what came."""
    found = [("text", stream.recv())]
    stream.send(found[0][1])
    reader, writer = Reader(stream), Writer(stream, 2, 4)
    reader.next_frame()
    found.append(("file", b"".join(iter(lambda: reader.read(2), b""))))
    with writer:
        writer.write(found[1][1])
    reader.next_frame()
    reader.discard()
    found.append(("json", stream.read_data()[1]))
    stream.send(found[2][1])
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    return found


def answers(sent):
    return [event for event in fastws.Connection("client").receive(sent) if not isinstance(event, fastws.Pong)]


EXPECTED = [(1, "Grüße"), (2, b"onetwo"), (2, b"[1]"), (1000, "")]


class Little:
    """Reads and writes little at a time, and is interrupted in between."""

    def __init__(self, data, most, error=None):
        self.data, self.most, self.error, self.written, self.turn = data, most, error, b"", 0

    def interrupt(self):
        self.turn += 1
        if self.error and self.turn % 2:
            raise self.error

    def readinto(self, buffer):
        part = self.data[: min(self.most, len(buffer))]
        buffer[: len(part)] = part
        self.data = self.data[len(part) :]
        return len(part)

    def write(self, data):
        part = bytes(data)[: self.most]
        self.written += part
        return len(part)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_short_reads_and_short_writes(most):
    io = Little(CONVERSATION, most)
    assert converse(Stream(io)) == ANSWER
    assert answers(io.written) == EXPECTED


@pytest.mark.parametrize("most", [1, 5, 64])
def test_small_socket_buffers(in_thread, most):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for sock in (ours, theirs):
            sock.settimeout(20)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        stream = Stream(ours)
        conversing = in_thread(converse, stream)
        sent = b""
        for i in range(0, len(CONVERSATION), most):
            theirs.sendall(CONVERSATION[i : i + most])
        while part := theirs.recv(most):
            sent += part
            if b"\x88\x02\x03\xe8" in sent:
                break
        assert conversing() == ANSWER
        assert answers(sent) == EXPECTED


def test_large_messages_through_small_buffers(in_thread):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server, client = Stream(ours), Stream(theirs, "client")
        payload = bytes(range(256)) * 4096
        for sender, receiver in ((server, client), (client, server)):
            sent = in_thread(lambda sender=sender: (sender.send(payload), sender.send(fastws.PreparedMessage(payload))))
            assert (receiver.recv(), receiver.recv()) == (payload, payload)
            sent()
            reader = Reader(receiver)

            def write(sender=sender):
                with Writer(sender, 2) as writer:
                    writer.write(payload)
                    writer.write(payload)

            sent = in_thread(write)
            assert reader.read() == payload * 2
            sent()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_signals_whose_handlers_return_interrupt_nothing(in_thread):
    """EINTR: a timer fires every millisecond while a conversation goes on a byte at a time."""
    ours, theirs = socket.socketpair()
    fired = []
    before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

        def talk():
            for i in range(len(CONVERSATION)):
                theirs.sendall(CONVERSATION[i : i + 1])
                time.sleep(0.0005)

        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            talking = in_thread(talk)
            assert converse(Stream(ours)) == ANSWER
            talking()
            client = Stream(theirs, "client")
            assert [client.recv() for _ in range(3)] == ["Grüße", b"onetwo", b"[1]"]
            received = in_thread(lambda: time.sleep(0.05) or Stream(theirs).recv())
            Stream(ours, "client").send(bytes(1 << 20))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert fired
        assert received() == bytes(1 << 20)


@pytest.mark.parametrize("is_reset", [False, True])
def test_an_end_or_reset_at_every_byte(is_reset):
    """Whatever was complete is handed out; then comes ConnectionClosed, and never anything else."""
    whole = [frame(1, b"one"), frame(9, b"p"), frame(2, b"two", fin=False), frame(0, b"three"), frame(1, b"four")]
    data = b"".join(whole)
    ends = {len(whole[0]): 1, len(b"".join(whole[:4])): 2, len(data): 3}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for cut in range(len(data) + 1):
            theirs = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
            with ours, theirs:
                ours.settimeout(20)
                theirs.sendall(data[:cut])
                if is_reset:
                    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                theirs.close()
                stream, found = Stream(ours), []
                with pytest.raises(fastws.ConnectionClosedError) as info:
                    while True:
                        found.append(stream.recv())
                # A reset may overtake what was sent before it.
                complete = max((count for end, count in ends.items() if end <= cut), default=0)
                assert len(found) <= complete if is_reset else len(found) == complete
                assert info.value.code == 1006
                with pytest.raises(fastws.ConnectionClosedError):
                    for _ in range(100):
                        stream.send(b"x" * 1000)
                stream.close()


def test_a_broken_pipe_is_reported_by_sends_and_reading_goes_on(sockets):
    """EPIPE: the peer reads no more, but what it sent is there."""
    ours, theirs = sockets
    stream = Stream(ours)
    theirs.sendall(frame(1, b"sent before") + frame(9, b"p") + frame(1, b"and this"))
    theirs.close()
    for send in (lambda: stream.send("x"), lambda: stream.ping(), lambda: Writer(stream).write(b"x" * 9000), lambda: stream.write(b"x")):
        with pytest.raises(fastws.ConnectionClosedError):
            send()
    assert (stream.recv(), stream.recv()) == ("sent before", "and this")
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()


@pytest.mark.parametrize("allowed", range(0, 40, 3))
def test_a_write_that_fails_at_any_byte_breaks_the_output_for_good(allowed):
    class Breaks(Little):
        def write(self, data):
            left = allowed - len(self.written)
            if left <= 0:
                raise BrokenPipeError("gone")
            return super().write(data[:left])

    io = Breaks(frame(1, b"in"), 5)
    stream = Stream(io)
    writer = Writer(stream, 2, 4)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        for _ in range(20):
            stream.send("text")
            with writer:
                writer.write(b"123456")
    assert isinstance(info.value.__cause__, (BrokenPipeError, fastws.ConnectionLost))
    assert len(io.written) == allowed
    assert stream.recv() == "in"
    for send in (lambda: stream.send("x"), stream.ping, lambda: writer.write("x")):
        with pytest.raises((fastws.ConnectionClosedError, RuntimeError)):
            send()
    assert len(io.written) == allowed


@pytest.mark.parametrize("error", [BlockingIOError("not now"), InterruptedError("signal"), TimeoutError("late")])
def test_a_read_that_was_only_not_the_time_may_be_tried_again(error):
    class Later(Little):
        def readinto(self, buffer):
            self.interrupt()
            return super().readinto(buffer)

    stream = Stream(Later(frame(1, b"Hello", fin=False) + frame(0, b", world"), 2, error))
    found = None
    for _ in range(100):
        try:
            found = stream.recv()
            break
        except OSError:
            continue
    assert found == "Hello, world"
