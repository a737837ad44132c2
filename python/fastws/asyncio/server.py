# SPDX-License-Identifier: MIT
"""Servers under asyncio: serve() and what it takes and gives."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import inspect
import logging
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Union, cast

from .._core import AsyncEndpoint, Upgrade, __version__, parse_request, parse_response
from ..codes import CloseCode
from ..exceptions import HandshakeError, HandshakeTimeout, NegotiationError, Reject
from ..heads import Request as _RequestHead
from .connection import Connection, LoggerLike, Protocol, State, loop_of
from .heads import Headers, Request, Response
from .settings import check_compression, check_subprotocols, limits_of

__all__ = ["SERVER", "Server", "ServerConnection", "serve", "unix_serve"]

SERVER = f"Python/{sys.version_info[0]}.{sys.version_info[1]} fastws/{__version__}"

_HEAD_MAX = 16384  # bytes
_EARLY_MAX = 65536  # bytes behind a request that has not been answered

Handler = Callable[["ServerConnection"], Awaitable[None]]
Origins = Sequence[Union[str, "re.Pattern[str]", None]]
_Answer = Union[Response, None, Awaitable[Union[Response, None]]]
ProcessRequest = Callable[["ServerConnection", Request], _Answer]
ProcessResponse = Callable[["ServerConnection", Request, Response], _Answer]
SelectSubprotocol = Callable[["ServerConnection", Sequence[str]], Union[str, None]]


class ServerConnection(Connection):
    """A connection of a server: what a handler is called with.

    Attributes:
        server: the Server.
        username: who basic_auth() let in.
    """

    server: Server
    username: str

    def __init__(self, endpoint: AsyncEndpoint, server: Server) -> None:
        super().__init__(endpoint, server.logger)
        self.server = server
        self._head = bytearray()
        self._rest: bytearray | None = None  # what came behind the head; None while that is not whole
        self._task: asyncio.Task[None] | None = None

    def respond(self, status: int, text: str) -> Response:
        """Makes a response of plain text, for process_request and process_response to return.

        Args:
            status: of HTTP.
            text: the body; it goes out as UTF-8.
        """
        status = http.HTTPStatus(status)
        body = text.encode()
        headers = Headers(
            [
                ("Date", email.utils.formatdate(usegmt=True)),
                ("Connection", "close"),
                ("Content-Length", str(len(body))),
                ("Content-Type", "text/plain; charset=utf-8"),
            ]
        )
        return Response(status.value, status.phrase, headers, body)

    # ---- The handshake ----

    def _made(self) -> None:
        self._end_within(self.server._settings.open_timeout)
        self.server._all.add(self)

    def _receive_head(self, data: bytes | None) -> None:
        if data is None:
            if self._rest is None:
                self._abort()
        elif self._rest is not None:
            self._rest += data
            if len(self._rest) > _EARLY_MAX:
                self._abort()
        else:
            start = max(len(self._head) - 3, 0)
            self._head += data
            end = self._head.find(b"\r\n\r\n", start, _HEAD_MAX)
            if end >= 0:
                self._rest = self._head[end + 4 :]
                del self._head[end + 4 :]
                self.server._answer(self)
            elif len(self._head) >= _HEAD_MAX:
                self._rest = bytearray()
                self.server._answer(self)

    def _open_timed_out(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif self._rest is None:
            upgrade = Upgrade()
            try:
                upgrade.expire()
            except HandshakeTimeout:
                self._write(upgrade.response)
        self._close_transport()
        self._end_within(0.5)

    async def _shake_hands(self) -> None:
        """Answers the request. Afterwards the connection is open, or about to end."""
        settings = self.server._settings
        response = None
        try:
            head = parse_request(self._head)
            if head is None or head.size > _HEAD_MAX:
                raise HandshakeError("head is too large")
        except HandshakeError:
            self._refuse(self._refusal_of_head())
            return
        self._request = request = Request.from_head(head)
        if settings.process_request is not None:
            response = await self._call("process_request", settings.process_request, request)
        if response is None:
            response = self._accept(head)
        if settings.server_header is not None:
            response.headers["Server"] = settings.server_header
        if settings.process_response is not None:
            other = await self._call("process_response", settings.process_response, request, response)
            response = other or response
        if response.status_code == 101 and not self.server.is_serving():
            response = self.respond(503, "Server is shutting down.\n")
        self._response = response
        if self._state != State.CONNECTING:
            return
        if response.status_code != 101:
            self._refuse(response.serialize())
            return
        self._write(response.serialize())
        rest, self._rest, self._head = bytes(self._rest or b""), bytearray(), bytearray()
        self._open(rest)

    async def _call(self, name: str, function: Callable[..., _Answer], *args: Any) -> Response | None:
        try:
            response = function(self, *args)
            if inspect.isawaitable(response):
                response = await response
            if response is not None and not isinstance(response, Response):
                raise TypeError(f"{name} must return a Response or None, not {type(response).__name__}")
            return response
        except Exception:
            self.logger.error("%s failed", name, exc_info=True)
            return self.respond(500, "The connection could not be opened. See the log of the server.\n")

    def _refusal_of_head(self) -> bytes:
        upgrade = Upgrade()
        try:
            upgrade.feed(bytes(self._head))
        except HandshakeError as error:
            self.logger.info("request refused: %s", error)
        return upgrade.response

    def _refuse(self, data: bytes) -> None:
        self._write(data)
        self._close_transport()
        self._end_within(self.server._settings.open_timeout)

    def _accept(self, head: _RequestHead) -> Response:
        """The response to a request: 101, or what is wrong with it. RFC 6455 4.2.2."""
        upgrade = Upgrade(protocol=_Choice(self, head), on_before_upgrade=lambda: self._check(head))
        try:
            upgrade.feed_parsed(head.method, head.target, head.headers, "HTTP/{}.{}".format(*head.version))
        except HandshakeError as error:
            self.logger.info("request refused: %s", error)
        except Exception:
            self.logger.error("request could not be answered", exc_info=True)
        answer = parse_response(upgrade.response)
        assert answer is not None
        if upgrade.handshake is not None:
            self._subprotocol = upgrade.handshake.protocol
        return Response.from_head(answer, upgrade.response[answer.size :])

    def _check(self, head: _RequestHead) -> None:
        """Judges what the handshake itself does not: who asks, and for which subprotocol."""
        settings = self.server._settings
        if settings.origins is not None and not _is_origin_allowed(settings.origins, head):
            raise Reject(403, "The origin is not allowed.\n")
        if head.header("Sec-WebSocket-Protocol") is None:
            _choose_subprotocol(self, ())
        return None

    def _lost(self) -> None:
        self._end_pings()
        self._note_addresses()
        self.server._lost(self)


class _Choice:
    """Tells of each subprotocol that a client offers whether it is the one that is chosen of all."""

    def __init__(self, connection: ServerConnection, head: _RequestHead) -> None:
        self._connection = connection
        self._head = head
        self._chosen: str | None = None
        self._is_made = False

    def __call__(self, name: bytes) -> bool:
        if not self._is_made:
            values = [value for key, value in self._head.headers if key.lower() == "sec-websocket-protocol"]
            offered = [part.strip() for value in values for part in value.split(",")]
            self._chosen = _choose_subprotocol(self._connection, [part for part in offered if part])
            self._is_made = True
        return name.decode() == self._chosen


def _choose_subprotocol(connection: ServerConnection, offered: Sequence[str]) -> str | None:
    settings = connection.server._settings
    try:
        if settings.select_subprotocol is not None:
            return settings.select_subprotocol(connection, offered)
    except NegotiationError as error:
        raise Reject(400, f"{error}\n") from error
    if not settings.subprotocols:
        return None
    for name in settings.subprotocols:
        if name in offered:
            return name
    raise Reject(400, "Subprotocols of this server: " + ", ".join(settings.subprotocols) + ".\n")


def _is_origin_allowed(origins: Origins, head: _RequestHead) -> bool:
    values = [value for name, value in head.headers if name.lower() == "origin"]
    if len(values) > 1:
        return False
    for allowed in origins:
        if allowed is None or not values:
            if allowed is None and not values:
                return True
        elif allowed == values[0] if isinstance(allowed, str) else allowed.fullmatch(values[0]):
            return True
    return False


class _Settings:
    """What serve() was told."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.origins: Origins | None = options["origins"]
        self.subprotocols: Sequence[str] = check_subprotocols(options["subprotocols"])
        self.select_subprotocol: SelectSubprotocol | None = options["select_subprotocol"]
        self.process_request: ProcessRequest | None = options["process_request"]
        self.process_response: ProcessResponse | None = options["process_response"]
        self.server_header: str | None = options["server_header"]
        self.open_timeout: float | None = options["open_timeout"]


class Server:
    """A server, as serve() makes it.

    Await it, or use it as an asynchronous context manager, which closes it in the end. It does what asyncio.Server does,
    but for close(): that closes the connections, too.

    Attributes:
        logger: of the server.
    """

    def __init__(
        self,
        handler: Handler | None,
        settings: _Settings,
        listener: object | None,
        limits: Mapping[str, Any],
        logger: LoggerLike | None,
        create_connection: type[ServerConnection] | None,
        create_server: Callable[[Callable[[], Protocol]], Awaitable[asyncio.Server]],
    ) -> None:
        self.logger: LoggerLike = logging.getLogger("fastws.server") if logger is None else logger
        self._handler = handler
        self._settings = settings
        self._limits = limits
        self._class = create_connection or ServerConnection
        self._create = create_server
        self._all: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        # Wrong limits are to be known now.
        self._loop = asyncio.get_running_loop()
        self._endpoint = AsyncEndpoint(loop_of(self._loop), "server", listener=listener, **limits)
        self._closed: asyncio.Future[None] = self._loop.create_future()

    def _make_protocol(self) -> Protocol:
        return Protocol(self._class(self._endpoint, self))

    # ---- Connections ----

    def _answer(self, connection: ServerConnection) -> None:
        """Has the request answered that a connection has received, and then the handler run."""
        settings = self._settings
        if self._handler is None and settings.process_request is None and settings.process_response is None:
            with contextlib.suppress(StopIteration):
                connection._shake_hands().send(None)
            return
        task = connection._task = self._loop.create_task(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, connection: ServerConnection) -> None:
        try:
            await connection._shake_hands()
            if connection._state == State.CONNECTING:
                return
            connection._task = None
            if self._handler is None:
                return
            try:
                async with connection:
                    await self._handler(connection)
            except Exception:
                connection.logger.error("connection handler failed", exc_info=True)
        except Exception:
            connection.logger.error("opening handshake failed", exc_info=True)
            connection._abort()
        except BaseException:
            connection._abort()
            raise

    def _lost(self, connection: ServerConnection) -> None:
        self._all.discard(connection)
        if connection._task is not None:
            connection._task.cancel()

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open: the handshake is over, and no close frame was sent or received."""
        return {connection for connection in self._all if connection._state == State.OPEN}

    # ---- The server ----

    def close(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Closes the server: no connection is accepted any more. wait_closed() waits for the end. Does nothing when it
        was called before.

        Args:
            close_connections: whether connections are closed, too; else they go on. Requests that were not answered yet
                are refused with 503.
            code, reason: what their peers are told.
        """
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(close_connections, code, reason))

    async def _close(self, close_connections: bool, code: int, reason: str) -> None:
        assert self._server is not None
        self.logger.info("server closing")
        self._server.close()
        for connection in list(self._all):
            if connection._state == State.OPEN and close_connections:
                connection.close_nowait(code, reason)
            elif connection._state == State.CONNECTING and connection._rest is None:
                connection._abort()
        while self._all:
            await asyncio.wait([connection._closed() for connection in self._all])
        await self._server.wait_closed()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self.logger.info("server closed")
        self._closed.set_result(None)

    async def wait_closed(self) -> None:
        """Waits until close() has ended: connections are gone, handlers have returned."""
        await asyncio.shield(self._closed)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the server."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None and self._server.is_serving()

    async def start_serving(self) -> None:
        """Begins to accept connections, after serve(..., start_serving=False)."""
        assert self._server is not None
        await self._server.start_serving()

    async def serve_forever(self) -> None:
        """Serves until close() is called, or this is cancelled, which closes the server."""
        try:
            if not self.is_serving():
                await self.start_serving()
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that are listened on."""
        return () if self._server is None else tuple(self._server.sockets)

    async def _begin(self) -> Self:
        if self._server is None:
            self._server = await self._create(self._make_protocol)
            for sock in self.sockets if self.is_serving() else ():
                self.logger.info("server listening on %s", sock.getsockname())
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self._begin().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()


def serve(
    handler: Handler | None = None,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    listener: object | None = None,
    origins: Origins | None = None,
    subprotocols: Sequence[str] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    compression: str | None = None,
    process_request: ProcessRequest | None = None,
    process_response: ProcessResponse | None = None,
    server_header: str | None = SERVER,
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    write_limit: int | tuple[int, int | None] = 2**15,
    logger: LoggerLike | None = None,
    create_connection: type[ServerConnection] | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a server that runs a handler for each connection, or calls a listener.

    ``async with serve(handler, host, port) as server`` serves and closes it in the end; ``server = await serve(...)``
    leaves that to close(). A handler runs in a task of its own; when it returns, its connection is closed with 1000, when
    it raises, with 1011, and the traceback is logged.

    Args:
        handler: a coroutine function that is called with each ServerConnection.
        host, port: to listen on, as for create_server() of the event loop.
        listener: in the place of handler: an object with on_open(connection), on_message(connection, message),
            on_close(connection, code, reason), on_ping(connection, data), on_pong(connection, data),
            on_drain(connection), each of which may be missing. They are plain functions that send with send_nowait();
            what one raises closes the connection with 1011, and is logged.
        origins: values of Origin that may connect: str, compiled patterns that have to match all of it, and None for
            requests without it. Others are answered by 403. None for the whole: no check, and any page may connect in
            the name of who looks at it. RFC 6455 10.2.
        subprotocols: that the server speaks, best first. Requests without any of them are answered by 400.
        select_subprotocol: called with the connection and what the client offers; returns one of these, or None for
            none. NegotiationError is answered by 400.
        compression: None; there is no other yet.
        process_request: a function or coroutine function that is called with the connection and each Request before it
            is judged: returns None, or the Response to send in the place of the handshake: see respond().
        process_response: called with the connection, the Request and the Response before that is sent: returns None, or
            another one.
        server_header: the value of Server; None for no such header.
        open_timeout: seconds until a connection has to be open; None for no limit.
        ping_interval: seconds of silence before a ping; None: never.
        ping_timeout: seconds of silence after it before the connection fails; None: never.
        close_timeout: seconds for the close handshake; None for no limit.
        max_size: bytes of a message; or of a message and of a frame. None for no limit.
        max_queue: messages that wait for recv() before reading is paused; or the marks of pausing and resuming.
        write_limit: bytes that wait to be sent before send() waits; or the marks of waiting and going on.
        logger: logging.getLogger("fastws.server") by default.
        create_connection: the class of connections, made of ServerConnection.
        kwargs: as for create_server() of the event loop: ssl, sock, reuse_port, start_serving and so on.

    Raises:
        TypeError: neither a handler nor a listener is given, or both; an argument of the wrong type.
        ValueError: an argument out of range, a subprotocol that is no token.
    """
    if (handler is None) == (listener is None):
        raise TypeError("serve() takes either a handler or a listener")
    check_compression(compression)
    settings = _Settings(locals())
    limits = limits_of(locals())
    if kwargs.get("ssl") is not None:
        kwargs.setdefault("ssl_handshake_timeout", open_timeout)
        kwargs.setdefault("ssl_shutdown_timeout", close_timeout)

    async def create_server(factory: Callable[[], Protocol]) -> asyncio.Server:
        loop: Any = asyncio.get_running_loop()  # its stubs want more of host and port than it does
        if kwargs.pop("unix", False):
            server = await loop.create_unix_server(factory, **kwargs)
        else:
            server = await loop.create_server(factory, host, port, **kwargs)
        return cast(asyncio.Server, server)

    return Server(handler, settings, listener, limits, logger, create_connection, create_server)


def unix_serve(handler: Handler | None = None, path: Any = None, **kwargs: Any) -> Server:
    """Serves on a socket in the file system: like serve(), but with its path in the place of host and port."""
    return serve(handler, unix=True, path=path, **kwargs)
