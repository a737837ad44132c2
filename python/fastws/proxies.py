# SPDX-License-Identifier: MIT
"""Proxies: which one, and asking it for a connection: HTTP CONNECT (RFC 9110 9.3.6), SOCKS 5 (RFC 1928, RFC 1929)."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
from collections.abc import Generator
from typing import Any, NamedTuple, Union

from ._core import parse_response, parse_url
from .blocking import Deadline, receive, receive_exactly, send
from .exceptions import InvalidMessage, InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, InvalidURI, ProxyError
from .heads import Url
from .tcp import resolve

__all__ = ["Proxy", "choose_proxy", "conversation", "needs_address", "open_through"]

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_HEAD_MAX = 16384
_LIMITS = ("FASTWS_ERR_HTTP_HEAD_TOO_LARGE", "FASTWS_ERR_HTTP_TOO_MANY_HEADERS")
_REPLIES = (
    "",
    "general failure",
    "not allowed by its rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "time to live expired",
    "command not supported",
    "address type not supported",
)


class Proxy(NamedTuple):
    """The address of a proxy: its scheme (http, https, socks5, socks5h) and the rest."""

    scheme: str
    url: Url


# ---- Which one ----


def parse_proxy(address: str) -> Proxy:
    """[scheme "://"] [user ":" password "@"] host [":" port] ["/"]; without a scheme it is http.

    Raises:
        InvalidProxy: it is not.
    """
    scheme, separator, rest = address.partition("://")
    scheme = scheme.lower()
    if not separator:
        scheme, rest = "http", address
    try:
        if scheme not in _PORTS:
            raise InvalidURI(f"{scheme} is no kind of proxy that is known")
        url, other = parse_url("ws://" + rest), parse_url("wss://" + rest)
        if url.target != "/" or any(byte in rest for byte in "?#"):
            raise InvalidURI("the address of a proxy has no path")
    except InvalidURI as error:
        raise InvalidProxy(str(error), name="FASTWS_ERR_PROXY_URL", rfc="RFC 3986 3") from error
    # A port that depends on the scheme is none that was given.
    return Proxy(scheme, url if url.port == other.port else url._replace(port=_PORTS[scheme]))


def choose_proxy(url: Url, proxy: str | bool | None) -> Proxy | None:
    """The proxy for an address.

    Args:
        proxy: its address; None or False for none; True for that of the environment: for wss https_proxy, HTTPS_PROXY,
            for ws http_proxy (HTTP_PROXY may come from a request where we run as CGI), for both then all_proxy,
            ALL_PROXY; but none for the hosts in no_proxy or NO_PROXY.

    Raises:
        InvalidProxy: its address is none.
    """
    if url.host is None or not proxy:
        return None
    if proxy is not True:
        return parse_proxy(proxy)
    names = ["https_proxy", "HTTPS_PROXY"] if url.is_secure else ["http_proxy"]
    address = _from_environment(*names, "all_proxy", "ALL_PROXY")
    if not address or _is_excepted(_from_environment("no_proxy", "NO_PROXY"), url.host, url.port):
        return None
    return parse_proxy(address)


def _from_environment(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")


def _is_excepted(entries: str, host: str, port: int) -> bool:
    return any(_is_meant(entry, host, port) for entry in entries.replace(",", " ").split())


def _is_meant(entry: str, host: str, port: int) -> bool:
    """Whether an entry of no_proxy means a host: "*", a name, an address, a network, or one of these with a port."""
    if entry == "*" or _names_host(entry, host):
        return True
    if "/" in entry:
        return _is_in_network(entry, host)
    name, _, number = entry.rpartition(":")
    return bool(name) and number == str(port) and _names_host(name, host)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_in_network(entry: str, host: str) -> bool:
    address = _ip(host)
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return address is not None and address.version == network.version and address in network


def _names_host(entry: str, host: str) -> bool:
    """A name stands for itself and for all below it."""
    if entry.startswith("[") and entry.endswith("]"):
        entry = entry[1:-1]
    address = _ip(host)
    if address is not None:
        return _ip(entry) == address
    name = entry.removeprefix("*").removeprefix(".").removesuffix(".").lower()
    host = host.removesuffix(".").lower()
    return bool(name) and (host == name or host.endswith("." + name))


# ---- Asking it ----


def open_through(io: Any, proxy: Proxy, url: Url, deadline: Deadline) -> None:
    """Asks a proxy for a connection to the server of url; io leads to that server then.

    Raises:
        InvalidProxyStatus, InvalidProxyMessage, ProxyError: it does not connect us, or speaks another protocol.
        OSError: io failed.
    """
    address = resolve(url.host or "", url.port, deadline)[0][4][0] if needs_address(proxy, url) else None
    talk = conversation(proxy, url, address)
    data: bytes | None = None
    with contextlib.suppress(StopIteration):
        while True:
            wanted = talk.send(data)
            if isinstance(wanted, bytes):
                send(io, wanted, deadline)
            else:
                data = receive_exactly(io, wanted, deadline) if wanted > 0 else receive(io, -wanted, deadline)


def needs_address(proxy: Proxy, url: Url) -> bool:
    """Whether the name of the server has to be looked up here: plain SOCKS 5 leaves that to the client."""
    return proxy.scheme == "socks5" and _ip(url.host or "") is None


def conversation(proxy: Proxy, url: Url, address: str | None = None) -> Generator[bytes | int, bytes | None, None]:
    """Asks a proxy for a connection to the server of url, without I/O.

    Args:
        address: of the server, as text; where needs_address() says so.

    Yields:
        Bytes to send; or a number above 0: so many bytes are to be sent into the generator, less only where the stream
        has ended; or one below 0: at least one byte, and at most so many.

    Raises:
        InvalidProxyStatus, InvalidProxyMessage, ProxyError: it does not connect us, or speaks another protocol.
    """
    if proxy.scheme in ("http", "https"):
        return _open_by_http(proxy.url, url)
    return _open_by_socks(proxy, url, address)


def _malformed(text: str, name: str = "FASTWS_ERR_PROXY_ANSWER") -> InvalidProxyMessage:
    return InvalidProxyMessage(text, name=name, rfc="RFC 9110 9.3.6")


_Talk = Generator[Union[bytes, int], Union[bytes, None], None]


def _open_by_http(proxy: Url, url: Url) -> _Talk:
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host
    lines = [f"CONNECT {host}:{url.port} HTTP/1.1", f"Host: {host}:{url.port}"]
    if proxy.user is not None:
        credentials = base64.b64encode(proxy.user + b":" + (proxy.password or b""))
        lines.append(f"Proxy-Authorization: Basic {credentials.decode()}")
    yield "\r\n".join([*lines, "", ""]).encode()
    yield from _read_answer()


def _read_answer() -> _Talk:
    data, left = b"", _HEAD_MAX  # of all heads: interim ones could come for ever
    while True:
        try:
            response = parse_response(data)
        except InvalidMessage as error:
            name = error.name if error.name in _LIMITS else "FASTWS_ERR_PROXY_ANSWER"
            raise _malformed(f"answer of the proxy is malformed: {error}", name) from error
        if response is None:
            if not left:
                raise _malformed("head of the proxy's answer is too large", "FASTWS_ERR_HTTP_HEAD_TOO_LARGE")
            part = yield -left
            if not part:
                raise _malformed("proxy ended the stream")
            data += part
            left -= len(part)
        elif response.status_code < 200:
            data = data[response.size :]
        else:
            break
    if response.status_code < 300:
        # A server waits for us to speak first: these bytes are the proxy's, or those of somebody who guessed.
        if len(data) > response.size:
            raise _malformed("proxy sent bytes behind its answer")
        return
    name = "FASTWS_ERR_PROXY_AUTH" if response.status_code == 407 else "FASTWS_ERR_PROXY_REFUSED"
    refusal = InvalidProxyStatus("proxy refused", name=name, status=response.status_code, rfc="RFC 9110 9.3.6")
    refusal.response = response
    raise refusal


def _read(size: int) -> Generator[bytes | int, bytes | None, bytes]:
    data = (yield size) or b""
    if len(data) < size:
        raise _malformed("proxy ended the stream")
    return data


def _open_by_socks(proxy: Proxy, url: Url, address: str | None) -> _Talk:
    destination = _socks_address(url, address)
    yield from _agree_on_method(proxy.url)
    # version | connect | 0 | address | port. RFC 1928 section 4
    yield b"\x05\x01\x00" + destination + url.port.to_bytes(2, "big")
    version, reply, _, kind = yield from _read(4)
    if version != 5:
        raise _malformed("proxy speaks no SOCKS 5")
    if reply:
        text = _REPLIES[reply] if reply < len(_REPLIES) else "unknown reply"
        raise ProxyError(f"proxy: {text}", name="FASTWS_ERR_PROXY_REFUSED", rfc="RFC 1928 6")
    if kind not in (1, 3, 4):
        raise _malformed("proxy sent an unknown type of address")
    # Where the proxy connected from is of no interest.
    if kind == 3:
        (length,) = yield from _read(1)
    else:
        length = 4 if kind == 1 else 16
    yield from _read(length + 2)


def _socks_address(url: Url, text: str | None) -> bytes:
    """type | address. RFC 1928 section 5."""
    host = text or url.host or ""
    address = _ip(host.partition("%")[0])
    if address is None:
        return bytes([3, len(host)]) + host.encode()
    return (b"\x04" if address.version == 6 else b"\x01") + address.packed


def _agree_on_method(proxy: Url) -> _Talk:
    """RFC 1928 section 3: version | number of methods | methods; and the password of RFC 1929."""
    yield b"\x05\x01\x00" if proxy.user is None else b"\x05\x02\x00\x02"
    version, method = yield from _read(2)
    if version != 5:
        raise _malformed("proxy speaks no SOCKS 5")
    if method == 0:
        return
    if method == 0xFF:
        raise ProxyError("proxy wants credentials", name="FASTWS_ERR_PROXY_AUTH", rfc="RFC 1928 3")
    if method != 2 or proxy.user is None:
        raise _malformed("proxy chose a method that was not offered")
    parts = proxy.user, proxy.password or b""
    if any(len(part) > 255 for part in parts):
        name = "FASTWS_ERR_PROXY_CREDENTIALS"
        raise InvalidProxy("user or password is too long for SOCKS 5", name=name, rfc="RFC 1929 2")
    # version | length | user | length | password
    yield b"\x01" + b"".join(bytes([len(part)]) + part for part in parts)
    version, status = yield from _read(2)
    if version != 1:
        raise _malformed("proxy speaks no SOCKS 5")
    if status:
        raise ProxyError("proxy refused user and password", name="FASTWS_ERR_PROXY_AUTH", rfc="RFC 1929 2")
