# SPDX-License-Identifier: MIT
"""Broadcasts: one message to all clients, from when one of them sends it until each has it."""

from .process import Server
from .rounds import Sample, run_load

SIZES = (64, 1024)
CONNECTIONS = 1000


def make_cases():
    """Yields (name, connections, bytes)."""
    for size in SIZES:
        yield f"broadcast/{CONNECTIONS}/{size}", CONNECTIONS, size


def measure(load: list[str], seconds: float, server: Server, case: tuple) -> Sample | None:
    name, connections, size = case
    numbers = (server.port, server.process.pid, connections, size, seconds)
    return run_load(server.name, name, [*load, *map(str, numbers)], seconds)
