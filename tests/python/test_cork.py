# SPDX-License-Identifier: MIT
"""Stream.cork(): many sends in one write, and none that waits for a peer that waits for it."""

import gc
import time

import pytest

import fastws
from fastws import Header, OpCode, Stream, Writer


def test_a_block_is_one_write(Scripted):
    script = Scripted()
    stream = Stream(script)
    with stream.cork():
        stream.send("one")
        stream.send(b"two")
        stream.ping(b"3")
        assert (script.written, stream.queued) == ([], 5 + 5 + 3)
    assert script.written == [b"\x81\x03one\x82\x03two\x89\x013"]
    assert stream.queued == 0
    stream.send("alone")
    assert len(script.written) == 2


@pytest.mark.parametrize("role", ["server", "client"])
def test_what_was_sent_is_copied(Scripted, role):
    script = Scripted()
    stream = Stream(script, role, write_limit=None)
    payload = bytearray(b"a" * 100000)
    with stream.cork():
        stream.send(payload)
        stream.send(fastws.PreparedMessage(bytes(5000)))
        payload[:] = b"b" * len(payload)
        del payload
    (written,) = script.written
    reader = Stream(Scripted(written), "client" if role == "server" else "server")
    assert (reader.recv(), reader.recv()) == (b"a" * 100000, bytes(5000))


def test_a_message_in_pieces_stays_in(Scripted):
    script = Scripted()
    stream = Stream(script)
    with stream.cork():
        with Writer(stream, OpCode.BINARY, 4) as writer:
            writer.write(b"123456789")
        assert script.written == []
    assert script.written == [b"\x02\x041234\x00\x045678\x80\x019"]


def test_blocks_may_be_nested(Scripted):
    script = Scripted()
    stream = Stream(script)
    cork = stream.cork()
    with stream.cork(), cork, cork:
        with stream.cork():
            stream.send("a")
        stream.send("b")
        assert script.written == []
    assert script.written == [b"\x81\x01a\x81\x01b"]


def test_the_high_mark_lets_go(Scripted):
    script = Scripted()
    stream = Stream(script, write_limit=(10, 0))
    with stream.cork():
        stream.send(bytes(8))
        assert (script.written, stream.queued) == ([], 10)
        stream.send(b"x")
        assert script.written == [b"\x82\x08" + bytes(8) + b"\x82\x01x"]
        stream.send(b"y")
        assert stream.queued == 3
    assert len(script.written) == 2


def test_a_read_that_has_to_wait_lets_go(sockets, masked_frame):
    """Everything that one receive brought is answered in one write."""
    stream, peer = Stream(sockets[0]), sockets[1]
    peer.sendall(masked_frame(1, b"a") + masked_frame(9, b"p") + masked_frame(1, b"b"))
    with stream.cork():
        for expected in ("a", "b"):
            message = stream.recv()
            assert message == expected
            stream.send(message)
        assert stream.queued == 9
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.01)
        assert stream.queued == 0
    assert peer.recv(100) == b"\x81\x01a\x8a\x01p\x81\x01b"


def test_raw_frames_go_out_at_once_behind_what_is_queued(Scripted):
    script = Scripted()
    stream = Stream(script)
    with stream.cork():
        stream.send("a")
        stream.write_header(Header(opcode=OpCode.BINARY, length=1))
        stream.write(b"x")
        stream.send("b")
        assert script.written == [b"\x81\x01a", b"\x82\x01", b"x"]
    assert script.written[3:] == [b"\x81\x01b"]


def test_half_of_a_raw_frame_takes_along_what_is_queued(Scripted, masked_frame):
    script = Scripted(masked_frame(9, b"p") + masked_frame(1, b"m"))
    stream = Stream(script)
    with stream.cork():
        stream.write_header(Header(opcode=OpCode.BINARY, length=1))
        stream.recv()
    assert script.written == [b"\x82\x01"]
    stream.write(b"x")
    assert script.written[1:] == [b"x", b"\x8a\x01p"]


def test_close_goes_out_at_once(Scripted, masked_frame):
    script = Scripted(masked_frame(8, b"\x03\xe8"))
    stream = Stream(script)
    with stream.cork():
        stream.send("a")
        stream.close()
        assert b"".join(script.written) == b"\x81\x01a\x88\x02\x03\xe8"
    assert len(script.written) == 1


def test_the_answer_to_a_close_frame_and_an_error_go_out_at_once(Scripted, masked_frame):
    for frame, answer in ((masked_frame(8, b"\x03\xe8"), b"\x88\x02\x03\xe8"), (b"\x81\x00", b"\x88")):
        script = Scripted(frame)
        stream = Stream(script)
        with stream.cork():
            stream.send("a")
            with pytest.raises(fastws.ConnectionClosed):
                stream.recv()
            assert b"".join(script.written).startswith(b"\x81\x01a" + answer)


def test_an_exception_passes_and_what_was_sent_goes_out(Scripted):
    script = Scripted()
    stream = Stream(script)
    with pytest.raises(ZeroDivisionError), stream.cork():
        stream.send("a")
        raise ZeroDivisionError
    assert script.written == [b"\x81\x01a"]


def test_a_write_that_fails_is_reported_at_the_end(sockets):
    stream = Stream(sockets[0])
    sockets[1].close()
    with pytest.raises(fastws.ConnectionClosedError) as info, stream.cork():
        stream.send("a")
        stream.send("b")
    assert isinstance(info.value.__cause__, OSError)
    with stream.cork(), pytest.raises(fastws.ConnectionClosedError):
        stream.send("c")


def test_a_block_that_is_dropped_ends(Scripted):
    script = Scripted()
    stream = Stream(script)

    def corked():
        with stream.cork():
            stream.send("a")
            yield

    generator = corked()
    next(generator)
    del generator
    gc.collect()
    assert script.written == [b"\x81\x01a"]
    stream.cork().__enter__()
    stream.send("b")
    assert script.written[1:] == [b"\x81\x01b"]


def test_ends_without_a_beginning_do_nothing(Scripted):
    script = Scripted()
    stream = Stream(script)
    cork = stream.cork()
    cork.__exit__(None, None, None)
    with cork:
        stream.send("a")
        with pytest.raises(TypeError):
            cork.__exit__()
        assert script.written == []
    cork.__exit__(None, None, None)
    assert len(script.written) == 1
    with pytest.raises(TypeError):
        type(cork)()


def test_another_thread_may_read_and_send_meanwhile(streams, in_thread):
    server, client = streams
    received = in_thread(lambda: [client.recv() for _ in range(200)])
    echoed = in_thread(lambda: [server.recv() for _ in range(100)])
    sent = in_thread(lambda: [client.send(bytes([i])) for i in range(100)])
    for i in range(10):
        with server.cork():
            for j in range(20):
                server.send(f"{i} {j}")
            time.sleep(0.001)
    assert received() == [f"{i} {j}" for i in range(10) for j in range(20)]
    sent()
    assert echoed() == [bytes([i]) for i in range(100)]


def test_io_that_calls_back_is_refused(Scripted):
    stream = None

    class Calls(Scripted):
        def sendall(self, data):
            with pytest.raises(fastws.ConcurrencyError), stream.cork():
                stream.send("x")
            super().sendall(data)

    script = Calls()
    stream = Stream(script)
    stream.send("a")
    assert script.written == [b"\x81\x01a"]
    with stream.cork():
        stream.send("b")
    assert script.written[1:] == [b"\x81\x01b"]


def test_the_callers_answer_to_a_close_frame_goes_out_at_once(Scripted, masked_frame):
    stream = Stream(Scripted(masked_frame(8, b"\x03\xe8")), auto_close=False)
    with stream.cork():
        stream.send("a")
        stream.answer(*stream.read_message())
        assert b"".join(stream.io.written) == b"\x81\x01a\x88\x02\x03\xe8"


def test_a_close_frame_that_answers_nothing_goes_out_at_once(Scripted):
    stream = Stream(Scripted())
    with stream.cork():
        stream.send("a")
        stream.answer(OpCode.CLOSE, b"\x03\xe9")
        assert b"".join(stream.io.written) == b"\x81\x01a\x88\x02\x03\xe9"
