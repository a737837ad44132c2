#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes messages as they arrive, so that they may be larger than memory."""

import sys

import fastws
import server


def echo(stream: fastws.Stream) -> None:
    """Copies each message from a file that is read to one that is written. Pings are answered, also inside of messages."""
    reader, writer = fastws.Reader(stream), fastws.Writer(stream)
    with stream:
        for header in reader:
            writer.reset(header.opcode)
            writer.read_from(reader)
            writer.flush()


if __name__ == "__main__":
    # No limits: nothing is gathered.
    upgrader = fastws.Upgrader(max_size=None, max_frame_size=None, max_fragments=None)
    sys.exit(server.main(__doc__, upgrader, echo))
