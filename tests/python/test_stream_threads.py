# SPDX-License-Identifier: MIT
"""Stream between threads: one reads while others send, and whoever closes."""

import signal
import socket
import threading
import time

import pytest

import fastws
from fastws import Stream


def test_one_thread_reads_while_another_sends(streams, in_thread):
    server, client = streams
    count = 300

    def echo():
        for message in server:
            server.send(message)
        server.close()

    def read():
        return [client.recv() for _ in range(count)]

    echoed, received = in_thread(echo), in_thread(read)
    messages = [bytes([i % 256]) * (i * 331 % 90000) for i in range(count)]
    for message in messages:
        client.send(message)
    assert received() == messages
    client.close()
    echoed()


def test_sends_of_several_threads_do_not_mix(streams, in_thread):
    server, client = streams
    senders = [in_thread(lambda i=i: [server.send(bytes([i]) * 70000) for _ in range(30)]) for i in range(4)]
    for _ in range(120):
        message = client.recv()
        assert len(message) == 70000 and len(set(message)) == 1
    for finish in senders:
        finish()


def test_a_second_reader_is_refused(streams, in_thread):
    server, client = streams
    received = in_thread(server.recv)
    time.sleep(0.05)
    for read in (server.recv, server.read_message, server.read_header, lambda: server.read_exactly(1)):
        with pytest.raises(fastws.ConcurrencyError):
            read()
    client.send("for the first")
    assert received() == "for the first"


def test_close_while_another_thread_reads(streams, in_thread):
    server, client = streams
    received = in_thread(server.recv)
    time.sleep(0.05)
    server.close()
    with pytest.raises(fastws.ConnectionClosedOK):
        client.recv()
    with pytest.raises(fastws.ConnectionClosedOK):
        received()
    assert server.io is None


def test_close_while_another_thread_reads_from_a_silent_peer(sockets, in_thread):
    stream = Stream(sockets[0], ping_interval=None, close_timeout=0.05)
    received = in_thread(stream.recv)
    time.sleep(0.02)
    stream.close()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        received()
    assert info.value.__cause__.name == "FASTWS_ERR_CLOSE_TIMEOUT"
    assert stream.io is None


def test_close_while_another_thread_sends_to_a_peer_that_does_not_read(sockets, in_thread):
    stream = Stream(sockets[0], ping_timeout=0.3, close_timeout=0.05)
    sent = in_thread(stream.send, bytes(16 << 20))
    time.sleep(0.05)
    stream.close()
    with pytest.raises(fastws.ConnectionClosed):
        sent()
    assert stream.io is None


def test_other_threads_run_while_one_waits(streams, in_thread):
    server, client = streams
    waiting = in_thread(server.recv)
    counted = sum(range(1000))
    assert counted == 499500 and threading.active_count() > 1
    client.send("x")
    assert waiting() == "x"


def test_a_peer_that_sends_pings_and_reads_nothing(sockets, in_thread, masked_frame):
    """Its pongs pile up behind a message that it does not read: reading stops, and ends with the ping timeout."""
    ours, theirs = sockets
    stream = Stream(ours, ping_timeout=0.2)
    sent = in_thread(stream.send, bytes(16 << 20))
    time.sleep(0.02)
    received = in_thread(stream.recv)
    theirs.settimeout(0.5)
    with pytest.raises(OSError):
        while True:
            theirs.sendall(masked_frame(9, bytes(125)) * 100)
    for finish in (sent, received):
        with pytest.raises(fastws.ConnectionClosedError):
            finish()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_a_signal_interrupts_a_wait(streams):
    server, client = streams

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            server.recv()
        client.send("goes on")
        assert server.recv() == "goes on"
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            server.send(bytes(16 << 20))
        with pytest.raises(fastws.ConnectionClosedError):
            server.send("half a frame is out: no other can follow")
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("flood", ["fragments", "pings", "messages"])
def test_a_peer_that_never_stops_does_not_outlast_a_deadline(sockets, in_thread, masked_frame, flood):
    """Bytes without a pause, none of them what is waited for: the timeout of recv() and that of close() are kept."""
    ours, theirs = sockets
    stream = Stream(ours, max_size=None, max_frame_size=None, max_fragments=None, close_timeout=0.3)
    data = {
        "fragments": masked_frame(0, bytes(60000), fin=False),
        "pings": masked_frame(10, b"pong") * 5000,
        "messages": masked_frame(2, bytes(60000)),
    }[flood]
    stopped = []

    def send():
        if flood == "fragments":
            theirs.sendall(masked_frame(2, fin=False))
        try:
            while not stopped:
                theirs.sendall(data)
        except OSError:
            pass

    sending = in_thread(send)
    try:
        started = time.monotonic()
        if flood != "messages":
            with pytest.raises(TimeoutError):
                stream.recv(timeout=0.2)
        stream.close()
        assert time.monotonic() - started < 10
    finally:
        stopped.append(1)
        theirs.close()
    sending()


def test_close_wakes_a_sender_that_waits_for_room(in_thread):
    """Of a pair of sockets in the same system, where the end of one does not wake what polls it for room."""
    ours, theirs = socket.socketpair()
    with theirs:
        stream = Stream(ours, close_timeout=0.3, ping_timeout=None)
        sent = in_thread(stream.send, bytes(16 << 20))
        time.sleep(0.05)
        stream.close()
        closed = time.monotonic()
        with pytest.raises(fastws.ConnectionClosedError):
            sent()
        assert time.monotonic() - closed < 2


def test_reset_does_not_come_between_the_end_and_the_close(sockets, in_thread):
    """The thread that read used to close the byte stream that had taken the place of its own."""
    ours, theirs = sockets
    stream = Stream(ours, "client", ping_interval=None)
    received = in_thread(stream.recv)
    time.sleep(0.05)
    stream.close()
    theirs.sendall(b"\x88\x02\x03\xe8")
    time.sleep(0.2)  # it gives the server time to close first, and the server does not
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(fastws.ConcurrencyError):
            stream.reset(one)
        with pytest.raises(fastws.ConnectionClosedOK):
            received()
        stream.reset(one)
        other.sendall(b"\x81\x01x")
        assert stream.recv() == "x"


class Stop(Exception):
    pass


def test_a_signal_handler_may_raise_while_the_peer_may_close_first(sockets):
    """What it raised used to be dropped."""
    ours, theirs = sockets
    stream = Stream(ours, "client")
    theirs.sendall(b"\x88\x02\x03\xe8")

    def stop(number, frame):
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Stop):
            stream.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stream.io is None and stream.state == "CLOSED"
