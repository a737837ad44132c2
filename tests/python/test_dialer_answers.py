# SPDX-License-Identifier: MIT
"""Answers that come before the request has gone out, and streams that end or break inside an answer."""

import socket
import struct
import threading
import time

import pytest
from dialing import assert_echoes, echo, no_proxy_of_the_machine, read_head, start  # noqa: F401

import fastws
from fastws import Dialer

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
LARGE = [("X", "y" * 60000)] * 100  # more than what the buffers of two sockets take


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- Before the request has gone out ----


def refuse_and_close(sock):
    sock.recv(1000)
    sock.sendall(REFUSAL)


def refuse_and_reset(sock):
    sock.recv(1000)
    sock.sendall(REFUSAL)
    time.sleep(0.1)
    reset(sock)


@pytest.mark.parametrize("serve", [refuse_and_close, refuse_and_reset])
def test_an_answer_that_comes_early_is_read(start, serve):
    """It used to be ConnectionResetError, or a timeout, where the server reads no more of the request."""
    seen = []
    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(header=LARGE, timeout=20, on_end=lambda *both: seen.append(both[1])).dial(start(serve).url())
    assert caught.value.status == 413 and caught.value.response.body == b"large"
    assert seen == [REFUSAL]


def test_an_answer_that_comes_early_is_read_while_the_request_cannot_go_on(start):
    done = threading.Event()

    def refuse_and_wait(sock):
        sock.recv(1000)
        time.sleep(0.2)  # so that the client waits already
        sock.sendall(REFUSAL)
        done.wait(20)

    with pytest.raises(fastws.InvalidStatus):
        Dialer(header=LARGE, timeout=5).dial(start(refuse_and_wait).url())
    done.set()


def test_a_request_goes_on_behind_an_interim_answer(start):
    def serve(sock):
        sock.sendall(b"HTTP/1.1 103 Early\r\n\r\n")
        time.sleep(0.1)
        data = b""
        while b"\r\n\r\n" not in data[-4:]:
            data += sock.recv(1 << 20)
        request = fastws.http.parse_request(data)
        key = fastws.accept_key(request.header("Sec-WebSocket-Key"))
        head = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        sock.sendall(f"{head}Sec-WebSocket-Accept: {key}\r\n\r\n".encode())
        return len(request.headers)

    server = start(serve)
    Dialer(header=LARGE, timeout=20).dial(server.url()).io.close()
    server.close()
    assert server.results[0] > 100


def test_a_request_that_cannot_be_written_fails_as_the_stream_did(start):
    with pytest.raises(ConnectionError):
        Dialer(header=LARGE, timeout=20).dial(start(lambda sock: sock.recv(10)).url())


def test_an_object_that_takes_no_request_may_have_an_answer(Scripted):
    class Broken(Scripted):
        def sendall(self, data):
            raise BrokenPipeError("own")

    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer().upgrade(Broken(REFUSAL), "ws://x/")
    assert caught.value.response.body == b"large"
    for pieces in ([], [REFUSAL[:30]]):
        with pytest.raises(BrokenPipeError):
            Dialer().upgrade(Broken(*pieces), "ws://x/")


# ---- Inside the answer ----


@pytest.mark.parametrize("head", [b"HTTP/1.1 403 Forbidden\r\nContent-Le", b"HTTP/1.1 101 x\r\nUpgra", b"HTTP/1", b""])
def test_a_reset_inside_the_head_is_told_as_one(start, head):
    """A reset behind the status line of a refusal was called a timeout."""

    def serve(sock):
        read_head(sock)
        sock.sendall(head)
        time.sleep(0.2)
        reset(sock)

    seen = []
    with pytest.raises(ConnectionResetError):
        Dialer(timeout=20, on_end=lambda *both: seen.append(both[1])).dial(start(serve).url())
    assert seen == [head]


def test_a_reset_inside_the_body_leaves_an_answer(start):
    def serve(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\nnot y")
        time.sleep(0.2)
        reset(sock)

    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(timeout=20).dial(start(serve).url())
    assert caught.value.response.body == b"not y" and caught.value.response.is_body_cut


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 x\r\nUpgr"])
def test_shows_what_came_before_the_time_was_up(start, answer):
    def serve(sock):
        read_head(sock)
        sock.sendall(answer)
        sock.recv(1)

    seen = []
    with pytest.raises(fastws.HandshakeTimeout):
        Dialer(timeout=0.2, on_end=lambda *both: seen.append(both)).dial(start(serve).url())
    ((request, shown),) = seen
    assert fastws.http.parse_request(request).size == len(request) and shown == answer


def test_shows_each_handshake_once(start):
    server = start(echo)

    def serve(sock):
        read_head(sock)
        sock.sendall(f"HTTP/1.1 302 x\r\nLocation: {server.url()}\r\n\r\n".encode())

    seen = []
    first = start(serve)
    assert_echoes(Dialer(on_end=lambda *both: seen.append(both[1][:12])).dial(first.url()))
    assert seen == [b"HTTP/1.1 302", b"HTTP/1.1 101"]


def test_a_dial_that_is_given_up_shows_what_came():
    seen = []
    dial = fastws.Dial("ws://x/", on_end=lambda *both: seen.append(both))
    dial.feed(b"HTTP/1.1 1")
    for _ in range(2):
        dial.abort()
    assert seen == [(dial.request, b"HTTP/1.1 1")]


# ---- Below ----


def test_an_object_around_the_connection_is_held_by_the_deadline(start):
    class Around:
        def __init__(self, io):
            self.recv_into, self.sendall, self.close = io.recv_into, io.sendall, io.close

    begun = time.monotonic()
    with pytest.raises(fastws.HandshakeTimeout):
        Dialer(timeout=0.3, wrap=Around).dial(start(lambda sock: (read_head(sock), sock.recv(1))).url())
    assert time.monotonic() - begun < 5


def test_wrap_gets_a_socket_that_blocks(start):
    waits = []

    def wrap(io):
        waits.append(io.gettimeout())
        return io

    server = start(echo)
    for timeout in (None, 20):
        stream = Dialer(timeout=timeout, wrap=wrap).dial(server.url())
        assert stream.io.gettimeout() is None
        assert_echoes(stream)
    assert waits[0] is None and 0 < waits[1] <= 20
