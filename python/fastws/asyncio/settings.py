# SPDX-License-Identifier: MIT
"""What serve() and connect() are told alike."""

from __future__ import annotations

import inspect
import select
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union

from .._core import Deflate
from ..http import is_token

__all__ = [
    "Compression",
    "Driver",
    "check_compression",
    "check_driver",
    "check_listener",
    "check_subprotocols",
    "check_timeout",
    "limits_of",
]

Driver = Union[Literal["protocol"], Literal["loop"]]

_DEFAULT_DRIVER: Driver = "loop"


Compression = Union[Deflate, Literal["deflate"], None]


def check_compression(compression: Compression) -> Compression:
    """How messages are compressed, if it is one of the ways there are. RFC 7692."""
    if compression is None or compression == "deflate" or isinstance(compression, Deflate):
        return compression
    raise ValueError(f"unsupported compression: {compression}")


def check_driver(driver: str | None) -> bool:
    """Whether descriptors are watched by the library, where that can be done: epoll is needed."""
    if driver not in (None, "protocol", "loop"):
        raise ValueError(f"unknown driver: {driver}")
    return (driver or _DEFAULT_DRIVER) == "loop" and hasattr(select, "epoll")


def check_listener(listener: object | None) -> object | None:
    """A listener, if nobody would have to await what it does."""
    for name in ("on_open", "on_message", "on_close", "on_ping", "on_pong", "on_drain"):
        if inspect.iscoroutinefunction(getattr(listener, name, None)):
            raise TypeError(f"{name} of a listener must be a plain function, not a coroutine function")
    return listener


def check_timeout(name: str, seconds: float | None) -> float | None:
    """Seconds, if they can be waited for."""
    if seconds is not None and not 0 <= seconds <= 4294967:
        raise ValueError(f"{name} must be a number of seconds of at least 0 and at most 4294967, or None")
    return seconds


def check_subprotocols(subprotocols: Iterable[str] | None) -> Sequence[str]:
    """A list of names, none of them malformed. RFC 6455 1.9."""
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols must be a list, not a str")
    names = tuple(subprotocols or ())
    for name in names:
        if not is_token(name):
            raise ValueError(f"subprotocol is no token: {name!r}")
    return names


def limits_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are for AsyncEndpoint. max_size is for messages, or for messages and frames."""
    limits = {
        name: options[name]
        for name in ("max_queue", "write_limit", "ping_interval", "ping_timeout", "close_timeout")
    }
    max_size = options["max_size"]
    message, frame = max_size if isinstance(max_size, tuple) else (max_size, max_size)
    return {**limits, "max_size": message, "max_frame_size": message if frame is None else frame}
