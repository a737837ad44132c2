#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes text and binary messages, in connections that an HTTP server has accepted."""

import sys

import fastws
import http_server


def echo(stream: fastws.Stream) -> None:
    with stream:
        while True:
            opcode, message = stream.read_data()
            stream.write_message(opcode, message)


if __name__ == "__main__":
    sys.exit(http_server.main(__doc__, echo))
