#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes text and binary messages, compressed for clients that offer it."""

import sys

import fastws
import server


def echo(stream: fastws.Stream) -> None:
    with stream:
        for message in stream:
            stream.send(message)


if __name__ == "__main__":
    sys.exit(server.main(__doc__, fastws.Upgrader(compression="deflate"), echo))
