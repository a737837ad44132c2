# SPDX-License-Identifier: MIT
"""Every exception of the package. They form one tree:

    Error                         root of them all
    ├── ProtocolError             the peer broke a rule of the wire: close code 1002; or sent the wrong kind of message: 1003
    ├── InvalidUTF8               text or close reason that is not UTF-8: 1007
    ├── MessageTooBig             a frame or message over a limit: 1009
    ├── ControlFlood              control frames, and nobody reads the replies: 1008
    ├── ConnectionLost            the byte stream ended or failed: 1006
    ├── ConnectionTimeout         the peer did not answer in time; also a TimeoutError
    ├── ConcurrencyError          two threads in one place; also a RuntimeError
    ├── ConnectionClosed          the connection has ended: what recv() and send() raise, with one of the above as cause
    │   ├── ConnectionClosedOK        by close frames with 1000, 1001 or no code
    │   └── ConnectionClosedError     in any other way
    └── HandshakeError            the opening handshake failed: HTTP status
        ├── HandshakeTimeout          it took too long: 408; also a TimeoutError
        └── Reject                    raised by callbacks to refuse a request

Arguments of the wrong type or value raise TypeError and ValueError, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from ._core import Close

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionLost",
    "ConnectionTimeout",
    "ControlFlood",
    "Error",
    "HandshakeError",
    "HandshakeTimeout",
    "InvalidUTF8",
    "MessageTooBig",
    "ProtocolError",
    "Reject",
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
        offset: of the first wrong byte in the message, or None.
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


class MessageTooBig(Error):
    """A frame or message over a limit. RFC 6455 10.4."""


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


class HandshakeError(Error):
    """The opening handshake failed; status is what the client was answered. RFC 6455 section 4."""


class HandshakeTimeout(HandshakeError, TimeoutError):
    """The request did not arrive in time."""


class Reject(HandshakeError):
    """Raised by a callback of Upgrader to refuse a request.

    Args:
        status: the HTTP status of the response, 300 to 599.
        reason: why; it is the body of the response if body is None.
        headers: more headers of the response: a mapping, or pairs of name and value.
        body: the body of the response, text/plain in UTF-8 unless headers say otherwise.

    Raises:
        ValueError: status is out of range.
    """

    def __init__(
        self,
        status: int = 403,
        reason: str = "",
        headers: HeadersLike | None = None,
        body: str | bytes | None = None,
    ) -> None:
        if not 300 <= status <= 599:
            raise ValueError(f"status must be from 300 to 599, not {status}")
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
