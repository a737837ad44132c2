#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows the headers of each request while it is read, then echoes."""

import sys

import fastws
import server


def show(name: bytes, value: bytes) -> None:
    print(f"non-websocket header: {name!r}={value!r}", file=sys.stderr, flush=True)


def echo(stream: fastws.Stream) -> None:
    with stream:
        for message in stream:
            stream.send(message)


if __name__ == "__main__":
    sys.exit(server.main(__doc__, fastws.Upgrader(on_header=show), echo))
