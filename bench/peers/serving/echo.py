# SPDX-License-Identifier: MIT
"""Echoes: CPU time of the server for each message, and messages a second."""

from .process import Server
from .rounds import Sample, run_load

SIZES = (64, 1024, 65536)
CONNECTIONS = (1, 64, 1000)
IN_FLIGHT = (64, 64)  # connections, messages in flight on each of them
KINDS = ("text", "binary")
SHAPES = {
    "1x1": "One connection, one message at a time",
    "64x1": "64 connections, one message at a time on each",
    "1000x1": "1000 connections, one message at a time on each",
    "64x64": "64 connections, 64 messages in flight on each",
}


def make_cases():
    """Yields (name, kind, connections, messages in flight, bytes)."""
    shapes = [(count, 1) for count in CONNECTIONS] + [IN_FLIGHT]
    for count, in_flight in shapes:
        for size in SIZES:
            for kind in KINDS:
                yield f"{kind}/{count}x{in_flight}/{size}", kind, count, in_flight, size


def measure(load: list[str], seconds: float, server: Server, case: tuple) -> Sample | None:
    name, kind, connections, in_flight, size = case
    numbers = (server.port, server.process.pid, connections, in_flight, size, seconds)
    command = [*load, "raw" if server.is_raw else kind, *map(str, numbers)]
    return run_load(server.name, name, command, seconds)
