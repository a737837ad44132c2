# SPDX-License-Identifier: MIT
"""Peers that send pings and do not read the pongs: what waits, for how long, and which limit ends it."""

import contextlib
import socket
import time

import pytest

import fastws
from fastws import Stream


class Wrapped(socket.socket):
    """A socket of another class: its methods are called, and block."""


class Plain:
    """No socket: an object with two methods, which block as long as those of the socket inside do."""

    def __init__(self, sock):
        self.sock = sock
        self.recv_into, self.sendall, self.close = sock.recv_into, sock.sendall, sock.close


@pytest.fixture(params=["socket", "tls", "wrapped"])
def pair(request, sockets, in_thread):
    """Our end of each kind that deadlines are kept over, and the peer's."""
    ours, theirs = sockets
    if request.param == "tls":
        server, client = request.getfixturevalue("tls_contexts")
        accepted = in_thread(lambda: server.wrap_socket(ours, server_side=True))
        with client.wrap_socket(theirs) as theirs, accepted() as ours:
            yield ours, theirs
    elif request.param == "wrapped":
        with Wrapped(fileno=ours.detach()) as ours:
            ours.settimeout(20)
            yield ours, theirs
    else:
        yield ours, theirs


@pytest.fixture
def flooded(pair, masked_frame, in_thread):
    """A stream whose peer sends pings until it cannot any more, and reads nothing."""
    ours, theirs = pair
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
    for sock in (ours, theirs):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@pytest.mark.parametrize("options", [{}, {"ping_timeout": None}, {"ping_interval": None, "ping_timeout": None}])
def test_the_timeout_of_recv_is_kept(flooded, options):
    stream, _ = flooded(**options)
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.3)
        assert 0.25 < time.monotonic() - started < 5
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


def test_the_flood_ends_while_another_thread_sends(pair, in_thread, masked_frame):
    """That one waits for room as well, and longer."""
    ours, theirs = pair
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


def test_a_peer_that_reads_late_gets_its_answer(pair, in_thread, masked_frame):
    ours, theirs = pair
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


def test_replies_leave_while_a_read_waits_for_bytes(pair, in_thread, masked_frame):
    """There is room again, and nothing comes: the pongs go out all the same."""
    ours, theirs = pair
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


def test_a_close_frame_that_the_caller_answers_does_not_wait_for_pongs(pair, masked_frame):
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    stream = Stream(ours, auto_close=False, ping_timeout=None, close_timeout=0.2)
    theirs.sendall(masked_frame(9, b"p" * 20) * 1500 + masked_frame(8, b"\x03\xe8"))
    started = time.monotonic()
    with pytest.raises(fastws.ConnectionClosedOK):
        stream.recv()
    assert stream.queued > 0
    stream.close()
    assert time.monotonic() - started < 5


def assert_flood(info):
    error = info.value.__cause__
    assert isinstance(error, fastws.ControlFlood) and error.name == "FASTWS_ERR_CONTROL_FLOOD"
    assert info.value.sent.code == 1008


RAW_READS = {
    "read_header": lambda stream: stream.read_exactly(stream.read_header().length),
    "read_frame": lambda stream: stream.read_frame(),
    "read_exactly": lambda stream: stream.read_exactly(1 << 30),
}


@pytest.mark.parametrize("read", RAW_READS.values(), ids=RAW_READS)
def test_raw_reads_end_with_the_same_limit(flooded, read):
    """They used to wait for room without a limit of their own, and to break the output then."""
    stream, _ = flooded(ping_timeout=1.5, close_timeout=0.3)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.2)
    started = time.monotonic()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        while True:  # what has been received is there
            read(stream)
    assert time.monotonic() - started < 8
    assert_flood(info)
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send("x")


def test_a_raw_read_of_a_flood_that_has_ceased_keeps_the_deadline(pair, in_thread, masked_frame):
    """Nothing more comes, so nothing but the time can end it."""
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    stream = Stream(ours, ping_timeout=1.5, close_timeout=0.3)
    in_thread(theirs.sendall, masked_frame(9, bytes(125)) * 1000)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.3)
    assert stream.queued > 65536
    with pytest.raises(fastws.ConnectionClosedError) as info:
        while True:
            stream.read_frame()
    assert_flood(info)


def test_raw_reads_go_on_when_the_pongs_were_read(pair, in_thread, masked_frame):
    ours, theirs = pair
    stream = Stream(ours)
    pings = 3000
    sent = in_thread(theirs.sendall, masked_frame(9, bytes(125)) * pings + masked_frame(2, b"raw"))
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.4)
    assert stream.queued > 0

    def read():
        frame = stream.read_frame()
        while frame.header.opcode == fastws.OpCode.PING:
            stream.pong(fastws.masked(frame.payload, frame.header.mask))
            frame = stream.read_frame()
        return frame

    received, got = in_thread(read), 0
    while got < 127 * pings:
        got += len(theirs.recv(1 << 16))
    sent()
    assert received().header.opcode == fastws.OpCode.BINARY
    assert got == 127 * pings


def test_waiting_for_room_takes_no_time_of_the_processor(flooded):
    stream, _ = flooded()
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.3)
    started = time.process_time()
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.8)
    assert time.process_time() - started < 0.3


def test_memory_stays_small(flooded):
    stream, _ = flooded()
    for _ in range(10):
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.05)
        assert stream.queued < 1 << 18


def test_a_send_waits_for_room_and_is_given_up(flooded):
    """That is the sender's limit; the reader has its own."""
    stream, theirs = flooded(ping_timeout=1.5, close_timeout=0.3)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.2)
    started = time.monotonic()
    with pytest.raises(fastws.ConnectionClosedError):
        stream.send("behind the pongs")
    assert time.monotonic() - started < 8
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv(timeout=5)
    assert isinstance(info.value.__cause__, fastws.ControlFlood)


def test_close_is_not_held_up(flooded):
    stream, _ = flooded(ping_timeout=None, close_timeout=0.3)
    with pytest.raises(TimeoutError):
        stream.recv(timeout=0.2)
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 8
    assert stream.io is None


def test_two_ends_that_ping_while_both_send_wait_for_nothing(pair, in_thread):
    """Each has a thread that reads and one that sends: neither keeps the other from reading."""
    ends = Stream(pair[0]), Stream(pair[1], "client")
    count = 400

    def send(stream):
        for _ in range(count):
            stream.ping(bytes(100))
            stream.send(bytes(10000))

    def read(stream):
        return [len(stream.recv()) for _ in range(count)]

    received = [in_thread(read, end) for end in ends]
    for finish in [in_thread(send, end) for end in ends]:
        finish(60)
    for finish in received:
        assert finish(60) == [10000] * count


def test_an_object_that_blocks_holds_the_reader(sockets, in_thread, masked_frame):
    """Nothing is read meanwhile, and nothing is lost: when the peer reads, all goes on."""
    ours, theirs = sockets
    stream = Stream(Plain(ours))
    pings = 8000
    asking = in_thread(theirs.sendall, masked_frame(9, bytes(125)) * pings + masked_frame(1, b"question"))
    received = in_thread(stream.recv)
    time.sleep(0.5)
    assert stream.queued < 1 << 18
    got = 0
    while got < 127 * pings:
        got += len(theirs.recv(1 << 20))
    asking()
    assert received() == "question"


def test_an_object_that_gives_up_ends_with_the_same_name(sockets, in_thread, masked_frame):
    """No close frame can be sent behind half a pong."""
    ours, theirs = sockets
    ours.settimeout(0.3)
    stream = Stream(Plain(ours))

    def flood():
        with contextlib.suppress(OSError):
            theirs.sendall(masked_frame(9, bytes(125)) * 8000)

    in_thread(flood)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.recv()
    assert isinstance(info.value.__cause__, fastws.ControlFlood)
    assert info.value.sent is None
    theirs.shutdown(socket.SHUT_RDWR)


HALF = fastws.Header(opcode=fastws.OpCode.BINARY, length=6)


def test_half_a_raw_frame_keeps_pongs_back_until_the_limit(flooded, in_thread):
    """A peer could make the thread that reads raise RuntimeError, while another wrote a frame piece by piece."""
    stream, _ = flooded(ping_timeout=1.5, close_timeout=0.3)
    stream.write_header(HALF)
    used = time.process_time()
    with pytest.raises(TimeoutError):
        in_thread(lambda: stream.recv(timeout=0.3))()
    with pytest.raises(fastws.ConnectionClosedError) as info:
        in_thread(lambda: stream.recv(timeout=5))()
    assert time.process_time() - used < 0.8
    assert_flood(info)


@pytest.mark.parametrize("is_plain", [False, True])
def test_reading_goes_on_when_the_raw_frame_is_complete(pair, in_thread, masked_frame, is_plain):
    ours, theirs = pair
    stream = Stream(Plain(ours) if is_plain else ours)
    stream.write_header(HALF)
    pings = 1000
    asking = in_thread(theirs.sendall, masked_frame(9, bytes(125)) * pings + masked_frame(1, b"question"))
    received = in_thread(stream.recv)
    time.sleep(0.3)
    assert stream.queued > 65536
    written = in_thread(stream.write, b"abcdef")
    got = b""
    while len(got) < 8 + 127 * pings:
        got += theirs.recv(1 << 16)
    assert got == b"\x82\x06abcdef" + (b"\x8a\x7d" + bytes(125)) * pings
    asking(), written()
    assert received() == "question"
