# SPDX-License-Identifier: MIT
"""The server's half of the opening handshake over a blocking socket, or inside http.server. RFC 6455 section 4.2."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from ._core import Connection, Deflate, Stream, Upgrade
from .exceptions import HandshakeError, HeadersLike

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

__all__ = ["Upgrader", "upgrade_http"]

_READ_LEN = 16384
_LINGER_LEN = 1 << 24
_LINGER_TIME = 1  # seconds
_TIMEOUT_MAX = 4294967  # seconds, as of every other timeout: milliseconds in 32 bits


class Upgrader:
    """Turns connections that were accepted into WebSocket streams. One object serves any number, in any thread.

    A tunnel through HTTP/2 (RFC 8441) is open already, and needs none: Stream(tunnel, "server", handshake=...).

    A callback refuses the request by raising Reject; any other exception is answered by 500. Both reach the caller of
    upgrade(). Names and values are bytes as they came.

    Args:
        on_request: called with the target of the request line, once method and version are right.
        on_host: called with the value of the Host header.
        on_header: called with name and value of each header that the handshake itself does not use.
        on_before_upgrade: called last; may return headers to add to the 101 response.
        protocol: the subprotocols that the server speaks, best first; or a function that is called with each one that
            the client offers, in the client's order, until it returns true.
        negotiate: called with each extension that the client offers, as it is written: b"name; parameter=1". Returns
            the option to answer with, written in the same way, or None to decline. fastws.http.parse_options() takes it
            apart, format_options() writes one. It answers for what it accepts: frames have to follow.
        origins: web pages that may connect, such as "https://example.com", beside those of the server's own host; an
            empty list for those only. A request with another Origin is answered by 403. None: no check, and any page
            may connect in the name of who looks at it. RFC 6455 10.2.
        header: headers of every response, refusals too: a mapping, or pairs of name and value.
        on_end: for logs and debugging: called with the bytes of the request and of the response once it is made,
            whether it accepts or refuses. What it raises goes to sys.unraisablehook.
        timeout: seconds for the whole handshake; None for no limit.
        max_head_size, max_headers: bytes and header lines of the request, None for no limit: see Upgrade.
        compression: "deflate" or a Deflate: messages are compressed for clients that offer permessage-deflate, by the
            first of their offers that can be kept (RFC 7692). None: never, and it may be left to negotiate.
        max_size, max_frame_size, max_fragments, max_empty_fragments, ping_interval, ping_timeout, close_timeout,
            check_utf8, auto_pong, auto_close, skip_header_check, write_limit: of the Stream that upgrade() returns: see
                Connection. Its set_extensions() takes what was negotiated.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, a header that may not be written, a protocol that is not a token, an
            origin that is none.
    """

    def __init__(
        self,
        *,
        on_request: Callable[[bytes], object] | None = None,
        on_host: Callable[[bytes], object] | None = None,
        on_header: Callable[[bytes, bytes], object] | None = None,
        on_before_upgrade: Callable[[], HeadersLike | None] | None = None,
        protocol: Callable[[bytes], object] | Iterable[str] | None = None,
        negotiate: Callable[[bytes], str | bytes | None] | None = None,
        origins: Iterable[str] | None = None,
        header: HeadersLike | None = None,
        on_end: Callable[[bytes, bytes], object] | None = None,
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
        skip_header_check: bool = False,
        write_limit: int | tuple[int, int | None] | None = 65536,
        compression: Deflate | Literal["deflate"] | None = None,
    ) -> None:
        _check_timeout(timeout)
        # An iterator would serve one handshake only.
        if protocol is not None and not callable(protocol):
            protocol = (protocol,) if isinstance(protocol, (str, bytes)) else _tuple_of(protocol, "protocol")
        if origins is not None:
            origins = (origins,) if isinstance(origins, (str, bytes)) else _tuple_of(origins, "origins")
        if header is not None:
            pairs: Iterable[Any] = header.items() if isinstance(header, Mapping) else header
            header = _tuple_of(pairs, "header")
        self._arguments: dict[str, Any] = {
            "on_request": on_request,
            "on_host": on_host,
            "on_header": on_header,
            "on_before_upgrade": on_before_upgrade,
            "protocol": protocol,
            "negotiate": negotiate,
            "origins": origins,
            "header": header,
            "on_end": on_end,
            "max_head_size": max_head_size,
            "max_headers": max_headers,
            "compression": compression,
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
            "skip_header_check": skip_header_check,
            "write_limit": write_limit,
        }
        # What is wrong is to be known now, not when a client has been answered 101.
        Upgrade(**self._arguments)
        Connection("server", **self._options)
        self._timeout = timeout

    def upgrade(self, sock: Any) -> Stream:
        """Reads an upgrade request and answers it.

        Args:
            sock: a connected socket, or any object that Stream takes. It is not closed when the handshake fails; but of
                a socket the sending half has ended then, and for up to a second what still came was dropped, so that
                the client reads its answer before the connection is reset.

        Returns:
            The open Stream; what was agreed on is its handshake, a Handshake, and its compression. Bytes that came
            behind the request are kept in it.

        Raises:
            HandshakeError: the request was refused, and answered; status says with what.
            HandshakeTimeout: it did not arrive in time; answered by 408.
            Exception: what a callback raised; Reject was answered as it says, anything else by 500.
            OSError: sock failed.
        """
        upgrade = Upgrade(**self._arguments)
        with _keeping_timeout(sock) as has_timeout:
            is_limited = has_timeout and self._timeout is not None
            rest = _handshake(sock, upgrade, time.monotonic() + (self._timeout or 0) if is_limited else None)
        return self._open(sock, rest, upgrade)

    def upgrade_http(self, handler: BaseHTTPRequestHandler) -> Stream:
        """Answers the request that an HTTP server has read, and takes its connection over.

        The handler must not use its connection, rfile or wfile afterwards, nor send_response() and its like. It may
        return when the stream has ended, not before: http.server closes the connection then. Its timeout is taken off
        the connection: it is meant for requests.

        Args:
            handler: a request handler of http.server, called for a GET.

        Returns:
            The open Stream. Bytes that are in the handler's rfile already are kept in it.

        Raises:
            HandshakeError: the request was refused, and answered; status says with what.
            Exception: what a callback raised; Reject was answered as it says, anything else by 500.
            OSError: the connection failed.
        """
        upgrade = Upgrade(**self._arguments)
        sock = handler.connection
        handler.close_connection = True
        handler.wfile.flush()
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        try:
            _feed_handler(upgrade, handler)
        except BaseException:
            with _keeping_timeout(sock):
                _answer_refusal(sock, upgrade, deadline)
            raise
        rest = _take_buffered(handler)
        sock.settimeout(self._timeout)
        _write(sock, upgrade.response)
        sock.settimeout(None)
        return self._open(sock, rest, upgrade)


    def _open(self, sock: Any, rest: bytes, upgrade: Upgrade) -> Stream:
        agreed: dict[str, Any] = {"handshake": upgrade.handshake, "compression": upgrade.compression}
        return Stream(sock, "server", rest, **agreed, **self._options)


def upgrade_http(handler: BaseHTTPRequestHandler, **options: Any) -> Stream:
    """Answers the request that an HTTP server has read, and takes its connection over.

    Like Upgrader(**options).upgrade_http(handler): a server that does it often keeps its own Upgrader.

    Args:
        handler: a request handler of http.server, called for a GET.
        options: as for Upgrader.

    Returns:
        The open Stream.

    Raises:
        HandshakeError, Exception, OSError: as Upgrader.upgrade_http() does.
        TypeError, ValueError: as Upgrader does; nothing was answered then.
    """
    return Upgrader(**options).upgrade_http(handler)


def _feed_handler(upgrade: Upgrade, handler: BaseHTTPRequestHandler) -> None:
    headers = list(handler.headers.items())
    # http.server leaves out lines that are no headers, and all behind them: two readers of such a head would disagree.
    if handler.headers.defects:
        headers.append(("", ""))
    upgrade.feed_parsed(handler.command, handler.path, headers, handler.request_version)


def _take_buffered(handler: BaseHTTPRequestHandler) -> bytes:
    """Takes what rfile has read ahead, without waiting for more."""
    peek = getattr(handler.rfile, "peek", None)
    if peek is None:  # made without a buffer
        return b""
    before = handler.connection.gettimeout()
    handler.connection.settimeout(0)
    try:
        return handler.rfile.read(len(peek()))
    except OSError:  # TLS says in this way that nothing is there
        return b""
    finally:
        handler.connection.settimeout(before)


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


@contextlib.contextmanager
def _keeping_timeout(sock: Any) -> Iterator[bool]:
    """Gives the timeout of sock back in the end. Yields whether it has one."""
    if not hasattr(sock, "settimeout"):
        yield False
        return
    before = sock.gettimeout()
    try:
        yield True
    finally:
        sock.settimeout(before)


def _handshake(sock: Any, upgrade: Upgrade, deadline: float | None) -> bytes:
    # readinto() of a buffered file waits until all of the buffer is full.
    read = getattr(sock, "recv_into", None) or getattr(sock, "readinto1", None) or sock.readinto
    buffer = bytearray(_READ_LEN)
    view = memoryview(buffer)
    rest: bytes | None = None
    is_begun = False
    try:
        while rest is None:
            count = _read(sock, read, upgrade, buffer, deadline)
            if not count:
                name = "FASTWS_ERR_UNEXPECTED_EOF" if is_begun else "FASTWS_ERR_EOF"
                reason = "connection was closed before the request was complete"
                raise HandshakeError(reason, name=name, rfc="RFC 9112 8")
            is_begun = True
            rest = upgrade.feed(view[:count])
    except BaseException:
        _answer_refusal(sock, upgrade, deadline)
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
        return read(buffer)
    except TimeoutError:
        if deadline is None:
            raise
        upgrade.expire()
        raise


def _answer_refusal(sock: Any, upgrade: Upgrade, deadline: float | None) -> None:
    """Writes the refusal, if there is one. What made the handshake fail is more worth telling than a failed write."""
    response = upgrade.response
    if not response:
        return
    try:
        if hasattr(sock, "settimeout"):
            sock.settimeout(1)
        _write(sock, response)
        if isinstance(sock, socket.socket):
            _linger(sock, deadline)
    except OSError:
        pass


def _linger(sock: socket.socket, deadline: float | None) -> None:
    """Drops what comes until the peer has read the answer: to close a socket with unread bytes in it takes the answer
    back, which the peer may not have read yet. RFC 9112 9.6."""
    if say_end := getattr(sock, "unwrap", None):  # of TLS
        with contextlib.suppress(OSError, ValueError):
            say_end()
    sock.shutdown(socket.SHUT_WR)
    now = time.monotonic()
    until = now + _LINGER_TIME
    if deadline is not None:  # which has passed where it was the reason
        until = min(until, max(deadline, now + _LINGER_TIME / 2))
    dropped, count = bytearray(_READ_LEN), 0
    while count < _LINGER_LEN and (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        received = sock.recv_into(dropped)
        if not received:
            return
        count += received


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
