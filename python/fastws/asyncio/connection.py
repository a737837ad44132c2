# SPDX-License-Identifier: MIT
"""What connections of servers and clients have in common under asyncio. What happens for each message is in C."""

from __future__ import annotations

import asyncio
import codecs
import enum
import logging
import os
import time
import uuid
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, Union, cast, overload

from .._core import AsyncConnection, AsyncEndpoint, AsyncLoop, AsyncProtocol, parse_request, parse_response
from ..codes import CloseCode, OpCode
from ..exceptions import ConcurrencyError, ConnectionClosed
from .heads import Request, Response

__all__ = ["Connection", "Data", "DataLike", "LoggerLike", "State"]

Data = Union[str, bytes]
DataLike = Union[str, bytes, bytearray, memoryview]
LoggerLike = Union[logging.Logger, "logging.LoggerAdapter[Any]"]


class State(enum.IntEnum):
    """The state of a connection. RFC 6455 section 4 and 7.1."""

    CONNECTING = 0
    """The opening handshake is under way."""
    OPEN = 1
    """Messages go both ways."""
    CLOSING = 2
    """A close frame was sent or received, or the connection failed, and its transport has not ended."""
    CLOSED = 3
    """The transport is gone."""


class Protocol(AsyncProtocol, asyncio.BufferedProtocol):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A connection as the event loop sees it."""

    __slots__ = ()


_loops: weakref.WeakValueDictionary[int, AsyncLoop] = weakref.WeakValueDictionary()


def loop_of(loop: asyncio.AbstractEventLoop) -> AsyncLoop:
    """What the connections of an event loop share: there for as long as one of them."""
    shared = _loops.get(id(loop))
    if shared is None or shared.loop is not loop:
        shared = _loops[id(loop)] = AsyncLoop(loop)
    return shared


def _drop_loops() -> None:
    """In a forked child the sockets are the parent's."""
    for shared in list(_loops.values()):
        shared._drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_loops)


class Connection(AsyncConnection):
    """A connection of a server or a client; serve() and connect() make them.

    ``async for message in connection`` receives until the connection is closed with 1000, 1001 or no code, and raises
    ConnectionClosedError when it ends in another way. As an asynchronous context manager it closes itself, with 1011
    after an exception.

    Attributes:
        logger: of this connection.
        latency: seconds between the last ping that was answered and its pong; 0.0 before there is one.
    """

    def __init__(self, endpoint: AsyncEndpoint, logger: LoggerLike) -> None:
        self._loop: asyncio.AbstractEventLoop = endpoint.loop.loop
        self._parent_logger = logger
        self._request: Request | None = None
        self._response: Response | None = None
        # Both as bytes, once the connection is open: few ask for them, and objects take five times the memory.
        self._heads: tuple[bytes, bytes] | None = None
        self._subprotocol: str | None = None
        self._addresses: tuple[Any, Any] = (None, None)

    # ---- What it is ----

    @property
    def id(self) -> uuid.UUID:
        """A number of its own, for logs."""
        made = self.__dict__.get("_id")
        if made is None:
            made = self.__dict__["_id"] = uuid.uuid4()
        return cast(uuid.UUID, made)

    @property
    def logger(self) -> LoggerLike:
        """The logger of this connection: records have it as their attribute websocket."""
        made = self.__dict__.get("_logger")
        if made is None:
            extra = {"websocket": weakref.proxy(self)}
            made = self.__dict__["_logger"] = logging.LoggerAdapter(cast(logging.Logger, self._parent_logger), extra)
        return cast(LoggerLike, made)

    @property
    def request(self) -> Request | None:
        """The request of the handshake; None while it has not come."""
        if self._request is None and self._heads is not None:
            head = parse_request(self._heads[0])
            self._request = head and Request.from_head(head)
        return self._request

    @property
    def response(self) -> Response | None:
        """The response of the handshake; None while there is none."""
        if self._response is None and self._heads is not None:
            head = parse_response(self._heads[1])
            self._response = head and Response.from_head(head, b"")
        return self._response

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, or None. RFC 6455 1.9."""
        return self._subprotocol

    @property
    def local_address(self) -> Any:
        """The address of this end, as socket.getsockname() gives it."""
        return self.get_extra_info("sockname", self._addresses[0])

    @property
    def remote_address(self) -> Any:
        """The address of the peer, as socket.getpeername() gives it."""
        return self.get_extra_info("peername", self._addresses[1])

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return State(self._state)

    # ---- What it does ----

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)

    @overload
    def recv_streaming(self, decode: Literal[True]) -> AsyncIterator[str]: ...
    @overload
    def recv_streaming(self, decode: Literal[False]) -> AsyncIterator[bytes]: ...
    @overload
    def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]: ...

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]:
        """Receives the next message frame by frame. A message that has come already is one part.

        The iterator has to be used up: else recv() and recv_streaming() raise ConcurrencyError from then on. To cancel
        it is safe before the first part.

        Args:
            decode: None for str from text messages and bytes from binary ones; False for bytes always, True for str.

        Raises:
            ConnectionClosed: the connection has ended.
            ConcurrencyError: another coroutine receives already.
        """
        if self._is_streaming:
            raise ConcurrencyError("another coroutine runs recv() or recv_streaming() already")
        part, opcode, is_last = await self._receive_part()
        is_text = opcode == OpCode.TEXT if decode is None else decode
        decoder = codecs.getincrementaldecoder("utf-8")() if is_text else None
        while True:
            if isinstance(part, str):
                yield part if is_text else part.encode()
            else:
                yield decoder.decode(part, is_last) if decoder else part
            if is_last:
                return
            part, _, is_last = await self._receive_part()

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection, and waits until it is gone: for close_timeout at most. RFC 6455 7.1.2.

        Args:
            code: 1000 to 1003, 1007 to 1014, 3000 to 4999; 1005 for a close frame without code and reason.
            reason: what is over 123 bytes of UTF-8 is left out.

        Raises:
            ValueError: code or reason may not be sent.
        """
        if self._is_sending:
            # Half a message cannot be taken back.
            code, reason = CloseCode.INTERNAL_ERROR, "close during fragmented message"
        self.close_nowait(code, reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is gone."""
        await asyncio.shield(self._closed())

    async def ping(self, data: DataLike | None = None) -> Awaitable[float]:
        """Sends a ping. RFC 6455 5.5.2.

        Args:
            data: at most 125 bytes; None for four bytes at random.

        Returns:
            A future for the seconds until the pong came. Who does not want to wait may leave it.

        Raises:
            ConnectionClosed: the connection has ended.
            ConcurrencyError: a ping with the same data waits for its pong.
            ValueError: data is too long.
        """
        payload = _payload_of(data)
        await self._wait_open()
        if self._pings is None:
            self._pings = {}
        if payload in self._pings:
            raise ConcurrencyError("a ping with the same data waits for its pong already")
        while payload is None or payload in self._pings:
            payload = os.urandom(4)
        self._send_control(payload, False)
        future: asyncio.Future[float] = self._loop.create_future()
        self._pings[payload] = future, time.monotonic()
        await self._drain()
        return future

    async def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody asked for: a heartbeat. RFC 6455 5.5.3.

        Args:
            data: at most 125 bytes.

        Raises:
            ConnectionClosed: the connection has ended.
            ValueError: data is too long.
        """
        payload = _payload_of(data)
        await self._wait_open()
        self._send_control(payload, True)
        await self._drain()

    def ping_nowait(self, data: DataLike = b"") -> None:
        """Sends a ping without waiting: for callbacks. on_pong() of a listener sees the pong."""
        self._send_control(_payload_of(data), False)

    def pong_nowait(self, data: DataLike = b"") -> None:
        """Sends a pong without waiting: for callbacks."""
        self._send_control(_payload_of(data), True)

    # ---- What C calls ----

    async def _drain(self) -> None:
        """Waits for room."""
        room = self._wait_room()
        if room is not None:
            await room
            if self._state == State.CLOSED:
                raise self._closed_error()

    async def _wait_open(self) -> None:
        """Raises ConnectionClosed if the connection is not open, once it is clear how it ended."""
        if self._state == State.OPEN:
            return
        if self._state != State.CONNECTING:
            await self.wait_closed()
        raise self._closed_error()

    async def _send_slowly(self, message: Any, text: bool | None, compress: bool | None) -> None:
        """Sends what is not to be sent at once: in pieces, after a message in pieces, or never."""
        while self._is_sending:
            await self.__dict__["_sent"].wait()
        await self._wait_open()
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            self.send_nowait(message, text=text, compress=compress)
        elif isinstance(message, Mapping):
            raise TypeError("message is a mapping; its keys() may be sent")
        elif isinstance(message, AsyncIterable):
            await self._send_parts(message, text, compress)
        elif isinstance(message, Iterable):
            await self._send_parts(_each(message), text, compress)
        else:
            self.send_nowait(message, text=text, compress=compress)
        await self._drain()

    async def _send_parts(self, parts: AsyncIterable[Any], text: bool | None, compress: bool | None) -> None:
        iterator = aiter(parts)
        part = await anext(iterator, None)
        if part is None:
            return
        await self._wait_open()
        is_str = isinstance(part, str)
        opcode = OpCode.TEXT if (is_str if text is None else text) else OpCode.BINARY
        self._is_sending = True
        sent = self.__dict__["_sent"] = asyncio.Event()
        try:
            is_first = True
            while part is not None:
                if not isinstance(part, str if is_str else (bytes, bytearray, memoryview)):
                    raise TypeError("parts of a message must be all str or all bytes-like")
                self._send_part(part, opcode, is_first, False, compress)
                is_first = False
                await self._drain()
                part = await anext(iterator, None)
            self._send_part(b"", opcode, False, True, None)
        except ConnectionClosed:
            raise
        except BaseException:
            # What was sent of it cannot be taken back.
            self.close_nowait(CloseCode.INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            self._is_sending = False
            sent.set()

    def _pong_received(self, payload: bytes) -> None:
        """A pong answers its ping and all before it. RFC 6455 5.5.3."""
        pings = self._pings
        if not pings or payload not in pings:
            return
        now = time.monotonic()
        for key in list(pings):
            future, sent_at = pings.pop(key)
            if not future.done():
                future.set_result(now - sent_at)
            if key == payload:
                self.latency = now - sent_at
                return

    def _callback_failed(self, where: str, error: Exception) -> None:
        self.logger.error(where, exc_info=error)
        self.close_nowait(CloseCode.INTERNAL_ERROR)

    def _note_end(self) -> None:
        """The transport is gone: what is asked for later, and what the log is to know."""
        self._end_pings()
        self._addresses = self.local_address, self.remote_address
        if self._parent_logger.isEnabledFor(logging.INFO):
            reason = _reason_of(self._closed_error())
            if reason:
                self.logger.info("connection failed: %s", reason)

    def _end_pings(self) -> None:
        for future, _ in (self._pings or {}).values():
            if not future.done():
                future.set_exception(self._closed_error())
                future.exception()  # who left the future is not to be told of it
        self._pings = None


def _reason_of(closed: BaseException) -> str:
    """Why a connection failed, with the names of errors; "" if it was closed."""
    reasons = []
    cause = closed.__cause__
    while cause is not None:
        name = getattr(cause, "name", "")
        reasons.append(f"{cause} ({name})" if name else str(cause))
        cause = cause.__cause__
    return ": ".join(reasons)


async def _each(parts: Iterable[Any]) -> AsyncIterator[Any]:
    for part in parts:
        yield part


def _payload_of(data: Any) -> Any:
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"data must be str or bytes-like, not {type(data).__name__}")
