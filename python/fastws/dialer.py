# SPDX-License-Identifier: MIT
"""The client's half of the opening handshake over blocking sockets, and the way to the server. RFC 6455 section 4.1."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from ._core import Connection, Deflate, Dial, Stream, parse_url
from .blocking import Deadline, exchange, receive, send
from .exceptions import HandshakeTimeout, HeadersLike, InvalidMessage, InvalidStatus
from .heads import Option, Response, Url
from .http import format_options
from .proxies import Proxy, choose_proxy, open_through
from .redirects import follow, unsafe
from .tcp import connect_tcp, connect_unix

if TYPE_CHECKING:
    import ssl as _ssl

    from _typeshed import HasFileno

__all__ = ["Dialer"]

_READ_LEN = 16384
_TIMEOUT_MAX = 4294967  # seconds, as of every other timeout: milliseconds in 32 bits


class Dialer:
    """Opens WebSocket connections as a client. One object serves any number, in any thread.

    Names and values that callbacks see are bytes as they came; what a callback raises ends the handshake and reaches
    the caller of dial().

    Args:
        protocols: subprotocols to offer, best first.
        extensions: extensions to offer: the value of Sec-WebSocket-Extensions, or Option objects.
        header: headers of the request behind those of the handshake: a mapping, or pairs of name and value.
        timeout: seconds for everything: finding the addresses, connecting, proxy, TLS, handshake, redirects; None for
            no limit.
        ssl: an ssl.SSLContext for wss and for https proxies. None: certificate and host name are verified by the
            authorities of the system. Set its ALPN protocols to http/1.1 where the server wants to hear it.
        server_hostname: what the certificate has to be for, and what the server is told; None, and behind a redirect to
            another scheme, host or port: the host of the address, "localhost" for a socket in the file system.
        host: instead of the Host header that the address gives.
        origin: value of the Origin header. RFC 6454 7.
        on_header: called with name and value of each header of the 101 that the handshake itself does not use.
        on_extension: called with each extension that the server accepted: one that was offered, none of them twice.
        on_status_error: called with the Response of another status than 101, before InvalidStatus is raised.
        on_end: for people who look for a fault: called at the end of each handshake, however it ends, with the raw
            request and what came of the answer.
        max_redirects: redirects that are followed. 0: they are answers like others. Credentials (user and password,
            Authorization, Cookie, Proxy-Authorization) and host go only to the scheme, host and port that they were
            given for. From wss to ws is never followed.
        proxy: the address of a proxy: "http://", "https://", "socks5://" (names are looked up here) or "socks5h://" (by
            the proxy), then [user:password@]host[:port]. True: that of the environment (http_proxy, https_proxy,
            all_proxy, no_proxy). None: none. Sockets in the file system are reached directly.
        connect: called with host, port and the seconds that are left (or None) in place of TCP: returns a connected
            socket, or any object that Stream takes. For a socket in the file system, its path (bytes) and 0.
        wrap: called with the connection before the handshake, below which is TLS if there is any: returns what to use
            in its place. Never called for a connection that could not be opened.
        max_head_size, max_headers: bytes and header lines of the answer, None for no limit.
        max_body_size: bytes of the body of an answer with another status that are kept.
        compression: "deflate" or a Deflate: offers permessage-deflate behind extensions, and compresses messages where
            the server accepts (RFC 7692). None: not offered.
        max_size, max_frame_size, max_fragments, max_empty_fragments, ping_interval, ping_timeout, close_timeout,
            check_utf8, auto_pong, auto_close, skip_header_check, write_limit: of the Stream that dial() returns: see
            Connection. Its set_extensions() takes what the server accepted.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, a header that may not be written, a protocol that is not a token.
    """

    def __init__(
        self,
        *,
        protocols: Iterable[str] | None = None,
        extensions: str | Iterable[Option | str] | None = None,
        header: HeadersLike | None = None,
        timeout: float | None = 10,
        ssl: _ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        host: str | None = None,
        origin: str | None = None,
        on_header: Callable[[bytes, bytes], object] | None = None,
        on_extension: Callable[[bytes], object] | None = None,
        on_status_error: Callable[[Response], object] | None = None,
        on_end: Callable[[bytes, bytes], object] | None = None,
        max_redirects: int = 10,
        proxy: str | bool | None = True,
        connect: Callable[[Any, int, float | None], Any] | None = None,
        wrap: Callable[[Any], Any] | None = None,
        max_head_size: int | None = 16384,
        max_headers: int | None = 128,
        max_body_size: int | None = 65536,
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
        if max_redirects < 0:
            raise ValueError("max_redirects must be at least 0")
        # An iterator would serve one handshake only.
        if protocols is not None and not isinstance(protocols, (str, bytes)):
            protocols = tuple(protocols)
        if extensions is not None and not isinstance(extensions, str):
            extensions = format_options(extensions)
        self._arguments: dict[str, Any] = {
            "protocols": protocols,
            "extensions": extensions,
            "header": None if header is None else tuple(_pairs_of(header)),
            "host": host,
            "origin": origin,
            "on_header": on_header,
            "on_extension": on_extension,
            "on_status_error": on_status_error,
            "on_end": on_end,
            "redirects": max_redirects > 0,
            "max_head_size": max_head_size,
            "max_headers": max_headers,
            "max_body_size": max_body_size,
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
        # What is wrong is to be known now, not when a server has answered.
        Dial("ws://localhost/", **self._arguments)
        Connection("client", **self._options)
        self._timeout = timeout
        self._ssl = ssl
        self._server_hostname = server_hostname
        self._max_redirects = max_redirects
        self._proxy = proxy
        self._connect = connect
        self._wrap = wrap

    def dial(self, url: str, *, cancel: HasFileno | int | None = None) -> Stream:
        """Opens a connection.

        All addresses of the host are tried, those of IPv6 and IPv4 in turn, a next one whenever 250 ms have passed or
        one has failed; the first that answers is taken (RFC 8305).

        Args:
            url: ws://, wss://, ws+unix:///path/of/socket:/target or wss+unix://. User and password become Basic
                authentication (RFC 7617); a fragment is not sent.
            cancel: how another thread, or a signal handler, gives the dial up: a socket, pipe or other object with a
                fileno(), or a descriptor. The dial ends once it can be read, its other end is closed, or it is itself,
                and never reads it. While an object that is no socket waits, or a function of the caller's, that is only
                seen afterwards.

        Returns:
            The open Stream; what was agreed on is its handshake, a Handshake, and its compression. Frames that came
            with the answer are kept in it.

        Raises:
            InvalidURI: url is no address.
            InvalidProxy: the address of the proxy is none.
            InvalidStatus: the server answered with another status than 101; response is its answer.
            InvalidMessage, InvalidHeader, InvalidUpgrade, NegotiationError: its answer is wrong; name says how.
            SecurityError: a redirect that may not be followed, or more than max_redirects.
            ProxyError: the proxy did not open the connection.
            HandshakeTimeout: the connection was not open in time; also a TimeoutError.
            DialCancelled: cancel could be read.
            OSError: the host has no address (socket.gaierror), no address took the connection, TLS failed
                (ssl.SSLError; ssl.SSLCertVerificationError says what is wrong with a certificate), or the stream
                failed.
            Exception: what a callback raised.
        """
        deadline = Deadline(self._timeout, cancel)
        with _in_time(deadline):
            address, arguments, server_hostname = url, self._arguments, self._server_hostname
            for redirects in range(self._max_redirects + 1):
                try:
                    return self._dial_once(address, arguments, server_hostname, deadline)
                except InvalidStatus as refusal:
                    if refusal.name != "FASTWS_ERR_HANDSHAKE_REDIRECT":
                        raise
                    if redirects == self._max_redirects:
                        raise unsafe("too many redirects", refusal, "FASTWS_ERR_DIAL_REDIRECTS_MAX") from refusal
                    address, arguments, server_hostname = follow(
                        url, address, refusal, self._arguments, self._server_hostname
                    )
        raise AssertionError("every way through the loop ends it")

    def upgrade(self, sock: Any, url: str, *, cancel: HasFileno | int | None = None) -> Stream:
        """Does the handshake over a connection that is open already: the client's half of RFC 6455 section 4, no more.

        TLS, where there is any, is below sock; proxy, ssl, connect and wrap are not used, redirects not followed.

        Args:
            sock: a connected socket, or any object that Stream takes. It stays open when the handshake fails.
            url: the address, for Host and target.
            cancel: as for dial().

        Raises: as dial() does.
        """
        deadline = Deadline(self._timeout, cancel)
        with _in_time(deadline):
            dial = Dial(url, **{**self._arguments, "redirects": False})
            rest = _shake_hands(sock, dial, deadline)
            return self._open(sock, rest, dial)

    def _dial_once(
        self, address: str, arguments: dict[str, Any], server_hostname: str | None, deadline: Deadline
    ) -> Stream:
        """Dials one address, without following a redirect."""
        dial = Dial(address, **arguments)
        url = parse_url(address)
        proxy = choose_proxy(url, self._proxy)
        deadline.left()
        below = self._open_bottom(proxy.url if proxy else url, deadline)
        before = _get_timeout(below)
        deadline.hold(below)
        below = self._go_on(below, proxy, url, server_hostname, deadline)
        io = below
        try:
            if self._wrap is not None:
                deadline.lend(below)
                io = self._wrap(below)
            rest = _shake_hands(io, dial, deadline)
            for each in (below, io):
                _release(each, before)
            return self._open(io, rest, dial)
        except BaseException:
            io.close()
            raise

    def _open(self, io: Any, rest: bytes, dial: Dial) -> Stream:
        agreed: dict[str, Any] = {"handshake": dial.handshake, "compression": dial.compression}
        return Stream(io, "client", rest, **agreed, **self._options)

    def _open_bottom(self, to: Url, deadline: Deadline) -> Any:
        """Opens the byte stream below everything."""
        if self._connect is not None:
            return self._connect(to.path if to.host is None else to.host, to.port, deadline.left())
        if to.path is not None:
            return connect_unix(to.path, deadline)
        assert to.host is not None
        return connect_tcp(to.host, to.port, deadline)

    def _go_on(self, io: Any, proxy: Proxy | None, url: Url, server_hostname: str | None, deadline: Deadline) -> Any:
        """Takes the steps behind the first one. Returns the stream that leads to the server; closes it on failure."""
        try:
            if proxy is not None:
                if proxy.scheme == "https":
                    io = self._add_tls(io, proxy.url.host, deadline)
                open_through(io, proxy, url, deadline)
            if url.is_secure:
                io = self._add_tls(io, server_hostname or url.host or "localhost", deadline)
            return io
        except BaseException:
            io.close()
            raise

    def _add_tls(self, io: Any, host: str | None, deadline: Deadline) -> Any:
        from .tls import add_tls, default_context  # who speaks no TLS needs no OpenSSL

        return add_tls(io, self._ssl or default_context(), host or "", deadline)


def _pairs_of(header: HeadersLike) -> Iterable[Any]:
    return header.items() if isinstance(header, Mapping) else header


def _check_timeout(timeout: float | None) -> None:
    if timeout is None:
        return
    if not isinstance(timeout, Real) or isinstance(timeout, bool):
        raise TypeError(f"timeout must be a number of seconds or None, not {type(timeout).__name__}")
    if not 0 < timeout <= _TIMEOUT_MAX:
        raise ValueError(f"timeout must be a number of seconds above 0 and at most {_TIMEOUT_MAX}, or None")


@contextlib.contextmanager
def _in_time(deadline: Deadline) -> Iterator[None]:
    """Names what ends because the deadline has passed."""
    try:
        yield
    except TimeoutError as error:
        if isinstance(error, HandshakeTimeout) or not deadline.has_passed():
            raise
        try:
            deadline.left()
        except HandshakeTimeout as named:
            raise named from error


def _shake_hands(io: Any, dial: Dial, deadline: Deadline) -> bytes:
    """Sends the request and reads the answer. Returns the bytes behind it; io waits afterwards as it did before."""
    before = _get_timeout(io)
    try:
        deadline.hold(io)
        return _exchange(io, dial, deadline)
    finally:
        dial.abort()
        _release(io, before)


def _exchange(io: Any, dial: Dial, deadline: Deadline) -> bytes:
    left = memoryview(dial.request)
    lost: OSError | None = None
    rest: bytes | None = None
    while rest is None:
        try:
            sent, data = exchange(io, left, _READ_LEN, deadline) if left else (0, receive(io, _READ_LEN, deadline))
            left = left[sent:]
        except OSError as error:
            if not left or isinstance(error, HandshakeTimeout):
                _fail(dial, lost or error)
            # A server that has refused may read no more: its answer says why.
            left, lost, data = left[:0], error, None
        if data is not None:
            rest = dial.feed(data) if data else _end(dial, lost)
    if lost is not None:
        raise lost
    if left:
        send(io, left, deadline)
    return rest


def _fail(dial: Dial, error: OSError) -> NoReturn:
    """Raises error, but an answer whose body does not end is an answer all the same."""
    with contextlib.suppress(HandshakeTimeout):
        dial.expire()
    raise error


def _end(dial: Dial, lost: OSError | None) -> NoReturn:
    try:
        dial.eof()
    except InvalidMessage:
        if lost is not None:
            raise lost from None
        raise


def _get_timeout(io: Any) -> float | None:
    return io.gettimeout() if hasattr(io, "gettimeout") else None


def _release(io: Any, timeout: float | None) -> None:
    """Makes io wait as it did before a dial."""
    if hasattr(io, "bind_deadline"):
        io.bind_deadline(None)
    with contextlib.suppress(OSError):
        if hasattr(io, "gettimeout"):
            io.settimeout(timeout)
