# SPDX-License-Identifier: MIT
"""Numbers of the wire: opcodes, RSV bits, close codes, the state that a header is judged by. RFC 6455 5, 7.4."""

from __future__ import annotations

import enum

__all__ = ["CONTROL_MAX", "HEADER_MAX", "HEADER_MIN", "CloseCode", "CloseRange", "OpCode", "Rsv", "State"]

HEADER_MIN = 2
"""Bytes of the shortest frame header. RFC 6455 5.2."""
HEADER_MAX = 14
"""Bytes of the longest frame header. RFC 6455 5.2."""
CONTROL_MAX = 125
"""Bytes of payload that a control frame may carry. RFC 6455 5.5."""


class OpCode(enum.IntEnum):
    """What a frame is. 0x3-0x7 and 0xb-0xf are reserved. RFC 6455 5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    @property
    def is_control(self) -> bool:
        """True for CLOSE, PING and PONG. RFC 6455 5.5."""
        return self >= 0x8

    @property
    def is_data(self) -> bool:
        """True for CONTINUATION, TEXT and BINARY. RFC 6455 5.6."""
        return self < 0x8

    @staticmethod
    def is_reserved(opcode: int) -> bool:
        """True for 0x3-0x7 and 0xb-0xf, which no OpCode stands for: a parsed header may have one. RFC 6455 5.2."""
        return 0x3 <= opcode <= 0x7 or 0xB <= opcode <= 0xF


class Rsv(enum.IntFlag):
    """The reserved bits of a header, as Header.rsv has them. RFC 6455 5.2."""

    RSV1 = 4
    RSV2 = 2
    RSV3 = 1


class CloseCode(enum.IntEnum):
    """Why a connection is closed. RFC 6455 7.4.1, and for 1012-1014 the registry of IANA."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_MEANING_YET = 1004
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_PAYLOAD_DATA = 1007
    INVALID_DATA = 1007  # what websockets calls it
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015

    @property
    def is_reserved(self) -> bool:
        """True for 1004, 1005, 1006 and 1015, which never stand in a close frame. RFC 6455 7.4.1."""
        return self in (1004, 1005, 1006, 1015)


class CloseRange(enum.Enum):
    """Who gives close codes their meaning: ``4001 in CloseRange.PRIVATE``. RFC 6455 7.4.2.

    Codes from 5000 up are in none."""

    NOT_USED = range(1000)
    """Never sent."""
    PROTOCOL = range(1000, 3000)
    """RFC 6455 and its extensions."""
    APPLICATION = range(3000, 4000)
    """Libraries and frameworks, registered with IANA."""
    PRIVATE = range(4000, 5000)
    """Anybody."""

    def __contains__(self, code: object) -> bool:
        """True if the number code is in the range."""
        return code in self.value


class State(enum.IntFlag):
    """The end that receives a frame, as Header.check() is told. Without SERVER or CLIENT, masks are not judged."""

    SERVER = 1
    """I am the server: frames must be masked. RFC 6455 5.1."""
    CLIENT = 2
    """I am the client: frames must not be masked. RFC 6455 5.1."""
    EXTENDED = 4
    """permessage-deflate was agreed on: RSV1 may be set on the first frame of a message. RFC 7692 section 6."""
    FRAGMENTED = 8
    """A message has begun and its last fragment has not arrived. RFC 6455 5.4."""
    RSV2 = 16
    """Another extension claims RSV2."""
    RSV3 = 32
    """Another extension claims RSV3."""
