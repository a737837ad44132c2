# SPDX-License-Identifier: MIT
"""Calls of a Stream, a Reader or a file that come at the wrong time, and streams whose byte stream misbehaves."""

import gc
import io
import socket
import weakref

import pytest

import fastws
from fastws import CipherReader, CipherWriter, OpCode, Reader, Stream


def test_raw_bytes_cannot_follow_the_close_frames(Scripted, masked_frame):
    stream = Stream(Scripted(masked_frame(8, b"\x03\xe8")))
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    sent = list(stream.io.written)
    header = fastws.Header(opcode=OpCode.BINARY, length=1)
    for call in (
        lambda: stream.write(b"x"),
        lambda: stream.write_header(header),
        lambda: stream.write_frame((header, b"x")),
    ):
        with pytest.raises(fastws.ConnectionClosedOK):
            call()
    assert stream.io.written == sent


def test_what_a_byte_stream_raises_comes_out_of_close(Scripted):
    class Broken(Scripted):
        def recv_into(self, buffer):
            raise ZeroDivisionError

    broken = Broken()
    stream = Stream(broken)
    with pytest.raises(ZeroDivisionError):
        stream.close()
    assert broken.is_closed and stream.io is None
    assert (stream.state, stream.close_code) == ("CLOSED", 1006)
    stream.close()


def test_the_error_of_close_wins_over_that_of_the_reader(Scripted):
    class Worse(Scripted):
        def recv_into(self, buffer):
            raise ZeroDivisionError

        def close(self):
            raise OSError("and cannot be closed")

    with pytest.raises(ZeroDivisionError):
        Stream(Worse()).close()


def test_exit_wants_its_three_arguments(Scripted):
    stream = Stream(Scripted())
    for arguments in ((), (None,), (None, None, None, None)):
        with pytest.raises(TypeError, match="3 arguments|3 to 3"):
            stream.__exit__(*arguments)
    assert stream.state == "OPEN"


def test_a_close_frame_inside_a_message_ends_reading_it(Scripted, masked_frame):
    stream = Stream(Scripted(masked_frame(1, b"begun", fin=False) + masked_frame(8, b"\x03\xe9")))
    reader = Reader(stream)
    reader.next_frame()
    with pytest.raises(fastws.ConnectionClosed) as caught:
        reader.read()
    assert caught.value.rcvd.code == 1001


@pytest.mark.parametrize("frames", [[(8, b"\x03\xe9", True)], [(1, b"begun", False), (8, b"\x03\xe9", True)]])
def test_a_close_frame_in_place_of_a_whole_message_ends_reading(Scripted, masked_frame, frames):
    seen = []
    stream = Stream(Scripted(b"".join(masked_frame(opcode, payload, fin=fin) for opcode, payload, fin in frames)))
    reader = Reader(stream, on_intermediate=lambda header, payload: seen.append((header.opcode, payload)))
    with pytest.raises(fastws.ConnectionClosed) as caught:
        reader.read()
    assert caught.value.rcvd.code == 1001
    assert seen == [(OpCode.CLOSE, b"\x03\xe9")]


def test_the_next_message_cannot_be_asked_for_inside_of_a_callback(Scripted, masked_frame):
    refused = []

    def ask(header, reader):
        with pytest.raises(RuntimeError, match="not ended") as caught:
            reader.next_frame()
        refused.append(caught.value)

    stream = Stream(Scripted(masked_frame(1, b"a", fin=False) + masked_frame(0, b"b") + masked_frame(1, b"next")))
    reader = Reader(stream, on_continuation=ask)
    reader.next_frame()
    assert reader.read() == b"ab"
    assert len(refused) == 1
    reader.next_frame()
    assert reader.read() == b"next"


class Buffering(socket.socket):
    """A socket that reads ahead, as wrappers do: poll() knows nothing of what it keeps."""

    ahead = b""

    def recv_into(self, buffer):
        if not self.ahead:
            self.ahead = self.recv(65536)
        part, self.ahead = self.ahead[: min(3, len(buffer))], self.ahead[3:]
        buffer[: len(part)] = part
        return len(part)

    def pending(self):
        return len(self.ahead)


@pytest.fixture
def buffering(sockets):
    with Buffering(fileno=sockets[0].detach()) as ours:
        ours.settimeout(20)
        yield ours, sockets[1]


def test_what_a_wrapped_socket_keeps_is_read_without_waiting(buffering, masked_frame):
    ours, theirs = buffering
    theirs.sendall(masked_frame(1, b"one") + masked_frame(1, b"two"))
    stream = Stream(ours)
    assert [stream.recv(timeout=5), stream.recv(timeout=5)] == ["one", "two"]
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.01)


def test_a_wrapped_socket_that_does_not_know_what_it_keeps_fails_the_read(buffering, masked_frame):
    ours, theirs = buffering
    ours.pending = lambda: 1 / 0
    theirs.sendall(masked_frame(1, b"one"))
    stream = Stream(ours)
    with pytest.raises(ZeroDivisionError):
        stream.recv()
    del ours.pending
    assert stream.recv() == "one"


@pytest.mark.parametrize("make", [CipherReader, CipherWriter])
def test_cycles_through_what_a_cipher_passes_on_to_are_collected(make):
    class File(io.BytesIO):
        pass

    file = File()
    file.cipher = make(file, b"abcd")
    alive = weakref.ref(file)
    gc.collect()
    assert alive() is file and file.cipher.offset == 0
    del file
    gc.collect()
    assert alive() is None


def test_buffers_that_are_resized_through_their_memoryview(masked_frame):
    """get_buffer().obj is a bytearray that anybody may clear."""
    server = fastws.Connection("server")
    data = masked_frame(1, b"Hello")
    hidden = server.get_buffer().obj
    hidden.clear()
    with pytest.raises(ValueError):
        server.buffer_updated(len(data))
    assert server.buffer_updated(0) == []
    buffer = server.get_buffer()
    assert len(buffer) == 65536 and buffer.obj is not hidden
    with pytest.raises(BufferError):
        buffer.obj.clear()
    buffer[: len(data)] = data
    hidden = buffer.obj
    del buffer
    hidden += bytes(1000)
    (message,) = server.buffer_updated(len(data))
    assert message.data == "Hello"
    assert len(server.get_buffer()) == 65536


def test_a_buffer_that_an_extension_clears_while_it_is_read(masked_frame):
    server = None

    def clear(header):
        with pytest.raises(BufferError):
            hidden.clear()

    server = fastws.Connection("server", extensions=[clear])
    data = masked_frame(1, b"Hello")
    buffer = server.get_buffer()
    buffer[: len(data)] = data
    hidden = buffer.obj
    del buffer
    (message,) = server.buffer_updated(len(data))
    assert message.data == "Hello"


def test_a_buffer_that_io_clears_between_reads(Scripted, masked_frame):
    """The next read used to look like the end of the stream."""

    class Clears(Scripted):
        hidden = None

        def recv_into(self, buffer):
            if self.hidden is not None and self.hidden is not buffer.obj:
                self.hidden.clear()
            self.hidden = buffer.obj
            return super().recv_into(buffer)

        def sendall(self, data):
            self.hidden.clear()

    stream = Stream(Clears(masked_frame(1, b"a"), masked_frame(1, b"b")))
    assert stream.recv() == "a"
    stream.send("clear")
    assert stream.recv() == "b"
