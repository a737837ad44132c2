# SPDX-License-Identifier: MIT
"""auto_pong and auto_close: who answers pings, close frames and errors, of Connection, Stream and Upgrader."""

import pytest

import fastws
from fastws import Close, Connection, Failure, Ping, Stream

CLOSE_1001 = b"\x03\xe9bye"


@pytest.fixture
def by_hand():
    return Connection("server", auto_pong=False, auto_close=False)


@pytest.fixture
def stream_by_hand(sockets):
    """A stream that answers nothing, and the socket of its peer."""
    return Stream(sockets[0], "server", auto_pong=False, auto_close=False), sockets[1]


def test_a_connection_answers_by_itself_unless_it_is_told_otherwise(masked_frame):
    frames = masked_frame(9, b"p") + masked_frame(8, CLOSE_1001)
    for options in ({}, {"auto_pong": True, "auto_close": True}):
        connection = Connection("server", **options)
        connection.receive(frames)
        assert connection.data_to_send() == b"\x8a\x01p\x88\x02\x03\xe9"


def test_each_answer_is_turned_off_alone(masked_frame):
    frames = masked_frame(9, b"p") + masked_frame(8, CLOSE_1001)
    for options, answer in (({"auto_pong": False}, b"\x88\x02\x03\xe9"), ({"auto_close": False}, b"\x8a\x01p")):
        connection = Connection("server", **options)
        assert connection.receive(frames) == [Ping((b"p",)), Close((1001, "bye"))]
        assert connection.data_to_send() == answer


def test_a_ping_waits_for_the_callers_pong(by_hand, masked_frame):
    (ping,) = by_hand.receive(masked_frame(9, b"payload"))
    assert by_hand.data_to_send() == b""
    by_hand.pong(ping.data)
    assert by_hand.data_to_send() == b"\x8a\x07payload"


def test_a_close_frame_waits_for_the_callers(by_hand, masked_frame):
    assert by_hand.receive(masked_frame(8, CLOSE_1001)) == [Close((1001, "bye"))]
    assert (by_hand.state, by_hand.close_code, by_hand.data_to_send()) == ("CLOSED", 1001, b"")
    assert not by_hand.close_expected()
    by_hand.close(4000, "so be it")
    assert not by_hand.close_expected()
    assert by_hand.data_to_send() == b"\x88\x0a\x0f\xa0so be it"
    assert by_hand.close_expected()
    by_hand.close(4001)
    assert by_hand.data_to_send() == b""


def test_an_error_is_told_by_the_caller(by_hand, masked_frame):
    (failure,) = by_hand.receive(masked_frame(1, b"x", rsv=4))
    assert isinstance(failure, Failure) and isinstance(failure.error, fastws.ProtocolError)
    assert (failure.code, by_hand.data_to_send(), by_hand.close_expected()) == (1006, b"", True)
    by_hand.close(failure.error.code, "wrong")
    assert not by_hand.close_expected()
    assert by_hand.data_to_send() == b"\x88\x07\x03\xeawrong"
    with pytest.raises(fastws.ConnectionClosedError) as caught:
        by_hand.send("late")
    assert caught.value.sent == (1002, "wrong") and caught.value.rcvd is None


def test_messages_cannot_follow_an_unanswered_close(by_hand, masked_frame):
    by_hand.receive(masked_frame(8, CLOSE_1001))
    with pytest.raises(fastws.ConnectionClosed):
        by_hand.send("late")
    with pytest.raises(fastws.ConnectionClosed):
        by_hand.ping()
    assert by_hand.data_to_send() == b""


def test_a_stream_hands_pings_out_unanswered(stream_by_hand, masked_frame):
    stream, peer = stream_by_hand
    peer.sendall(masked_frame(9, b"first") + masked_frame(9, b"second") + masked_frame(1, b"text"))
    assert stream.read_message() == (fastws.OpCode.PING, b"first")
    stream.pong(b"first")
    assert stream.recv() == "text"  # passes over the second, which nobody answers
    stream.send("end")
    assert peer.recv(100) == b"\x8a\x05first" + b"\x81\x03end"


def test_a_stream_leaves_the_close_frame_to_close(stream_by_hand, masked_frame):
    stream, peer = stream_by_hand
    peer.sendall(masked_frame(8, CLOSE_1001))
    with pytest.raises(fastws.ConnectionClosedOK) as caught:
        stream.recv()
    assert caught.value.rcvd == (1001, "bye") and caught.value.sent is None
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)
    peer.setblocking(True)
    stream.close(4000)
    assert peer.recv(100) == b"\x88\x02\x0f\xa0"
    assert peer.recv(100) == b""


def test_a_stream_leaves_errors_to_close(stream_by_hand, masked_frame, in_thread):
    stream, peer = stream_by_hand
    peer.sendall(masked_frame(3))
    with pytest.raises(fastws.ConnectionClosedError) as caught:
        stream.recv()
    assert isinstance(caught.value.__cause__, fastws.ProtocolError) and caught.value.sent is None
    closed = in_thread(stream.close, 1002)
    assert peer.recv(100) == b"\x88\x02\x03\xea"
    peer.close()
    closed()


def test_a_message_of_the_wrong_kind_is_told_by_close(stream_by_hand, masked_frame, in_thread):
    stream, peer = stream_by_hand
    peer.sendall(masked_frame(2, b"binary"))
    with pytest.raises(fastws.ConnectionClosedError) as caught:
        stream.read_text()
    assert (caught.value.sent, caught.value.code) == (None, 1006)
    closed = in_thread(stream.close, 1003, "text only")
    assert peer.recv(100) == b"\x88\x0b\x03\xebtext only"
    peer.close()
    closed()


def test_the_end_of_a_with_block_answers(stream_by_hand, masked_frame):
    stream, peer = stream_by_hand
    peer.sendall(masked_frame(1, b"x") + masked_frame(8, b"\x03\xe8"))
    with stream:
        assert list(stream) == ["x"]
    assert peer.recv(100) == b"\x88\x02\x03\xe8"


def test_an_upgrader_passes_both_on(Scripted, request_bytes, masked_frame):
    io = Scripted(request_bytes + masked_frame(9, b"p") + masked_frame(8, CLOSE_1001))
    stream = fastws.Upgrader(auto_pong=False, auto_close=False).upgrade(io)
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    assert len(io.written) == 1  # the response


def test_answer_answers_what_read_message_returns(Scripted, masked_frame):
    script = Scripted(masked_frame(9, b"ping") + masked_frame(10, b"pong") + masked_frame(8, b"\x03\xe9away"))
    stream = fastws.Stream(script, auto_pong=False, auto_close=False)
    for _ in range(3):
        stream.answer(*stream.read_message())
    assert script.written == [b"\x8a\x04ping", b"\x88\x02\x03\xe9"]
    with pytest.raises(fastws.ConnectionClosed):
        stream.answer(fastws.OpCode.CLOSE, b"")
    stream = fastws.Stream(Scripted(masked_frame(8)), auto_close=False)
    stream.answer(*stream.read_message())
    assert stream.io.written == [b"\x88\x00"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((1, b"x"), ValueError), ((0, b""), ValueError), ((11, b""), ValueError), ((9, bytes(126)), ValueError),
     ((8, b"x"), ValueError), ((8, b"\x03\xec"), ValueError), ((8, b"\x03\xe8\xff"), ValueError), ((8, 5), TypeError),
     ((9, None), TypeError), ((9,), TypeError)],
)
def test_answer_refuses_what_is_no_control_frame(Scripted, arguments, error):
    stream = fastws.Stream(Scripted())
    with pytest.raises(error):
        stream.answer(*arguments)
    assert stream.io.written == [] and stream.state == "OPEN"
