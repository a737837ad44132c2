# SPDX-License-Identifier: MIT
"""Compressed messages in pieces that stand alone: permessage-deflate, negotiated, compressed, inflated. RFC 7692.

Connections do all of this by themselves where their `compression` argument says so. Here it is for programs that handle
handshakes or frames in their own way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from ._core import Codec, Deflate, Frame, MessageState
from ._core import deflate_confirm as _confirm
from ._core import deflate_is_available as _is_available
from ._core import deflate_negotiate as _negotiate
from ._core import deflate_offer as _offer
from ._core import deflate_stats as _stats
from ._core import deflate_trim as _trim
from .heads import Parameters

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._core import Header

__all__ = [
    "Codec",
    "Deflate",
    "MessageState",
    "NAME",
    "Parameters",
    "Stats",
    "WINDOW_BITS_MAX",
    "WINDOW_BITS_MIN",
    "compress_frame",
    "confirm",
    "decompress_frame",
    "is_available",
    "negotiate",
    "offer",
    "stats",
    "trim",
]

NAME = "permessage-deflate"
WINDOW_BITS_MIN = 8  # a window is 2**bits bytes: 256 ...
WINDOW_BITS_MAX = 15  # ... to 32 768. RFC 7692 7.1.2


class Stats(NamedTuple):
    """Where the memory of compression is, in bytes: of all connections of this interpreter, but of no Codec.

    Attributes:
        held: all of it.
        free: streams that wait for reuse.
        compressors: streams that connections compress with: between messages only in mode "takeover".
        inflaters: streams that connections inflate with: between messages only for peers with takeover.
        tails: ends of what was sent.
        windows: windows of peers with takeover that idle() took out of their streams.
        variants: 0; what a PreparedMessage is compressed to belongs to it.
        streams_made: how many streams there ever were, of both directions.
    """

    held: int
    free: int
    compressors: int
    inflaters: int
    tails: int
    windows: int
    variants: int
    streams_made: int


def is_available() -> bool:
    """Whether the library was built with zlib. Without, every offer is declined, and none is made."""
    return _is_available()


def negotiate(deflate: Deflate | Literal["deflate"], offers: str | bytes) -> Deflate | None:
    """What a server does: accepts the first offer that it can keep. RFC 7692 section 5.

    Unknown or repeated parameters and bad values fail an offer, not the handshake. Other extensions are passed over.

    Args:
        deflate: what the server wants.
        offers: the value of one Sec-WebSocket-Extensions line. Of several, take the first that gives an answer.

    Returns:
        A copy of deflate whose parameters were agreed on: parameters.format() is the answer. None: declined.

    Raises:
        InvalidHeader: offers is no list of extensions. RFC 6455 9.1.
    """
    return _negotiate(deflate, offers)


def offer(deflate: Deflate | Literal["deflate"]) -> Parameters:
    """What a client offers: format() gives the text.

    Raises:
        RuntimeError: the library was built without zlib.
    """
    return _offer(deflate)


def confirm(
    deflate: Deflate | Literal["deflate"], offers: Iterable[Parameters], answer: str | bytes
) -> Deflate | None:
    """What a client does with the answer of a server: it must fail the connection where this raises.

    Args:
        deflate: what the client wants.
        offers: those that were sent, at most 64; the answer must be legal for one of them.
        answer: the value of one Sec-WebSocket-Extensions line.

    Returns:
        A copy of deflate whose parameters were agreed on. None: the server did not name the extension.

    Raises:
        InvalidHeader: answer is no list of extensions.
        NegotiationError: answer is not legal; name says how. RFC 7692 7.1.
        ValueError: there are more than 64 offers.
    """
    return _confirm(deflate, offers, answer)


def compress_frame(frame: Frame | tuple[Header, Buffer], deflate: Deflate | Literal["deflate"] | None = None) -> Frame:
    """Compresses a whole message in one frame, by itself: every peer that agreed on such a window can inflate it.

    Like Codec(deflate).compress_frame(frame): for many frames, or fragments, take a Codec.

    Args:
        frame: a Frame, or a tuple (header, payload); not masked. A control frame is returned as it is.
        deflate: how to compress; None: Deflate("no_takeover").

    Raises:
        ProtocolError: RSV1 is set already.
        ValueError: the frame is masked, a fragment, or its length is not that of its payload.
    """
    _check_whole(frame)
    return Codec(deflate).compress_frame(frame)


def decompress_frame(frame: Frame | tuple[Header, Buffer], *, max_size: int | None = 16777216) -> Frame:
    """Inflates a whole message in one frame, which refers to no other message.

    Like Codec(max_size=max_size).decompress_frame(frame).

    Args:
        frame: a Frame, or a tuple (header, payload); a masked one is unmasked. One without RSV1 is returned as it is.
        max_size: bytes that it may inflate to, None for no limit.

    Raises:
        CompressionError: it is not DEFLATE: 1007.
        InvalidUTF8: text that is not UTF-8: 1007.
        MessageTooBig: it inflates to more than max_size: 1009.
        ProtocolError: RSV1 on a control or continuation frame: 1002.
        ValueError: the frame is a fragment, or its length is not that of its payload.
    """
    _check_whole(frame)
    return Codec(max_size=max_size).decompress_frame(frame)


def stats() -> Stats:
    """Where the memory of compression is now."""
    return Stats(*_stats())


def trim() -> None:
    """Gives free streams and buffers of this interpreter's connections back: when there is nothing to do."""
    _trim()


def _check_whole(frame: Frame | tuple[Header, Buffer]) -> None:
    if isinstance(frame, tuple) and len(frame) == 2 and not getattr(frame[0], "fin", True):
        raise ValueError("frame is a fragment: take a Codec")
