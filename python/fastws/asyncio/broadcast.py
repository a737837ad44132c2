# SPDX-License-Identifier: MIT
"""One message for many connections."""

from __future__ import annotations

from collections.abc import Iterable

from .._core import PreparedMessage, _broadcast
from .connection import Connection, DataLike

__all__ = ["broadcast"]


def broadcast(
    connections: Iterable[Connection],
    message: DataLike | PreparedMessage,
    *,
    text: bool | None = None,
    raise_exceptions: bool = False,
) -> None:
    """Sends a message to many connections: it is framed once, and queued for all of them before this returns.

    Nobody is waited for: what a slow peer does not take is kept for it, by reference, until it does or is closed for
    its silence: see ping_timeout. Connections that are not open are passed over.

    Args:
        connections: any number of them, of servers and clients.
        message: str for text, bytes-like for binary, or a PreparedMessage.
        text: True to send bytes as text, False to send the UTF-8 of a str as binary.
        raise_exceptions: what went wrong with single connections is raised in the end, and not only logged.

    Raises:
        TypeError: message is none of these.
        ExceptionGroup: with raise_exceptions: the exceptions, each with its cause.
    """
    if not isinstance(message, PreparedMessage):
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"message must be str, bytes-like or PreparedMessage, not {type(message).__name__}")
        message = PreparedMessage(message, text)
    failures = _broadcast(list(connections), message)
    if not raise_exceptions:
        for connection, error in failures:
            connection.logger.warning("skipped broadcast: %s", error)
    elif failures:
        raise ExceptionGroup("skipped broadcast", [error for _, error in failures])
