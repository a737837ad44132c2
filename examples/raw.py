#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handles headers and frames itself: echoes frame by frame, whatever their length. Only text is not checked."""

import sys

import fastws
import server

PART_LEN = 4096


def check_header(name: bytes, value: bytes) -> None:
    """Refuses cookies that are not NAME=VALUE."""
    if name.lower() == b"cookie" and b"=" not in value:
        raise fastws.Reject(400, "bad cookie")


def echo_frame(stream: fastws.Stream, header: fastws.Header) -> None:
    """Sends a frame back: a ping as a pong, everything else as it is, but never masked. RFC 6455 5.1."""
    opcode = fastws.OpCode.PONG if header.opcode == fastws.OpCode.PING else header.opcode
    stream.write_header(fastws.Header(header.fin, header.rsv, opcode, None, header.length))
    for offset in range(0, header.length, PART_LEN):
        part = stream.read_exactly(min(PART_LEN, header.length - offset))
        stream.write(fastws.masked(part, header.mask or bytes(4), offset))


def echo(stream: fastws.Stream) -> None:
    """Echoes until the client's close frame, which is answered with its own body."""
    state = fastws.State.SERVER
    while True:
        header = stream.read_header()
        try:
            header.check(state)
        except fastws.ProtocolError as error:
            stream.close(error.code or fastws.CloseCode.PROTOCOL_ERROR, str(error))
            return
        echo_frame(stream, header)
        if header.opcode == fastws.OpCode.CLOSE:
            return
        # Control frames may stand inside of messages.
        if header.opcode < fastws.OpCode.CLOSE:
            state = fastws.State.SERVER if header.fin else fastws.State.SERVER | fastws.State.FRAGMENTED


if __name__ == "__main__":
    sys.exit(server.main(__doc__, fastws.Upgrader(on_header=check_header, header={"Server": "raw"}), echo))
