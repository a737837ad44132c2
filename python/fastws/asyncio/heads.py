# SPDX-License-Identifier: MIT
"""The heads of the opening handshake, as the callbacks of serve() and the attributes of connections have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Union

from ..http import is_header_value, is_token
from ..heads import Request as _RequestHead
from ..heads import Response as _ResponseHead

__all__ = ["Headers", "HeadersLike", "MultipleValuesError", "Request", "Response"]

HeadersLike = Union["Headers", Mapping[str, str], Iterable[tuple[str, str]]]


class MultipleValuesError(LookupError):
    """A header that was looked up as if there was one has several values."""


class Headers(MutableMapping[str, str]):
    """Header lines in order. Names are looked up without regard to case; one name may have several values.

    ``headers[name]`` is the value, and MultipleValuesError if there are several, for get_all() to give. Setting a name
    adds a value, as in websockets: delete the name first to replace what it had.

    Args:
        lines: other Headers, a mapping, or pairs of name and value.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: HeadersLike = (), /, **more: str) -> None:
        self._lines: list[tuple[str, str]] = []
        self.update(lines, **more)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._lines!r})"

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\r\n" for name, value in self._lines]) + "\r\n"

    def serialize(self) -> bytes:
        """The lines as bytes, with the empty line behind them."""
        return str(self).encode("latin-1")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([name.lower() for name, _ in self._lines]))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._lines})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._by_name() == other._by_name()

    __hash__ = None  # type: ignore[assignment]

    def _by_name(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self._lines:
            values.setdefault(name.lower(), []).append(value)
        return values

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        if len(values) > 1:
            raise MultipleValuesError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        self._lines.append((name, value))

    def __delitem__(self, name: str) -> None:
        lowered = name.lower()
        kept = [line for line in self._lines if line[0].lower() != lowered]
        if len(kept) == len(self._lines):
            raise KeyError(name)
        self._lines = kept

    def clear(self) -> None:
        """Drops every line."""
        self._lines = []

    def copy(self) -> Headers:
        """Another object with the same lines."""
        return Headers(self)

    def update(self, lines: Any = (), /, **more: str) -> None:
        """Adds lines: of other Headers, a mapping, or pairs."""
        if isinstance(lines, Headers):
            lines = lines.raw_items()
        elif isinstance(lines, Mapping):
            lines = lines.items()
        self._lines += [(name, value) for name, value in (*lines, *more.items())]

    def get_all(self, name: str) -> list[str]:
        """Every value of a name, in order."""
        lowered = name.lower()
        return [value for key, value in self._lines if key.lower() == lowered]

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Every line: pairs of the name as it is written, and the value."""
        return iter(self._lines)

    def check(self) -> None:
        """Sees whether the lines may be written.

        Raises:
            ValueError: a name is no token, or a value holds a line end or another control byte.
        """
        for name, value in self._lines:
            if not is_token(name) or not is_header_value(value):
                raise ValueError(f"header may not be written: {name!r}: {value!r}")


@dataclass
class Request:
    """The request of an opening handshake.

    Attributes:
        path: of the request line: path and query.
        headers: the header lines.
        method: of the request line; a handshake is a GET.
    """

    path: str
    headers: Headers
    method: str = "GET"

    @classmethod
    def from_head(cls, head: _RequestHead) -> Request:
        """Of what parse_request() gave."""
        return cls(head.target, Headers(head.headers), head.method)


@dataclass
class Response:
    """The response of an opening handshake.

    Attributes:
        status_code, reason_phrase: of the status line: 101 accepts the request.
        headers: the header lines.
        body: what follows them.
    """

    status_code: int
    reason_phrase: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @classmethod
    def from_head(cls, head: _ResponseHead, body: bytes | None = None) -> Response:
        """Of what parse_response() gave."""
        return cls(head.status_code, head.reason_phrase, Headers(head.headers), head.body if body is None else body)

    def serialize(self) -> bytes:
        """The bytes to send.

        Raises:
            ValueError: a header may not be written, or the status is none.
        """
        self.headers.check()
        if not 100 <= self.status_code <= 999 or not is_header_value(self.reason_phrase):
            raise ValueError(f"status may not be written: {self.status_code} {self.reason_phrase!r}")
        line = f"HTTP/1.1 {self.status_code:d} {self.reason_phrase}\r\n"
        return line.encode("latin-1") + self.headers.serialize() + self.body
