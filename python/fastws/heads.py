# SPDX-License-Identifier: MIT
"""What heads, header values and addresses are read into: named tuples, which can be compared, copied and unpacked."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Option", "Parameters", "Request", "Response", "Url"]

Headers = tuple[tuple[str, str], ...]


def _find(headers: Headers, name: str, default: str | None) -> str | None:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), default)


class Request(NamedTuple):
    """The head of a request. RFC 9112 section 3.

    Attributes:
        method, target: of the request line.
        headers: pairs of name and value in order, as they came: Latin-1, one character for each byte.
        version: of HTTP, major and minor.
        size: bytes of the head with its empty line: what follows is the body.
    """

    method: str
    target: str
    headers: Headers = ()
    version: tuple[int, int] = (1, 1)
    size: int = 0

    def header(self, name: str, default: str | None = None) -> str | None:
        """The value of the first header of that name, without regard to case."""
        return _find(self.headers, name, default)


class Response(NamedTuple):
    """The head of a response, and its body where that was read too. RFC 9112 section 4.

    Attributes:
        status_code, reason_phrase: of the status line.
        headers: pairs of name and value in order, as they came: Latin-1, one character for each byte.
        body: what is kept of the body, without its chunking; b"" where only a head was read.
        version: of HTTP, major and minor.
        size: bytes of the head with its empty line; 0 where the body was read as well.
        is_body_cut: the body is longer than body, ended too early, or is malformed behind it.
    """

    status_code: int
    reason_phrase: str
    headers: Headers = ()
    body: bytes = b""
    version: tuple[int, int] = (1, 1)
    size: int = 0
    is_body_cut: bool = False

    def header(self, name: str, default: str | None = None) -> str | None:
        """The value of the first header of that name, without regard to case."""
        return _find(self.headers, name, default)


class Option(NamedTuple):
    """An option with parameters, such as an extension. RFC 9110 5.6.6, RFC 6455 9.1.

    Attributes:
        name: a token.
        parameters: pairs of name and value in order; the value is None where there is no "=".
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first parameter of that name: None if it has none, default if there is no such parameter."""
        return next((value for key, value in self.parameters if key == name), default)

    def with_parameter(self, name: str, value: str | None = None) -> Option:
        """A copy with one more parameter, behind the others."""
        return Option(self.name, (*self.parameters, (name, value)))


class Url(NamedTuple):
    """The parts of an address. RFC 3986, RFC 6455 section 3.

    Attributes:
        is_secure: wss or wss+unix: TLS.
        host: name or IP address, without brackets; None for a socket in the file system.
        port: the one given, or the default one; 0 for a socket in the file system.
        path: of the socket, for ws+unix and wss+unix; else None.
        target: of the request: path and query.
        user, password: decoded, bytes; None where the address has no userinfo.
    """

    is_secure: bool
    host: str | None
    port: int
    path: bytes | None
    target: str
    user: bytes | None = None
    password: bytes | None = None


class Parameters(NamedTuple):
    """The parameters of permessage-deflate: of an offer, of an answer, or of what was agreed on. RFC 7692 7.1.

    Attributes:
        server_no_context_takeover: the server compresses each message on its own.
        client_no_context_takeover: the client does.
        server_max_window_bits: 8 to 15, None if not given.
        client_max_window_bits: 8 to 15, None if not given; in offers True: without a value.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | Literal[True] | None = None

    @classmethod
    def parse(cls, text: str | bytes, *, is_answer: bool = False) -> Parameters:
        """Reads what stands behind the name of the extension and its semicolon; nothing is as good.

        Args:
            text: such as "server_no_context_takeover; client_max_window_bits=10".
            is_answer: of an answer, where client_max_window_bits must have a value.

        Raises:
            InvalidHeader: text is no list of parameters.
            NegotiationError: a parameter is unknown, repeated, or has a wrong value.
        """
        from ._core import deflate_parse  # which imports this module

        return deflate_parse(text, is_answer)

    def format(self) -> str:
        """Writes an offer or answer: "permessage-deflate; client_max_window_bits=10".

        Raises:
            ValueError: window bits that are none.
        """
        from ._core import deflate_format

        return deflate_format(self)
