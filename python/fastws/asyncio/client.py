# SPDX-License-Identifier: MIT
"""Clients under asyncio: connect(), which ends in a ClientConnection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import ssl as _ssl
import sys
import traceback as _traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, cast

from .._core import AsyncEndpoint, AsyncTransport, Dial, __version__, is_same_origin, parse_url
from ..exceptions import HandshakeTimeout, InvalidMessage, InvalidProxyStatus, InvalidStatus
from ..heads import Url
from ..proxies import Proxy, choose_proxy, conversation, needs_address
from ..redirects import follow, unsafe
from .client_connection import ClientConnection
from .connection import LoggerLike, Protocol, loop_of
from .heads import Headers, HeadersLike, Response
from .settings import (
    Compression,
    Driver,
    check_compression,
    check_driver,
    check_listener,
    check_subprotocols,
    limits_of,
)

__all__ = ["USER_AGENT", "ClientConnection", "backoff", "connect", "process_exception", "unix_connect"]

USER_AGENT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} fastws/{__version__}"

_REDIRECTS_MAX = 10


def backoff(
    initial_delay: float = 5.0, min_delay: float = 3.0, max_delay: float = 90.0, factor: float = 1.6
) -> Generator[float, None, None]:
    """How many seconds to wait before each attempt to connect again: a random part of initial_delay, so that clients of
    a server that was down do not come all at once (RFC 6455 7.2.3), then min_delay times factor each time."""
    yield random.random() * initial_delay
    delay = min_delay
    while True:
        yield delay
        delay = min(delay * factor, max_delay)


def process_exception(exc: Exception) -> Exception | None:
    """What ``async for connection in connect(...)`` does after an error: None to try again, an exception to raise.

    By default it tries again after errors of the network, when time was up, when the server ended the connection before
    it answered, and for the status 500, 502, 503 and 504.
    """
    if isinstance(exc, InvalidStatus):
        return None if exc.status in (500, 502, 503, 504) else exc
    if isinstance(exc, OSError):  # TimeoutError is one
        return None
    if isinstance(exc, InvalidMessage) and exc.name in ("FASTWS_ERR_EOF", "FASTWS_ERR_UNEXPECTED_EOF"):
        return None
    return exc


class _Hold(asyncio.Protocol):
    """Connects, and leaves what comes where it is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).pause_reading()


def _take_over(transport: asyncio.Transport, connection: ClientConnection) -> None:
    """Moves the socket of a transport that has not received anything to one of the library."""
    fd = os.dup(transport.get_extra_info("socket").fileno())
    transport.abort()
    try:
        AsyncTransport(connection, fd)
    except BaseException:
        os.close(fd)
        raise


class connect:
    """Connects to a server: ``async with connect(...) as connection``, or ``connection = await connect(...)``.

    ``async for connection in connect(...)`` connects again whenever the body of the loop has come to its end, and after
    a while when the connection could not be opened, as long as process_exception lets the error pass. ConnectionClosed
    is to be caught in the body, and followed by continue.

    Args:
        uri: of the server: ws://, wss://, ws+unix:// or wss+unix://. User and password become Basic authentication.
        listener: an object with on_open(connection), on_message(connection, message), on_close(connection, code,
            reason), on_ping(connection, data), on_pong(connection, data), on_drain(connection), each of which may be
            missing: plain functions that are called in the place of recv().
        origin: the value of the Origin header.
        subprotocols: to offer, best first.
        compression: "deflate" or a Deflate: messages are compressed where both sides agree to; None: never. RFC 7692.
        additional_headers: of the request, behind those of the handshake.
        user_agent_header: the value of User-Agent, unless additional_headers have one; None for no such header.
        proxy: the address of a proxy; True for that of the environment; None for none. See Dialer.
        process_exception: for the loop above: see the function of that name.
        open_timeout: seconds until the connection has to be open; None for no limit.
        ping_interval: seconds of silence before a ping; None: never.
        ping_timeout: seconds of silence after it before the connection fails; None: never.
        close_timeout: seconds for the close handshake; None for no limit.
        reconnect_delays: for the loop above: a function that gives an iterator of seconds.
        max_size: bytes of a message; or of a message and of a frame. None for no limit.
        max_queue: messages that wait for recv() before reading is paused; or the marks of pausing and resuming.
        write_limit: bytes that wait to be sent before send() waits; or the marks of waiting and going on.
        logger: logging.getLogger("fastws.client") by default.
        create_connection: the class of the connection, made of ClientConnection.
        driver: who moves bytes: see serve(). Behind a proxy it is the event loop.
        kwargs: as for create_connection() of the event loop: ssl, server_hostname, sock, host and port to connect
            elsewhere, local_addr and so on. With a proxy of https, proxy_ssl and what else begins with proxy_ is for
            the connection to it.

    Raises:
        InvalidURI, InvalidProxy: an address is none.
        HandshakeTimeout: the connection was not open in time; also a TimeoutError.
        HandshakeError: the handshake failed; InvalidStatus where the server answered with another status than 101:
            response is its answer, a Response as that of the connection; so is that of InvalidProxyStatus.
        OSError: the connection could not be opened.
    """

    def __init__(
        self,
        uri: str,
        *,
        listener: object | None = None,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: Compression = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Iterable[float]] = backoff,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
        logger: LoggerLike | None = None,
        create_connection: type[ClientConnection] | None = None,
        driver: Driver | None = None,
        **kwargs: Any,
    ) -> None:
        self.uri = uri
        self._url = parse_url(uri)
        if not self._url.is_secure and kwargs.get("ssl") is not None:
            raise ValueError("ssl is for wss://, and this address is none")
        if self._url.is_secure and kwargs.get("ssl", True) is None:
            raise ValueError("wss:// needs ssl")
        self.logger: LoggerLike = logging.getLogger("fastws.client") if logger is None else logger
        self.proxy = proxy
        self.open_timeout = open_timeout
        self.process_exception = process_exception
        self.reconnect_delays = reconnect_delays
        self._is_own = check_driver(driver)
        self._kwargs = kwargs
        self._listener = check_listener(listener)
        self._class = create_connection or ClientConnection
        self._limits = limits_of(locals())
        headers = Headers(additional_headers or ())
        header = list(headers.raw_items())
        if user_agent_header is not None and "User-Agent" not in headers:
            header.insert(0, ("User-Agent", user_agent_header))
        self._arguments: dict[str, Any] = {
            "protocols": check_subprotocols(subprotocols) or None,
            "header": header,
            "origin": origin,
            "redirects": True,
            "compression": check_compression(compression),
        }
        Dial(uri, **self._arguments)  # what is wrong is to be known now
        self._connection: ClientConnection | None = None

    # ---- Opening ----

    async def _connect(self) -> ClientConnection:
        try:
            async with asyncio.timeout(self.open_timeout):
                return await self._follow()
        except TimeoutError as error:
            if isinstance(error, HandshakeTimeout):
                raise
            text = "timed out during opening handshake"
            raise HandshakeTimeout(text, name="FASTWS_ERR_DIAL_TIMEOUT", rfc="RFC 6455 4.1") from error

    async def _follow(self) -> ClientConnection:
        address, arguments = self.uri, self._arguments
        server_hostname: str | None = self._kwargs.get("server_hostname")
        for redirects in range(_REDIRECTS_MAX + 1):
            try:
                return await self._open(address, arguments, server_hostname)
            except InvalidStatus as refusal:
                if refusal.name != "FASTWS_ERR_HANDSHAKE_REDIRECT":
                    raise
                if redirects == _REDIRECTS_MAX:
                    raise unsafe("too many redirects", refusal, "FASTWS_ERR_DIAL_REDIRECTS_MAX") from refusal
                if not self._may_follow(refusal.location):
                    raise unsafe("redirect away from the host or socket that was given", refusal) from refusal
                address, arguments, server_hostname = follow(
                    self.uri, address, refusal, self._arguments, self._kwargs.get("server_hostname")
                )
        raise AssertionError("every way through the loop ends it")

    def _may_follow(self, location: str | None) -> bool:
        """A socket that was given is used up, and a host that was given stands for the first origin only."""
        if self._kwargs.get("sock") is not None:
            return False
        is_elsewhere = any(self._kwargs.get(name) is not None for name in ("host", "port", "path"))
        return not is_elsewhere or location is None or is_same_origin(self.uri, location)

    async def _open(
        self, address: str, arguments: dict[str, Any], server_hostname: str | None
    ) -> ClientConnection:
        """Connects to one address, without following a redirect."""
        loop = asyncio.get_running_loop()
        url = parse_url(address)
        dial = Dial(address, **arguments)
        endpoint = AsyncEndpoint(loop_of(loop), "client", listener=self._listener, **self._limits)
        connection = self._class(endpoint, dial, self.logger)
        try:
            await self._open_transport(connection, url, server_hostname)
            await connection._opened
        except BaseException as error:
            if isinstance(error, (InvalidStatus, InvalidProxyStatus)) and error.response is not None:
                error.response = Response.from_head(error.response)
            connection._abort()
            connection._opened.cancel()
            if connection._opened.done() and not connection._opened.cancelled():
                connection._opened.exception()  # it was raised, or something else was
            raise
        finally:
            dial.abort()
        return connection

    async def _open_transport(self, connection: ClientConnection, url: Url, server_hostname: str | None) -> None:
        loop = asyncio.get_running_loop()
        kwargs = dict(self._kwargs)
        is_unix = kwargs.pop("unix", False) or url.path is not None
        is_own = self._is_own and not url.is_secure
        if url.is_secure:
            kwargs.setdefault("ssl", True)
            kwargs["server_hostname"] = server_hostname or url.host or "localhost"
        else:
            kwargs.pop("server_hostname", None)
        if is_unix:
            if kwargs.get("sock") is None:
                kwargs.setdefault("path", url.path)
            await _open_directly(connection, loop.create_unix_connection, kwargs, is_own)
            return
        proxy = None if kwargs.get("sock") is not None else choose_proxy(url, self.proxy)
        if proxy is not None:
            await self._open_through(connection, url, proxy, kwargs)
            return
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", url.host)
            kwargs.setdefault("port", url.port)
        await _open_directly(connection, loop.create_connection, kwargs, is_own)

    async def _open_through(
        self, connection: ClientConnection, url: Url, proxy: Proxy, kwargs: dict[str, Any]
    ) -> None:
        """Connects to a proxy, and through it to the server."""
        loop = asyncio.get_running_loop()
        names = {name for name in kwargs if name.startswith("ssl") or name == "server_hostname"}
        to_server = {name: kwargs[name] for name in names}
        to_proxy = {name.removeprefix("proxy_"): value for name, value in kwargs.items() if name not in to_server}
        if proxy.scheme == "https":
            if to_proxy.setdefault("ssl", True) is None:
                raise ValueError("https:// proxies need proxy_ssl")
        elif to_proxy.get("ssl") is not None:
            raise ValueError("proxy_ssl is for https:// proxies, and this one is none")
        reader = asyncio.StreamReader(loop=loop)
        asking = asyncio.StreamReaderProtocol(reader, loop=loop)
        to_proxy = {"host": proxy.url.host, "port": proxy.url.port, **to_proxy}
        transport: asyncio.Transport
        transport, _ = await loop.create_connection(lambda: asking, **to_proxy)
        try:
            await _ask(reader, transport, proxy, url)
            protocol = Protocol(connection)
            transport.set_protocol(protocol)
            context = to_server.pop("ssl", None)
            if context is not None:
                if context is True:
                    context = _ssl.create_default_context()
                secured = await loop.start_tls(transport, protocol, context, **to_server)
                assert secured is not None
                transport = secured
            protocol.connection_made(transport)
        except BaseException:
            transport.abort()
            raise

    # ---- The ways to use it ----

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() is entered already")
        self._connection = await self
        return await self._connection.__aenter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        await connection.__aexit__(exc_type, exc_value, traceback)

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays = iter(self.reconnect_delays())
        while True:
            try:
                async with self as connection:
                    yield connection
            except Exception as error:
                raised = self._judge(error)
                if raised is error:
                    raise
                if raised is not None:
                    raise raised from error
                delay = next(delays)
                text = _traceback.format_exception_only(error)[0].strip()
                self.logger.info("connect failed; reconnecting in %.1f seconds: %s", delay, text)
                await asyncio.sleep(delay)
            else:
                delays = iter(self.reconnect_delays())

    def _judge(self, error: Exception) -> Exception | None:
        try:
            return self.process_exception(error)
        except Exception as raised:
            return raised


async def _open_directly(
    connection: ClientConnection, create: Callable[..., Any], kwargs: dict[str, Any], is_own: bool
) -> None:
    """Gives a connection the transport that a function of the event loop makes, or where is_own, the socket of it."""
    protocol = _Hold() if is_own else Protocol(connection)
    transport, _ = await create(lambda: protocol, **kwargs)
    if is_own:
        _take_over(transport, connection)


async def _ask(reader: asyncio.StreamReader, transport: asyncio.Transport, proxy: Proxy, url: Url) -> None:
    """Has a conversation with a proxy."""
    address = None
    if needs_address(proxy, url):
        found = await asyncio.get_running_loop().getaddrinfo(url.host, url.port)
        address = str(found[0][4][0])
    talk = conversation(proxy, url, address)
    data: bytes | None = None
    with contextlib.suppress(StopIteration):
        while True:
            wanted = talk.send(data)
            if isinstance(wanted, bytes):
                transport.write(wanted)
            elif wanted < 0:
                data = await reader.read(-wanted)
            else:
                try:
                    data = await reader.readexactly(wanted)
                except asyncio.IncompleteReadError as error:
                    data = error.partial


def unix_connect(path: Any = None, uri: str | None = None, **kwargs: Any) -> connect:
    """Connects to a server that listens on a socket in the file system: like connect().

    Args:
        path: of the socket.
        uri: for Host and target; ws://localhost/ by default, wss://localhost/ with ssl.
    """
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return connect(uri, unix=True, path=path, **kwargs)
