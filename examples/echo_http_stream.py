#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes messages as they arrive, in connections that an HTTP server has accepted."""

import shutil
import sys

import fastws
import http_server


def echo(stream: fastws.Stream) -> None:
    """Copies each message from a file that is read to one that is written. The connection ends by an exception."""
    reader, writer = fastws.Reader(stream), fastws.Writer(stream)
    with stream:
        while True:
            header = reader.next_frame()
            writer.reset(header.opcode)  # the message goes back as what it came
            writer.write(b"")  # and it begins, so that an empty one is sent too
            shutil.copyfileobj(reader, writer)
            writer.flush()


if __name__ == "__main__":
    sys.exit(http_server.main(__doc__, echo))
