# SPDX-License-Identifier: MIT
"""Deadlines, and reading and writing of whatever Stream takes: what the steps of a dial share."""

from __future__ import annotations

import time
from typing import Any

from .exceptions import HandshakeTimeout

__all__ = ["Deadline", "receive", "receive_exactly", "send"]


class Deadline:
    """The point in time when a dial has to be done, or None: never."""

    def __init__(self, timeout: float | None) -> None:
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Seconds that are left, always above 0; None for ever.

        Raises:
            HandshakeTimeout: none are.
        """
        if self._at is None:
            return None
        left = self._at - time.monotonic()
        if left <= 0:
            raise HandshakeTimeout("connection was not open in time", name="FASTWS_ERR_DIAL_TIMEOUT", rfc="RFC 6455 4.1")
        return left

    def has_passed(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at

    def apply(self, io: Any) -> None:
        """Makes what is done next with io end in time, if io can be told so."""
        left = self.left()
        if left is not None and hasattr(io, "settimeout"):
            io.settimeout(left)


def send(io: Any, data: bytes, deadline: Deadline) -> None:
    """Writes all of data."""
    deadline.apply(io)
    if hasattr(io, "sendall"):
        io.sendall(data)
        return
    left = memoryview(data)
    while left:
        left = left[io.write(left) :]
    if hasattr(io, "flush"):
        io.flush()


def receive(io: Any, size: int, deadline: Deadline) -> bytes:
    """Reads what is there, at most size bytes. Returns b"" at the end of the stream."""
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
