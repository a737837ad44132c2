# SPDX-License-Identifier: MIT
"""Stream over objects: whatever their methods do, nothing is read or written out of bounds, and nothing hangs."""

import gc
import io
import time

import pytest

import fastws
from fastws import Stream


def test_one_write_for_each_send(Scripted):
    script = Scripted()
    stream = Stream(script)
    for message in (b"", b"x" * 125, b"x" * 126, b"x" * 65536, b"x" * 200000):
        stream.send(message)
    stream.ping()
    assert [len(data) for data in script.written] == [2, 127, 130, 65546, 200010, 2]
    client = Stream(Scripted(), "client")
    client.send(bytes(200000))
    assert len(client.io.written) == 1


def test_pongs_leave_together_and_before_the_message_is_handed_out(Scripted, masked_frame):
    script = Scripted(masked_frame(9, b"p") + masked_frame(9, b"q") + masked_frame(1, b"x"))
    stream = Stream(script)
    assert stream.recv() == "x"
    assert script.written == [b"\x8a\x01p\x8a\x01q"]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pieces_of_any_size(Scripted, masked_frame, size):
    data = masked_frame(1, b"Hel", fin=False) + masked_frame(9) + masked_frame(0, b"lo") + masked_frame(2, bytes(3000))
    script = Scripted(*[data[i : i + size] for i in range(0, len(data), size)])
    stream = Stream(script)
    assert [stream.recv(), stream.recv()] == ["Hello", bytes(3000)]
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    stream.close()
    assert script.is_closed


def test_files_with_readinto_and_write(masked_frame):
    class Both(io.RawIOBase):
        """A raw file that takes three bytes at a time."""

        def __init__(self):
            self.input = io.BytesIO(masked_frame(1, b"x" * 500))
            self.output = bytearray()

        def readinto(self, buffer):
            return self.input.readinto(buffer)

        def write(self, data):
            self.output += data[:3]
            return len(data[:3])

    both = Both()
    stream = Stream(both)
    stream.send(stream.recv())
    assert both.output == fastws.compile_frame(1, "x" * 500)


def test_buffered_files_are_flushed_and_not_waited_for(sockets, masked_frame):
    ours, theirs = sockets
    with ours.makefile("rwb") as both:
        stream = Stream(both)
        theirs.sendall(masked_frame(1, b"x"))
        stream.send(stream.recv())
        assert theirs.recv(100) == b"\x81\x01x"


@pytest.mark.parametrize(
    ("result", "error"),
    [(-1, ValueError), (65537, ValueError), (2**70, ValueError), (-(2**70), ValueError), ("1", TypeError),
     (1.0, TypeError), (b"x", TypeError), (None, BlockingIOError)],
)
def test_reads_that_return_nonsense(result, error):
    class Liar:
        def recv_into(self, buffer):
            return result

        def sendall(self, data): ...

    stream = Stream(Liar())
    for _ in range(2):
        with pytest.raises(error):
            stream.recv()


@pytest.mark.parametrize(
    ("result", "error"),
    [(-1, ValueError), (1000, ValueError), ("1", TypeError), (None, fastws.ConnectionClosedError)],
)
def test_writes_that_return_nonsense(result, error):
    class Liar:
        def recv_into(self, buffer):
            return 0

        def write(self, data):
            return result

    stream = Stream(Liar())
    with pytest.raises(error):
        stream.send(b"x")
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send(b"x")


def test_a_buffer_that_is_kept_or_resized_is_no_window(Scripted, masked_frame):
    class Keeper(Scripted):
        kept = []

        def recv_into(self, buffer):
            self.kept.append(buffer)
            return super().recv_into(buffer)

    keeper = Keeper(masked_frame(1, b"one"), masked_frame(1, b"two"))
    stream = Stream(keeper)
    assert stream.recv() == "one"
    for buffer in keeper.kept:
        buffer[:] = b"\xff" * len(buffer)
    assert stream.recv() == "two"
    kept = keeper.kept[:]
    owner = kept[0].obj
    for buffer in kept:
        buffer.release()
    owner.clear()
    del stream, keeper
    gc.collect()
    owner += bytes(100)


def test_a_buffer_that_is_emptied_before_it_is_read():
    class Emptier:
        def recv_into(self, buffer):
            owner = buffer.obj
            buffer.release()
            try:
                owner.clear()
            except BufferError:
                pass
            return 100

        def sendall(self, data): ...

    with pytest.raises((ValueError, fastws.ConnectionClosedError)):
        Stream(Emptier()).recv()


def test_callbacks_that_use_the_stream(Scripted, masked_frame):
    seen = []

    class Nested(Scripted):
        stream = None

        def recv_into(self, buffer):
            for act in (self.stream.recv, lambda: self.stream.read_exactly(1)):
                with pytest.raises(fastws.ConcurrencyError):
                    act()
            self.stream.send("sent while reading")
            seen.append("read")
            return super().recv_into(buffer)

        def sendall(self, data):
            super().sendall(data)
            for act in (lambda: self.stream.send("x"), self.stream.ping, lambda: self.stream.write(b"x")):
                with pytest.raises(fastws.ConcurrencyError):
                    act()
            seen.append("sent")

    nested = Nested(masked_frame(1, b"x"))
    nested.stream = Stream(nested)
    assert nested.stream.recv() == "x"
    assert seen == ["sent", "read"]


def test_a_read_that_closes_the_stream(Scripted, masked_frame):
    class Closer(Scripted):
        stream = None

        def recv_into(self, buffer):
            self.stream.close(4000)
            return super().recv_into(buffer)

    closer = Closer(masked_frame(1, b"x"), masked_frame(8, b"\x0f\xa0"))
    closer.stream = Stream(closer)
    assert closer.stream.recv() == "x"
    with pytest.raises(fastws.ConnectionClosed):
        closer.stream.recv()
    assert closer.is_closed and closer.stream.io is None


def test_a_read_that_drops_the_stream(Scripted, masked_frame):
    class Dropper(Scripted):
        stream = None

        def recv_into(self, buffer):
            self.stream = None
            gc.collect()
            return super().recv_into(buffer)

    dropper = Dropper(masked_frame(1, b"x"))
    dropper.stream = Stream(dropper)
    assert dropper.stream.recv() == "x"


class Unusual(Exception):
    pass


@pytest.mark.parametrize("error", [Unusual, KeyboardInterrupt, TimeoutError])
def test_exceptions_of_a_read_pass_and_the_stream_goes_on(Scripted, masked_frame, error):
    class Raiser(Scripted):
        is_first = True

        def recv_into(self, buffer):
            if self.is_first:
                self.is_first = False
                raise error("once")
            return super().recv_into(buffer)

    stream = Stream(Raiser(masked_frame(1, b"x")))
    with pytest.raises(error, match="once"):
        stream.recv()
    assert stream.recv() == "x"


def test_an_oserror_of_a_read_ends_the_stream(Scripted):
    class Raiser(Scripted):
        def recv_into(self, buffer):
            raise ConnectionResetError("gone")

    stream = Stream(Raiser())
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert isinstance(info.value.__cause__, ConnectionResetError)
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    stream.close()


def test_exceptions_of_a_write_end_the_sending_only(Scripted, masked_frame):
    class Raiser(Scripted):
        def sendall(self, data):
            raise Unusual("no")

    stream = Stream(Raiser(masked_frame(1, b"x")))
    with pytest.raises(Unusual):
        stream.send(bytes(100000))
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send("x")
    assert stream.recv() == "x"


def test_an_exception_of_close_passes_once(Scripted):
    class Raiser(Scripted):
        def close(self):
            raise Unusual("no")

    stream = Stream(Raiser())
    with pytest.raises(Unusual):
        stream.close()
    stream.close()


def test_a_timeout_needs_a_socket(Scripted):
    with pytest.raises(ValueError, match="socket"):
        Stream(Scripted()).recv(timeout=1)


def test_methods_that_raise_when_they_are_looked_up():
    class Hidden:
        @property
        def recv_into(self):
            raise Unusual("no")

    with pytest.raises(Unusual):
        Stream(Hidden())


def test_a_file_that_takes_little_costs_little():
    """Each write used to copy all of what was left: time grew with the square of the message."""

    class Narrow(io.RawIOBase):
        taken, offered = 0, 0

        def readinto(self, buffer):
            return 0

        def write(self, data):
            self.offered += len(data)
            count = min(len(data), 1000)
            self.taken += count
            return count

    narrow = Narrow()
    stream = Stream(narrow)
    stream.send(bytes(4 << 20))
    assert narrow.taken == (4 << 20) + 10
    assert narrow.offered < 16 * narrow.taken


def test_close_over_an_object_ends_while_the_peer_goes_on(masked_frame):
    """Where reading returns, time can be told. It used to be read for ever."""

    class Endless:
        until = time.monotonic() + 5

        def recv_into(self, buffer):
            piece = masked_frame(2, bytes(100)) if time.monotonic() < self.until else b""
            buffer[: len(piece)] = piece
            return len(piece)

        def sendall(self, data):
            pass

    stream = Stream(Endless(), close_timeout=0.2)
    started = time.monotonic()
    stream.close()
    assert 0.1 < time.monotonic() - started < 3
