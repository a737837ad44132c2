# SPDX-License-Identifier: MIT
"""Every exception of the package. They form one tree:

    Error                         root of them all
    ├── ProtocolError             the peer broke a rule of the wire: close code 1002; the wrong kind of message: 1003
    ├── InvalidUTF8               text or close reason that is not UTF-8: 1007
    ├── CompressionError          a compressed message that cannot be inflated: 1007
    ├── MessageTooBig             a frame or message over a limit: 1009
    ├── ControlFlood              control frames, and nobody reads the replies: 1008
    ├── ConnectionLost            the byte stream ended or failed: 1006
    ├── ConnectionTimeout         the peer did not answer in time; also a TimeoutError
    ├── ConcurrencyError          two threads in one place; also a RuntimeError
    ├── ConnectionClosed          the connection has ended: what recv() and send() raise; its cause is one of the above
    │   ├── ConnectionClosedOK        by close frames with 1000, 1001 or no code
    │   └── ConnectionClosedError     in any other way
    ├── InvalidURI                an address that is none of ws or wss; also a ValueError
    ├── InvalidProxy              the address of a proxy that is none; also a ValueError
    └── HandshakeError            the opening handshake failed: HTTP status
        ├── HandshakeTimeout          it took too long: 408; also a TimeoutError
        ├── DialCancelled             the program gave the dial up
        ├── InvalidMessage            a head that is not HTTP/1.1 as it has to be, is too large or ends too early
        ├── InvalidStatus             the server answered with another status than 101: response
        ├── InvalidHeader             a header is missing, repeated or malformed
        │   └── InvalidUpgrade            it is Upgrade or Connection
        ├── NegotiationError          the server chose what was not offered; parameters of compression that are none
        ├── SecurityError             a redirect that may not be followed, or one too many
        ├── ProxyError                the proxy did not open the connection
        │   ├── InvalidProxyMessage       its answer is malformed
        │   └── InvalidProxyStatus        its answer refuses: response
        └── Reject                    raised by callbacks to refuse a request

Arguments of the wrong type or value raise TypeError and ValueError, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from ._core import Close

__all__ = [
    "CompressionError",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionLost",
    "ConnectionTimeout",
    "ControlFlood",
    "DialCancelled",
    "Error",
    "HandshakeError",
    "HandshakeTimeout",
    "InvalidHeader",
    "InvalidMessage",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUTF8",
    "InvalidUpgrade",
    "MessageTooBig",
    "NegotiationError",
    "ProtocolError",
    "ProxyError",
    "Reject",
    "SecurityError",
]

_Text = Union[str, bytes]
HeadersLike = Union[Mapping[str, str], Mapping[bytes, bytes], Iterable[tuple[_Text, _Text]]]


class Error(Exception):
    """Root of every exception of the package.

    Attributes:
        name: the name of the error in C, such as "FASTWS_ERR_RSV"; "" where C knows none.
        code: the close code that answers it (RFC 6455 7.4.1), or None.
        status: the HTTP status that answers it, or None.
        rfc: where the rule stands that was broken, such as "RFC 6455 5.2"; "" where none does.
        offset: where the wrong frame begins, or for text the byte that is not UTF-8: in the bytes that the peer sent
            since the connection was open, for Connection, Stream and Reader; in the text, for Utf8Reader. None where
            there is no such byte, as with a timeout.
    """

    def __init__(
        self,
        text: str = "",
        *,
        name: str = "",
        code: int | None = None,
        status: int | None = None,
        rfc: str = "",
        offset: int | None = None,
    ) -> None:
        super().__init__(text)
        self.name = name
        self.rfc = rfc
        self.offset = offset
        self._code = code
        self._status = status

    @property
    def code(self) -> int | None:
        return self._code

    @property
    def status(self) -> int | None:
        return self._status


class ProtocolError(Error):
    """The peer broke a rule of the wire. RFC 6455 section 5."""


class InvalidUTF8(Error):
    """Text or a close reason that is not UTF-8. RFC 6455 8.1."""


class CompressionError(Error):
    """A compressed message that is not DEFLATE, refers to what is gone, or ends too early. RFC 7692 7.2.2."""


class MessageTooBig(Error):
    """A frame or message over a limit, one that inflates to more than it may too. RFC 6455 10.4."""


class ControlFlood(Error):
    """The peer sends control frames and does not read the replies."""


class ConnectionLost(Error):
    """The byte stream ended or failed without a close frame. RFC 6455 7.1.5."""


class ConnectionTimeout(Error, TimeoutError):
    """The peer did not answer a ping or a close frame in time."""


class ConcurrencyError(Error, RuntimeError):
    """A second thread, or a callback, did what only one may do at a time."""


class ConnectionClosed(Error):
    """The connection has ended.

    Attributes:
        rcvd: the close frame of the peer, a Close(code, reason), or None.
        sent: the close frame of this end, or None.
        code: the code that says why: of a failure, else that of rcvd, else of sent; 1006 if there was none.
        reason: the reason of the same frame.
    """

    def __init__(
        self, rcvd: Close | None = None, sent: Close | None = None, name: str = "FASTWS_ERR_CLOSED", failure: int = 0
    ) -> None:
        frame = rcvd or sent
        code = failure or (frame.code if frame else 1006)
        super().__init__(_describe(rcvd, sent, name, failure), name=name, code=code, rfc="RFC 6455 7.1")
        self.args = (rcvd, sent, name, failure)
        self.rcvd = rcvd
        self.sent = sent
        self.reason = frame.reason if frame else ""

    @property
    def code(self) -> int:
        return self._code or 1006

    def __str__(self) -> str:
        return _describe(*self.args)


def _describe(rcvd: Close | None, sent: Close | None, name: str, failure: int) -> str:
    parts = [name] if failure else []
    for verb, frame in (("received", rcvd), ("sent", sent)):
        if frame is not None:
            parts.append(f"{verb} {frame.code}" + (f" ({frame.reason})" if frame.reason else ""))
    return "; ".join(parts or ["no close frame received or sent"])


class ConnectionClosedOK(ConnectionClosed):
    """The connection was closed with 1000, 1001 or no code."""


class ConnectionClosedError(ConnectionClosed):
    """The connection was closed with any other code, or failed: __cause__ says how."""


class InvalidURI(Error, ValueError):
    """An address that is none of ws, wss, ws+unix or wss+unix. RFC 6455 section 3."""


class InvalidProxy(Error, ValueError):
    """The address of a proxy is malformed, or of a kind that is not known."""


class HandshakeError(Error):
    """The opening handshake failed. RFC 6455 section 4.

    At a server, status is what the client was answered; at a client, what the server answered, None if nothing came.
    """


InvalidHandshake = HandshakeError  # what websockets calls it


class HandshakeTimeout(HandshakeError, TimeoutError):
    """The request did not arrive in time, or the connection was not open in time."""


class DialCancelled(HandshakeError):
    """The program gave the dial up, by the descriptor that it had named."""


class InvalidMessage(HandshakeError):
    """A head that is not HTTP/1.1 as it has to be, is larger than the limits, or ends too early. RFC 9112."""


class InvalidStatus(HandshakeError):
    """The server answered with another status than 101. RFC 6455 4.1.

    Attributes:
        response: the answer: a Response, or where connect() of fastws.asyncio raises it, the Response of that package.
        location: where a redirect leads, the address that is meant by its Location; None if it is none.
    """

    response: Any = None  # of two classes, see above
    location: str | None = None

    def __str__(self) -> str:
        return _with_status(super().__str__(), self.response)


class InvalidHeader(HandshakeError):
    """A header is missing, repeated, malformed, or not what it has to be. RFC 6455 4.1, 4.2.1."""


class InvalidUpgrade(InvalidHeader):
    """Upgrade or Connection is missing, or does not name what it has to. RFC 6455 4.1, 4.2.1."""


class NegotiationError(HandshakeError):
    """The server chose what was not offered: a subprotocol, an extension, or parameters of compression. RFC 6455 4.1,
    RFC 7692 7.1."""


class SecurityError(HandshakeError):
    """A redirect that may not be followed, or one more than the limit. RFC 9110 15.4."""


class ProxyError(HandshakeError):
    """The proxy did not open the connection."""


class InvalidProxyMessage(ProxyError):
    """The answer of the proxy is malformed, or is not of the protocol that it should speak."""


class InvalidProxyStatus(ProxyError):
    """The proxy answered to CONNECT with another status than 2xx. RFC 9110 9.3.6.

    Attributes:
        response: the answer without its body: as for InvalidStatus.
    """

    response: Any = None  # of two classes, see above

    def __str__(self) -> str:
        return _with_status(super().__str__(), self.response)


def _with_status(text: str, response: Any) -> str:
    if response is None:
        return text
    return f"{text}: {response.status_code} {response.reason_phrase}".rstrip()


class Reject(HandshakeError):
    """Raised by a callback of Upgrader to refuse a request.

    Args:
        status: the HTTP status of the response, 200 to 599. Below 300: what was asked for is no WebSocket but a page,
            say, and body is it.
        reason: why; it is the body of the response if body is None.
        headers: more headers of the response: a mapping, or pairs of name and value.
        body: the body of the response, text/plain in UTF-8 unless headers say otherwise.

    What only shows when the response is written, such as a line end in a header, is a 500 for the client; the caller of
    upgrade() gets an error that says so, with the Reject as its cause.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: status is out of range; reason or body have no UTF-8, a header no Latin-1.
    """

    def __init__(
        self,
        status: int = 403,
        reason: str = "",
        headers: HeadersLike | None = None,
        body: str | bytes | None = None,
    ) -> None:
        if not isinstance(status, int) or isinstance(status, bool):
            raise TypeError(f"status must be int, not {type(status).__name__}")
        if not 200 <= status <= 599:
            raise ValueError(f"status must be from 200 to 599, not {status}")
        if not isinstance(reason, str):
            raise TypeError(f"reason must be str, not {type(reason).__name__}")
        reason.encode()
        headers = _check_headers(headers)
        if isinstance(body, str):
            body.encode()
        elif body is not None:
            memoryview(body)
        super().__init__(reason, name="FASTWS_ERR_HANDSHAKE_REJECTED", status=int(status), rfc="RFC 6455 4.2.2")
        self.args = (status, reason, headers, body)
        self.reason = reason
        self.headers = headers
        self.body = body

    @property
    def status(self) -> int:
        return self._status or 403

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip()


def _check_headers(headers: HeadersLike | None) -> HeadersLike | None:
    """headers, which an iterator would give only once."""
    if headers is None:
        return None
    pairs: tuple[Any, ...] = tuple(headers.items() if isinstance(headers, Mapping) else headers)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError("a header must be a pair (name, value)")
        for part in pair:
            if not isinstance(part, (str, bytes)):
                raise TypeError(f"name and value of a header must be str or bytes, not {type(part).__name__}")
            if isinstance(part, str):
                part.encode("latin-1")
    return headers if isinstance(headers, Mapping) else pairs
