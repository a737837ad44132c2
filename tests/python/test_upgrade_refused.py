# SPDX-License-Identifier: MIT
"""Refusals of a server: that they reach the client, and what happens to those that cannot be written."""

import http.server
import socket
import threading
import time

import pytest

import fastws
from fastws import Reject, Upgrade, Upgrader


def status(response):
    return int(response.split(b" ")[1])


# ---- They reach the client ----


def answer_to(request, address):
    """Sends a request of any size, and reads until the end of the stream."""
    with socket.create_connection(address, 20) as sock:
        writer = threading.Thread(target=write, args=(sock, request))
        writer.start()
        answer = b""
        while data := sock.recv(65536):
            answer += data
            time.sleep(0.05)
        sock.close()
        writer.join(20)
    return answer


def write(sock, data):
    try:
        sock.sendall(data)
    except OSError:
        pass


@pytest.mark.parametrize("extra", [20000, 4_000_000])
@pytest.mark.parametrize("timeout", [None, 20])
def test_a_client_that_is_still_writing_gets_its_answer(request_bytes, extra, timeout):
    """What has not been read when a socket is closed makes the kernel reset it, which drops the answer on its way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            sock, _ = listener.accept()
            with sock, pytest.raises(fastws.HandshakeError):
                Upgrader(timeout=timeout).upgrade(sock)

        server = threading.Thread(target=serve)
        server.start()
        answer = answer_to(request_bytes[:-2] + b"X: " + b"y" * extra, listener.getsockname())
        server.join(20)
    assert status(answer) == 431


def test_one_that_http_server_has_read_gets_its_answer(request_bytes):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with pytest.raises(Reject):
                fastws.upgrade_http(self, on_request=refuse)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        answer = answer_to(request_bytes + bytes(1_000_000), server.server_address)
        server.shutdown()
        thread.join(20)
    assert status(answer) == 403


def refuse(_):
    raise Reject(403)


def test_a_client_that_never_ends_is_left(sockets, request_bytes):
    """Not before a second has passed, or half of one if the handshake ends by then."""
    ours, theirs = sockets
    theirs.sendall(request_bytes)
    for timeout, least, most in ((0.3, 0.4, 0.95), (None, 0.95, 5)):
        begun = time.monotonic()
        with pytest.raises((Reject, fastws.HandshakeError, OSError)):
            Upgrader(on_request=refuse, timeout=timeout).upgrade(ours)
        assert least < time.monotonic() - begun < most
        ours, theirs = socket.socketpair()
        theirs.sendall(request_bytes)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("timeout", [None, 3])
@pytest.mark.parametrize("before", [None, 7])
def test_a_refusal_leaves_the_timeout_of_the_socket(sockets, timeout, before):
    """Without a timeout of ours, that of one second for the answer used to stay."""
    ours, theirs = sockets
    ours.settimeout(before)
    theirs.sendall(b"POST / HTTP/1.1\r\n\r\n")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(fastws.HandshakeError):
        Upgrader(timeout=timeout).upgrade(ours)
    assert ours.gettimeout() == before and ours.fileno() >= 0
    assert status(theirs.recv(1000)) == 405 and theirs.recv(1) == b""


# ---- Those that cannot be written ----


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"body": 5}, TypeError), ({"body": []}, TypeError), ({"body": "\udcff"}, ValueError),
     ({"reason": "\udcff"}, ValueError), ({"reason": b"x"}, TypeError), ({"reason": None}, TypeError),
     ({"headers": {"X": "\u4e2d"}}, ValueError), ({"headers": [("X",)]}, TypeError), ({"headers": ["ab"]}, TypeError),
     ({"headers": {"X": 5}}, TypeError), ({"headers": 5}, TypeError),
     ({"status": "403"}, TypeError), ({"status": True}, TypeError), ({"status": 199}, ValueError),
     ({"status": 600}, ValueError)],
)
def test_what_no_response_can_hold_is_known_at_once(request_bytes, arguments, error):
    with pytest.raises(error):
        Reject(**arguments)

    def refuse(_):
        raise Reject(**arguments)

    upgrade = Upgrade(on_request=refuse)
    with pytest.raises(error):
        upgrade.feed(request_bytes)
    assert status(upgrade.response) == 500


def test_headers_may_be_an_iterator(request_bytes):
    reject = Reject(403, headers=iter([["X", b"1"], ("Y", "\xe4")]))

    def refuse(_):
        raise reject

    for _ in range(2):
        upgrade = Upgrade(on_request=refuse)
        with pytest.raises(Reject):
            upgrade.feed(request_bytes)
        assert b"X: 1\r\nY: \xe4\r\n" in upgrade.response


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("body", 5.5, TypeError), ("headers", [("X",)], TypeError), ("headers", {"X": "\u4e2d"}, ValueError),
     ("reason", "\udcff", ValueError)],
)
def test_a_reject_that_cannot_be_written_is_the_cause_of_what_is_raised(request_bytes, name, value, error):
    """The caller used to be told of a 403 where the client had got a 500, and not why."""
    reject = Reject(403, "no")
    setattr(reject, name, value)

    def refuse(_):
        raise reject

    upgrade = Upgrade(on_request=refuse)
    with pytest.raises(error) as caught:
        upgrade.feed(request_bytes)
    assert caught.value.__cause__ is reject and status(upgrade.response) == 500


def test_a_status_that_is_no_answer_is_500(request_bytes):
    class Odd(Reject):
        status = 101

    def refuse(_):
        raise Odd

    upgrade = Upgrade(on_request=refuse)
    with pytest.raises(ValueError) as caught:
        upgrade.feed(request_bytes)
    assert isinstance(caught.value.__cause__, Odd) and status(upgrade.response) == 500


def test_a_page_may_be_the_answer(request_bytes):
    def answer(_):
        raise Reject(200, body="<p>Hello", headers={"Content-Type": "text/html"})

    upgrade = Upgrade(on_request=answer)
    with pytest.raises(Reject):
        upgrade.feed(request_bytes)
    assert status(upgrade.response) == 200
    assert b"\r\nContent-Type: text/html\r\n" in upgrade.response and upgrade.response.endswith(b"\r\n\r\n<p>Hello")


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"Connection": "x"}])
def test_the_fault_of_the_program_is_not_told_to_the_client(request_bytes, headers):
    def refuse(_):
        raise Reject(403, headers=headers)

    class Odd(Reject):
        status = 101

    def be_odd(_):
        raise Odd

    for options in ({"on_request": refuse}, {"on_before_upgrade": lambda: headers}, {"on_host": be_odd}):
        upgrade = Upgrade(**options)
        with pytest.raises((fastws.HandshakeError, ValueError)):
            upgrade.feed(request_bytes)
        assert upgrade.response.endswith(b"\r\n\r\nInternal Server Error")
