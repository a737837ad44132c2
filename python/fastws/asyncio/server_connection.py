# SPDX-License-Identifier: MIT
"""One connection of a server, and its half of the opening handshake: what is judged and answered. RFC 6455 4.2."""

from __future__ import annotations

import asyncio
import email.utils
import http
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from .._core import AsyncEndpoint, Deflate, Upgrade, _own_methods, parse_request, parse_response
from ..exceptions import HandshakeError, HandshakeTimeout, NegotiationError, Reject
from ..heads import Request as _RequestHead
from .connection import Connection, State
from .heads import Headers, Request, Response
from .settings import Compression, check_compression, check_subprotocols, check_timeout

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Origins", "ProcessRequest", "ProcessResponse", "SelectSubprotocol", "ServerConnection", "Settings"]

_HEAD_MAX = 16384  # bytes
_NOTHING = bytearray()
_EARLY_MAX = 65536  # bytes behind a request that has not been answered

Origins = Sequence[Union[str, "re.Pattern[str]", None]]
_Answer = Union[Response, None, Awaitable[Union[Response, None]]]
ProcessRequest = Callable[["ServerConnection", Request], _Answer]
ProcessResponse = Callable[["ServerConnection", Request, Response], _Answer]
SelectSubprotocol = Callable[["ServerConnection", Sequence[str]], Union[str, None]]


@_own_methods
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
        self._head = bytearray()  # of the request
        self._rest: bytearray | None = None  # what came behind the head; None while that is not whole
        self._task: asyncio.Task[None] | None = None
        self._compression: Deflate | None = None  # what was agreed on, until the connection is open

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
                self.logger.info("request refused: more than %d bytes came before the answer", _EARLY_MAX)
                self._abort()
        elif self.server._settings.open_timeout == 0:
            self._open_timed_out()  # also where it came with its client
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
            self.logger.info("request refused: it was not answered within open_timeout")
            self._task.cancel()
        elif self._rest is None:
            upgrade = Upgrade()
            try:
                upgrade.expire()
            except HandshakeTimeout as error:
                self.logger.info("request refused: %s", error)
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
        data = response.serialize()
        self._write(data)
        self._heads = bytes(self._head), data
        self._request = self._response = None
        rest = bytes(self._rest or b"")
        self._rest = self._head = _NOTHING
        # process_response may have answered in its own way.
        is_agreed = "Sec-WebSocket-Extensions" in response.headers
        self._open(rest, self._compression if is_agreed else None)
        self._compression = None

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
        upgrade = Upgrade(
            protocol=_Choice(self, head),
            on_before_upgrade=lambda: self._check(head),
            compression=self.server._settings.compression,
        )
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
        self._compression = upgrade.compression
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
        self._note_end()
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


class Settings:
    """What serve() was told."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.origins: Origins | None = options["origins"]
        if isinstance(self.origins, str):
            raise TypeError("origins must be a list, not a str")
        self.subprotocols: Sequence[str] = check_subprotocols(options["subprotocols"])
        self.select_subprotocol: SelectSubprotocol | None = options["select_subprotocol"]
        self.process_request: ProcessRequest | None = options["process_request"]
        self.process_response: ProcessResponse | None = options["process_response"]
        self.server_header: str | None = options["server_header"]
        self.compression: Compression = check_compression(options["compression"])
        self.open_timeout = check_timeout("open_timeout", options["open_timeout"])
