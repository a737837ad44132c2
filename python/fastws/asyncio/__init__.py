# SPDX-License-Identifier: MIT
"""WebSocket servers and clients under asyncio, on any event loop. The API is that of websockets."""

from .client import ClientConnection, connect
from .connection import Connection, State
from .server import Server, ServerConnection, serve, unix_serve

__all__ = ["ClientConnection", "Connection", "Server", "ServerConnection", "State", "connect", "serve", "unix_serve"]
