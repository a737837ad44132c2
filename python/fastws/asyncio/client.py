# SPDX-License-Identifier: MIT
"""Clients under asyncio: connect()."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self

from .._core import AsyncEndpoint, Dial, __version__, parse_url
from ..exceptions import HandshakeError, HeadersLike, InvalidMessage
from .connection import Connection, LoggerLike, Protocol, loop_of
from .settings import check_compression, check_subprotocols, limits_of

__all__ = ["USER_AGENT", "ClientConnection", "connect"]

USER_AGENT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} fastws/{__version__}"


class ClientConnection(Connection):
    """A connection of a client: what connect() gives."""

    def __new__(cls, endpoint: AsyncEndpoint, dial: Dial, logger: LoggerLike) -> Self:
        return super().__new__(cls, endpoint)

    def __init__(self, endpoint: AsyncEndpoint, dial: Dial, logger: LoggerLike) -> None:
        super().__init__(endpoint, logger)
        self._dial: Dial | None = dial
        self._opened: asyncio.Future[None] = self._loop.create_future()

    def _made(self) -> None:
        assert self._dial is not None
        self._write(self._dial.request)

    def _receive_head(self, data: bytes | None) -> None:
        dial = self._dial
        if dial is None:
            return
        try:
            rest = dial.eof() if data is None else dial.feed(data)
        except Exception as error:
            self._fail(error)
            return
        if rest is not None:
            handshake = dial.handshake
            assert handshake is not None
            self._subprotocol = handshake.protocol
            self._dial = None
            self._open(rest)
            if not self._opened.done():
                self._opened.set_result(None)

    def _open_timed_out(self) -> None:
        self._abort()

    def _fail(self, error: BaseException) -> None:
        self._dial = None
        if not self._opened.done():
            self._opened.set_exception(error)
        self._abort()

    def _lost(self) -> None:
        self._end_pings()
        self._note_addresses()
        if not self._opened.done():
            error = self._exception or InvalidMessage("connection was closed before the answer was complete")
            self._opened.set_exception(error)


class connect:
    def __init__(
        self,
        uri: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: str | None = None,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
        logger: LoggerLike | None = None,
        **kwargs: Any,
    ) -> None:
        self.uri = uri
        self._limits = limits_of(locals())
        self._kwargs = kwargs
        self.open_timeout = open_timeout
        self.logger: LoggerLike = logging.getLogger("fastws.client") if logger is None else logger

    async def _connect(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        url = parse_url(self.uri)
        endpoint = AsyncEndpoint(loop_of(loop), "client", **self._limits)
        connection = ClientConnection(endpoint, Dial(self.uri), self.logger)
        kwargs = dict(self._kwargs)
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", url.host)
            kwargs.setdefault("port", url.port)
        async with asyncio.timeout(self.open_timeout):
            await loop.create_connection(lambda: Protocol(connection), **kwargs)
            await connection._opened
        return connection

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        self._connection = await self
        return self._connection

    async def __aexit__(self, *exc: Any) -> None:
        await self._connection.__aexit__(*exc)
