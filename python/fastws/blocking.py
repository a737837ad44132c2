# SPDX-License-Identifier: MIT
"""Waiting, reading and writing in a dial: until its deadline, or until its caller gives it up."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .exceptions import DialCancelled, HandshakeTimeout

__all__ = ["Deadline", "exchange", "receive", "receive_exactly", "run", "send"]

_T = TypeVar("_T")
_POLL_MAX = 2**31 - 1  # milliseconds: poll() takes an int


class Deadline:
    """When a dial has to be done, and the descriptor that says that nobody wants it any more.

    Args:
        timeout: seconds from now, or None: never.
        cancel: an object with a fileno(), or a descriptor: the dial ends when it can be read. None: there is none.
    """

    def __init__(self, timeout: float | None, cancel: Any = None) -> None:
        self._at = None if timeout is None else time.monotonic() + timeout
        self._cancel = None if cancel is None else _descriptor_of(cancel)
        self._below: Any = None  # what an object of the caller's is around

    def left(self) -> float | None:
        """Seconds that are left, always above 0; None for ever.

        Raises:
            HandshakeTimeout: none are.
            DialCancelled: the caller has given up.
        """
        if self._cancel is not None:
            self._check(_poll({self._cancel: select.POLLIN}, 0))
        return self._seconds()

    def has_passed(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at

    def wait(self, events: Mapping[int, int], pause: float | None = None) -> list[int]:
        """Waits for events of poll().

        Args:
            events: what to wait for, by descriptor.
            pause: seconds to wait at most, None for no such limit.

        Returns:
            The descriptors where something happened, errors too; none if the pause is over.

        Raises:
            HandshakeTimeout, DialCancelled: as left() does.
        """
        wanted = dict(events) if self._cancel is None else {**events, self._cancel: select.POLLIN}
        while True:
            left = self._seconds()
            limits = [each for each in (left, pause) if each is not None]
            ready = _poll(wanted, min(limits) if limits else None)
            self._check(ready)
            if ready or pause is not None:
                return ready

    def hold(self, io: Any) -> None:
        """Makes io, a socket or a TLSStream, wait by this deadline; any other object is left as it is."""
        if isinstance(io, socket.socket):
            io.setblocking(False)
        elif hasattr(io, "bind_deadline"):
            io.bind_deadline(self)

    def lend(self, io: Any) -> None:
        """Gives io, which is held, to a function of the caller's: a socket blocks again, for as long as is left."""
        self._below = io
        if isinstance(io, socket.socket):
            io.settimeout(self.left())

    def apply(self, io: Any) -> None:
        """Makes what is done next with io end in time, if io can be told so."""
        left = self.left()
        if not hasattr(io, "settimeout"):
            io = self._below
        if left is not None and hasattr(io, "settimeout") and not hasattr(io, "bind_deadline"):
            io.settimeout(left)

    def _seconds(self) -> float | None:
        if self._at is None:
            return None
        left = self._at - time.monotonic()
        if left <= 0:
            name = "FASTWS_ERR_DIAL_TIMEOUT"
            raise HandshakeTimeout("connection was not open in time", name=name, rfc="RFC 6455 4.1")
        return left

    def _check(self, ready: list[int]) -> None:
        if self._cancel in ready:
            raise DialCancelled("dial was cancelled", name="FASTWS_ERR_DIAL_CANCELLED", rfc="RFC 6455 4.1")


def _descriptor_of(cancel: Any) -> int:
    if isinstance(cancel, bool) or not (isinstance(cancel, int) or hasattr(cancel, "fileno")):
        raise TypeError(f"cancel must have a fileno() or be a descriptor, not {type(cancel).__name__}")
    number = cancel if isinstance(cancel, int) else cancel.fileno()
    if not 0 <= number <= 2**31 - 1:
        raise ValueError("cancel is closed, or no descriptor")
    return number


def _poll(events: Mapping[int, int], seconds: float | None) -> list[int]:
    poll = select.poll()
    for descriptor, wanted in events.items():
        poll.register(descriptor, wanted)
    return [descriptor for descriptor, _ in poll.poll(None if seconds is None else min(seconds * 1000, _POLL_MAX))]


# ---- Sockets, which never block here ----


def _wanted(error: OSError, events: int) -> int:
    """What a call on a socket has to wait for: events, unless TLS says otherwise. 0: it has failed."""
    if isinstance(error, BlockingIOError):
        return events
    ssl = sys.modules.get("ssl")  # its errors cannot come from where it was not loaded
    if ssl is not None and isinstance(error, ssl.SSLWantReadError):
        return select.POLLIN
    if ssl is not None and isinstance(error, ssl.SSLWantWriteError):
        return select.POLLOUT
    return 0


def _try(step: Callable[[], _T], events: int) -> tuple[_T | None, int]:
    """What a step gives, and 0; or None and what to wait for."""
    try:
        return step(), 0
    except OSError as error:
        wanted = _wanted(error, events)
        if not wanted:
            raise
        return None, wanted


def run(sock: socket.socket, step: Callable[[], _T], events: int, deadline: Deadline) -> _T:
    """Takes a step with a socket that does not block, as often as it takes: events says what it waits for."""
    while True:
        deadline.left()
        result, wanted = _try(step, events)
        if not wanted:
            return result  # type: ignore[return-value]
        deadline.wait({sock.fileno(): wanted})


# ---- Whatever Stream takes ----


def send(io: Any, data: Any, deadline: Deadline | None) -> None:
    """Writes all of data. Without a deadline io waits as it is used to."""
    if deadline is not None and isinstance(io, socket.socket):
        left = memoryview(data)
        while left:
            left = left[run(io, lambda part=left: io.send(part), select.POLLOUT, deadline) :]  # type: ignore[misc]
        return
    if deadline is not None:
        deadline.apply(io)
    if hasattr(io, "sendall"):
        io.sendall(data)
        return
    left = memoryview(data)
    while left:
        left = left[io.write(left) :]
    if hasattr(io, "flush"):
        io.flush()


def receive(io: Any, size: int, deadline: Deadline | None) -> bytes:
    """Reads what is there, at most size bytes. Returns b"" at the end of the stream."""
    if deadline is not None and isinstance(io, socket.socket):
        return run(io, lambda: io.recv(size), select.POLLIN, deadline)
    if deadline is not None:
        deadline.apply(io)
    buffer = bytearray(size)
    # readinto() of a buffered file waits until all of the buffer is full.
    read = getattr(io, "recv_into", None) or getattr(io, "readinto1", None) or io.readinto
    return bytes(buffer[: read(buffer) or 0])


def receive_exactly(io: Any, size: int, deadline: Deadline) -> bytes:
    """Reads size bytes; fewer only at the end of the stream."""
    data = b""
    while len(data) < size:
        part = receive(io, size - len(data), deadline)
        if not part:
            break
        data += part
    return data


def exchange(io: Any, data: memoryview, size: int, deadline: Deadline) -> tuple[int, bytes | None]:
    """Writes some of data, or reads at most size bytes, whichever is possible first. An object of the caller's takes
    all of data.

    Returns:
        How many bytes were written, and what was read: None if nothing, b"" at the end of the stream.
    """
    if hasattr(io, "bind_deadline"):
        return io.exchange(data, size, deadline)  # type: ignore[no-any-return]
    if not isinstance(io, socket.socket):
        send(io, data, deadline)
        return len(data), None
    while True:
        deadline.left()
        sent, to_send = _try(lambda: io.send(data), select.POLLOUT)
        if not to_send:
            return sent or 0, None
        received, to_receive = _try(lambda: io.recv(size), select.POLLIN)
        if not to_receive:
            return 0, received
        deadline.wait({io.fileno(): to_send | to_receive})
