# SPDX-License-Identifier: MIT
"""Who may connect: Basic authentication for serve(). RFC 7617."""

from __future__ import annotations

import base64
import binascii
import hmac
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Union

from .heads import Request, Response
from .server_connection import ServerConnection

__all__ = ["basic_auth"]

Credentials = Union[tuple[str, str], Iterable[tuple[str, str]]]
CheckCredentials = Callable[[str, str], Union[Awaitable[bool], bool]]


def basic_auth(
    realm: str = "", credentials: Credentials | None = None, check_credentials: CheckCredentials | None = None
) -> Callable[[ServerConnection, Request], Awaitable[Response | None]]:
    """Makes a process_request for serve() that asks for user and password, and answers 401 to who has none. The
    connection has the user as its username.

    Args:
        realm: what the credentials are for, told to the client.
        credentials: a pair of user and password, or several pairs.
        check_credentials: a function or coroutine that is called with user and password, and says whether they are
            right.

    Raises:
        TypeError: credentials are no pairs of str.
        ValueError: not exactly one of credentials and check_credentials is given; or realm may not be written.
    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("either credentials or check_credentials has to be given")
    if any(character in realm for character in '"\\') or not realm.isprintable() or not realm.isascii():
        raise ValueError("realm must be printable ASCII without quotes and backslashes")
    check = check_credentials or _check_against(credentials)
    challenge = f'Basic realm="{realm}", charset="UTF-8"'

    def refuse(connection: ServerConnection, text: str) -> Response:
        response = connection.respond(401, text)
        response.headers["WWW-Authenticate"] = challenge
        return response

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        values = request.headers.get_all("Authorization")
        if not values:
            return refuse(connection, "Missing credentials\n")
        pair = _parse(values[0]) if len(values) == 1 else None
        if pair is None:
            return refuse(connection, "Unsupported credentials\n")
        is_right = check(*pair)
        if inspect.isawaitable(is_right):
            is_right = await is_right
        if not is_right:
            return refuse(connection, "Invalid credentials\n")
        connection.username = pair[0]
        return None

    return process_request


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and all(isinstance(part, str) for part in item)


def _check_against(credentials: Any) -> CheckCredentials:
    pairs = [credentials] if _is_pair(credentials) else credentials
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise TypeError("credentials must be a pair of user and password, or several")
    pairs = list(pairs)
    if not all(_is_pair(pair) for pair in pairs):
        raise TypeError("credentials must be a pair of user and password, or several")
    passwords = {user: password.encode() for user, password in pairs}

    def check(user: str, password: str) -> bool:
        # As much work for a user who is not known: time tells nothing.
        expected = passwords.get(user)
        is_same = hmac.compare_digest(expected or b"", password.encode("utf-8", "surrogateescape"))
        return is_same and expected is not None

    return check


def _parse(value: str) -> tuple[str, str] | None:
    """User and password of an Authorization header, None if it is of another kind. RFC 7617 2."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, separator, password = decoded.partition(":")
    return (user, password) if separator else None
