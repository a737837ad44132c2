# SPDX-License-Identifier: MIT
"""The end of a client under asyncio: ClientConnection."""

from __future__ import annotations

import asyncio

from .._core import AsyncEndpoint, Dial, _own_methods, parse_request, parse_response
from ..exceptions import InvalidMessage
from .connection import Connection, LoggerLike
from .heads import Request

__all__ = ["ClientConnection"]


@_own_methods
class ClientConnection(Connection):
    """A connection of a client: what connect() gives."""

    def __init__(self, endpoint: AsyncEndpoint, dial: Dial, logger: LoggerLike) -> None:
        super().__init__(endpoint, logger)
        self._dial: Dial | None = dial
        self._head = b""  # of the answer
        self._opened: asyncio.Future[None] = self._loop.create_future()
        head = parse_request(dial.request)
        assert head is not None
        self._request = Request.from_head(head)

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
        self._head += data or b""
        if rest is None:
            return
        assert dial.handshake is not None
        self._dial = None
        self._subprotocol = dial.handshake.protocol
        self._heads = dial.request, _without_interim(self._head[: len(self._head) - len(rest)])
        self._request, self._head = None, b""
        self._open(rest, dial.compression)
        if not self._opened.done():
            self._opened.set_result(None)

    def _fail(self, error: BaseException) -> None:
        self._dial = None
        if not self._opened.done():
            self._opened.set_exception(error)
        self._abort()

    def _open_timed_out(self) -> None:
        self._abort()

    def _lost(self) -> None:
        self._note_end()
        if not self._opened.done():
            ended = InvalidMessage("connection was closed before the answer was complete", name="FASTWS_ERR_EOF")
            self._opened.set_exception(self._exception or ended)


def _without_interim(heads: bytes) -> bytes:
    """The last of the heads that a server has answered with: those before it are of 1xx. RFC 9110 15.2."""
    head = parse_response(heads)
    while head is not None and head.size < len(heads):
        heads = heads[head.size :]
        head = parse_response(heads)
    return heads
