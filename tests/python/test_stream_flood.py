# SPDX-License-Identifier: MIT
"""Peers that send pings and do not read the pongs: what waits, for how long, and which limit ends it."""

import socket
import time

import pytest

import fastws
from fastws import Stream


@pytest.fixture
def flooded(sockets, masked_frame, in_thread):
    """A stream whose peer sends pings until it cannot any more, and reads nothing."""
    ours, theirs = sockets
    stopped = []

    def flood():
        try:
            while not stopped:
                theirs.sendall(masked_frame(9, bytes(125)) * 200)
        except OSError:
            pass

    def make(**options):
        in_thread(flood)
        return Stream(ours, **options), theirs

    yield make
    stopped.append(True)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("options", [{}, {"ping_timeout": None}, {"ping_interval": None, "ping_timeout": None}])
def test_the_timeout_of_recv_is_kept(flooded, options):
    stream, _ = flooded(**options)
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.3)
        assert 0.25 < time.monotonic() - started < 1.5
        assert stream.state == "OPEN"
    assert 0 < stream.queued < 1 << 20


def test_the_flood_ends_with_its_own_limit(flooded):
    stream, _ = flooded(ping_timeout=0.5, close_timeout=0.3)
    started = time.monotonic()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv(timeout=15)
    assert time.monotonic() - started < 5
    assert info.value.__cause__.name == "FASTWS_ERR_CONTROL_FLOOD"
    assert isinstance(info.value.__cause__, fastws.ControlFlood)
    assert (info.value.sent.code, stream.state, stream.close_code) == (1008, "CLOSED", 1006)
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send("x")
    stream.close()
    assert time.monotonic() - started < 10


def test_the_flood_ends_while_another_thread_sends(sockets, in_thread, masked_frame):
    """That one waits for room as well, and longer."""
    ours, theirs = sockets
    stream = Stream(ours, ping_timeout=None, close_timeout=0.3)
    sent = in_thread(stream.send, bytes(16 << 20))
    time.sleep(0.05)
    theirs.settimeout(0.2)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.1)
    received = in_thread(lambda: stream.recv(timeout=1))
    with pytest.raises(OSError):
        while True:
            theirs.sendall(masked_frame(9, bytes(125)) * 100)
    with pytest.raises(TimeoutError):
        received()
    stream.close()
    with pytest.raises(fastws.ConnectionClosedError):
        sent()


def test_a_peer_that_reads_late_gets_its_answer(sockets, in_thread, masked_frame):
    ours, theirs = sockets
    stream = Stream(ours)

    def serve():
        stream.send(stream.recv())
        with pytest.raises(fastws.ConnectionClosedOK):
            stream.recv()

    serving = in_thread(serve)
    asking = in_thread(theirs.sendall, masked_frame(9, b"p") * 8000 + masked_frame(1, b"question"))
    time.sleep(0.5)
    answer = b""
    while not answer.endswith(b"\x81\x08question"):
        answer += theirs.recv(1 << 20)
    asking()
    assert answer == b"\x8a\x01p" * 8000 + b"\x81\x08question"
    theirs.sendall(masked_frame(8, b"\x03\xe8"))
    serving()


def test_replies_leave_while_a_read_waits_for_bytes(sockets, in_thread, masked_frame):
    """There is room again, and nothing comes: the pongs go out all the same."""
    ours, theirs = sockets
    pings = 1500
    stream = Stream(ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    received = in_thread(lambda: stream.recv(timeout=10))
    theirs.sendall(masked_frame(9, b"p" * 20) * pings)
    time.sleep(0.3)
    assert stream.queued > 0
    got = b""
    while len(got) < 22 * pings:
        got += theirs.recv(1 << 16)
    assert got == (b"\x8a\x14" + b"p" * 20) * pings
    theirs.sendall(masked_frame(1, b"done"))
    assert received() == "done"


def test_a_close_frame_that_the_caller_answers_does_not_wait_for_pongs(sockets, masked_frame):
    ours, theirs = sockets
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    stream = Stream(ours, auto_close=False, ping_timeout=None, close_timeout=0.2)
    theirs.sendall(masked_frame(9, b"p" * 20) * 1500 + masked_frame(8, b"\x03\xe8"))
    started = time.monotonic()
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    assert stream.queued > 0
    stream.close()
    assert time.monotonic() - started < 5
