# SPDX-License-Identifier: MIT
"""WebSocket servers and clients under asyncio, on its own event loop and on uvloop. The API is that of websockets."""

from .auth import basic_auth
from .broadcast import broadcast
from .client import ClientConnection, backoff, connect, process_exception, unix_connect
from .connection import Connection, State
from .heads import Headers, MultipleValuesError, Request, Response
from .server import Server, ServerConnection, serve, unix_serve

__all__ = [
    "ClientConnection",
    "Connection",
    "Headers",
    "MultipleValuesError",
    "Request",
    "Response",
    "Server",
    "ServerConnection",
    "State",
    "backoff",
    "basic_auth",
    "broadcast",
    "connect",
    "process_exception",
    "serve",
    "unix_connect",
    "unix_serve",
]
