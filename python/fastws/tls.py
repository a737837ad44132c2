# SPDX-License-Identifier: MIT
"""TLS around sockets, and around what is no socket: another TLS, or what a function of the caller's connected."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .blocking import Deadline, exchange, receive, run, send
from .exceptions import InvalidMessage

__all__ = ["TLSStream", "add_tls", "default_context"]

_READ_LEN = 65536
_T = TypeVar("_T")


def default_context() -> ssl.SSLContext:
    """Verifies certificate and host name by the authorities of the system; offers http/1.1 (ALPN, RFC 7301)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def add_tls(io: Any, context: ssl.SSLContext, host: str, deadline: Deadline) -> Any:
    """Shakes hands as a client.

    Args:
        io: closed when this fails.
        host: what the certificate has to be for; a name is told to the server (SNI, RFC 6066 section 3).

    Returns:
        An ssl.SSLSocket where io is a plain socket, else a TLSStream; either is held by the deadline. Closing it closes
        io.

    Raises:
        ssl.SSLCertVerificationError: the certificate is wrong; verify_message says how.
        OSError: the peer speaks no TLS, or the stream failed (ssl.SSLError is one).
        InvalidMessage: the server chose another protocol than HTTP/1.1.
    """
    inside: Any = io
    try:
        if isinstance(io, socket.socket) and not isinstance(io, ssl.SSLSocket):
            inside = context.wrap_socket(io, server_hostname=host, do_handshake_on_connect=False)
            deadline.hold(inside)
            run(inside, inside.do_handshake, select.POLLIN, deadline)
        else:
            inside = TLSStream(io, context, host)
            deadline.hold(inside)
            inside.do_handshake()
        if inside.selected_alpn_protocol() not in (None, "http/1.1"):
            name = "FASTWS_ERR_TLS_ALPN"
            raise InvalidMessage("peer does not speak HTTP/1.1 inside TLS", name=name, rfc="RFC 7301 3.2")
    except BaseException:
        inside.close()
        raise
    return inside


class TLSStream:
    """A client's TLS over any byte stream that Stream takes.

    One thread may read while another writes: the TLS state is locked, and never while the stream below waits.

    Args:
        io: the stream below; close() closes it.
        context: says what is trusted.
        host: what the certificate has to be for.
    """

    def __init__(self, io: Any, context: ssl.SSLContext, host: str) -> None:
        self._io = io
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._deadline: Deadline | None = None
        self._unsent = b""
        self._failure: OSError | None = None  # why nothing can be written any more
        if hasattr(io, "settimeout"):
            self.settimeout = io.settimeout
            self.gettimeout = io.gettimeout

    def bind_deadline(self, deadline: Deadline | None) -> None:
        """Makes everything end in time, however little comes at once; None: no longer."""
        self._deadline = deadline
        if isinstance(self._io, TLSStream):
            self._io.bind_deadline(deadline)

    def do_handshake(self) -> None:
        """Shakes hands.

        Raises:
            OSError: it failed; ssl.SSLError if because of TLS.
        """
        self._run(self._tls.do_handshake)
        self._send()

    def selected_alpn_protocol(self) -> str | None:
        """The protocol that the server chose. RFC 7301."""
        return self._tls.selected_alpn_protocol()

    def recv_into(self, buffer: Any) -> int:
        """Reads what is there, at most as much as buffer holds. Returns 0 at the end of the stream."""
        data = self._run(lambda: self._read(len(buffer)))
        self._flush()
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def sendall(self, data: Any) -> None:
        """Writes all of data."""
        left = memoryview(data).cast("B")
        while left:
            part = left[:_READ_LEN]
            left = left[self._run(lambda part=part: self._tls.write(part)) :]  # type: ignore[misc]
            self._send()

    def exchange(self, data: memoryview, size: int, deadline: Deadline) -> tuple[int, bytes | None]:
        """Writes some of data, and reads where that cannot go on: see blocking.exchange()."""
        if self._incoming.pending or self._tls.pending():  # another record came with the one that was read last
            with contextlib.suppress(ssl.SSLWantReadError):
                return 0, self._read(size)
        count = self._tls.write(data[:_READ_LEN])
        unsent = memoryview(self._take_unsent())
        while unsent:
            with self._writing():
                sent, received = exchange(self._io, unsent, _READ_LEN, deadline)
            unsent = unsent[sent:]
            if received is not None:
                self._take(received)
                with contextlib.suppress(ssl.SSLWantReadError):
                    plain = self._read(size)
                    self._unsent = bytes(unsent)
                    return count, plain
        return count, None

    def close(self) -> None:
        """Closes the stream below. The frames of the WebSocket protocol show what is missing, not TLS."""
        self._io.close()

    def _run(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                with self._lock:
                    result = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
            except ssl.SSLError:
                self._flush()  # the alert that says why
                raise
            else:
                return result

    def _flush(self) -> None:
        """Writes what TLS itself has to say. Where nothing can be written any more there may still be something to
        read, which may say why."""
        try:
            self._send()
        except OSError:
            if self._failure is None:
                raise

    def _send(self) -> None:
        # What was written first has to leave first.
        with self._send_lock:
            with self._lock:
                data = self._take_unsent()
            if data:
                with self._writing():
                    send(self._io, data, self._deadline)

    def _take_unsent(self) -> bytes:
        data = self._unsent + self._outgoing.read()
        self._unsent = b""
        return data

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Keeps why nothing can be written any more, and raises it ever after: half a record may have gone out."""
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except OSError as error:
            if not isinstance(error, TimeoutError):
                self._failure = error
            raise

    def _receive(self) -> None:
        data = receive(self._io, _READ_LEN, self._deadline)
        if not data and self._failure is not None:
            raise self._failure
        self._take(data)

    def _take(self, data: bytes) -> None:
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _read(self, size: int) -> bytes:
        try:
            return self._tls.read(size)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
