# SPDX-License-Identifier: MIT
"""The server's half of the opening handshake over a blocking socket. RFC 6455 section 4.2."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from ._core import Connection, Stream, Upgrade
from .exceptions import HandshakeError, HeadersLike

__all__ = ["Upgrader"]

_READ_LEN = 16384
_TIMEOUT_MAX = 4294967  # seconds, as of every other timeout: milliseconds in 32 bits


class Upgrader:
    """Turns connections that were accepted into WebSocket streams. One object serves any number, in any thread.

    A callback refuses the request by raising Reject; any other exception is answered by 500. Both reach the caller of
    upgrade(). Names and values are bytes as they came.

    Args:
        on_request: called with the target of the request line, once method and version are right.
        on_host: called with the value of the Host header.
        on_header: called with name and value of each header that the handshake itself does not use.
        on_before_upgrade: called last; may return headers to add to the 101 response.
        protocol: the subprotocols that the server speaks, best first; or a function that is called with each one that
            the client offers, in the client's order, until it returns true.
        header: headers of every response, refusals too: a mapping, or pairs of name and value.
        timeout: seconds for the whole handshake; None for no limit.
        max_head_size, max_headers: bytes and header lines of the request, None for no limit: see Upgrade.
        max_size, max_frame_size, max_fragments, max_empty_fragments, ping_interval, ping_timeout, close_timeout,
            check_utf8, auto_pong, auto_close: of the Stream that upgrade() returns: see Connection.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, a header that may not be written, a protocol that is not a token.
    """

    def __init__(
        self,
        *,
        on_request: Callable[[bytes], object] | None = None,
        on_host: Callable[[bytes], object] | None = None,
        on_header: Callable[[bytes, bytes], object] | None = None,
        on_before_upgrade: Callable[[], HeadersLike | None] | None = None,
        protocol: Callable[[bytes], object] | Iterable[str] | None = None,
        header: HeadersLike | None = None,
        timeout: float | None = 10,
        max_head_size: int | None = 16384,
        max_headers: int | None = 128,
        max_size: int | None = 16777216,
        max_frame_size: int | None = 16777216,
        max_fragments: int | None = 262144,
        max_empty_fragments: int | None = 1024,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        check_utf8: bool = True,
        auto_pong: bool = True,
        auto_close: bool = True,
    ) -> None:
        _check_timeout(timeout)
        # An iterator would serve one handshake only.
        if protocol is not None and not callable(protocol):
            protocol = (protocol,) if isinstance(protocol, (str, bytes)) else _tuple_of(protocol, "protocol")
        if header is not None:
            pairs: Iterable[Any] = header.items() if isinstance(header, Mapping) else header
            header = _tuple_of(pairs, "header")
        self._arguments: dict[str, Any] = {
            "on_request": on_request,
            "on_host": on_host,
            "on_header": on_header,
            "on_before_upgrade": on_before_upgrade,
            "protocol": protocol,
            "header": header,
            "max_head_size": max_head_size,
            "max_headers": max_headers,
        }
        self._options: dict[str, Any] = {
            "max_size": max_size,
            "max_frame_size": max_frame_size,
            "max_fragments": max_fragments,
            "max_empty_fragments": max_empty_fragments,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "check_utf8": check_utf8,
            "auto_pong": auto_pong,
            "auto_close": auto_close,
        }
        # What is wrong is to be known now, not when a client has been answered 101.
        Upgrade(**self._arguments)
        Connection("server", **self._options)
        self._timeout = timeout

    def upgrade(self, sock: Any) -> Stream:
        """Reads an upgrade request and answers it.

        Args:
            sock: a connected socket, or any object that Stream takes. It stays open when the handshake fails.

        Returns:
            The open Stream; what was agreed on is its handshake, a Handshake. Bytes that came behind the request are
            kept in it.

        Raises:
            HandshakeError: the request was refused, and answered; status says with what.
            HandshakeTimeout: it did not arrive in time; answered by 408.
            Exception: what a callback raised; Reject was answered as it says, anything else by 500.
            OSError: sock failed.
        """
        upgrade = Upgrade(**self._arguments)
        settimeout = getattr(sock, "settimeout", None)
        if settimeout is None or self._timeout is None:
            rest = _handshake(sock, upgrade, None)
        else:
            before = sock.gettimeout()
            try:
                rest = _handshake(sock, upgrade, time.monotonic() + self._timeout)
            finally:
                settimeout(before)
        return Stream(sock, "server", rest, handshake=upgrade.handshake, **self._options)


def _tuple_of(items: Iterable[Any], name: str) -> tuple[Any, ...]:
    if not isinstance(items, Iterable):
        raise TypeError(f"{name} must be iterable, not {type(items).__name__}")
    return tuple(items)


def _check_timeout(timeout: float | None) -> None:
    if timeout is None:
        return
    if not isinstance(timeout, Real) or isinstance(timeout, bool):
        raise TypeError(f"timeout must be a number of seconds or None, not {type(timeout).__name__}")
    if not 0 < timeout <= _TIMEOUT_MAX:
        raise ValueError(f"timeout must be a number of seconds above 0 and at most {_TIMEOUT_MAX}, or None")


def _handshake(sock: Any, upgrade: Upgrade, deadline: float | None) -> bytes:
    # readinto() of a buffered file waits until all of the buffer is full.
    read = getattr(sock, "recv_into", None) or getattr(sock, "readinto1", None) or sock.readinto
    buffer = bytearray(_READ_LEN)
    view = memoryview(buffer)
    rest: bytes | None = None
    try:
        while rest is None:
            rest = upgrade.feed(view[: _read(sock, read, upgrade, buffer, deadline)])
    except BaseException:
        _answer_refusal(sock, upgrade)
        raise
    _write(sock, upgrade.response)
    return rest


def _read(
    sock: Any, read: Callable[[bytearray], int], upgrade: Upgrade, buffer: bytearray, deadline: float | None
) -> int:
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            upgrade.expire()
        sock.settimeout(left)
    try:
        count = read(buffer)
    except TimeoutError:
        if deadline is None:
            raise
        upgrade.expire()
        raise
    if not count:
        raise HandshakeError("connection was closed before the request was complete", name="FASTWS_ERR_UNEXPECTED_EOF")
    return count


def _answer_refusal(sock: Any, upgrade: Upgrade) -> None:
    """Writes the refusal, if there is one. What made the handshake fail is more worth telling than a failed write."""
    response = upgrade.response
    if not response:
        return
    try:
        if hasattr(sock, "settimeout"):
            sock.settimeout(1)
        _write(sock, response)
    except OSError:
        pass


def _write(sock: Any, data: bytes) -> None:
    sendall = getattr(sock, "sendall", None)
    if sendall is not None:
        sendall(data)
        return
    left = memoryview(data)
    while left:
        left = left[sock.write(left) :]
    flush = getattr(sock, "flush", None)
    if flush is not None:
        flush()
