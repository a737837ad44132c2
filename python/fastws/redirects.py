# SPDX-License-Identifier: MIT
"""Where a redirect of the opening handshake leads a client, and what goes with it. RFC 6455 4.1, RFC 9110 15.4."""

from __future__ import annotations

import re
from typing import Any

from ._core import is_same_origin, parse_url
from .exceptions import InvalidStatus, SecurityError

__all__ = ["follow", "unsafe"]

_CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}


def follow(
    first: str, address: str, refusal: InvalidStatus, arguments: dict[str, Any], server_hostname: str | None
) -> tuple[str, dict[str, Any], str | None]:
    """Where a redirect leads, with what arguments of Dial to ask there, and whom to expect.

    Raises:
        SecurityError: it may not be followed.
    """
    location = refusal.location
    if location is None:
        raise unsafe("redirect to what is no address of ws or wss", refusal) from refusal
    # What was to be private must not be said aloud because of a redirect.
    if parse_url(address).is_secure and not parse_url(location).is_secure:
        raise unsafe("redirect from wss to ws", refusal) from refusal
    if is_same_origin(first, location):
        return _with_userinfo(location, first), arguments, server_hostname
    header = [pair for pair in arguments["header"] or () if not _is_credential(pair)]
    return location, {**arguments, "header": header, "host": None}, None


def _is_credential(pair: Any) -> bool:
    name = pair[0].decode("latin-1") if isinstance(pair[0], bytes) else pair[0]
    return name.lower() in _CREDENTIALS


def _with_userinfo(location: str, source: str) -> str:
    """location, which has no userinfo, with that of source."""
    userinfo = re.match(r"[^/]*//([^/?#]*@)", source)
    return location.replace("//", "//" + userinfo[1], 1) if userinfo else location


def unsafe(text: str, refusal: InvalidStatus, name: str = "FASTWS_ERR_DIAL_REDIRECT") -> SecurityError:
    return SecurityError(text, name=name, status=refusal.status, rfc="RFC 9110 15.4")
