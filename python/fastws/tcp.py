# SPDX-License-Identifier: MIT
"""Connects sockets: to the first address of a host that answers (RFC 8305), or to a path."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import threading
import time
from typing import Any

from .blocking import Deadline

__all__ = ["connect_tcp", "connect_unix", "resolve"]

_ATTEMPTS_MAX = 8  # at once
_STAGGER = 0.25  # seconds before the next one is begun. RFC 8305 section 8
_UNIX_RETRY = 0.01  # seconds between attempts at a socket whose queue is full

_Address = tuple[Any, ...]  # as of socket.getaddrinfo()


def resolve(host: str, port: int, deadline: Deadline) -> list[_Address]:
    """The addresses of a host, by the system: on a thread of its own, which is left to itself if it takes too long.

    Raises:
        OSError: there are none (socket.gaierror).
        HandshakeTimeout: it took too long.
        DialCancelled: the caller has given up.
    """
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: list[_Address] = []
    failed: list[OSError] = []

    def look_up(telling: socket.socket) -> None:
        with telling:  # its end is what is waited for
            try:
                found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                failed.append(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error)))

    done, telling = socket.socketpair()
    with done:
        deadline.left()
        thread = threading.Thread(target=look_up, args=(telling,), name="fastws-resolve", daemon=True)
        thread.start()
        deadline.wait({done.fileno(): select.POLLIN})
    if failed:
        raise failed[0]
    return found


def _in_turn(addresses: list[_Address]) -> list[_Address]:
    """RFC 8305 section 4: families in turn, the one first that the system put first."""
    if not addresses:
        return []
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    both = [address for pair in zip(first, others) for address in pair]
    count = len(both) // 2
    return both + first[count:] + others[count:]


class _Race:
    """Attempts to connect that run at once."""

    def __init__(self, addresses: list[_Address], deadline: Deadline) -> None:
        self.waiting = addresses
        self.deadline = deadline
        self.running: dict[int, socket.socket] = {}
        self.next_at = 0.0
        self.error = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def run(self) -> socket.socket:
        while True:
            self.deadline.left()
            may_begin = bool(self.waiting) and len(self.running) < _ATTEMPTS_MAX
            if not self.running and not may_begin:
                raise self.error
            pause = self.next_at - time.monotonic()
            if may_begin and (not self.running or pause <= 0):
                winner = self._begin(*self.waiting.pop(0))
            else:
                winner = self._watch(pause if may_begin else None)
            if winner is not None:
                return winner

    def _begin(self, family: int, kind: int, protocol: int, _name: str, address: Any) -> socket.socket | None:
        self.next_at = time.monotonic() + _STAGGER
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            sock.connect(address)
            return sock
        except (BlockingIOError, InterruptedError):
            assert sock is not None
            self.running[sock.fileno()] = sock
        except OSError as error:
            self._lose(sock, error)
        return None

    def _lose(self, sock: socket.socket | None, error: OSError) -> None:
        """Keeps why an attempt failed; the next one begins at once."""
        if sock is not None:
            sock.close()
        self.error = error
        self.next_at = 0.0

    def _watch(self, pause: float | None) -> socket.socket | None:
        for descriptor in self.deadline.wait(dict.fromkeys(self.running, select.POLLOUT), pause):
            sock = self.running.pop(descriptor)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not number:
                return sock
            self._lose(sock, OSError(number, os.strerror(number)))
        return None

    def end(self) -> None:
        for sock in self.running.values():
            sock.close()


def connect_tcp(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connects to the first address of host that answers: the next is tried when 250 ms have passed or one has failed.

    Raises:
        OSError: no address took the connection; it is the error of the last one.
        HandshakeTimeout: it took too long.
        DialCancelled: the caller has given up.
    """
    race = _Race(_in_turn(resolve(host, port, deadline)), deadline)
    try:
        sock = race.run()
    finally:
        race.end()
    sock.setblocking(True)
    # Messages leave when they are sent. A socket that cannot be told so works as well.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect_unix(path: bytes, deadline: Deadline) -> socket.socket:
    """Connects to a socket in the file system: at once, or not at all, but for one whose queue is full.

    Raises:
        OSError: nobody listens there.
        HandshakeTimeout: its queue stayed full.
        DialCancelled: the caller has given up.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
                break
            except BlockingIOError:
                deadline.wait({}, _UNIX_RETRY)
        sock.setblocking(True)
    except BaseException:
        sock.close()
        raise
    return sock
