# SPDX-License-Identifier: MIT
"""Giving a dial up, in each of its steps: the descriptor that cancels is watched by every wait."""

import os
import socket
import ssl
import threading
import time

import pytest
from dialing import assert_echoes, echo, no_proxy_of_the_machine, read_head, start  # noqa: F401

import fastws
from fastws import Dialer, tcp


@pytest.fixture
def cancel():
    """The end to dial with, and the one that cancels."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def assert_cancels(cancel, dial, reached=None):
    """dial() ends soon after it was given up, which is done once its step is reached."""
    reached = reached or threading.Event()
    begun = []

    def give_up():
        reached.wait(0.3)
        time.sleep(0.1)  # the wait of the step has begun
        begun.append(time.monotonic())
        cancel[1].send(b"x")

    thread = threading.Thread(target=give_up)
    thread.start()
    with pytest.raises(fastws.DialCancelled) as caught:
        dial()
    assert time.monotonic() - begun[0] < 5
    thread.join()
    assert caught.value.name == "FASTWS_ERR_DIAL_CANCELLED" and isinstance(caught.value, fastws.HandshakeError)
    assert cancel[0].recv(10) == b"x", "the dial has read what was for its caller"


def until_closed(reached=None, answer=b""):
    """A server that reads a head, if it is to answer, and then says no more."""

    def serve(sock):
        if answer:
            read_head(sock)
            sock.sendall(answer)
        if reached:
            reached.set()
        while sock.recv(4096):
            pass

    return serve


def test_before_it_begins(cancel):
    called = []
    cancel[1].close()
    with pytest.raises(fastws.DialCancelled):
        Dialer(connect=lambda *_: called.append(1)).dial("ws://example.com/", cancel=cancel[0])
    assert not called


def test_while_a_name_is_looked_up(cancel, monkeypatch):
    done, reached = threading.Event(), threading.Event()

    def slow(host, *_, flags=0, **__):
        if not flags:
            reached.set()
            done.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "none")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert_cancels(cancel, lambda: Dialer(timeout=None).dial("ws://example.com/", cancel=cancel[0]), reached)
    done.set()


def fill(listener):
    """Makes the queue of a listener full: what comes then waits."""
    fillers = []
    for _ in range(4):
        fillers.append(socket.socket(listener.family))
        fillers[-1].setblocking(False)
        fillers[-1].connect_ex(listener.getsockname())
    return fillers


def test_while_it_connects(cancel, monkeypatch):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = fill(full)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())]
        monkeypatch.setattr(tcp, "resolve", lambda *_: list(found))
        assert_cancels(cancel, lambda: Dialer(timeout=None).dial("ws://example.com/", cancel=cancel[0]))
        for filler in fillers:
            filler.close()


def test_while_it_waits_for_a_socket_in_the_file_system(cancel, tmp_path):
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(str(tmp_path / "full"))
        full.listen(0)
        fillers = fill(full)
        assert_cancels(cancel, lambda: Dialer(timeout=None).dial(f"ws+unix://{tmp_path}/full:/", cancel=cancel[0]))
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_while_a_proxy_is_asked(cancel, start, scheme):
    reached = threading.Event()
    dialer = Dialer(timeout=None, proxy=f"{scheme}://127.0.0.1:{start(until_closed(reached)).port}")
    assert_cancels(cancel, lambda: dialer.dial("ws://127.0.0.1:9/", cancel=cancel[0]), reached)


    def __init__(self, io):
        self.recv_into, self.sendall, self.close = io.recv_into, io.sendall, io.close


def test_in_the_handshake_of_tls(cancel, start):
    reached = threading.Event()
    port = start(until_closed(reached)).port
    dialer = Dialer(timeout=None, ssl=ssl.create_default_context())
    assert_cancels(cancel, lambda: dialer.dial(f"wss://localhost:{port}/", cancel=cancel[0]), reached)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 x\r\nUp", b"HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\nbusy"])
def test_while_it_waits_for_the_answer(cancel, start, answer):
    reached, seen, refused = threading.Event(), [], []
    server = start(until_closed(reached, answer))
    dialer = Dialer(timeout=None, on_end=lambda *both: seen.append(both), on_status_error=refused.append)
    assert_cancels(cancel, lambda: dialer.dial(server.url(), cancel=cancel[0]), reached)
    server.close()
    assert len(seen) == 1 and answer.startswith(seen[0][1]) and not refused


def test_while_the_request_is_written(cancel, start):
    done = threading.Event()
    server = start(lambda sock: done.wait(20))
    dialer = Dialer(timeout=None, header=[("X", "y" * 60000)] * 200)
    assert_cancels(cancel, lambda: dialer.dial(server.url(), cancel=cancel[0]))
    done.set()


def test_over_a_connection_that_is_open_already(cancel, sockets):
    ours, _ = sockets
    assert_cancels(cancel, lambda: Dialer(timeout=None).upgrade(ours, "ws://x/", cancel=cancel[0].fileno()))
    assert ours.fileno() >= 0 and ours.gettimeout() == 20


def test_what_is_an_object_of_the_callers_is_cancelled_between_its_calls(cancel, Scripted):
    class Slow(Scripted):
        def recv_into(self, buffer):
            cancel[1].send(b"x")
            return super().recv_into(buffer)

    io = Slow(b"HTTP/1.1 101 x\r\n", b"Upgrade: websocket\r\n")
    with pytest.raises(fastws.DialCancelled):
        Dialer().upgrade(io, "ws://x/", cancel=cancel[0])
    assert len(io.pieces) == 1


def test_does_not_touch_the_connection_afterwards(cancel, start):
    stream = Dialer().dial(start(echo).url(), cancel=cancel[0])
    cancel[1].close()
    assert_echoes(stream)


def test_what_cannot_cancel_is_refused(cancel):
    read, write = os.pipe()
    os.close(write)
    with pytest.raises(fastws.DialCancelled):
        Dialer().dial("ws://127.0.0.1:9/", cancel=read)
    os.close(read)
    for wrong in ("x", True, 1.5, threading.Event()):
        with pytest.raises(TypeError, match="cancel"):
            Dialer().dial("ws://127.0.0.1:9/", cancel=wrong)
    cancel[0].close()
    for closed in (cancel[0], -1):
        with pytest.raises(ValueError, match="cancel"):
            Dialer().dial("ws://127.0.0.1:9/", cancel=closed)
