# SPDX-License-Identifier: MIT
"""Servers under asyncio: serve() and what it takes and gives."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

from .._core import AsyncEndpoint, __version__, close_body
from ..codes import CloseCode
from .connection import LoggerLike, Protocol, State, loop_of
from .server_connection import Origins, ProcessRequest, ProcessResponse, SelectSubprotocol, ServerConnection, Settings
from .listening import OPTIONS, Listening, SocketFiles, listen_tcp, listen_unix
from .settings import Compression, Driver, check_driver, check_listener, limits_of

__all__ = ["SERVER", "Server", "ServerConnection", "serve", "unix_serve"]

SERVER = f"Python/{sys.version_info[0]}.{sys.version_info[1]} fastws/{__version__}"

Handler = Callable[[ServerConnection], Awaitable[None]]


class Server:
    """A server, as serve() makes it.

    Await it, or use it as an asynchronous context manager, which closes it in the end. It does what asyncio.Server
    does, but for close(): that closes the connections, too.

    Attributes:
        logger: of the server.
    """

    def __init__(
        self,
        handler: Handler | None,
        settings: Settings,
        listener: object | None,
        limits: Mapping[str, Any],
        logger: LoggerLike | None,
        create_connection: type[ServerConnection] | None,
        create_server: Callable[[Server], Awaitable[asyncio.Server | Listening]],
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
        self._server: asyncio.Server | Listening | None = None
        self._files: SocketFiles | None = None  # to be removed with it
        # Wrong limits are to be known now.
        self._loop = asyncio.get_running_loop()
        # What handlers find, however their clients came: connections of several servers share one reader.
        self._context = contextvars.copy_context()
        self._endpoint = AsyncEndpoint(loop_of(self._loop), "server", listener=check_listener(listener), **limits)
        self._closed: asyncio.Future[None] = self._loop.create_future()

    def _make_connection(self) -> ServerConnection:
        return self._class(self._endpoint, self)

    def _make_protocol(self) -> Protocol:
        return Protocol(self._make_connection())

    # ---- Connections ----

    def _answer(self, connection: ServerConnection) -> None:
        """Has the request answered that a connection has received, and then the handler run."""
        settings = self._settings
        if self._handler is None and settings.process_request is None and settings.process_response is None:
            with contextlib.suppress(StopIteration):
                connection._shake_hands().send(None)
            return
        task = self._context.run(self._loop.create_task, self._run(connection))
        # An eager task has begun: the handshake may be over, and nothing of it is left to be cancelled.
        if connection._state == State.CONNECTING:
            connection._task = task
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
            if not self._loop.is_closed():
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

        Raises:
            ValueError: code or reason may not be sent.
        """
        if self._closing is None:
            close_body(code, reason)
            self._closing = self._loop.create_task(self._close(close_connections, code, reason))

    async def _close(self, close_connections: bool, code: int, reason: str) -> None:
        self.logger.info("server closing")
        if self._server is not None:
            self._server.close()
        if self._files is not None:
            self._files.remove(self.logger)
        for connection in list(self._all):
            if connection._state == State.OPEN and close_connections:
                connection.close_nowait(code, reason)
            elif connection._state == State.CONNECTING and connection._rest is None:
                connection._abort()
        while self._all:
            await asyncio.wait([connection._closed() for connection in self._all])
        if self._server is not None:
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
        return () if self._server is None else cast(tuple[socket.socket, ...], tuple(self._server.sockets))

    async def _begin(self) -> Self:
        if self._server is None:
            self._server = await self._create(self)
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
    compression: Compression = "deflate",
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
    driver: Driver | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a server that runs a handler for each connection, or calls a listener.

    ``async with serve(handler, host, port) as server`` serves and closes it in the end; ``server = await serve(...)``
    leaves that to close(). A handler runs in a task of its own; when it returns, its connection is closed with 1000,
    when it raises, with 1011, and the traceback is logged.

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
        compression: "deflate" or a Deflate: messages are compressed where both sides agree to; None: never. RFC 7692.
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
        driver: who moves bytes: "protocol" for transports of the event loop, "loop" for the library itself: one
            descriptor is registered with the event loop, and one callback serves every socket that is ready. None for
            what is faster. TLS, arguments that only the event loop knows, and systems without epoll have the first,
            whatever is asked for.
        kwargs: as for create_server() of the event loop: ssl, sock, reuse_port, start_serving and so on.

    Raises:
        TypeError: neither a handler nor a listener is given, or both; an argument of the wrong type.
        ValueError: an argument out of range, a subprotocol that is no token.
    """
    if (handler is None) == (listener is None):
        raise TypeError("serve() takes either a handler or a listener")
    settings = Settings(locals())
    limits = limits_of(locals())
    if kwargs.get("ssl") is not None:
        # The event loop takes no 0. Nobody is as fast as this either.
        kwargs.setdefault("ssl_handshake_timeout", 0.0001 if open_timeout == 0 else open_timeout)
        kwargs.setdefault("ssl_shutdown_timeout", close_timeout)

    is_removed = kwargs.pop("cleanup_socket", True) and kwargs.get("unix", False)
    is_own = check_driver(driver) and kwargs.get("ssl") is None and OPTIONS.issuperset(kwargs)

    async def create_server(server: Server) -> asyncio.Server | Listening:
        made: asyncio.Server | Listening
        if is_own:
            made = await _listen(server, host, port, **kwargs)
        else:
            made = await _listen_by_loop(server, host, port, **kwargs)
        if is_removed:
            server._files = SocketFiles(made.sockets)
        return made

    return Server(handler, settings, listener, limits, logger, create_connection, create_server)


async def _listen_by_loop(
    server: Server, host: str | Sequence[str] | None, port: int | None, *, unix: bool = False, **kwargs: Any
) -> asyncio.Server:
    loop: Any = asyncio.get_running_loop()  # its stubs want more of host and port than it does
    if not unix:
        return cast(asyncio.Server, await loop.create_server(server._make_protocol, host, port, **kwargs))
    if sys.version_info >= (3, 13):
        kwargs["cleanup_socket"] = False  # Server does it
    return cast(asyncio.Server, await loop.create_unix_server(server._make_protocol, **kwargs))


async def _listen(
    server: Server,
    host: str | Sequence[str] | None,
    port: int | None,
    *,
    backlog: int = 100,
    start_serving: bool = True,
    unix: bool = False,
    ssl: None = None,
    **kwargs: Any,
) -> Listening:
    socks = listen_unix(**kwargs) if unix else await listen_tcp(host, port, **kwargs)
    listening = Listening(server._endpoint.loop, socks, server._make_connection, server.logger, backlog)
    try:
        if start_serving:
            await listening.start_serving()
    except BaseException:
        listening.close()
        raise
    return listening


def unix_serve(handler: Handler | None = None, path: Any = None, **kwargs: Any) -> Server:
    """Serves on a socket in the file system: like serve(), but with its path in the place of host and port.

    A socket that is left there is replaced. When the server is closed, its socket is removed, unless cleanup_socket is
    False: as asyncio does from Python 3.13 on.
    """
    return serve(handler, unix=True, path=path, **kwargs)
