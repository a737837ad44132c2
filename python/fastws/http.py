# SPDX-License-Identifier: MIT
"""Heads of HTTP/1.1 and the values of their headers, read and written as the handshake does. RFC 9110, 9112, 6265.

Text is str with one character for each byte (Latin-1); functions that read a value take bytes as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Union

from ._core import (
    canonical_name,
    format_cookie,
    format_option,
    is_header_value,
    is_token,
    parse_cookies,
    parse_items,
    parse_options,
    parse_request,
    parse_response,
    parse_tokens,
)
from .heads import Option, Request, Response

__all__ = [
    "Option",
    "Request",
    "Response",
    "canonical_name",
    "format_cookies",
    "format_options",
    "is_header_value",
    "is_token",
    "parse_cookies",
    "parse_items",
    "parse_options",
    "parse_request",
    "parse_response",
    "parse_tokens",
    "select_options",
]

OptionLike = Union[str, Option, tuple[str, Iterable[tuple[str, Union[str, None]]]]]


def format_options(options: Iterable[OptionLike]) -> str:
    """Writes a list of options with parameters, such as the value of Sec-WebSocket-Extensions. RFC 9110 5.6.6.

    Args:
        options: each an Option, a pair of a name and its parameters, or a name alone. Values that are no tokens are
            quoted.

    Returns:
        What parse_options() reads as the same options.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a name is no token, or a value holds a control byte.
    """
    parts = []  # lists, not generators, here and below: CPython 3.12 and 3.13 crash where one finds no memory
    for option in options:
        name, parameters = (option, ()) if isinstance(option, str) else option
        parts.append(format_option(name, tuple([(key, value) for key, value in parameters])))
    return ", ".join(parts)


def select_options(
    value: str | bytes, check: Callable[[Option], object] | None = None, *, unique: bool = False
) -> tuple[Option, ...]:
    """Reads a list of options and keeps some.

    Args:
        value: of the header.
        check: is called with each option; those for which it returns true are kept. None keeps all.
        unique: options whose name was kept already are left out, and not shown to check.

    Raises:
        InvalidHeader: the value is malformed.
    """
    chosen: list[Option] = []
    names: set[str] = set()
    for option in parse_options(value):
        if (unique and option.name in names) or not (check is None or check(option)):
            continue
        names.add(option.name)
        chosen.append(option)
    return tuple(chosen)


def format_cookies(cookies: Iterable[tuple[str, str]]) -> str:
    """Writes the value of a Cookie header. RFC 6265 4.2.1.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a name is no token, or a value may not be written.
    """
    return "; ".join([format_cookie(name, value) for name, value in cookies])
