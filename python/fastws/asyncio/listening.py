# SPDX-License-Identifier: MIT
"""Listening sockets whose clients are accepted by the library, in the place of asyncio.Server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._core import AsyncAcceptor, AsyncConnection, AsyncLoop
from .connection import LoggerLike

__all__ = ["OPTIONS", "Listening", "SocketFiles", "listen_tcp", "listen_unix"]

OPTIONS = frozenset(
    ["family", "flags", "sock", "backlog", "reuse_address", "reuse_port", "start_serving", "unix", "path", "ssl"]
)
"""The arguments of create_server() and create_unix_server() of the event loop that are known here."""

_REST = 1.0  # seconds, when the system is out of descriptors or memory


class Listening:
    """What Server needs of asyncio.Server."""

    def __init__(
        self,
        shared: AsyncLoop,
        socks: Sequence[socket.socket],
        make_connection: Callable[[], AsyncConnection],
        logger: LoggerLike,
        backlog: int = 100,
    ) -> None:
        self._shared = shared
        self._socks = list(socks)
        self._make_connection = make_connection
        self._logger = logger
        self._backlog = backlog
        self._acceptors: list[AsyncAcceptor] = []
        self._rest: asyncio.TimerHandle | None = None

    @property
    def sockets(self) -> tuple[TransportSocket, ...]:
        return tuple([TransportSocket(sock) for sock in self._socks])

    def is_serving(self) -> bool:
        return bool(self._acceptors)

    async def start_serving(self) -> None:
        if self._acceptors:
            return
        for sock in self._socks:
            sock.listen(self._backlog)
            acceptor = AsyncAcceptor(self._shared, sock.fileno(), self._make_connection, self._on_trouble)
            self._acceptors.append(acceptor)

    def _on_trouble(self, error: OSError) -> None:
        """Clients wait in the queue of the system meanwhile; who is connected is not disturbed."""
        if self._rest is None:
            self._logger.error("cannot accept clients, trying again in %g s: %s", _REST, error)
            self._rest = self._shared.loop.call_later(_REST, self._resume)

    def _resume(self) -> None:
        self._rest = None
        for acceptor in self._acceptors:
            acceptor.resume()

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        for acceptor in self._acceptors:
            acceptor.close()
        for sock in self._socks:
            sock.close()
        self._acceptors, self._socks = [], []

    async def wait_closed(self) -> None:
        """Connections are waited for by Server."""


class SocketFiles:
    """What sockets are in the file system. As asyncio has done since 3.13, they are removed when their server closes,
    but for those that another process has replaced."""

    def __init__(self, socks: Iterable[TransportSocket | socket.socket]) -> None:
        self._found: list[tuple[Any, os.stat_result]] = []
        for sock in socks:
            path = sock.getsockname()
            if path and path[:1] not in ("\0", b"\0"):
                with contextlib.suppress(FileNotFoundError):
                    self._found.append((path, os.stat(path)))

    def remove(self, logger: LoggerLike) -> None:
        for path, found in self._found:
            try:
                if os.path.samestat(os.stat(path), found):
                    os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                logger.warning("cannot remove socket %r: %s", path, error)
        self._found = []


def _close_all(socks: Iterable[socket.socket]) -> None:
    for sock in socks:
        sock.close()


def _prepared(sock: socket.socket) -> socket.socket:
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        # Accepted sockets inherit it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _bound(info: Any, reuse_address: bool, reuse_port: bool) -> socket.socket | None:
    """A socket that is bound to an address of getaddrinfo(); None for a family that the system does not have."""
    family, kind, number, _, address = info
    try:
        sock = socket.socket(family, kind, number)
    except OSError:
        return None
    try:
        if reuse_address:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        return _prepared(sock)
    except OSError as error:
        sock.close()
        reason = (error.strerror or str(error)).lower()
        raise OSError(error.errno, f"error while attempting to bind on address {address!r}: {reason}") from None
    except BaseException:
        sock.close()
        raise


async def listen_tcp(
    host: str | Sequence[str] | None,
    port: int | None,
    *,
    family: int = socket.AF_UNSPEC,
    flags: int = socket.AI_PASSIVE,
    sock: socket.socket | None = None,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
) -> list[socket.socket]:
    """Sockets that are bound as create_server() of the event loop does it."""
    if sock is not None:
        if host is not None or port is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        return [_prepared(sock)]
    if host is None and port is None:
        raise ValueError("Neither host/port nor sock were specified")
    hosts = [host or None] if host is None or isinstance(host, str) else list(host)
    loop = asyncio.get_running_loop()
    found = [
        await loop.getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM, flags=flags) for name in hosts
    ]
    socks: list[socket.socket] = []
    try:
        for info in dict.fromkeys([info for infos in found for info in infos]):
            bound = _bound(info, reuse_address is not False, bool(reuse_port))
            if bound is not None:
                socks.append(bound)
    except BaseException:
        _close_all(socks)
        raise
    if not socks:
        raise OSError(f"could not listen on {host!r} port {port!r}")
    return socks


def listen_unix(path: Any = None, *, sock: socket.socket | None = None) -> list[socket.socket]:
    """A socket that is bound as create_unix_server() of the event loop does it."""
    if sock is not None:
        if path is not None:
            raise ValueError("path and sock can not be specified at the same time")
        return [_prepared(sock)]
    if path is None:
        raise ValueError("path was not specified, and no sock specified")
    path = os.fspath(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # What a process left there is replaced; asyncio does so, too.
        if path[:1] not in ("\0", b"\0"):
            try:
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.remove(path)
            except FileNotFoundError:
                pass
        sock.bind(path)
        return [_prepared(sock)]
    except BaseException:
        sock.close()
        raise
