# SPDX-License-Identifier: MIT
"""WebSocket for Python, written in C: RFC 6455 for blocking sockets, for threads, and without I/O."""

import os as _os

from ._core import (
    Close,
    Connection,
    Failure,
    Frame,
    Handshake,
    Header,
    Message,
    Ping,
    Pong,
    Reader,
    Stream,
    Upgrade,
    Writer,
    __version__,
    accept_key,
    close_body,
    compile_frame,
    isa,
    is_utf8,
    isas,
    mask,
    masked,
    parse_close,
    select_isa,
)
from ._core import discard_random as _discard_random
from .codes import CloseCode, OpCode, State
from .exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionLost,
    ConnectionTimeout,
    ControlFlood,
    Error,
    HandshakeError,
    HandshakeTimeout,
    InvalidUTF8,
    MessageTooBig,
    ProtocolError,
    Reject,
)
from .upgrader import Upgrader

__all__ = [
    "Close",
    "CloseCode",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionLost",
    "ConnectionTimeout",
    "ControlFlood",
    "Error",
    "Failure",
    "Frame",
    "Handshake",
    "HandshakeError",
    "HandshakeTimeout",
    "Header",
    "InvalidUTF8",
    "Message",
    "MessageTooBig",
    "OpCode",
    "Ping",
    "Pong",
    "ProtocolError",
    "Reader",
    "Reject",
    "State",
    "Stream",
    "Upgrade",
    "Upgrader",
    "Writer",
    "__version__",
    "accept_key",
    "close_body",
    "compile_frame",
    "is_utf8",
    "isa",
    "isas",
    "mask",
    "masked",
    "parse_close",
    "select_isa",
]

# RFC 6455 10.3: a child must not use the masking keys that its parent has drawn.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_discard_random)
