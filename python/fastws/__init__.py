# SPDX-License-Identifier: MIT
"""WebSocket for Python, written in C: RFC 6455 for asyncio, for blocking sockets, for threads, and without I/O."""

import os as _os
import typing as _typing

from . import deflate, http
from ._core import (
    Chunk,
    CipherReader,
    CipherWriter,
    Close,
    Connection,
    Deflate,
    Dial,
    Failure,
    Frame,
    Handshake,
    Header,
    Message,
    Ping,
    Pong,
    PreparedMessage,
    Reader,
    Stream,
    Upgrade,
    Utf8Reader,
    Utf8Validator,
    Writer,
    __version__,
    accept_key,
    close_body,
    compile_frame,
    is_same_origin,
    is_utf8,
    isa,
    isas,
    mask,
    masked,
    new_key,
    parse_close,
    parse_url,
    resolve_url,
    select_isa,
)
from ._core import discard_random as _discard_random
from .codes import CONTROL_MAX, HEADER_MAX, HEADER_MIN, CloseCode, CloseRange, OpCode, Rsv, State
from .dialer import Dialer
from .exceptions import (
    CompressionError,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionLost,
    ConnectionTimeout,
    ControlFlood,
    DialCancelled,
    Error,
    HandshakeError,
    HandshakeTimeout,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    InvalidUTF8,
    MessageTooBig,
    NegotiationError,
    ProtocolError,
    ProxyError,
    Reject,
    SecurityError,
)
from .heads import Option, Request, Response, Url
from .upgrader import Upgrader, upgrade_http

if _typing.TYPE_CHECKING:
    from .asyncio.auth import basic_auth
    from .asyncio.broadcast import broadcast
    from .asyncio.client import ClientConnection, connect, unix_connect
    from .asyncio.server import Server, ServerConnection, serve, unix_serve

__all__ = [
    "CONTROL_MAX",
    "Chunk",
    "CipherReader",
    "CipherWriter",
    "ClientConnection",
    "Close",
    "CloseCode",
    "CloseRange",
    "CompressionError",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionLost",
    "ConnectionTimeout",
    "ControlFlood",
    "Deflate",
    "Dial",
    "DialCancelled",
    "Dialer",
    "Error",
    "Failure",
    "Frame",
    "HEADER_MAX",
    "HEADER_MIN",
    "Handshake",
    "HandshakeError",
    "HandshakeTimeout",
    "Header",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidMessage",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUTF8",
    "InvalidUpgrade",
    "Message",
    "MessageTooBig",
    "NegotiationError",
    "OpCode",
    "Option",
    "Ping",
    "Pong",
    "PreparedMessage",
    "ProtocolError",
    "ProxyError",
    "Reader",
    "Reject",
    "Request",
    "Response",
    "Rsv",
    "SecurityError",
    "Server",
    "ServerConnection",
    "State",
    "Stream",
    "Upgrade",
    "Upgrader",
    "Url",
    "Utf8Reader",
    "Utf8Validator",
    "Writer",
    "__version__",
    "accept_key",
    "basic_auth",
    "broadcast",
    "close_body",
    "compile_frame",
    "connect",
    "deflate",
    "http",
    "is_same_origin",
    "is_utf8",
    "isa",
    "isas",
    "mask",
    "masked",
    "new_key",
    "parse_close",
    "parse_url",
    "resolve_url",
    "select_isa",
    "serve",
    "unix_connect",
    "unix_serve",
    "upgrade_http",
]

# RFC 6455 10.3: a child must not use the masking keys that its parent has drawn.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_discard_random)

# Who does not use asyncio does not wait for its import.
_ASYNCIO = {
    "ClientConnection",
    "Server",
    "ServerConnection",
    "basic_auth",
    "broadcast",
    "connect",
    "serve",
    "unix_connect",
    "unix_serve",
}


def __getattr__(name: str) -> object:
    if name not in _ASYNCIO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import asyncio

    value = globals()[name] = getattr(asyncio, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ASYNCIO})
